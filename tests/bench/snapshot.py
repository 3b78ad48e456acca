#!/usr/bin/python3
"""./dev bench snapshot: a differential beside a second `restic backup` and a second `borg create` of the same tree, in one run.

  snapshot.py --bin DIR [--scale 1] [--rounds 3] [--work build/bench] [--without-rollback] [--only SHARE...] [--prepare]

Three filestores of 50,000, 100,000 and 200,000 files (scale 1; 4 GB the largest), each with a full snapshot, a first `restic backup`
and a first `borg create`. Each round 200 new files are added and all three run again, taking turns. What counts of ours is the filestore's
part: the steps resolve_filestore_base and filestore_capture, which also check, store, digest and read back. Then a rollback of the 1.4 GB
database while a client connects in a loop: the longest time without an answer is the swap.
"""

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import threading
import time

import options  # noqa: I001 (it makes the tools importable)
import data
import psycopg2
from agent import Agent
from measure import peak_memory
from postgres import Postgres

NEW_FILES = 200
LARGEST_BYTES = 4_000_000_000


def ensure_tree(pg, work, files, scale):
    """A small database with a large filestore, made once; answers (database, filestore)."""
    database, filestore = f"tree_{files}", os.path.join(work, f"tree-{files}")
    known = pg.psql("postgres", f"SELECT count(*) FROM pg_database WHERE datname = '{database}'")
    if known == "1" and os.path.isdir(filestore):
        return database, filestore
    print(f"making {files} files, once …", flush=True)
    pg.psql("postgres", f'DROP DATABASE IF EXISTS "{database}"')
    shutil.rmtree(filestore, ignore_errors=True)
    data.make_database(pg, database, 0.005)
    rows = data.make_filestore(filestore, files, int(LARGEST_BYTES * scale * files / max(1, int(200_000 * scale))))
    data.insert_attachments(pg, database, rows)
    pg.psql(database, "VACUUM ANALYZE")
    return database, filestore


def add_files(pg, database, filestore, number, round_number):
    rows = []
    for i in range(number):
        content = f"{database} {round_number} {i} {time.time()} ".encode() + os.urandom(20_000)
        sha1 = hashlib.sha1(content).hexdigest()
        os.makedirs(os.path.join(filestore, sha1[:2]), exist_ok=True)
        with open(os.path.join(filestore, sha1[:2], sha1), "wb") as out:
            out.write(content)
        rows.append((f"new{i}", f"{sha1[:2]}/{sha1}", len(content), sha1, "application/pdf"))
    data.insert_attachments(pg, database, rows)
    os.sync()


def order(agent, *words):
    """Seconds, and the answer's steps by name."""
    began = time.monotonic()
    done = subprocess.run(agent.command("--json", *words), stdout=subprocess.PIPE, check=False)
    seconds = time.monotonic() - began
    detail = json.loads(done.stdout)
    if detail.get("job", {}).get("status") != "completed":
        raise SystemExit(f"{' '.join(words)} ended as {json.dumps(detail)[:2000]}")
    return seconds, {step["name"]: step for step in detail["operations"][0]["steps"]}, detail["job"]["operationId"]


def filestore_part(steps):
    return sum(steps[name]["durationMs"] for name in ("resolve_filestore_base", "filestore_capture")) / 1000


