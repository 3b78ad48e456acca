"""An agent that archives the WAL of a private PostgreSQL: archive_command is the real program, as is the rest."""

import os
import subprocess

import processes
from agent_program import AgentProgram
from postgres import Postgres


class WalAgent(AgentProgram):
    """`destinations`: TOML of [[destination]] tables; by default one local folder, "disk"."""

    def __init__(self, folder, preset="dev", settings=(), wal="", destinations=None, durable=False, top="", segments_mb=16):
        super().__init__(folder, preset)
        self.wal_socket, self.socket = self.path("wal.sock"), self.path("agent.sock")
        self.hook = f"{self.bin}/backstay wal-push --socket {self.wal_socket} --timeout 30"
        self.pg = Postgres(self.path("pg"), ["archive_mode = on", f"archive_command = '{self.hook} %p'", "wal_level = replica",
                                             *settings], durable=durable, segments_mb=segments_mb)
        os.makedirs(self.store, exist_ok=True)
        self.wal, self.top = wal, top
        self.destinations = destinations or self.local("disk", self.store)

    @staticmethod
    def local(name, path):
        return f'[[destination]]\nid = "{name}"\ntype = "local"\npath = "{path}"\nmin_free_bytes = 0\n'

    @staticmethod
    def s3(name, s3, secret):
        with open(secret, "w") as file:
            file.write(s3.env["S3_SECRET_KEY"])
        os.chmod(secret, 0o600)
        return (f'[[destination]]\nid = "{name}"\ntype = "s3_compatible"\nendpoint = "{s3.env["S3_ENDPOINT"]}"\nbucket = "backups"\n'
                f'region = "{s3.env["S3_REGION"]}"\naccess_key_id = "{s3.env["S3_ACCESS_KEY"]}"\nsecret_access_key_file = "{secret}"\n')

    def write_config(self):
        with open(self.path("agent.toml"), "w") as out:
            out.write(f"""state_dir = "{self.state}"
socket = "{self.socket}"
wal_socket = "{self.wal_socket}"
local_roots = ["{self.folder}"]
{self.top}
[[cluster]]
name = "main"
host = "{self.pg.socket}"
port = {self.pg.port}
user = "postgres"
{self.destinations}
[[wal]]
{self.wal}
""")

    def start(self, wait=True):
        self.write_config()
        return super().start(wait)

    def answers(self):
        return os.path.exists(self.wal_socket) and super().answers()

    def push(self, path, cwd=None):
        """The hook by hand, as PostgreSQL would call it."""
        return subprocess.run([*self.hook.split(), path], text=True, cwd=cwd or self.pg.data, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def fetch(self, name, path, cwd=None):
        return subprocess.run([f"{self.bin}/backstay", "wal-fetch", "--socket", self.wal_socket, name, path], text=True,
                              cwd=cwd or self.pg.data, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def switch(self):
        """Fills a little and ends the segment; answers its name."""
        self.pg.psql("postgres", "SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS filler (t timestamptz DEFAULT clock_timestamp()); INSERT INTO filler DEFAULT VALUES")
        return self.pg.psql("postgres", "SELECT pg_walfile_name(pg_switch_wal())")

    def archived(self, store=None):
        """Names of the WAL files in a local destination, without their endings."""
        root = store or self.store
        return sorted(name.split(".zst")[0] for folder, _, names in os.walk(root) for name in names
                      if "/wal/" in folder + "/" and ".zst" in name)

    def object_of(self, name, store=None):
        for folder, _, names in os.walk(store or self.store):
            for found in names:
                if found.startswith(name + ".zst"):
                    return os.path.join(folder, found)
        return None

    def lose_store(self):
        os.rename(self.store, self.store + ".away")
        with open(self.store, "w") as file:
            file.write("no folder")

    def bring_store(self):
        os.unlink(self.store)
        os.rename(self.store + ".away", self.store)

    def waits_for(self, name, seconds=30, store=None):
        """Until it is stored, and PostgreSQL knows it."""
        done = lambda: name in self.archived(store) and self.last_archived() >= name  # noqa: E731
        assert processes.wait_until(done, seconds), f"{name} is not archived\n{self.log()}"

    def failed(self):
        return int(self.pg.psql("postgres", "SELECT failed_count FROM pg_stat_archiver"))

    def last_archived(self):
        return self.pg.psql("postgres", "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")
