"""backstay setup against a real PostgreSQL. Its system is a folder (BACKSTAY_SYSTEM_ROOT), in which no systemd runs; with
one, tests/package has it."""

import getpass
import json
import os
import pathlib
import pty
import select
import subprocess
import time

import odoo_data
import pytest
from agent_program import AgentProgram
from postgres import Postgres

PRESET = os.environ.get("BACKSTAY_PRESET", "dev")
UNREACHABLE = "http://127.0.0.1:1"


class Host(AgentProgram):
    """A PostgreSQL with an Odoo, a configuration that knows neither, and no role of ours."""

    def __init__(self, folder):
        super().__init__(folder, PRESET)
        self.pg = Postgres(self.path("postgres")).start()
        self.socket = os.path.join(self.pg.socket, "agent.sock")
        self.config = pathlib.Path(self.path("agent.toml"))
        self.filestore = self.path("filestore", "shop")
        self.pg.psql("postgres", "CREATE ROLE odoo LOGIN CREATEDB")
        odoo_data.Made("setup", partners=20, messages=20, files=5).load(self.pg, "shop", self.filestore)
        found = pathlib.Path(self.path("system/var/run"))
        found.mkdir(parents=True)
        (found / "postgresql").symlink_to(self.pg.socket)
        self.config.write_text(f'# by hand\nstate_dir = "{self.state}"\nsocket = "{self.socket}"\nwal_group = ""\n'
                               f'wal_socket = "{self.socket}.wal"\nlocal_roots = []  # none\n[[cluster]]\nname = "main"\n')

    def words(self, *more):
        return ["setup", "--config", str(self.config), "--user", getpass.getuser(), "--database", "shop", "--filestore",
                self.filestore, *more]

    def setup(self, *more, codes=(0, 3)):
        done = self.run("--json", *self.words(*more), env={**os.environ, "BACKSTAY_SYSTEM_ROOT": self.path("system")})
        assert done.returncode in codes, done.stdout + done.stderr
        return json.loads(done.stdout)

    def at_terminal(self, *more, answers):
        """Types each answer when its question is there; answers all that was on the screen, and the exit code."""
        leader, follower = pty.openpty()
        running = subprocess.Popen([os.path.join(self.bin, "backstay"), "--socket", self.socket, *self.words(*more)], stdin=follower,
                                   stdout=follower, stderr=follower, close_fds=True, start_new_session=True,
                                   env={**os.environ, "BACKSTAY_SYSTEM_ROOT": self.path("system")})
        os.close(follower)
        screen, asked, end = "", 0, time.monotonic() + 90
        while time.monotonic() < end:
            if not select.select([leader], [], [], 1)[0]:
                continue
            try:
                screen += os.read(leader, 4096).decode(errors="replace")
            except OSError:  # the other side is closed
                break
            question, answer = answers[0] if answers else ("", "")
            if answers and question in screen[asked:]:
                asked = len(screen)
                os.write(leader, (answer + "\n").encode())
                answers = answers[1:]
        os.close(leader)
        assert not answers, screen
        return screen, running.wait(60)

    def role(self):
        return self.pg.psql("postgres", "SELECT rolsuper FROM pg_roles WHERE rolname = 'backstay'")


@pytest.fixture
def host(folder):
    one = Host(folder)
    yield one
    one.end()


def states(report):
    return {step["name"]: step["state"] for step in report["steps"]}


