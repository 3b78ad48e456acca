"""What the benchmarks share: the tests' tools on the path, and the options that each takes. Import it before the tools."""

import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))


def parser():
    parse = argparse.ArgumentParser()
    parse.add_argument("--bin", required=True)
    parse.add_argument("--scale", type=float, default=1)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--work", default="build/bench")
    return parse


def parsed(parse):
    """The arguments; `work` is a folder that is there."""
    arguments = parse.parse_args()
    arguments.work = os.path.abspath(arguments.work)
    os.makedirs(arguments.work, exist_ok=True)
    return arguments
