"""Bars of `backstay snapshot` and `backstay rollback` on a terminal: drawn in place, never wider than it is, ended by a line."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest
from local_agent import DATABASE
from test_agent_local import make_agent  # noqa: F401 (a fixture)

REDRAW = "\r\x1b[K"


def on_terminal(agent, columns, *words):  # noqa: F811
    """Exit code and everything that a terminal of that width was given."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = subprocess.Popen([os.path.join(agent.bin, "backstay"), "--socket", agent.socket, *words],
                               stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    given = b""
    try:
        while piece := os.read(ours, 65536):
            given += piece
    except OSError:  # EIO: the last writer has gone
        pass
    os.close(ours)
    return command.wait(60), given.decode()


def check(given, columns):
    drawn = [piece.split("\r\n")[0] for piece in given.split(REDRAW)[1:]]
    assert drawn, given  # a quick job may be over before the second look
    assert all(len(line) <= columns for line in drawn), [line for line in drawn if len(line) > columns]
    assert all(re.match(r"[█░]{%d} +[0-9.]+ %%" % min(28, columns // 2), line) for line in drawn), drawn
    percents = [float(found) for found in re.findall(r"([0-9.]+) %", " ".join(drawn))]
    assert percents == sorted(percents), percents
    # Nothing but lines follows the last bar, and the cursor stands at the beginning of one.
    after = given.split(REDRAW)[-1].split("\r\n", 1)[1]
    assert "\x1b" not in after and given.endswith("\r\n"), given
    return drawn, after


@pytest.mark.parametrize("columns", [80, 30])
def test_bars_on_a_terminal(make_agent, columns):  # noqa: F811
    agent = make_agent()
    # A bar is drawn when something moves: let it.
    agent.run("limits", "--rate", "300000", check=0)
    code, given = on_terminal(agent, columns, "snapshot", DATABASE)
    assert code == 0, given
    drawn, after = check(given, columns)
    snapshot = agent.json("snapshots")["snapshots"][0]["snapshotId"]
    assert "100.0 %" in drawn[-1] and snapshot in after, given
    agent.run("limits", "--rate", "0", check=0)
    code, given = on_terminal(agent, columns, "rollback", snapshot, "--no-safety")
    assert code == 0, given
    drawn, after = check(given, columns)
    assert "100.0 %" in drawn[-1] and DATABASE in after, given


def test_no_bar_where_there_is_no_terminal(make_agent):  # noqa: F811
    done = make_agent().run("snapshot", DATABASE, check=0)
    assert "\x1b" not in done.stdout + done.stderr and "█" not in done.stdout + done.stderr
