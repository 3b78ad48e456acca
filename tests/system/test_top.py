"""`backstay top` on a terminal and into a pipe, and `backstay why` of a real agent."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios

import processes
import pytest
from agent_program import AgentProgram
from conftest import PRESET
from local_agent import DATABASE
from test_agent_local import make_agent  # noqa: F401 (a fixture)

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?25h\x1b[?1049l"


class Terminal:
    """`backstay top` on a terminal of our own; what it drew is in `given`."""

    def __init__(self, agent, columns=80, rows=24):
        self.ours, theirs = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs  # kept open: its settings are looked at afterwards
        self.given = ""
        os.set_blocking(self.ours, False)
        self.command = subprocess.Popen([os.path.join(agent.bin, "backstay"), "--socket", agent.socket, "top", "--interval", "0.3"],
                                        stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}, start_new_session=True)

    def resize(self, columns, rows):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        try:
            self.given += os.read(self.ours, 1 << 20).decode(errors="replace")
        except BlockingIOError:
            pass
        return self.given

    def frame(self):
        return self.read().rpartition("\x1b[H")[2]

    def shows(self, text):
        return processes.wait_until(lambda: text in self.frame() or text in self.given.split("\x1b[H")[-2:][0], 60)

    def ends(self):
        assert processes.wait_until(lambda: self.read() is not None and self.command.poll() is not None, 60)
        self.read()
        assert LEAVE in self.given and self.given.rindex(LEAVE) > self.given.rindex(ENTER)
        assert termios.tcgetattr(self.theirs) == self.before
        return self.command.returncode

    def close(self):
        if self.command.poll() is None:
            self.command.kill()
            self.command.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def on_terminal():
    made = []

    def make(*words, **options):
        made.append(Terminal(*words, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_top_lives_through_a_restart_and_a_resize_and_gives_the_terminal_back(make_agent, on_terminal):  # noqa: F811
    agent = make_agent()
    assert agent.json("backup", DATABASE)["job"]["status"] == "completed"
    view = on_terminal(agent)
    assert view.shows("all green") and view.shows(DATABASE), view.given
    agent.kill()
    assert view.shows("no agent answers since") and view.shows("as of "), view.given
    agent.start()
    assert view.shows("all green"), view.given
    view.resize(20, 5)
    os.kill(view.command.pid, signal.SIGWINCH)
    assert processes.wait_until(lambda: view.frame().count("\r\n") == 4, 60), view.frame()
    os.write(view.ours, b"q")
    assert view.ends() == 0


def test_top_gives_the_terminal_back_when_it_is_told_to_end(folder, on_terminal):
    nobody = AgentProgram(folder, PRESET)  # where no agent answers, too
    nobody.socket = str(folder / "agent.sock")
    for how in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        view = on_terminal(nobody)
        assert view.shows("no agent answers since"), view.given
        os.kill(view.command.pid, how)
        assert view.ends() == 0


def test_top_into_a_pipe_is_one_plain_frame_and_why_names_what_is_wrong(make_agent):  # noqa: F811
    agent = make_agent(second=True)
    assert "none that can be restored" in agent.run("why", check=3).stdout
    agent.run("backup", DATABASE, check=0)
    assert agent.run("why", check=0).stdout.startswith(f"all green: {DATABASE} backed up ")
    frame = agent.run("top", check=0).stdout
    assert "all green" in frame and "second" in frame and "\x1b" not in frame
    broken = agent.path("store2")
    subprocess.run(["rm", "-r", broken], check=True)
    with open(broken, "w"):
        pass  # a file where the folder should be
    job = agent.json("backup", DATABASE, check=3)["job"]
    why = agent.json("why", check=3)
    assert [one["subject"] for one in why["reasons"]] == [f"database {DATABASE}", "destination second"], why
    assert why["reasons"][0]["reason"] == "remote_copy_partial" and why["reasons"][0]["jobId"] == job["jobId"]
    assert agent.json("why", job["jobId"][:18], check=3)["reasons"][0]["reason"] == "remote_copy_partial"
    assert agent.run("why", "no-such", check=5)
    os.remove(broken)
    os.mkdir(broken)
    agent.run("copy", job["operationId"], check=0)
    assert agent.json("why")["status"] == "green"
