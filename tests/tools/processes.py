"""Processes that outlive the program that began them: begin, recognise and end exactly those."""

import os
import signal
import subprocess
import time


def alive(pid):
    """Whether the process still runs; one that only waits to be reaped does not."""
    return born(pid) is not None


def born(pid):
    """When the process started, in clock ticks since boot: with the pid it names a process for good."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def begin(argv, log, env=None, cwd="/"):
    """Starts a program in a session of its own with its output in a file; answers (pid, born)."""
    with open(log, "ab") as out:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd,
                                 start_new_session=True)
    return child.pid, born(child.pid)


def end(pid, since, seconds=20):
    """Asks the process to stop and waits; kills it when it does not. Another process under the same pid is left alone."""
    if since is None or born(pid) != since:
        return
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_until(lambda: _reaped(pid, since), patience):
            return


def _reaped(pid, since):
    """A process whose first thread has ended may have others that still hold its files: only its parent knows."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except OSError:
        return born(pid) != since


def wait_until(holds, seconds, every=0.02):
    """Polls; answers what `holds` answered last."""
    deadline = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer or time.monotonic() >= deadline:
            return answer
        time.sleep(every)
