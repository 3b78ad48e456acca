"""./dev bench migrate-store: an installation of a million backups moves from SQLite to PostgreSQL and back, beside pgloader with the same
file into the same server. Ours reads all back and compares it; pgloader does not."""

import importlib
import json
import os
import shutil
import subprocess
import time

import options
from load_plane import Plane
from postgres import Postgres

load = importlib.import_module("control-plane")


def installation(arguments):
    """Its Plane, filled and stopped."""
    plane = Plane(arguments.bin, arguments.work).start()
    try:
        plane.register()
        plane.agents = plane.enrolled(load.REPORTING + 2)
        plane.environments = [plane.environment(agent[2], f"env{number}") for number, agent in enumerate(plane.agents)]
        load.fill(plane, arguments.rows)
    finally:
        plane.stop()
    return plane


def seconds(argv):
    begun = time.monotonic()
    done = subprocess.run(argv, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"{argv[0]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - begun, done.stdout


def rows_of(out):
    tables = json.loads(out)["tables"]
    if not all(table["same"] for table in tables):
        raise SystemExit("the stores differ")
    return sum(table["rows"] for table in tables)


def main():
    parse = options.parser()
    parse.add_argument("--rows", type=int, default=1_000_000)
    arguments = options.parsed(parse)
    plane = installation(arguments)
    try:
        with Postgres(os.path.join(arguments.work, "pg"), durable=True) as pg:
            def empty(name):
                pg.psql("postgres", f"DROP DATABASE IF EXISTS {name}")
                pg.psql("postgres", f"CREATE DATABASE {name}")
                return f"postgresql://{pg.user}@:{pg.port}/{name}?host={pg.socket}"
            move = [f"{plane.bin}/backstay-control", "migrate-store", "--state", plane.state, "--json"]
            size = os.path.getsize(plane.state + "/control.db")
            ours, out = seconds([*move, "--keep-settings", "--to", empty("ours")])
            rows = rows_of(out)
            empty("theirs")
            there = f"pgsql://{pg.user}@unix:{pg.socket}:{pg.port}/theirs"
            # By default it holds 100,000 rows at a time, for which its memory does not do.
            rival, _ = seconds(["pgloader", "--with", "prefetch rows = 5000", f"sqlite://{os.path.abspath(plane.state)}/control.db", there])
            print(f"{rows} rows, {size / 2**20:.0f} MiB: to PostgreSQL and compared in {ours:.1f} s; pgloader, which compares nothing: {rival:.1f} s")
            load.verdict(f"ours / pgloader: {ours / rival:.2f}   (aim 1.0)", ours <= rival)
            seconds([*move, "--to", empty("ours")])
            back, out = seconds([*move, "--keep-settings", "--to", f"sqlite:{plane.state}/back.db"])
            print(f"back to SQLite: {rows_of(out)} rows in {back:.1f} s")
    finally:
        shutil.rmtree(plane.state, ignore_errors=True)


if __name__ == "__main__":
    main()
