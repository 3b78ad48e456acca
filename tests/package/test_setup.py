"""backstay setup on a host with a running systemd: from the installed package to an agent that backs up and restores."""

import hashlib
import json

import pytest
from conftest import package
from test_service import AGENT, CONTENT, CONTROL, FILESTORE, json_of, odoo

DROP_IN = "/etc/systemd/system/backstay-agent.service.d/setup.conf"
STATE = "/var/lib/backstay-control"


@pytest.fixture
def fresh(machine):
    """An Odoo, and our packages as installed."""
    machine.install(package(AGENT), package(CONTROL))
    odoo(machine)
    return machine


def set_up(machine, *words, codes=(0,)):
    done = machine.run("backstay", "--json", "setup", *words, check=False)
    assert done.returncode in codes, done.stdout + done.stderr + machine.journal(AGENT)
    report = json.loads(done.stdout)
    assert not [line for line in report["checks"] if line["result"] == "failed"], report
    return report, {step["name"]: step["state"] for step in report["steps"]}


def back_up(machine):
    made = machine.run("backstay", "backup", "shop", check=False)
    assert made.returncode in (0, 3), made.stdout + made.stderr + machine.journal(AGENT)
    assert "each SHA-1 compared" in made.stdout and "collector was held off" in made.stdout, made.stdout


def is_super(machine):
    return machine.text("runuser", "-u", "postgres", "--", "psql", "-qAtXc", "SELECT rolsuper FROM pg_roles WHERE rolname = 'backstay'")


def test_the_least_rights_back_up_with_wal_and_are_given_once(fresh):
    words = ("--role", "backup", "--wal", "--destination", "/srv/backups")
    _, shown = set_up(fresh, "--show", *words, codes=(3,))
    assert set(shown.values()) == {"planned"}
    assert fresh.state(AGENT, "ActiveState", "UnitFileState") == {"ActiveState": "inactive", "UnitFileState": "disabled"}
    fresh.sh(f"test ! -e /srv/backups && test ! -e {DROP_IN}")
    made, states = set_up(fresh, "--yes", *words, codes=(3,))
    assert set(states.values()) == {"changed"}
    assert len(made["left"]) == 1 and "restart PostgreSQL main" in made["left"][0], made
    assert fresh.state(AGENT, "ActiveState", "UnitFileState", "AmbientCapabilities") == {
        "ActiveState": "active", "UnitFileState": "enabled", "AmbientCapabilities": ""}
    assert is_super(fresh) == "f"
    assert "SupplementaryGroups=odoo postgres" in fresh.text("cat", DROP_IN)
    fresh.run("systemctl", "restart", "postgresql")
    before = fresh.state(AGENT, "MainPID")
    _, states = set_up(fresh, "--yes")
    assert set(states.values()) == {"good"} and fresh.state(AGENT, "MainPID") == before
    back_up(fresh)
    assert fresh.sh("find /srv/backups -name manifest.json").stdout.strip()
    fresh.run("runuser", "-u", "postgres", "--", "psql", "-qXc", "SELECT pg_switch_wal()")
    fresh.wait("archived WAL", lambda: [one for one in json_of(fresh, "status")["wal"] if one["segments"] > 0])
    based = fresh.run("backstay", "base-backup", check=False)
    assert based.returncode in (0, 3), based.stdout + based.stderr
    fresh.run("dpkg", "-P", AGENT)
    fresh.sh(f"test ! -e $(dirname {DROP_IN}) && test -d /srv/backups")


def test_restores_work_once_they_are_wished_for_and_not_before(fresh):
    # As Odoo makes its folder.
    fresh.run("chmod", "0700", "/var/lib/odoo/.local")
    set_up(fresh, "--yes", "--role", "backup")
    assert fresh.text("stat", "-c", "%a", "/var/lib/odoo/.local") == "710"
    back_up(fresh)
    _, states = set_up(fresh, "--yes", "--role", "restore")
    assert (states["role"], states["service rights"], states["service"]) == ("changed", "changed", "changed")
    assert is_super(fresh) == "t"
    restored = fresh.run("backstay", "restore", json_of(fresh, "backups", "shop")["backups"][0]["backupId"], "--database", "shop2",
                         "--filestore", f"{FILESTORE}/shop2", check=False)
    assert restored.returncode in (0, 3), restored.stdout + restored.stderr + fresh.journal(AGENT)
    owner = fresh.text("find", f"{FILESTORE}/shop2", "-type", "f", "-printf", "%u:%g %f")
    assert owner == "odoo:odoo " + hashlib.sha1(CONTENT).hexdigest()
    _, states = set_up(fresh, "--yes")
    assert set(states.values()) == {"good"}


def test_a_host_is_enrolled_and_a_failed_step_is_taken_up_again(fresh):
    fresh.run("backstay-control", "init", "--state", STATE)
    fresh.run("backstay-control", "org", "create", "--state", STATE, "--slug", "acme", "--name", "Acme")
    token = fresh.text("backstay-control", "agent", "enroll-token", "--state", STATE, "--org", "acme", "--name", "erp1").split()[-1]
    fresh.write("/root/token", token)
    fresh.run("chmod", "0600", "/root/token")
    words = ("--yes", "--role", "backup", "--url", "http://127.0.0.1:8480", "--token-file", "/root/token")
    done = fresh.run("backstay", "setup", *words, check=False)
    assert done.returncode == 1 and "failed    enrolment" in done.stdout and "run this again" in done.stdout, done.stdout
    assert fresh.state(AGENT, "ActiveState")["ActiveState"] == "active"
    fresh.run("systemctl", "enable", "--now", CONTROL)
    done = fresh.run("backstay", "setup", *words, check=False)
    assert "changed   enrolment" in done.stdout, done.stdout + done.stderr
    fresh.wait("the agent", lambda: json_of(fresh, "status")["controlPlane"].get("connected"))
    assert token not in done.stdout + done.stderr + fresh.text("journalctl", "--no-pager")
