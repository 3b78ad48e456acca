"""What conf/ and systemd/ offer works with the programs as they are."""

import os
import re
import shutil
import subprocess

import pytest
from control import run
from lab import ROOT

BIN = os.path.join(ROOT, "build", os.environ.get("BACKSTAY_PRESET", "dev"), "bin")


def test_the_sample_of_the_control_plane_is_what_init_writes(folder):
    run([f"{BIN}/backstay-control", "init", "--state", str(folder / "state")], os.environ)
    with open(os.path.join(ROOT, "conf", "control.toml")) as sample:
        assert (folder / "state" / "control.toml").read_text() == sample.read()


def test_the_sample_of_the_agent_is_accepted(folder):
    run([f"{BIN}/backstay-agent", "--config", os.path.join(ROOT, "conf", "agent.toml"), "--check-config"], os.environ)


@pytest.mark.parametrize("unit, most", [("backstay-agent", 2.0), ("backstay-control", 1.5)])
def test_the_units_are_hardened(unit, most):
    analyze = shutil.which("systemd-analyze")
    assert analyze, "./dev setup installs systemd"
    said = subprocess.run([analyze, "security", "--offline=true", os.path.join(ROOT, "systemd", unit + ".service")],
                          capture_output=True, text=True).stdout
    assert float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", said).group(1)) <= most
