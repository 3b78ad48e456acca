#!/usr/bin/env python3
"""How long retention takes to judge many backups of one environment: at most 50 ms for ten thousand. No other program
is named beside it: those that prune by such tiers judge archives in a repository of their own, with its reading."""

import argparse
import statistics
import subprocess
import sys

LIMIT_MS = 50
COUNTS = (100, 1_000, 10_000)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="the folder of the programs")
    arguments = parser.parse_args()
    for count in COUNTS:
        done = subprocess.run([f"{arguments.bin}/retention-tool", str(count)], check=True, capture_output=True, text=True)
        times = sorted(float(line) for line in done.stdout.split())
        print(f"{count:>6} backups: median {statistics.median(times):.2f} ms, worst {times[-1]:.2f} ms")
    if statistics.median(times) > LIMIT_MS:
        sys.exit(f"more than {LIMIT_MS} ms")


if __name__ == "__main__":
    main()
