#!/usr/bin/python3
"""./dev bench memory: the agent's own memory and CPU: idle, and backing up streams that do not compress.

  memory.py --bin DIR [--sizes 1,10] [--idle 30] [--work build/bench]

Sizes are GB of filestore. Fails when a limit of the design is broken: 128 MiB at any size, 16 MiB idle, no CPU idle.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))

import data  # noqa: E402
from agent import Agent  # noqa: E402
from measure import peak_memory, resident_memory, tree_cpu_seconds  # noqa: E402
from postgres import Postgres  # noqa: E402

FILE_BYTES = 250_000_000
MIB = 2**20


def make_filestore(folder, gigabytes):
    """Few large files of random bytes: nothing to win for zstd, so that what is stored is as large as what is read."""
    shutil.rmtree(folder, ignore_errors=True)
    noise = os.urandom(50_000_000)  # far more than zstd's window, so the repetition is invisible to it
    rows = []
    for number in range(round(gigabytes * 1e9 / FILE_BYTES)):
        pieces = [f"{number}".encode().ljust(16)] + [noise] * (FILE_BYTES // len(noise))
        digest = hashlib.sha1()
        for piece in pieces:
            digest.update(piece)
        sha1 = digest.hexdigest()
        os.makedirs(os.path.join(folder, sha1[:2]), exist_ok=True)
        with open(os.path.join(folder, sha1[:2], sha1), "wb") as out:
            out.writelines(pieces)
        rows.append((f"film{number}", f"{sha1[:2]}/{sha1}", sum(map(len, pieces)), sha1, "video/mp4"))
    return rows


def peak_of_backup(arguments, pg, gigabytes):
    database, filestore = f"bench_stream_{gigabytes}", os.path.join(arguments.work, f"stream-{gigabytes}")
    pg.psql("postgres", f'DROP DATABASE IF EXISTS "{database}"')
    pg.psql("postgres", f'CREATE DATABASE "{database}" TEMPLATE template0')
    pg.psql(database, data.SCHEMA)
    data.insert_attachments(pg, database, make_filestore(filestore, gigabytes))
    try:
        with Agent(arguments.bin, pg, database, filestore, arguments.work) as agent:
            began = time.monotonic()
            subprocess.run(agent.backup(), check=True, env=pg.env(), stdout=subprocess.DEVNULL)
            peak, wall = peak_memory(agent.process.pid), time.monotonic() - began
            if agent.last_status() != "completed":
                raise SystemExit(f"the backup ended as {agent.last_status()}: no figures")
            shutil.rmtree(os.path.join(agent.folder, "store"))
    finally:
        shutil.rmtree(filestore, ignore_errors=True)
    print(f"{gigabytes:>5} GB of stream: peak {peak / MIB:6.1f} MiB in {wall:6.1f} s (limit 128 MiB)", flush=True)
    return peak


def idle(arguments, pg):
    with Agent(arguments.bin, pg, "postgres", arguments.work, arguments.work) as agent:
        time.sleep(2)
        before = tree_cpu_seconds(agent.process.pid)
        time.sleep(arguments.idle)
        cpu = tree_cpu_seconds(agent.process.pid) - before
        memory = resident_memory(agent.process.pid)
    print(f"idle for {arguments.idle} s: {memory / MIB:.1f} MiB resident (limit 16 MiB), "
          f"{cpu / arguments.idle * 100:.2f} % of one CPU (limit 0.5 %)", flush=True)
    return memory <= 16 * MIB and cpu / arguments.idle <= 0.005


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--bin", required=True)
    parse.add_argument("--sizes", default="1,10", type=lambda text: [float(size) for size in text.split(",")])
    parse.add_argument("--idle", type=int, default=30)
    parse.add_argument("--work", default="build/bench", type=os.path.abspath)
    arguments = parse.parse_args()
    os.makedirs(arguments.work, exist_ok=True)
    with Postgres(os.path.join(arguments.work, "pg")) as pg:
        held = [peak_of_backup(arguments, pg, size) <= 128 * MIB for size in arguments.sizes]
        held.append(idle(arguments, pg))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
