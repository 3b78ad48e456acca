"""Daemons without a configuration, and commands that root runs on the state of another account."""

import os
import subprocess

from conftest import PRESET

BIN = os.path.join(os.path.dirname(__file__), "..", "..", "build", PRESET, "bin")
NOT_TRIED_AGAIN = 2  # RestartPreventExitStatus= of the units


def run(program, *words):
    return subprocess.run([os.path.join(BIN, program), *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


def test_an_agent_without_configuration_says_so_and_is_not_tried_again(folder):
    ended = run("backstay-agent", "--config", str(folder / "agent.toml"))
    assert ended.returncode == NOT_TRIED_AGAIN
    assert f"{folder}/agent.toml: No such file" in ended.stderr and "not set up yet" in ended.stderr


def test_a_control_plane_that_is_not_set_up_says_so_and_is_not_tried_again(folder):
    ended = run("backstay-control", "serve", "--state", str(folder))
    assert ended.returncode == NOT_TRIED_AGAIN
    assert f"backstay-control init --state {folder}" in ended.stderr


def test_commands_leave_no_file_that_the_owner_of_the_state_may_not_open(folder):
    state = folder / "state"
    state.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(state, 65534, 65534)
    for words in (("init",), ("org", "create", "--slug", "acme", "--name", "Acme"), ("org", "list")):
        done = run("backstay-control", *words, "--state", str(state))
        assert done.returncode == 0, done.stderr
    owners = {one.name: one.stat().st_uid for one in state.iterdir()}
    assert set(owners.values()) == {state.stat().st_uid}, owners
