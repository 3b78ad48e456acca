"""A private PostgreSQL cluster for tests, labs and benchmarks, made and run by tests/infra/pg.sh: its own folder, a Unix
socket, no TCP. A root caller gets a server that runs as `postgres`."""

import os
import shutil
import subprocess
import tempfile

PG_SH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "infra", "pg.sh")
# sockaddr_un holds 107 bytes; "/.s.PGSQL.5432" takes 14.
SOCKET_FOLDER_BYTES = 90


class Postgres:
    """with Postgres(folder) as pg: … ; the data stays in the folder and is used again next time.

    Fast and forgetful by default (no fsync); durable=True for tests that pull the plug."""

    def __init__(self, folder, settings=(), durable=False, segments_mb=16):
        self.folder = os.path.abspath(folder)
        self.data = os.path.join(self.folder, "data")
        self.user = "postgres"
        self.port = "5432"
        self.pid = None
        self.bin = None
        self.socket = self._socket_folder()
        lines = ["shared_buffers = 256MB", "max_wal_size = 4GB", "max_connections = 60", *settings]
        self._settings = {"BASE": self.folder, "SOCKETS": self.socket, "PORT": self.port, "EXTRA": "\n".join(lines),
                          "DURABLE": "1" if durable else "0", "SEGMENTS_MB": str(segments_mb)}
        if os.path.isdir(self.data):
            self._take(self._sh("env"))

    def _socket_folder(self):
        """Below the folder when that is short enough for a socket's name, else in /tmp; remembered in socket.path."""
        path, remembered = os.path.join(self.folder, "s"), os.path.join(self.folder, "socket.path")
        if os.path.exists(remembered):
            with open(remembered) as file:
                return file.read()
        if len(path.encode()) > SOCKET_FOLDER_BYTES:
            path = tempfile.mkdtemp(prefix="backstay-pg-", dir="/tmp")
            os.makedirs(self.folder, exist_ok=True)
            with open(remembered, "w") as file:
                file.write(path)
        return path

    def _sh(self, *words):
        done = subprocess.run([PG_SH, *words], env={**os.environ, **self._settings}, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise SystemExit(f"pg.sh {words[0]} failed in {self.folder}: {done.stderr.strip()}")
        return done.stdout

    def _take(self, printed):
        env = dict(line.split("=", 1) for line in printed.splitlines())
        self.bin, self.pid = env["PGBIN"], int(env["PG_PID"] or 0)
        return self

    def start(self):
        return self._take(self._sh("up"))

    def stop(self):
        self._sh("stop")

    def crash(self):
        """As a power cut: no checkpoint; the next start recovers."""
        self._sh("crash")

    def forget(self):
        """Stops at once and deletes everything."""
        self._sh("down")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def connection(self):
        return {"PGHOST": self.socket, "PGPORT": self.port, "PGUSER": self.user}

    def env(self):
        return {**os.environ, **self.connection()}

    def psql(self, database, sql, user=None):
        """Runs SQL and answers the unaligned output."""
        done = subprocess.run([f"{self.bin}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database,
                               "-U", user or self.user],
                              input=sql, text=True, env=self.env(), check=True, stdout=subprocess.PIPE)
        return done.stdout.strip()

    def load(self, database, chunks, user):
        """Runs a plain dump that arrives as byte chunks; the first error ends it."""
        with subprocess.Popen([f"{self.bin}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-U", user],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=self.env()) as psql:
            try:
                for chunk in chunks:
                    psql.stdin.write(chunk)
                psql.stdin.close()
            except BrokenPipeError:
                pass
            if psql.wait() != 0:
                raise SystemExit(f"the dump could not be loaded into {database}")
