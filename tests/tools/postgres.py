"""A private PostgreSQL cluster for benchmarks and tools: its own folder, a Unix socket, no TCP.

PostgreSQL refuses to run as root, so a root caller runs it as `postgres` (or `nobody`).
"""

import glob
import os
import pwd
import shutil
import subprocess


def newest_bin_dir():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[-2]))
    if not found:
        raise SystemExit("no PostgreSQL server is installed: run ./dev setup")
    return found[-1]


class Postgres:
    """with Postgres(folder) as pg: … ; the data stays in the folder and is used again next time."""

    def __init__(self, folder, settings=()):
        self.folder = os.path.abspath(folder)
        self.data = os.path.join(self.folder, "data")
        # A socket path has 107 bytes at most, so it does not lie below a deep checkout.
        self.socket = f"/tmp/pg-{os.getpid()}"
        self.bin = newest_bin_dir()
        self.settings = list(settings)
        self.user = "postgres"
        self.account = None
        if os.getuid() == 0:
            for name in ("postgres", "nobody"):
                try:
                    self.account = pwd.getpwnam(name)
                    break
                except KeyError:
                    continue

    def _run(self, *argv, **options):
        if self.account:
            options["user"], options["group"], options["extra_groups"] = self.account.pw_uid, self.account.pw_gid, []
        return subprocess.run(argv, check=True, cwd="/", stdin=subprocess.DEVNULL, **options)

    def _own(self, path):
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs(self.socket, exist_ok=True)
        self._own(self.socket)
        self._own(self.folder)
        if not os.path.exists(os.path.join(self.data, "PG_VERSION")):
            self._run(f"{self.bin}/initdb", "-D", self.data, "-N", "-k", "-U", self.user, "-E", "UTF8",
                      "--locale=C.UTF-8", "--auth=trust", stdout=subprocess.DEVNULL)
            with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
                conf.write("listen_addresses = ''\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")
                conf.write("shared_buffers = 256MB\nmax_wal_size = 4GB\n")
                conf.writelines(line + "\n" for line in self.settings)
        self._run(f"{self.bin}/pg_ctl", "-D", self.data, "-l", os.path.join(self.folder, "log"), "-w", "-s", "-t", "60",
                  "-o", f"-k {self.socket} -p 5432", "start", stdout=subprocess.DEVNULL)
        with open(os.path.join(self.data, "postmaster.pid")) as pid:
            self.pid = int(pid.readline())
        return self

    def __exit__(self, *_):
        subprocess.run([f"{self.bin}/pg_ctl", "-D", self.data, "-m", "fast", "-w", "-s", "stop"], cwd="/",
                       **({"user": self.account.pw_uid, "group": self.account.pw_gid} if self.account else {}))
        shutil.rmtree(self.socket, ignore_errors=True)

    def env(self):
        return {**os.environ, "PGHOST": self.socket, "PGPORT": "5432", "PGUSER": self.user}

    def psql(self, database, sql):
        """Runs SQL and answers the unaligned output."""
        done = subprocess.run([f"{self.bin}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database],
                              input=sql, text=True, env=self.env(), check=True, stdout=subprocess.PIPE)
        return done.stdout.strip()
