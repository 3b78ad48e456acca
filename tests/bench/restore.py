#!/usr/bin/python3
"""./dev bench restore: ours beside `zstd -d`, `pg_restore -j2` and `tar -x` by hand, in one run, from the same backup.

  restore.py --bin DIR [--scale 1] [--rounds 3] [--work build/bench]

By hand means: nothing is checked. Ours checks the SHA-256 of what is stored, the SHA-1 of every file, all objects and the rows of
every table against the manifest, that every attachment has its file, and gathers statistics; both make the files durable. The ways take
turns; ratios are medians of pairs.
"""

import os
import shutil
import subprocess

import options  # noqa: I001 (it makes the tools importable)
import data
from measure import Figures, folder_bytes, ratio, run
from postgres import Postgres

BY_HAND = """
mkdir -p {work}/dump {fs}
if [ -e {backup}/database.tar.zst ]; then zstd -dcq {backup}/database.tar.zst | tar -x -C {work}/dump -f -; dump={work}/dump
else zstd -dcq {backup}/database.dump.zst > {work}/dump/file; dump={work}/dump/file; fi
createdb -T template0 -E UTF8 --lc-collate C {db}
pg_restore --exit-on-error --no-owner -j2 -d {db} "$dump"
zstd -dcq {backup}/filestore.tar.zst | tar -x -C {fs} -f -
sync -f {fs}
rm -r {work}/dump
"""


def tool(arguments, pg, word, database, filestore, store, state):
    return [os.path.join(arguments.bin, "jobs-tool"), word, pg.socket, str(pg.port), pg.bin, database, filestore, store, state]


def main():
    arguments = options.parsed(options.parser())
    work = arguments.work
    store, state = os.path.join(work, "restore-store"), os.path.join(work, "restore-state")
    ours, hand = Figures("backstay, verified"), Figures("zstd -d, pg_restore -j2, tar -x by hand")
    with Postgres(os.path.join(work, "pg")) as pg:
        database, filestore = data.ensure(pg, work, arguments.scale)
        shutil.rmtree(store, ignore_errors=True)
        os.makedirs(store)
        made = subprocess.run(tool(arguments, pg, "backup", database, filestore, store, state), check=True, text=True,
                              stdout=subprocess.PIPE)
        backup = os.path.join(store, made.stdout.strip())
        target, files = "bench_restored", os.path.join(work, "restored", "bench_restored")
        names = {"work": work, "fs": files, "backup": backup, "db": target}
        for _ in range(arguments.rounds):
            for figures, argv in ((ours, tool(arguments, pg, "restore", target, files, store, state)),
                                  (hand, ["bash", "-e", "-o", "pipefail", "-c", BY_HAND.format(**names)])):
                pg.psql("postgres", f'DROP DATABASE IF EXISTS "{target}"')
                pg.psql("postgres", "CHECKPOINT")
                shutil.rmtree(os.path.dirname(files), ignore_errors=True)
                shutil.rmtree(os.path.join(work, "dump"), ignore_errors=True)
                os.sync()
                run(figures, pg, argv)
                figures.bytes = folder_bytes(files)
        pg.psql("postgres", f'DROP DATABASE IF EXISTS "{target}"')
    for folder in (store, state, os.path.join(work, "restored")):
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\nrestore of {database} and its filestore, {arguments.rounds} rounds, medians\n" + Figures.head())
    for figures in (ours, hand):
        print(figures.row())
    print(f"\nratio wall ours / by hand    {ratio(ours, hand):.2f}   (aim <= 1.05)")


if __name__ == "__main__":
    main()
