"""An agent without any control plane: a private PostgreSQL with an Odoo-shaped database, a local destination, the real
daemon and its socket. Everything lies below one folder."""

import json
import os

import odoo_data
from agent_program import AgentProgram
from postgres import Postgres

DATABASE = "shop"


class LocalAgent(AgentProgram):
    def __init__(self, folder, preset="dev", data=None, limits=None, second=False, odoo=""):
        """`odoo`: further lines of the [[odoo]] section."""
        super().__init__(folder, preset)
        self.data = data or odoo_data.Made("local", partners=200, messages=500, files=60)
        self.limits, self.second, self.odoo = limits or {}, second, odoo
        self.pg = Postgres(self.path("postgres"))
        self.filestore = self.path("filestore", DATABASE)
        self.socket = os.path.join(self.pg.socket, "agent.sock")

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
