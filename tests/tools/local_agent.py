"""An agent without any control plane: a private PostgreSQL with an Odoo-shaped database, a local destination, the real
daemon and its socket. Everything lies below one folder."""

import json
import os
import signal
import subprocess

import odoo_data
import processes
from postgres import Postgres

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
DATABASE = "shop"


class LocalAgent:
    def __init__(self, folder, preset="dev", data=None, limits=None, second=False, odoo=""):
        """`odoo`: further lines of the [[odoo]] section."""
        self.folder = str(folder)
        self.bin = os.path.join(ROOT, "build", preset, "bin")
        self.data = data or odoo_data.Made("local", partners=200, messages=500, files=60)
        self.limits, self.second, self.odoo = limits or {}, second, odoo
        self.wrapper = []  # a command that runs the agent
        self.pg = Postgres(self.path("postgres"))
        self.state, self.store = self.path("state"), self.path("store")
        self.filestore = self.path("filestore", DATABASE)
        self.socket = os.path.join(self.pg.socket, "agent.sock")
        self.process = None

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def prepare(self):
        self.pg.start()
        self.pg.psql("postgres", "CREATE ROLE odoo LOGIN CREATEDB; CREATE ROLE backstay LOGIN SUPERUSER")
        self.data.load(self.pg, DATABASE, self.filestore)
        for folder in (self.store, self.path("store2")):
            os.makedirs(folder, exist_ok=True)
        self.write_config()
        return self

    def write_config(self, extra="", limits=None):
        limits = "".join(f"{key} = {json.dumps(value)}\n" for key, value in {**self.limits, **(limits or {})}.items())
        second = f'\n[[destination]]\nid = "second"\ntype = "local"\npath = "{self.path("store2")}"\nmin_free_bytes = 0\n'
        with open(self.path("agent.toml"), "w") as out:
            out.write(f"""state_dir = "{self.state}"
socket = "{self.socket}"
local_roots = ["{self.folder}"]
{extra}
[[cluster]]
name = "main"
host = "{self.pg.socket}"
port = {self.pg.port}
user = "backstay"
[[odoo]]
database = "{DATABASE}"
filestore = "{self.filestore}"
{self.odoo}
[[destination]]
id = "disk"
type = "local"
path = "{self.store}"
min_free_bytes = 0
{second if self.second else ""}
[limits]
nice = 0
idle_io = false
{limits}""")

    def start(self, wait=True):
        log = open(self.path("agent.log"), "ab")
        self.process = subprocess.Popen([*self.wrapper, os.path.join(self.bin, "backstay-agent"), "--config", self.path("agent.toml")],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait and not processes.wait_until(lambda: self.run("status").returncode == 0, 30):
            raise AssertionError("the agent does not answer:\n" + self.log())
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; answers the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()
        self.pg.forget()

    def log(self):
        with open(self.path("agent.log"), errors="replace") as file:
            return file.read()

    def run(self, *words, check=None, **options):
        """Runs `backstay`; with `check` the exit code must be that."""
        done = subprocess.run([os.path.join(self.bin, "backstay"), "--socket", self.socket, *words], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        if check is not None and done.returncode != check:
            raise AssertionError(f"backstay {' '.join(words)} left with {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()}")
        return done

    def json(self, *words, check=0):
        return json.loads(self.run("--json", *words, check=check).stdout)

    def call(self, method, path, body=None, raw=None):
        """A request on the socket itself: (status, JSON)."""
        import http.client
        import socket

        connection = http.client.HTTPConnection("agent", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(60)
        connection.sock.connect(self.socket)
        try:
            connection.request(method, path, body=raw if raw is not None else body and json.dumps(body),
                               headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def databases(self):
        return self.pg.psql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").split()

    def stored(self, store=None):
        """Every file in the destination, below its root."""
        root = store or self.store
        return sorted(os.path.relpath(os.path.join(folder, name), root)
                      for folder, _, names in os.walk(root) for name in names)