def timed(argv, env):
    began = time.monotonic()
    subprocess.run(argv, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


class Rivals:
    def __init__(self, work, files):
        self.folder = os.path.join(work, f"rivals-{files}")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.env = {**os.environ, "RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": self.folder + "/restic",
                    "RESTIC_CACHE_DIR": self.folder + "/cache", "BORG_REPO": self.folder + "/borg",
                    "BORG_BASE_DIR": self.folder, "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
        timed(["restic", "init"], self.env)
        timed(["borg", "init", "--encryption=none"], self.env)
        self.number = 0

    def restic(self, tree):
        return timed(["restic", "backup", "--quiet", tree], self.env)

    def borg(self, tree):
        self.number += 1
        return timed(["borg", "create", "--compression", "zstd,3", f"::run{self.number}", tree], self.env)


def compare(pg, arguments, work, files):
    """Medians: (ours' filestore part, ours whole, restic, borg)."""
    database, filestore = ensure_tree(pg, work, files, arguments.scale)
    rivals = Rivals(work, files)
    ours, whole, restic, borg = [], [], [], []
    with Agent(arguments.bin, pg, database, filestore, work) as agent:
        order(agent, "snapshot", database, "--full")
        rivals.restic(filestore)
        rivals.borg(filestore)
        for number in range(arguments.rounds):
            add_files(pg, database, filestore, NEW_FILES, number)
            seconds, steps, _ = order(agent, "snapshot", database)
            if steps["resolve_filestore_base"]["facts"]["mode"] != "differential":
                raise SystemExit("not a differential: " + json.dumps(steps["resolve_filestore_base"]["facts"]))
            ours.append(filestore_part(steps))
            whole.append(seconds)
            restic.append(rivals.restic(filestore))
            borg.append(rivals.borg(filestore))
        memory = peak_memory(agent.process.pid)
    shutil.rmtree(rivals.folder, ignore_errors=True)
    return [statistics.median(figures) for figures in (ours, whole, restic, borg)], memory


class Client(threading.Thread):
    """Connects and asks in a loop; knows the longest time between two answers."""

    def __init__(self, pg, database):
        super().__init__()
        self.pg, self.database, self.over, self.longest, self.answers = pg, database, False, 0.0, 0

    def run(self):
        last = time.monotonic()
        while not self.over:
            try:
                connection = psycopg2.connect(host=self.pg.socket, port=self.pg.port, user=self.pg.user, dbname=self.database)
                with connection.cursor() as cursor:
                    cursor.execute("SELECT count(*) FROM res_users")
                connection.close()
            except psycopg2.Error:
                continue
            now = time.monotonic()
            self.longest, last, self.answers = max(self.longest, now - last), now, self.answers + 1


def rollback(pg, arguments, work):
    database, filestore = data.ensure(pg, work, arguments.scale)
    with Agent(arguments.bin, pg, database, filestore, work) as agent:
        seconds, _, snapshot = order(agent, "snapshot", database, "--full")
        client = Client(pg, database)
        client.start()
        went, steps, _ = order(agent, "rollback", snapshot, "--no-safety", "--keep-hours", "0")
        client.over = True
        client.join()
    size = int(pg.psql(database, "SELECT pg_database_size(current_database())"))
    print(f"\nrollback of {size / 1e9:.2f} GB: snapshot {seconds:.1f} s, rollback {went:.1f} s, step swap_in "
          f"{steps['swap_in']['durationMs'] / 1000:.2f} s")
    print(f"longest time without an answer {client.longest:.2f} s in {client.answers} answers   (aim <= 2)")


def main():
    parse = options.parser()
    parse.add_argument("--without-rollback", action="store_true")
    parse.add_argument("--only", type=float, nargs="*", default=[0.25, 0.5, 1], help="shares of the files; none: only the rollback")
    parse.add_argument("--prepare", action="store_true", help="make the data, and measure nothing")
    arguments = options.parsed(parse)
    work = arguments.work
    for rival in ("restic", "borg"):
        if shutil.which(rival) is None:
            raise SystemExit(f"{rival} is not installed: ./dev setup")
    rows = []
    with Postgres(os.path.join(work, "pg")) as pg:
        for share in arguments.only:
            files = int(200_000 * arguments.scale * share)
            if arguments.prepare:
                ensure_tree(pg, work, files, arguments.scale)
                continue
            rows.append((files, *compare(pg, arguments, work, files)))
        if arguments.prepare:
            data.ensure(pg, work, arguments.scale)
            return
        if not arguments.without_rollback:
            rollback(pg, arguments, work)
    if not rows:
        return
    print(f"\na second run with {NEW_FILES} new files, {arguments.rounds} rounds, medians\n"
          f"{'files':>8}{'filestore part':>16}{'whole snapshot':>16}{'restic':>10}{'borg':>10}{'restic/ours':>13}{'borg/ours':>11}"
          f"{'peak mem':>11}")
    for files, (ours, whole, restic, borg), memory in rows:
        print(f"{files:>8}{ours:>14.2f} s{whole:>14.2f} s{restic:>8.2f} s{borg:>8.2f} s{restic / ours:>13.1f}{borg / ours:>11.1f}"
              f"{memory / 2**20:>7.0f} MiB")
    files, (ours, _, restic, borg), _ = rows[-1]
    print(f"\nfilestore part at {files} files   {ours:.2f} s (aim <= 2)")
    print(f"restic / ours, borg / ours       {restic / ours:.1f}, {borg / ours:.1f} (aim >= 10)")
    print(f"{rows[-1][0] / rows[0][0]:.0f} times the files cost           {ours / rows[0][1][0]:.1f} times as much")


if __name__ == "__main__":
    main()
