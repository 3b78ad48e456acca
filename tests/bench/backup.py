#!/usr/bin/python3
"""./dev bench backup: ours beside the best hand-made pipelines and Odoo's own way, in one run, on the same data.

  backup.py --bin DIR [--scale 1] [--rounds 3] [--work build/bench] [--without-odoo]

Each way stores its result in a file that is synced; ours also digests, checks every attachment's SHA-1, reconciles, reads back
and verifies. The ways take turns, so that a drifting machine hits all alike; ratios are medians of pairs.
"""

import os
import shutil
import subprocess

import options  # noqa: I001 (it makes the tools importable)
import data
from agent import Agent
from measure import Figures, folder_bytes, ratio, run
from postgres import Postgres

DUMP = "pg_dump -Fc -Z0 {db} | zstd -q -3 -T0 -o {out}/db.zst && sync {out}/db.zst"
FILES = "tar -C {fs} -cf - . | zstd -q -3 -T0 -o {out}/fs.zst && sync {out}/fs.zst"


def main():
    parse = options.parser()
    parse.add_argument("--without-odoo", action="store_true")
    arguments = options.parsed(parse)
    work = arguments.work
    out = os.path.join(work, "out")
    ours, row, once, odoo = (Figures(name) for name in (
        "backstay, verified", "pg_dump|zstd -3, then tar|zstd -3", "pg_dump|zstd -3 and tar|zstd -3 at once",
        "Odoo's way: copy, pg_dump, deflate ZIP"))
    with Postgres(os.path.join(work, "pg")) as pg:
        database, filestore = data.ensure(pg, work, arguments.scale)
        names = {"db": database, "fs": filestore, "out": out}
        zip_tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "odoo_zip.py")
        with Agent(arguments.bin, pg, database, filestore, work) as agent:
            subprocess.run(f"tar -C {filestore} -cf /dev/null . ", shell=True, check=True)  # same warm cache for all
            for number in range(arguments.rounds):
                ways = [(ours, agent.backup(), agent.process.pid),
                        (row, ["bash", "-o", "pipefail", "-c", f"{DUMP} && {FILES}".format(**names)], None),
                        (once, ["bash", "-o", "pipefail", "-c",
                                f"({DUMP}) & first=$!; {FILES} && wait $first".format(**names)], None)]
                if number == 0 and not arguments.without_odoo:
                    ways.append((odoo, ["/usr/bin/python3", zip_tool, database, filestore, out + "/odoo.zip"], None))
                for figures, argv, pid in ways:
                    shutil.rmtree(out, ignore_errors=True)
                    os.makedirs(out)
                    store = os.path.join(agent.folder, "store")
                    shutil.rmtree(store, ignore_errors=True)
                    os.makedirs(store)
                    run(figures, pg, argv, agent=pid)
                    figures.bytes = folder_bytes(store if pid else out)
            if agent.last_status() != "completed":
                raise SystemExit(f"our backup ended as {agent.last_status()}: no figures")
        shutil.rmtree(out, ignore_errors=True)
    print(f"\nbackup of {database} and its filestore, {arguments.rounds} rounds, medians\n" + Figures.head())
    for figures in (ours, row, once) + (() if arguments.without_odoo else (odoo,)):
        print(figures.row())
    print(f"\nratio wall ours / in a row   {ratio(ours, row):.2f}   (aim <= 0.65)")
    print(f"ratio wall ours / at once    {ratio(ours, once):.2f}   (aim <= 0.90)")
    if not arguments.without_odoo:
        print(f"ratio wall Odoo's way / ours {odoo.wall[0] / ours.wall[0]:.1f}   (aim >= 8)")
    print(f"agent's own peak memory      {ours.memory / 2**20:.0f} MiB (aim <= 128)")


if __name__ == "__main__":
    main()
