"""A lab: a private PostgreSQL with Odoo data, a control plane and an agent, all below one folder.

./dev up and ./dev down are this; so are the labs of whole-system tests and of the demo. Ports are chosen by the kernel,
sockets lie below the folder, and only processes that the lab began are ended."""

import json
import os
import shutil
import tempfile
import uuid

import odoo_data
import processes
import settings
from api import Api
from control import Control
from postgres import Postgres

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PRODUCTION, STAGING, OTHER = "odoo_production", "odoo_staging", "odoo_other"
ORG, OTHER_ORG = "lab", "other-lab"
# What the machine's owner set for other programs must not lead a lab's programs elsewhere.
FOREIGN = ("PG", "AWS_", "NOTIFY_SOCKET", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")


class Lab:
    """Lab(folder).up(); then `env` holds what lab.env says. Lab.found(folder) finds one that is up."""

    def __init__(self, folder, preset="dev", production=None, control_store=None, agent=True, wal=False, limits=None, s3=None, settings=()):
        self.folder = os.path.abspath(folder)
        self.bin = os.path.join(ROOT, "build", preset, "bin")
        self.production = production
        self.control_store, self.with_agent, self.wal = control_store, agent, wal
        self.limits = limits or {}
        self.settings = list(settings)  # of PostgreSQL, besides ours
        # S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY, S3_SECRET_KEY: an S3 destination too; {}: none, whatever the environment says.
        self.s3 = os.environ if s3 is None else s3
        self.env, self.running = {}, {}
        self.pg = None

    # ---- its life

    def up(self):
        if os.path.exists(self.path("lab.json")):
            raise SystemExit(f"a lab is up in {self.folder}: ./dev down --dir {self.folder}")
        for program in ("backstay-control", "backstay-agent", "backstay"):
            if not os.access(os.path.join(self.bin, program), os.X_OK):
                raise SystemExit(f"{program} is not built in {self.bin}: ./dev build")
        if self.wal and "wal-push" not in self.backstay("--help", socket=False).stdout:
            raise SystemExit("--wal: the programs of this build archive no WAL (there is no `backstay wal-push`)")
        self._make_room()
        try:
            self._start_postgres()
            self._start_control()
            self._register()
            self._configure_agent()
            self._enroll()
            if self.with_agent:
                self.start_agent()
            if self.wal:
                self._archive_wal()
            self._write_env()
        except BaseException:
            self.down()
            raise
        return self

    def _make_room(self):
        """An earlier lab that was taken down makes way for the new one; anything else in the folder is left alone."""
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        if os.path.exists(self.path("lab.env")):
            for piece in ("postgres", "odoo", "addons", "control", "agent", "other-agent", "backups", "log"):
                shutil.rmtree(self.path(piece), ignore_errors=True)
            os.remove(self.path("lab.env"))

    @classmethod
    def found(cls, folder):
        """The lab that is up in the folder."""
        lab = cls(folder)
        with open(lab.path("lab.json")) as file:
            kept = json.load(file)
        lab.bin, lab.env, lab.running, lab.control_store = kept["bin"], kept["env"], kept["running"], kept["control_store"]
        lab.pg = Postgres(kept["postgres"])
        return lab

    def down(self):
        for name in reversed(list(self.running)):
            self.end(name)
        if self.pg:
            self.pg.stop()
            if self.pg.socket != os.path.join(self.pg.folder, "s"):
                shutil.rmtree(self.pg.socket, ignore_errors=True)
        if os.path.exists(self.path("lab.json")):
            os.remove(self.path("lab.json"))

    def purge(self):
        if self.pg:
            self.pg.forget()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def clean_env(self):
        return {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}

    def begin(self, name, *argv):
        os.makedirs(self.path("log"), exist_ok=True)
        self.running[name] = processes.begin(argv, self.path("log", name + ".log"), env=self.clean_env())
        self._keep()
        return self.running[name][0]

    def end(self, name):
        processes.end(*self.running.pop(name))
        self._keep()

    def log_tail(self, name, lines=15):
        try:
            with open(self.path("log", name + ".log"), errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except OSError:
            return ""

    def _keep(self):
        kept = {"bin": self.bin, "env": self.env, "running": self.running, "control_store": self.control_store,
                "postgres": self.pg.folder if self.pg else ""}
        with open(self.path("lab.json.new"), "w") as file:
            json.dump(kept, file, indent=1)
        os.replace(self.path("lab.json.new"), self.path("lab.json"))

    def _await(self, name, what, holds, seconds=30):
        if processes.wait_until(holds, seconds):
            return
        raise SystemExit(f"{what} not within {seconds} s; {name} said:\n{self.log_tail(name)}")

    # ---- PostgreSQL and Odoo

    def _start_postgres(self):
        settings = ["shared_buffers = 64MB", *self.settings]
        if self.wal:
            settings += ["archive_mode = on", "archive_timeout = 60", "wal_level = replica", "archive_command = ''"]
        place = self.path("postgres")
        if not enterable(self.folder):
            # PostgreSQL runs as another account than root, which may not enter this folder.
            place = os.path.join(tempfile.mkdtemp(prefix="backstay-lab-", dir="/tmp"), "postgres")
            os.chmod(os.path.dirname(place), 0o755)
        # Where PostgreSQL's account gets to, which the agent's own folder is not.
        self.wal_socket = os.path.join(os.path.dirname(place), "wal.sock")
        self.pg = Postgres(place, settings).start()
        self._keep()
        # The agent's role: restores create, rename and hand over databases, which a superuser may.
        self.pg.psql("postgres", "CREATE ROLE backstay LOGIN SUPERUSER")
        production = self.production or odoo_data.production()
        production.load(self.pg, PRODUCTION, self.filestore(PRODUCTION))
        odoo_data.staging().load(self.pg, STAGING, self.filestore(STAGING))
        self.data = production.described
        with open(self.path("odoo.conf"), "w") as conf:
            conf.write(f"[options]\ndata_dir = {self.path('odoo')}\nadmin_passwd = lab-master-password\ndb_host = {self.pg.socket}\n"
                       f"db_port = {self.pg.port}\ndb_user = {odoo_data.OWNER}\ndb_password = lab-database-password\n")
            if isinstance(production, odoo_data.Made):
                # Our own data comes with its modules' neutralize.sql; a real Odoo's modules are not here.
                shutil.copytree(odoo_data.ADDONS, self.path("addons"), dirs_exist_ok=True)
                conf.write(f"addons_path = {self.path('addons')}\n")

    def _archive_wal(self):
        """Only now: after three failures the archiver would pause for a minute."""
        command = f"{self.bin}/backstay wal-push --socket {self.wal_socket} %p"
        self.pg.psql("postgres", f"ALTER SYSTEM SET archive_command = '{command}'")
        self.pg.psql("postgres", "SELECT pg_reload_conf()")

    def filestore(self, database):
        return self.path("odoo", "filestore", database)

    # ---- the control plane

    def _start_control(self):
        self.control = Control(os.path.join(self.bin, "backstay-control"), self.path("control"), self.clean_env())
        self.control.init("--listen", "127.0.0.1:0")
        self._settle()
        self.start_control()

    def _settle(self):
        """The lab's S3 is on this host; another SQLite file is named in the settings, so that the administrator's commands
        find it too."""
        settings.change(self.path("control"), allow_private_destinations=True)
        if (self.control_store or "").startswith("sqlite:"):
            settings.change(self.path("control"), store=os.path.abspath(self.control_store.removeprefix("sqlite:")))

    def start_control(self, listen="127.0.0.1:0"):
        listening = self.path("control", "listen")
        if os.path.exists(listening):
            os.remove(listening)
        store = ["--store", self.control_store] if self.control_store else []
        pid = self.begin("control", os.path.join(self.bin, "backstay-control"), "serve", "--state", self.path("control"),
                         "--listen", listen, *store)
        self._await("control", "the control plane listens", lambda: os.path.exists(listening) or not processes.alive(pid))
        if not os.path.exists(listening):
            raise SystemExit(f"the control plane ended:\n{self.log_tail('control')}")
        with open(listening) as file:
            self.address = file.read().strip()
        self.env.update(API_URL=f"http://{self.address}/api", PUBLIC_API_URL=f"http://{self.address}/api/public/v1",
                        METRICS_URL=f"http://{self.address}/metrics", CONTROL_PID=str(pid), CONTROL_STATE=self.path("control"))
        self._keep()

    def _register(self):
        """Two organizations, a project with two environments' places, destinations and credentials."""
        control, env = self.control, self.env
        for org, name in ((ORG, "Lab"), (OTHER_ORG, "Another lab")):
            control.made("org", "create", "--slug", org, "--name", name)
        env["ORG_SLUG"] = ORG
        env["ORG_ID"] = next(org["id"] for org in control.listed("org", "list") if org["slug"] == ORG)
        env["PROJECT_ID"] = control.made("project", "create", "--org", ORG, "--name", "Shop")["id"]
        os.makedirs(self.path("backups"), exist_ok=True)
        env["DESTINATION_ID"] = control.made(
            "destination", "create", "--org", ORG, "--name", "local", "--type", "local", "--default", "--skip-test",
            "--config", json.dumps({"path": self.path("backups"), "minFreeBytes": 1 << 20}))["id"]
        if self.s3.get("S3_ENDPOINT"):
            env["S3_DESTINATION_ID"] = control.made(
                "destination", "create", "--org", ORG, "--name", "s3", "--type", "s3_compatible", "--config", json.dumps(s3_config(self.s3)))["id"]
        env["TOKEN"] = control.token(ORG, "owner")
        env["VIEWER_TOKEN"] = control.token(ORG, "viewer")
        env["OTHER_ORG_TOKEN"] = control.token(OTHER_ORG, "owner")
        env["API_KEY_RO"] = control.key(ORG, "ro")
        env["API_KEY_RW"] = control.key(ORG, "rw")

    def environment(self, org, project, agent, name, kind, database):
        return self.control.made(
            "environment", "create", "--org", org, "--project", project, "--name", name, "--type", kind, "--agent", agent,
            "--database", database, "--cluster", "main", "--filestore", self.filestore(database),
            "--odoo-conf", self.path("odoo.conf"))["id"]

    def api(self, token=None):
        """The contract as the owner of the lab's organization, or with another token."""
        return Api(self.env["API_URL"], token or self.env["TOKEN"])

    # ---- the agent

    def _configure_agent(self, name="agent"):
        state = self.path(name)
        os.makedirs(state, mode=0o700, exist_ok=True)
        self.env.update(AGENT_STATE=state, AGENT_SOCKET=self._agent_socket())
        with open(self.path(name + ".toml"), "w") as file:
            file.write(self._agent_toml(state, self.env["AGENT_SOCKET"]))

    def _agent_socket(self):
        path = self.path("agent", "agent.sock")
        return path if len(path) < 100 else os.path.join(self.pg.socket, "agent.sock")

    def _agent_toml(self, state, socket):
        limits = "".join(f"{key} = {json.dumps(value)}\n" for key, value in self.limits.items())
        odoo = "".join(f'\n[[odoo]]\ncluster = "main"\ndatabase = "{database}"\nfilestore = "{self.filestore(database)}"\n'
                       f'odoo_conf = "{self.path("odoo.conf")}"\n' for database in (PRODUCTION, STAGING))
        wal = '\n[[wal]]\ncluster = "main"\n' if self.wal else ""
        return f"""state_dir = "{state}"
socket = "{socket}"
wal_socket = "{os.path.join(state, 'wal.sock') if state != self.path('agent') else self.wal_socket}"
scratch_dir = "{os.path.join(state, 'scratch')}"
local_roots = ["{self.path('backups')}"]

[control_plane]
url = "http://{self.address}"

[[cluster]]
name = "main"
host = "{self.pg.socket}"
port = {self.pg.port}
user = "backstay"
{odoo}
[[destination]]
id = "{self.env['DESTINATION_ID']}"
name = "local"
type = "local"
path = "{self.path('backups')}"
{wal}
[limits]
{limits}"""

    def _enroll(self):
        """The agent of this lab, and one of the other organization that is never started."""
        env, url = self.env, f"http://{self.address}"
        env["AGENT_ID"] = self._enroll_one(ORG, "agent", url)
        env["ENV_PRODUCTION_ID"] = self.environment(ORG, env["PROJECT_ID"], env["AGENT_ID"], "production", "production", PRODUCTION)
        env["ENV_STAGING_ID"] = self.environment(ORG, env["PROJECT_ID"], env["AGENT_ID"], "staging", "staging", STAGING)
        os.makedirs(self.path("other-agent"), mode=0o700, exist_ok=True)
        with open(self.path("other-agent.toml"), "w") as file:
            file.write(self._agent_toml(self.path("other-agent"), self.path("other-agent", "agent.sock")))
        other_agent = self._enroll_one(OTHER_ORG, "other-agent", url)
        project = self.control.made("project", "create", "--org", OTHER_ORG, "--name", "Elsewhere")["id"]
        env["OTHER_ENV_ID"] = self.environment(OTHER_ORG, project, other_agent, "production", "production", OTHER)

    def _enroll_one(self, org, name, url):
        token = self.control.enroll_token(org, name)
        self.backstay("enroll", "--config", self.path(name + ".toml"), "--url", url, "--token", token, socket=False)
        return next(agent["id"] for agent in self.control.listed("agent", "list", "--org", org))

    def start_agent(self, wait=True):
        pid = self.begin("agent", os.path.join(self.bin, "backstay-agent"), "--config", self.path("agent.toml"))
        self.env["AGENT_PID"] = str(pid)
        self._keep()
        if wait:
            self._await("agent", "the agent answers", self._agent_answers)
            self._await("agent", "the agent is seen by the control plane", self._agent_is_seen)
        return pid

    def stop_agent(self):
        self.end("agent")

    def kill_agent(self):
        """As kill -9 does."""
        pid, since = self.running.pop("agent")
        if processes.born(pid) == since:
            os.kill(pid, 9)
        processes.end(pid, since)
        self._keep()

    def _agent_answers(self):
        return self.backstay("status", "--json", check=False).returncode == 0

    def _agent_is_seen(self):
        agent = self.api().get(f"/agents/{self.env['AGENT_ID']}")
        return agent.get("status") == "online" or agent.get("online") is True

    def backstay(self, *words, check=True, socket=True, **options):
        """Runs the admin's command line."""
        from control import run
        where = ["--socket", self.env["AGENT_SOCKET"]] if socket else []
        return run([os.path.join(self.bin, "backstay"), *where, *words], self.clean_env(), check=check, **options)

    # ---- what others may rely on

    def _write_env(self):
        env = self.env
        env.update(BIN=self.bin, **self.pg.connection(), PGDATA=self.pg.data, DB_PRODUCTION=PRODUCTION, DB_STAGING=STAGING,
                   FILESTORE_PRODUCTION=self.filestore(PRODUCTION), FILESTORE_STAGING=self.filestore(STAGING))
        for key in ("S3_DESTINATION_ID", "AGENT_PID"):
            env.setdefault(key, "")
        self._keep()
        with open(self.path("lab.env.new"), "w") as file:
            os.chmod(file.fileno(), 0o600)
            file.writelines(f"{key}={env[key]}\n" for key in KEYS)
        os.replace(self.path("lab.env.new"), self.path("lab.env"))


KEYS = """API_URL PUBLIC_API_URL METRICS_URL TOKEN VIEWER_TOKEN OTHER_ORG_TOKEN API_KEY_RO API_KEY_RW ORG_ID ORG_SLUG PROJECT_ID
ENV_PRODUCTION_ID ENV_STAGING_ID OTHER_ENV_ID DESTINATION_ID S3_DESTINATION_ID AGENT_ID AGENT_SOCKET AGENT_PID AGENT_STATE
CONTROL_PID CONTROL_STATE BIN PGHOST PGPORT PGUSER PGDATA DB_PRODUCTION DB_STAGING FILESTORE_PRODUCTION
FILESTORE_STAGING""".split()


def enterable(folder):
    """Whether PostgreSQL's account may enter the folder (root's own folders are closed to it)."""
    if os.getuid() != 0:
        return True
    while folder != "/":
        if not os.stat(folder).st_mode & 0o001:
            return False
        folder = os.path.dirname(folder)
    return True


def s3_config(given):
    """The bucket that S3_* variables name, with a prefix of this lab alone."""
    config = {"endpoint": given["S3_ENDPOINT"], "bucket": given["S3_BUCKET"], "accessKeyId": given["S3_ACCESS_KEY"],
              "secretAccessKey": given["S3_SECRET_KEY"], "region": given.get("S3_REGION", "us-east-1"), "pathStyle": True,
              "prefix": f"lab-{uuid.uuid4().hex[:12]}"}
    if given.get("S3_CA") and given["S3_ENDPOINT"].startswith("https:"):
        with open(given["S3_CA"]) as file:
            config["caPem"] = file.read()
    return config
