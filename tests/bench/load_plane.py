"""A control plane under load, on either store, and the load generator beside it."""

import contextlib
import hashlib
import os
import select
import shutil
import sqlite3
import subprocess

import psycopg2
import psycopg2.extras
import processes
import settings
from api import Api
from control import Control

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


class Tool:
    """load-tool beside us; it says when it is ready, and ends with its input."""

    def __init__(self, folder, *words):
        self.process = subprocess.Popen([f"{folder}/load-tool", *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ready(self):
        line = self.process.stdout.readline()
        if line.strip() != "ready":
            raise SystemExit(f"load-tool said {line!r}")
        return self

    def line(self, seconds):
        """The next line, or None. One line comes at a time: nothing waits in the buffer."""
        readable, _, _ = select.select([self.process.stdout], [], [], seconds)
        return self.process.stdout.readline().split() if readable else None

    def end(self):
        out, _ = self.process.communicate(timeout=60)
        if self.process.returncode:
            raise SystemExit("load-tool failed")
        return out.split()


class Postgres:
    """A server of its own that keeps what it promises: fsync is on."""

    def __init__(self, work):
        self.env = {**os.environ, "BASE": os.path.join(work, "pg"), "DURABLE": "1", "EXTRA": "max_connections = 200\nshared_buffers = 512MB"}
        self.down()  # what a run left that was killed
        found = dict(line.split("=", 1) for line in self._pg("up").splitlines() if "=" in line)
        self.url = f"postgresql://postgres@:{found['PGPORT']}/postgres?host={found['PGHOST']}"

    def _pg(self, word):
        return subprocess.run([f"{ROOT}/tests/infra/pg.sh", word], env=self.env, check=True, stdout=subprocess.PIPE, text=True).stdout

    def down(self):
        self._pg("down")


class Rows:
    """The store's tables, written past the control plane while it is stopped: a million rows in seconds."""

    def __init__(self, plane):
        self.postgres = plane.postgres is not None
        self.db = psycopg2.connect(plane.postgres.url) if self.postgres else sqlite3.connect(plane.state + "/control.db")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.db.commit()
            if self.postgres:
                self.db.autocommit = True
                self.db.cursor().execute("VACUUM ANALYZE")
                self.db.cursor().execute("CHECKPOINT")  # what was written by the way is not the price of what is asked next
        self.db.close()

    def columns(self, table):
        cursor = self.db.cursor()
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        return [column[0] for column in cursor.description]

    def run(self, sql, *values):
        cursor = self.db.cursor()
        cursor.execute(sql.replace("%", "%%").replace("?", "%s") if self.postgres else sql, values)
        return cursor

    def insert(self, table, columns, rows):
        places = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
        if self.postgres:
            psycopg2.extras.execute_batch(self.db.cursor(), sql.replace("?", "%s"), rows, 1000)
        else:
            self.db.executemany(sql, rows)


class Plane:
    def __init__(self, folder, work, postgres=None):
        self.bin, self.state, self.postgres = os.path.abspath(folder), os.path.join(work, "control-plane"), postgres
        shutil.rmtree(self.state, ignore_errors=True)
        self.control = Control(f"{self.bin}/backstay-control", self.state, dict(os.environ))
        self.control.run("init")
        # No backup of its own beside what is measured.
        settings.change(self.state, reads_per_minute=0, writes_per_minute=0, streams_per_credential=100_000, connections=100_000, folder="")
        if postgres:
            settings.change(self.state, store=postgres.url)
        self.running = None

    def start(self):
        listen = os.path.join(self.state, "listen")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(listen)
        self.running = processes.begin([f"{self.bin}/backstay-control", "serve", "--state", self.state, "--listen", "127.0.0.1:0"],
                                       self.state + "/log")
        if not processes.wait_until(lambda: os.path.exists(listen), 60):
            raise SystemExit(f"the control plane does not listen; see {self.state}/log")
        with open(listen) as file:
            self.port = int(file.read().strip().rpartition(":")[2])
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def stop(self):
        if self.running:
            processes.end(*self.running)
        self.running = None

    @contextlib.contextmanager
    def rows(self):
        """Stopped, with its tables open; started again."""
        self.stop()
        with Rows(self) as rows:
            yield rows
        self.start()
        for api in (self.owner, self.quiet):
            api.url = self.url + "/api"

    @property
    def pid(self):
        return self.running[0]

    def register(self):
        """An organization that bears the load, and one that wants to work beside it."""
        made = self.control.made
        for slug in ("bench", "quiet"):
            made("org", "create", "--slug", slug, "--name", slug.title())
            made("destination", "create", "--org", slug, "--name", "here", "--type", "local", "--config",
                 '{"path": "/var/backups/odoo"}', "--default", "--skip-test")
        self.project = made("project", "create", "--org", "bench", "--name", "Shop")["id"]
        self.quiet_project = made("project", "create", "--org", "quiet", "--name", "Shop")["id"]
        self.token, self.quiet_token = self.control.token("bench", "owner"), self.control.token("quiet", "owner")
        self.owner, self.quiet = Api(self.url + "/api", self.token), Api(self.url + "/api", self.quiet_token)

    def enrolled(self, count):
        """So many agents; their (instance, credential, id)."""
        agents = [(f"00000000-0000-4000-8000-{number:012d}", f"bks_agent_load{number:08d}", f"aaaaaaaa-0000-4000-8000-{number:012d}")
                  for number in range(count)]
        with self.rows() as rows:
            organization = rows.run("SELECT id FROM organizations WHERE slug = 'bench'").fetchone()[0]
            rows.insert("agents", ("id", "organization_id", "name", "hostname", "version", "protocol_version", "credential_hash", "created_at",
                                   "updated_at"),
                        [(identity, organization, f"host{number}", f"host{number}", "load", 1,
                          hashlib.sha256(credential.encode()).hexdigest(), 1, 1) for number, (_, credential, identity) in enumerate(agents)])
        return agents

    def environment(self, agent_id, name):
        return self.owner.post(f"/projects/{self.project}/environments", {"name": name, "type": "staging", "agentId": agent_id,
                                                                          "database": name})["id"]
