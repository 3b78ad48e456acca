#!/usr/bin/python3
"""./dev bench wal: WAL archiving beside pgBackRest (zst, posix repository) and cp + fsync, in one run, on the same WAL.

  wal.py --bin DIR [--segments 256] [--work build/bench-wal] [--prepare]

The WAL is pgbench's, with a checkpoint now and then, kept in the work folder for the next run; --prepare only writes it. Archived from a standing backlog, through PostgreSQL's real archiver and segment by segment by hand; then fetched
back in order, as a recovery does. Every way ends with what it acknowledged on disk.
"""

import argparse
import glob
import os
import pwd
import resource
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))

from measure import folder_bytes, tree_cpu_seconds  # noqa: E402
from postgres import Postgres  # noqa: E402

AS_POSTGRES = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.geteuid() == 0 else []


class Backstay:
    name = "backstay"

    def __init__(self, bench, arguments):
        self.bench, self.bin = bench, arguments.bin
        self.store, self.process = bench.path("store"), None
        socket = bench.path("wal.sock")
        self.push = f"{self.bin}/backstay wal-push --socket {socket} %p"
        self.fetch = f"{self.bin}/backstay wal-fetch --socket {socket} %f %p"

    def begin(self):
        bench = self.bench
        os.makedirs(self.store)
        with open(bench.path("agent.toml"), "w") as out:
            out.write(f"""state_dir = "{bench.path('state')}"
socket = "{bench.path('agent.sock')}"
wal_socket = "{bench.path('wal.sock')}"
local_roots = ["{bench.work}"]
[[cluster]]
host = "{bench.pg.socket}"
port = {bench.pg.port}
user = "postgres"
[[destination]]
id = "disk"
type = "local"
path = "{self.store}"
min_free_bytes = 0
[[wal]]
""")
        self.process = subprocess.Popen([f"{self.bin}/backstay-agent", "--config", bench.path("agent.toml")],
                                        stdin=subprocess.DEVNULL, stderr=open(bench.path("agent.log"), "ab"))
        while not os.path.exists(bench.path("wal.sock")):
            time.sleep(0.05)
        time.sleep(1)

    def cpu(self):
        return tree_cpu_seconds(self.process.pid)

    def stored(self):
        return sum(folder_bytes(wal) for wal in glob.glob(os.path.join(self.store, "v1/*/clusters/*/wal")))

    def end(self):
        self.process.terminate()
        self.process.wait()
        for folder in (self.store, self.bench.path("state")):
            shutil.rmtree(folder, ignore_errors=True)


class PgBackRest:
    def __init__(self, bench, processes):
        self.bench, self.processes = bench, processes
        self.name = "pgBackRest sync" if processes == 0 else f"pgBackRest async, {processes} processes"
        self.repo = bench.path("repo")
        conf = bench.path("pgbackrest.conf")
        command = f"pgbackrest --config={conf} --stanza=bench"
        self.command = command
        self.push, self.fetch = f"{command} archive-push %p", f"{command} archive-get %f %p"

    def begin(self):
        bench = self.bench
        for folder in (self.repo, bench.path("spool"), bench.path("lock")):
            os.makedirs(folder)
        with open(bench.path("pgbackrest.conf"), "w") as out:
            out.write(f"""[global]
repo1-path={self.repo}
spool-path={bench.path('spool')}
lock-path={bench.path('lock')}
compress-type=zst
log-level-console=off
log-level-file=off
archive-async={'y' if self.processes else 'n'}
process-max={max(self.processes, 1)}
archive-get-queue-max=1GiB
[bench]
pg1-path={bench.pg.data}
pg1-socket-path={bench.pg.socket}
pg1-port={bench.pg.port}
pg1-user=postgres
""")
        bench.own()
        subprocess.run([*AS_POSTGRES, *self.command.split(), "stanza-create"], check=True)

    def cpu(self):
        return 0.0  # its processes are PostgreSQL's children, or ours

    def stored(self):
        return folder_bytes(self.repo)

    def end(self):
        subprocess.run([*AS_POSTGRES, *self.command.split(), "stop"], check=False)
        time.sleep(1)
        subprocess.run([*AS_POSTGRES, *self.command.split(), "start"], check=False)
        for folder in (self.repo, self.bench.path("spool"), self.bench.path("lock")):
            shutil.rmtree(folder, ignore_errors=True)


