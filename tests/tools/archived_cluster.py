"""A private PostgreSQL whose WAL goes into a folder by the agent's own code, without an agent, and writers that note what
they committed and when: what restores to a moment are measured with."""

import datetime
import json
import os
import random
import shutil
import subprocess
import threading

import odoo_data
import psycopg2
from postgres import Postgres
from processes import wait_until

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BIN = os.path.join(ROOT, "build", os.environ.get("BACKSTAY_PRESET", "dev"), "bin")
UTC = datetime.timezone.utc


def text_of(moment):
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class ArchivedCluster:
    def __init__(self, folder, archive_timeout=2, settings=()):
        self.folder = str(folder)
        self.store, self.state = self.path("store"), self.path("state")
        os.makedirs(self.store)
        os.chmod(self.store, 0o777)
        for name in ("pushing", "t"):
            os.makedirs(self.path(name))
            os.chmod(self.path(name), 0o777)
        push = self.path("push.sh")
        self.pg = Postgres(self.path("pg"), settings=[
            "wal_level = replica", "archive_mode = on", f"archive_timeout = {archive_timeout}", "track_commit_timestamp = on",
            # Without a command the archiver waits; after three failures it would pause for a minute.
            "archive_command = ''", *settings])
        self.pg.start()
        self.system_id = self.pg.psql("postgres", "SELECT system_identifier FROM pg_control_system()")
        self._push_script(push)
        self.pg.psql("postgres", f"ALTER SYSTEM SET archive_command = '{push} %p'")
        self.pg.psql("postgres", "SELECT pg_reload_conf()")
        self.archive = os.path.join(self.store, "v1", "local", "clusters", self.system_id)
        self.archive_all()  # the server's account makes the store's folders, so that it may write there
        with open(self.path("agent.toml"), "w") as out:
            out.write(f'state_dir = "{self.path("alone")}"\n[[cluster]]\nname = "main"\nhost = "{self.pg.socket}"\n'
                      f'port = {self.pg.port}\nuser = "postgres"\n')

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def _push_script(self, push):
        """Fails while the file `closed` is there, so that a test can stop the archive."""
        with open(push, "w") as out:
            out.write(f"""#!/bin/sh
[ ! -e {self.path("closed")} ] || exit 1
exec {BIN}/jobs-tool push - 0 - "$1" "{self.system_id}" {self.store} {self.path("pushing")}
""")
        os.chmod(push, 0o755)

    def tool(self, word, *options, database="-", filestore="-"):
        done = subprocess.run([f"{BIN}/jobs-tool", word, self.pg.socket, self.pg.port, self.pg.bin, database, filestore, self.store,
                               self.state, *options], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise AssertionError(f"jobs-tool {word} left with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def repack(self, segment, content):
        """Puts a segment into the archive again, with other content and all the marks of a sound one."""
        os.unlink(segment)
        name = self.path(os.path.basename(segment)[:24])
        with open(name, "wb") as out:
            out.write(content)
        subprocess.run([f"{BIN}/jobs-tool", "push", "-", "0", "-", name, self.system_id, self.store, self.path("pushing")], check=True)
        os.unlink(name)

    def base_backup(self, *options):
        """Answers its folder below the store."""
        return self.tool("base", *options)

    def full_backup(self, database, filestore):
        return self.tool("backup", database=database, filestore=filestore)

    def promote(self):
        """Ends one timeline and begins the next, as a switch to a standby does."""
        self.pg.stop()
        with open(os.path.join(self.pg.data, "postgresql.auto.conf"), "a") as out:
            out.write("restore_command = '/bin/false'\n")
        signal_file = os.path.join(self.pg.data, "recovery.signal")
        open(signal_file, "w").close()
        if os.geteuid() == 0:
            shutil.chown(signal_file, "postgres", "postgres")
        self.pg.start()

    def env(self):
        """Recoveries of other tests on this machine are none of ours."""
        return {**os.environ, "TMPDIR": self.path("t")}

    def command(self, *words):
        return [f"{BIN}/backstay", "--json", *words, "--from", self.store, "--config", self.path("agent.toml")]

    def backstay(self, *words, check=0):
        done = subprocess.run(self.command(*words), env=self.env(), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if check is not None and done.returncode != check:
            raise AssertionError(f"backstay {' '.join(words)} left with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def show(self):
        (archive,) = json.loads(self.backstay("wal-show", check=None).stdout)["archives"]
        return archive

    def latest(self):
        return moment_of(self.show()["latestRecoverable"])

    def archive_all(self):
        """Everything committed so far is in the archive when it returns."""
        self.pg.psql("postgres", "SELECT pg_logical_emit_message(true, 'test', 'x')")
        self.archive_segment()
        self.pg.psql("postgres", "SELECT pg_logical_emit_message(true, 'test', 'x')")

    def archive_segment(self):
        last = self.pg.psql("postgres", "SELECT pg_walfile_name(pg_switch_wal())")
        assert wait_until(lambda: self.pg.psql("postgres", "SELECT last_archived_wal FROM pg_stat_archiver")[:24] >= last, 60), \
            "not archived: " + self.pg.psql("postgres", "SELECT row_to_json(a) FROM pg_stat_archiver a")

    def restore_words(self, moment, database, *options, of="shop"):
        return ["restore", "--at", text_of(moment) if isinstance(moment, datetime.datetime) else moment, "--of", of, "--database",
                database, "--no-neutralize", "--keep-uuid", "--keep-hours", "0", *options]

    def restore(self, moment, database, *options, of="shop", check=0):
        return self.backstay(*self.restore_words(moment, database, *options, of=of), check=check)

    def segments(self):
        """Paths of all archived segments, in order of timeline and position."""
        return sorted((os.path.join(base, name) for base, _, names in os.walk(os.path.join(self.archive, "wal")) for name in names
                       if len(name.split(".")[0]) == 24 and name.endswith(".zst") and name.count(".") == 1), key=os.path.basename)

    def databases(self):
        return self.pg.psql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").split()


class Writer:
    """Commits small transactions into a table `ledger` of one database until it is stopped, each noted with the server's own
    commit time."""

    def __init__(self, pg, database, pause=0.004, weight=200):
        self.pg, self.database, self.pause, self.weight = pg, database, pause, weight
        pg.psql(database, "CREATE TABLE IF NOT EXISTS ledger (n bigserial PRIMARY KEY, note text)", user=odoo_data.OWNER)
        self.failed = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def connect(self):
        return psycopg2.connect(host=self.pg.socket, port=self.pg.port, user="postgres", dbname=self.database)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        self._thread.join()
        if self.failed:
            raise self.failed

    def _run(self):
        try:
            connection = self.connect()
            connection.autocommit = True
            with connection.cursor() as cursor:
                while not self._stop.wait(random.random() * self.pause):
                    cursor.execute("INSERT INTO ledger (note) SELECT repeat(md5(random()::text), %s)", (self.weight // 32 + 1,))
            connection.close()
        except psycopg2.Error as error:
            self.failed = error

    def commits(self):
        """[(n, commit time)] of everything in the table now."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT n, pg_xact_commit_timestamp(xmin) FROM ledger ORDER BY n")
            return cursor.fetchall()


def ledger(pg, database):
    return [int(n) for n in pg.psql(database, "SELECT n FROM ledger ORDER BY n").split()]
