#!/usr/bin/env python3
"""The services' units are understood by systemd, leave little open to attack, and run under accounts that are made."""

import pathlib
import re
import subprocess
import tempfile

import tree

MOST_EXPOSED = 2.0  # of 10, as systemd reckons it
WITH_RESTORES = 2.5  # with the drop-in for restores


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=50)


def exposure(unit):
    """As systemd-analyze reckons it: a number of a table whose parts are weighted."""
    told = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told.stdout)
    return float(found.group(1)) if found else None


def exposure_faults(name, unit, most):
    level = exposure(unit)
    if level is None:
        return [f"{name}: systemd-analyze does not say how exposed it is"]
    return [f"{name}: exposure {level}, at most {most} is allowed"] if level > most else []


def syntax_faults(name, unit):
    """The program need not be installed here: another one stands for it."""
    told = run("systemd-analyze", "verify", "--man=no", str(unit))
    return [f"{name}: {line.replace(str(unit.parent) + '/', '')}" for line in told.stderr.splitlines() if unit.name in line]


def stand_in(root, name, folder):
    unit = folder / pathlib.Path(name).name
    text = (root / name).read_text()
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M))
    return unit


def account_faults(root, name):
    text = (root / name).read_text()
    made = root / (name.removesuffix(".service") + ".sysusers")
    accounts = re.findall(r"^u (\S+)", made.read_text(), re.M) if made.exists() else []
    return [f"{name}: no account {user} is made by {made.name}" for user in re.findall(r"^User=(\S+)", text, re.M)
            if user not in accounts]


def promise_faults(root, name):
    """What the daemons count on; the rest is a matter of taste."""
    text = (root / name).read_text()
    wanted = ("Type=notify", "Restart=on-failure", "RestartPreventExitStatus=2", "WatchdogSec=", "UMask=0077")
    return [f"{name}: {word} is missing" for word in wanted if not re.search("^" + re.escape(word), text, re.M)]


def drop_in_faults(root, folder):
    faults = []
    for name in tree.files(root, ".conf"):
        service = root / "systemd/backstay-agent.service"
        if not name.startswith("systemd/") or not service.exists():
            continue
        whole = folder / "with" / "backstay-agent.service"
        (whole.parent).mkdir(exist_ok=True)
        # Drop-ins of a unit outside of systemd's folders are not read: their lines come last in the section instead.
        lines = "\n".join(line for line in (root / name).read_text().splitlines() if line != "[Service]")
        whole.write_text(stand_in(root, "systemd/backstay-agent.service", folder).read_text().replace(
            "\n[Install]", "\n" + lines + "\n\n[Install]"))
        faults += syntax_faults(name, whole) + exposure_faults(name, whole, WITH_RESTORES)
    return faults


def check(root):
    faults = []
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        for name in tree.files(root, ".service"):
            if not name.startswith("systemd/"):
                continue
            unit = stand_in(root, name, folder)
            faults += syntax_faults(name, unit) + exposure_faults(name, unit, MOST_EXPOSED)
            faults += account_faults(root, name) + promise_faults(root, name)
        faults += drop_in_faults(root, folder)
    return faults


def repository_unit():
    unit = tree.ROOT / "systemd/backstay-control.service"
    return unit.read_text()


UNIT, USERS = "systemd/backstay-control.service", "systemd/backstay-control.sysusers"
GOOD = repository_unit()
ACCOUNT = 'u backstay-control - "Backstay"\n'
CASES = [
    ("a good unit", {UNIT: GOOD, USERS: ACCOUNT}, None),
    ("an open unit", {UNIT: "\n".join(line for line in GOOD.splitlines() if not line.startswith(("Protect", "Private", "Cap"))),
                      USERS: ACCOUNT}, "at most 2.0"),
    ("a word that systemd does not know", {UNIT: GOOD.replace("[Service]", "[Service]\nProtectEverything=yes"), USERS: ACCOUNT},
     "ProtectEverything"),
    ("no watchdog", {UNIT: GOOD.replace("WatchdogSec=", "#"), USERS: ACCOUNT}, "WatchdogSec"),
    ("nobody's account", {UNIT: GOOD, USERS: ""}, "no account"),
]

if __name__ == "__main__":
    tree.main(check, CASES)