def test_a_host_is_shown_then_made_then_found_so_and_backs_up_with_the_least_rights(host):
    words = ("--role", "backup", "--destination", host.store)
    before = host.config.read_text()
    shown = host.setup("--show", *words, codes=(3,))
    assert {states(shown)[name] for name in ("configuration", "folders", "role", "service rights")} == {"planned"}
    assert host.config.read_text() == before and host.role() == "" and not os.path.exists(host.state)
    # Without an agent the check at the end finds that there is none.
    made = host.setup("--yes", *words, codes=(1,))
    assert states(made) == {"configuration": "changed", "folders": "changed", "role": "changed", "service rights": "changed",
                            "service": "left"}
    assert "socket" in [line["name"] for line in made["checks"] if line["result"] == "failed"]
    text = host.config.read_text()
    assert "# by hand" in text and "# none" in text
    # By default 5 GiB are kept free, which a test's disk may not have.
    host.config.write_text(text.replace(f'path = "{host.store}"', f'path = "{host.store}"\nmin_free_bytes = 0'))
    host.start()
    again = host.setup("--yes")
    assert {state for name, state in states(again).items() if name != "service"} == {"good"}
    assert again["next"] == "backstay backup shop" and not [one for one in again["checks"] if one["result"] == "failed"]
    assert host.role() == "f"
    host.run("backup", "shop", check=0)


def test_questions_are_answered_one_by_one_and_no_is_no(host):
    screen, code = host.at_terminal(answers=[
        ("Folder for backups", host.store), ("URL of the control plane", UNREACHABLE), ("One-time token", "a-very-secret-token"),
        ("Archive PostgreSQL's WAL", "y"), ("Which role", "restore"), ("Do this?", "y"), ("Do this?", "maybe"), ("yes or no?", "y"),
        ("CREATE ROLE", "n"), ("Do this?", "n"), ("Do this?", "")])
    assert code == 1, screen  # the control plane is not there
    assert "a-very-secret-token" not in screen
    assert host.role() == "" and "archive_mode" not in pathlib.Path(host.pg.data, "postgresql.auto.conf").read_text()
    assert f'url = "{UNREACHABLE}"' in host.config.read_text()
    for state in ("declined  role", "declined  rights of the service", "failed    enrolment", "before the agent can take it"):
        assert state in screen, screen
    screen, code = host.at_terminal(answers=[("Which role", "backup"), ("CREATE ROLE", "y"), ("Do this?", "y"), ("ALTER SYSTEM", "y")])
    assert host.role() == "f" and "wal-push" in pathlib.Path(host.pg.data, "postgresql.auto.conf").read_text(), screen
    assert "restart PostgreSQL main when it suits" in screen and "backstay-control agent enroll-token" in screen


def test_a_database_cannot_make_setup_run_its_functions_as_superuser(host):
    """The owner of a database may put functions of its own before the system's."""
    trap = "BEGIN CREATE ROLE trapped SUPERUSER; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END"
    for arguments in ("name, name, text", "text, name, text", "text, text, text", "oid, name, text", "oid, text, text"):
        host.pg.psql("shop", f"CREATE FUNCTION public.has_database_privilege({arguments}) RETURNS bool LANGUAGE plpgsql AS $trap${trap}$trap$")
    host.pg.psql("shop", "ALTER DATABASE shop SET search_path = public, pg_catalog")
    host.setup("--show", "--role", "backup", "--destination", host.store, codes=(3,))
    host.setup("--yes", "--role", "backup", "--destination", host.store, codes=(1, 3))
    assert host.pg.psql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'trapped'") == "0"


def test_nothing_is_guessed_where_nobody_can_be_asked(host):
    system = {**os.environ, "BACKSTAY_SYSTEM_ROOT": host.path("system")}
    refused = host.run(*host.words(), env=system)
    assert refused.returncode == 2 and "--yes" in refused.stderr
    refused = host.run(*host.words("--yes"), env=system)
    assert refused.returncode == 2 and "--role" in refused.stderr
    refused = host.run("setup", "--config", str(host.config), "--yes", "--role", "backup", "--user", "no-such-account", env=system)
    assert "no account no-such-account" in refused.stderr
    assert host.role() == ""


def test_somebody_who_may_not_is_told_who_may(folder):
    words = [os.path.join(AgentProgram(folder, PRESET).bin, "backstay"), "setup", "--yes"]
    if os.geteuid() == 0:
        words = ["setpriv", "--reuid=65534", "--clear-groups", *words]
    refused = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert refused.returncode == 1 and "sudo backstay setup" in refused.stderr, refused.stderr
