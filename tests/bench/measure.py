"""Whole-process figures of a command: wall, CPU (its own, its children's and PostgreSQL's backends'), peak memory."""

import os
import resource
import statistics
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def tree_cpu_seconds(pid):
    """CPU of a process and of all its children that ended."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / TICKS


def memory_of(pid, field):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0


def peak_memory(pid):
    return memory_of(pid, "VmHWM")


def resident_memory(pid):
    return memory_of(pid, "VmRSS")


class Figures:
    def __init__(self, name):
        self.name, self.wall, self.cpu, self.server_cpu, self.bytes, self.memory = name, [], [], [], 0, 0

    def row(self):
        middle = statistics.median
        return (f"{self.name:<44}{middle(self.wall):>8.2f} s {middle(self.cpu):>8.2f} s "
                f"{middle(self.server_cpu):>9.2f} s {self.bytes / 1e6:>9.0f} MB {self.memory / 2**20:>8.0f} MiB")

    @staticmethod
    def head():
        return f"{'':<44}{'wall':>10} {'CPU':>10} {'CPU of PG':>11} {'stored':>12} {'peak mem':>12}"


def run(figures, pg, argv, env=None, agent=None):
    """Runs argv once and adds its figures. With `agent` (a pid) the work is done by that daemon."""
    before_children = resource.getrusage(resource.RUSAGE_CHILDREN)
    before_server = tree_cpu_seconds(pg.pid)
    before_agent = tree_cpu_seconds(agent) if agent else 0
    began = time.monotonic()
    subprocess.run(argv, check=True, env=env or pg.env(), stdout=subprocess.DEVNULL)
    figures.wall.append(time.monotonic() - began)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime) - (before_children.ru_utime + before_children.ru_stime)
    time.sleep(0.2)  # the last backends are reaped by the postmaster
    figures.server_cpu.append(tree_cpu_seconds(pg.pid) - before_server)
    if agent:
        cpu += tree_cpu_seconds(agent) - before_agent
        figures.memory = max(figures.memory, peak_memory(agent))
    else:
        figures.memory = max(figures.memory, after.ru_maxrss * 1024)
    figures.cpu.append(cpu)
    return figures


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(root, name)) for root, _, names in os.walk(folder) for name in names)


def ratio(ours, rival):
    """Median of the pairs: both ran in the same round."""
    return statistics.median(a / b for a, b in zip(ours.wall, rival.wall))
