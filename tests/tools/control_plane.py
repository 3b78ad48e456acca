"""A control plane of its own with two organizations, for tests that play the agent themselves."""

import os
import pathlib
import sys

import processes
from contract import CheckedApi, Contract
from control import Control
from fake_agent import FakeAgent

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


class ControlPlane:
    def __init__(self, folder, preset):
        self.folder = pathlib.Path(folder)
        self.state = str(self.folder / "control")
        self.program = os.path.join(ROOT, "build", preset, "bin", "backstay-control")
        self.env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder)}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.control = Control(self.program, self.state, self.env)
        self.contract = Contract()
        self.running = None
        self.port = 0

    def up(self):
        self.control.init()
        self._change_limits()
        self.start()
        self._register()
        return self

    def start(self):
        listen = pathlib.Path(self.state, "listen")
        listen.unlink(missing_ok=True)
        self.running = processes.begin([self.program, "serve", "--state", self.state, "--listen", f"127.0.0.1:{self.port}"],
                                       str(self.folder / "control.log"), self.env)
        if not processes.wait_until(lambda: listen.exists() or not processes.alive(self.running[0]), 30) or not listen.exists():
            raise RuntimeError("the control plane does not listen:\n" + self.log())
        self.port = int(listen.read_text().strip().rpartition(":")[2])
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        if self.running:
            processes.end(*self.running)
        self.running = None

    def kill(self):
        processes.end(*self.running, seconds=0)
        self.running = None

    def log(self):
        return (self.folder / "control.log").read_text()[-6000:]

    def api(self, token):
        return CheckedApi(self.contract, self.url + "/api", token)

    def _change_limits(self):
        """One test asks for every operation without a credential, within a minute. And a few more streams than usual."""
        settings = pathlib.Path(self.state, "control.toml")
        changed = settings.read_text().replace("refusals_per_minute = 120 ", "refusals_per_minute = 100000 ")
        changed = changed.replace("streams_per_credential = 10\n", "streams_per_credential = 12\n")
        assert "100000" in changed and "= 12\n" in changed
        settings.write_text(changed)

    def _register(self):
        made = self.control.made
        for slug in ("acme", "other"):
            made("org", "create", "--slug", slug, "--name", slug.title())
        self.project = made("project", "create", "--org", "acme", "--name", "Shop")["id"]
        self.second_project = made("project", "create", "--org", "acme", "--name", "Second")["id"]
        self.agent = FakeAgent.enrolled(self.url, self.control.enroll_token("acme", "db1"))
        self.far_agent = FakeAgent.enrolled(self.url, self.control.enroll_token("acme", "db2"))
        self.production = self._environment("prod", "production", "shop")
        self.staging = self._environment("staging", "staging", "shop_staging")
        self.far = self._environment("far", "staging", "shop_far", agent=self.far_agent)
        self.elsewhere = self._environment("elsewhere", "staging", "second", project=self.second_project)
        self.local = self._destination("here", "local", '{"path": "/var/backups/odoo"}', "--default")
        self.shared = self._destination("bucket", "s3_compatible", '{"endpoint": "http://127.0.0.1:9", "bucket": "backups", '
                                        '"accessKeyId": "a", "secretAccessKey": "very-secret-word"}')
        self.owner = self.api(self.control.token("acme", "owner"))
        self.developer = self.api(self.control.token("acme", "developer"))
        self.viewer = self.api(self.control.token("acme", "viewer"))
        self.stranger = self.api(self.control.token("other", "owner"))

    def _environment(self, name, kind, database, project=None, agent=None):
        return self.control.made("environment", "create", "--org", "acme", "--project", project or self.project, "--name", name,
                                 "--type", kind, "--agent", (agent or self.agent).agent_id, "--database", database)["id"]

    def _destination(self, name, kind, config, *more):
        return self.control.made("destination", "create", "--org", "acme", "--name", name, "--type", kind, "--config", config,
                                 "--skip-test", *more)["id"]

    # ---- what most tests need

    def order(self, environment=None, **body):
        return self.owner.post(f"/environments/{environment or self.production}/backups", body or None)["backupId"]

    def made_backup(self, environment=None, failing=(), **body):
        """A backup as its agent made it; its answer."""
        backup = self.order(environment, **body)
        self.agent.do_backup(self.agent.take(kind="backup"), failing=failing)
        return self.owner.get(f"/backups/{backup}")


if __name__ == "__main__":
    sys.exit("a module of the tests")
