#!/usr/bin/env python3
"""How long retention takes to judge many backups of one environment: at most 50 ms for ten thousand. Beside it a plain
Python script that does the same to the same list, without reasons. (restic and borg would want ten thousand archives in
a repository first.)"""

import argparse
import datetime
import statistics
import subprocess
import sys
import time
import zoneinfo

LIMIT_MS = 50
COUNTS = (100, 1_000, 10_000)
ROUNDS = 5
HOUR = 3600
NOW = 1_800_000_000
TIERS = (
    ("%Y-%m-%d %H", {"db": 24, "full": 0}),
    ("%Y-%m-%d", {"db": 7, "full": 7}),
    ("%G-%V", {"db": 4, "full": 4}),
    ("%Y-%m", {"db": 3, "full": 3}),
)


def script(backups, zone):
    """How many of (moment, scope, status) are kept: in each tier the newest of its newest buckets, one that is whole
    before one that is partial."""
    kept = set()
    for scope in ("db", "full"):
        mine = sorted(((at, status) for at, of, status in backups if of == scope), reverse=True)
        local = [(at, status, datetime.datetime.fromtimestamp(at, zone)) for at, status in mine]
        for name, counts in TIERS:
            buckets = {}
            for at, status, shown in local:
                bucket = buckets.setdefault(shown.strftime(name), [at, status])
                if bucket[1] == "partial" and status == "completed":
                    bucket[:] = [at, status]
            kept |= {(scope, at) for at, _ in list(buckets.values())[: counts[scope]]}
        newest = next((at for at, status in mine if status == "completed"), None)
        if newest is not None:
            kept.add((scope, newest))
    return len(kept)


def ours(folder, count):
    done = subprocess.run([f"{folder}/retention-tool", str(count)], check=True, capture_output=True, text=True)
    lines = done.stdout.split()
    return int(lines[0]), [float(line) for line in lines[1:]]


def rival(count):
    zone = zoneinfo.ZoneInfo("Europe/Brussels")
    backups = [
        (NOW - i * HOUR, "full" if i % 24 == 0 else "db", "partial" if i % 50 == 7 else "completed")
        for i in range(count)
    ]
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        kept = script(backups, zone)
        times.append(1000 * (time.perf_counter() - began))
    return kept, times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="the folder of the programs")
    arguments = parser.parse_args()
    for count in COUNTS:
        kept, times = ours(arguments.bin, count)
        also_kept, others = rival(count)
        if kept != also_kept:
            sys.exit(f"{kept} of {count} are kept, {also_kept} by the script")
        median, other = statistics.median(times), statistics.median(others)
        print(
            f"{count:>6} backups, {kept} kept: median {median:.2f} ms, worst {max(times):.2f} ms; "
            f"script in Python {other:.2f} ms, {other / median:.1f} times as long"
        )
    if median > LIMIT_MS:
        sys.exit(f"more than {LIMIT_MS} ms")


if __name__ == "__main__":
    main()