class Copy:
    name = "cp and fsync"

    def __init__(self, bench):
        self.bench, self.store = bench, bench.path("copies")
        self.push = f"cp %p {self.store}/%f && sync {self.store}/%f {self.store}"
        self.fetch = f"cp {self.store}/%f %p"

    def begin(self):
        os.makedirs(self.store)
        self.bench.own()

    def cpu(self):
        return 0.0

    def stored(self):
        return folder_bytes(self.store)

    def end(self):
        shutil.rmtree(self.store)


class Bench:
    def __init__(self, arguments):
        self.work = os.path.abspath(arguments.work)
        self.count = arguments.segments
        self.prepared = os.path.exists(self.path("first-segment"))
        if not self.prepared:
            shutil.rmtree(self.work, ignore_errors=True)
            os.makedirs(self.work)
        self.pg = Postgres(self.path("pg"), ["archive_mode = on", "archive_command = ''", "wal_level = replica",
                                             "max_wal_size = 64GB", "checkpoint_timeout = 1h", "full_page_writes = on",
                                             "wal_keep_size = 64GB",
                                             "max_wal_senders = 0"])  # no base backup meanwhile

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def own(self):
        if AS_POSTGRES:
            user = pwd.getpwnam("postgres")
            for folder in ("repo", "spool", "lock", "copies", "fetched"):
                if os.path.isdir(self.path(folder)):
                    os.chown(self.path(folder), user.pw_uid, user.pw_gid)
            os.chmod(self.work, 0o755)

    def segments(self):
        status = glob.glob(os.path.join(self.pg.data, "pg_wal", "archive_status", "*"))
        names = sorted(os.path.basename(one).split(".")[0] for one in status if len(os.path.basename(one).split(".")[0]) == 24)
        return [name for name in names if name >= self.first][:self.count]

    def waiting(self):
        return len(glob.glob(os.path.join(self.pg.data, "pg_wal", "archive_status", "*.ready")))

    def fill(self):
        """pgbench until so many segments wait; nothing is archived meanwhile. What filled its tables does not count: it compresses
        as no server's daily work does."""
        if self.prepared:
            with open(self.path("first-segment")) as file:
                self.first = file.read()
            return
        env = self.pg.env()
        subprocess.run([f"{self.pg.bin}/pgbench", "-i", "-q", "-s", "40", "postgres"], env=env, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.first = self.pg.psql("postgres", "SELECT pg_walfile_name(pg_switch_wal() + 1)")
        while len(self.segments()) < self.count:
            self.pg.psql("postgres", "CHECKPOINT")
            subprocess.run([f"{self.pg.bin}/pgbench", "-c", "4", "-j", "2", "-t", "5000", "-n", "postgres"], env=env, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(self.path("first-segment"), "w") as file:
            file.write(self.first)

    def again(self):
        """All of it waits once more, and nothing else."""
        folder = os.path.join(self.pg.data, "pg_wal", "archive_status")
        wanted = set(self.segments())
        for name in os.listdir(folder):
            path, kind = os.path.splitext(name)
            should = ".ready" if path in wanted else ".done"
            if kind != should:
                os.rename(os.path.join(folder, name), os.path.join(folder, path + should))

    def archive(self, way):
        """Segments a second, CPU a segment, stored bytes: the backlog through PostgreSQL's archiver."""
        self.again()
        waiting = self.waiting()
        before_server, before = tree_cpu_seconds(self.pg.pid) + self.archiver_cpu(), way.cpu()
        self.pg.psql("postgres", f"ALTER SYSTEM SET archive_command = $x${way.push}$x$")
        began = time.monotonic()
        self.pg.psql("postgres", "SELECT pg_reload_conf()")
        while self.waiting() > 0:
            time.sleep(0.02)
            if time.monotonic() - began > 600:
                raise SystemExit(f"{way.name} does not come to an end")
        wall = time.monotonic() - began
        cpu = tree_cpu_seconds(self.pg.pid) + self.archiver_cpu() - before_server + way.cpu() - before
        self.pg.psql("postgres", "ALTER SYSTEM SET archive_command = ''")
        self.pg.psql("postgres", "SELECT pg_reload_conf()")
        return waiting / wall, cpu / waiting, way.stored()

    def archiver_cpu(self):
        """The archiver and the children that it reaped."""
        pid = self.pg.psql("postgres", "SELECT pid FROM pg_stat_activity WHERE backend_type = 'archiver'")
        return tree_cpu_seconds(int(pid)) if pid else 0.0

    def latency(self, way):
        """Milliseconds of the client for a segment that is stored already."""
        took = []
        for name in self.segments()[:20]:
            argv = [*AS_POSTGRES, "sh", "-c", way.push.replace("%p", f"pg_wal/{name}").replace("%f", name)]
            for _ in range(3):
                began = time.monotonic()
                subprocess.run(argv, cwd=self.pg.data, check=True, stderr=subprocess.DEVNULL)
                last = time.monotonic() - began
            took.append(last * 1000)
        return statistics.median(took)

    def restore(self, way):
        """Segments a second and CPU a segment, one after the other as recovery asks for them."""
        target = self.path("fetched")
        os.makedirs(target, exist_ok=True)
        self.own()
        names = self.segments()
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        before = way.cpu()
        began = time.monotonic()
        for name in names:
            argv = [*AS_POSTGRES, "sh", "-c", way.fetch.replace("%f", name).replace("%p", f"{target}/RECOVERYXLOG")]
            subprocess.run(argv, cwd=self.pg.data, check=True)
            # PostgreSQL gives it its name at once: the next one replaces nothing.
            os.unlink(f"{target}/RECOVERYXLOG")
        wall = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime + way.cpu() - before
        shutil.rmtree(target)
        return len(names) / wall, cpu / len(names)


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--bin", required=True)
    parse.add_argument("--segments", type=int, default=256)
    parse.add_argument("--work", default="build/bench-wal")
    parse.add_argument("--prepare", action="store_true")
    parse.add_argument("--again", action="store_true", help="keep the WAL for the next run")
    arguments = parse.parse_args()
    arguments.bin = os.path.abspath(arguments.bin)
    bench = Bench(arguments)
    if shutil.which("pgbackrest") is None:
        raise SystemExit("pgbackrest is not installed: ./dev setup")
    rows = {}
    with bench.pg:
        bench.fill()
        if arguments.prepare:
            return
        plain = len(bench.segments()) * (16 << 20)
        ways = [Copy(bench), PgBackRest(bench, 0), PgBackRest(bench, 2), Backstay(bench, arguments)]
        print(f"{'':<32}{'archived/s':>12}{'CPU/segment':>14}{'ratio':>8}{'client':>12}{'fetched/s':>12}{'CPU/segment':>14}")
        for way in ways:
            way.begin()
            try:
                rate, cpu, stored = bench.archive(way)
                latency = bench.latency(way)
                fetched, fetch_cpu = bench.restore(way)
            finally:
                way.end()
            rows[way.name] = (rate, cpu, stored, latency, fetched, fetch_cpu)
            print(f"{way.name:<32}{rate:>10.1f}  {cpu * 1000:>10.0f} ms{plain / stored:>8.2f}{latency:>9.1f} ms{fetched:>10.1f}  "
                  f"{fetch_cpu * 1000:>10.0f} ms", flush=True)
    if not arguments.again:
        bench.pg.forget()
        shutil.rmtree(bench.work)
    ours, rival = rows["backstay"], rows[ways[2].name]
    print(f"\narchived: backstay / pgBackRest async  {ours[0] / rival[0]:.2f}   (aim >= 2)")
    print(f"fetched:  backstay / pgBackRest async  {ours[4] / rival[4]:.2f}   (aim >= 2)")
    print(f"archive:  backstay / pgBackRest        {ours[2] / rival[2]:.2f}   (aim <= 1.1)")
    print(f"client, segment already stored         {ours[3]:.1f} ms (aim <= 5)")


if __name__ == "__main__":
    main()
