#!/usr/bin/env python3
"""Packs the programs of a build into .deb and .rpm. ./dev package builds them first."""

import argparse
import pathlib
import shutil
import sys

import contents
import deb
import rpm


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", required=True, type=pathlib.Path, help="the build's folder")
    options.add_argument("--out", required=True, type=pathlib.Path, help="where packages go; earlier ones there are removed")
    given = options.parse_args()
    out, work = given.out.resolve(), given.build.resolve() / "packing"
    binaries = given.build.resolve() / "bin"
    missing = [name for package in contents.PACKAGES for name in package.programs if not (binaries / name).exists()]
    if missing:
        sys.exit(f"{binaries} has no {', '.join(missing)}: build first")
    for folder in (out, work):
        folder.mkdir(parents=True, exist_ok=True)
    for old in [*out.glob("*.deb"), *out.glob("*.rpm")]:
        old.unlink()
    for package in contents.PACKAGES:
        for kind in (deb, rpm):
            made = kind.build(package, binaries, work, out)
            print(f"{made}  {made.stat().st_size / 1e6:.1f} MB", flush=True)
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
