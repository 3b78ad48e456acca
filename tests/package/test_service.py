"""The services as systemd runs them: confined, watched, started again; backups and restores work from inside."""

import hashlib
import json

import pytest
from conftest import ROOT, package

AGENT, CONTROL = "backstay-agent", "backstay-control"
SOURCE = ROOT / "tests/data/odoo.sql"
FILESTORE = "/var/lib/odoo/.local/share/Odoo/filestore"
CONTENT = b"a file of Odoo's"


def odoo(machine):
    """PostgreSQL, and an Odoo with a database and its filestore; nothing of ours."""
    machine.sh("useradd --system --create-home --home-dir /var/lib/odoo --shell /usr/sbin/nologin odoo")
    machine.run("pg_createcluster", "15", "main", "--start")
    for words in (("createuser", "odoo"), ("createdb", "-O", "odoo", "shop")):
        machine.run("runuser", "-u", "postgres", "--", *words)
    psql(machine, "postgres", "CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent; ALTER FUNCTION unaccent(text) IMMUTABLE;")
    settings = {"seed": "host", "uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "partners": 20, "messages": 20}
    psql(machine, "odoo", "".join(f"\\set {key} {value}\n" for key, value in settings.items()) + SOURCE.read_text())
    filestore(machine)


@pytest.fixture
def host(machine):
    """An Odoo, and the agent, set up by hand."""
    machine.install(package(AGENT), package(CONTROL))
    odoo(machine)
    machine.run("runuser", "-u", "postgres", "--", "createuser", "--superuser", "backstay")
    machine.write("/etc/systemd/system/backstay-agent.service.d/restores.conf", (ROOT / "systemd/restores.conf").read_text())
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", "--now", AGENT)
    return machine


def psql(machine, user, sql):
    return machine.script("exec", "runuser", "-u", user, "--", "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", "shop", given=sql).stdout


def filestore(machine):
    """A file that an attachment names; Odoo's group may read it, others may not."""
    name = hashlib.sha1(CONTENT).hexdigest()
    machine.write(f"{FILESTORE}/shop/{name[:2]}/{name}", CONTENT.decode())
    machine.sh("chown -R odoo:odoo /var/lib/odoo && chmod -R u=rwX,g=rX,o= /var/lib/odoo")
    psql(machine, "odoo", "INSERT INTO ir_attachment (name, type, store_fname, file_size, checksum, mimetype) VALUES "
         f"('a', 'binary', '{name[:2]}/{name}', {len(CONTENT)}, '{name}', 'text/plain')")


def json_of(machine, *words, codes=(0,)):
    done = machine.run("backstay", "--json", *words, check=False)
    assert done.returncode in codes, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_the_confined_agent_backs_up_and_restores(host):
    checked = json_of(host, "check", "shop", codes=(0, 3))
    assert not [line for line in checked["checks"] if line["result"] == "failed"], checked
    made = host.run("backstay", "backup", "shop", "--to", "disk", check=False)
    assert made.returncode in (0, 3), made.stdout + made.stderr + host.journal(AGENT)
    assert host.sh("find /var/backups/backstay -name manifest.json").stdout.strip()
    backups = json_of(host, "backups", "shop")["backups"]
    restored = host.run("backstay", "restore", backups[0]["backupId"], "--database", "shop2", "--filestore",
                        f"{FILESTORE}/shop2", check=False)
    assert restored.returncode in (0, 3), restored.stdout + restored.stderr + host.journal(AGENT)
    owner = host.text("find", f"{FILESTORE}/shop2", "-type", "f", "-printf", "%u:%g %f")
    assert owner == "odoo:odoo " + hashlib.sha1(CONTENT).hexdigest()
    assert "shop2" in psql(host, "postgres", "SELECT datname FROM pg_database").split()


def test_without_the_drop_in_the_agent_reads_no_filestore_that_is_not_open_and_says_so(host):
    host.sh("rm /etc/systemd/system/backstay-agent.service.d/restores.conf && systemctl daemon-reload && systemctl restart backstay-agent")
    checked = json_of(host, "check", "shop", codes=(1,))
    failed = {line["name"] for line in checked["checks"] if line["result"] == "failed"}
    assert failed == {"filestore"}, checked


def test_the_confined_control_plane_serves_and_takes_an_agent(host):
    host.run("backstay-control", "init", "--state", "/var/lib/backstay-control")
    host.run("systemctl", "enable", "--now", CONTROL)
    host.run("backstay-control", "org", "create", "--state", "/var/lib/backstay-control", "--slug", "acme", "--name", "Acme")
    token = host.text("backstay-control", "agent", "enroll-token", "--state", "/var/lib/backstay-control", "--org", "acme", "--name",
                      "erp1").split()[-1]
    host.sh("sed -i 's#^url = \"\"#url = \"http://127.0.0.1:8480\"#' /etc/backstay/agent.toml")
    host.run("backstay", "enroll", "--config", "/etc/backstay/agent.toml", "--token", token)
    host.run("systemctl", "restart", AGENT)
    host.wait("the agent", lambda: json_of(host, "status")["controlPlane"].get("connected"))
    listed = host.text("backstay-control", "agent", "list", "--state", "/var/lib/backstay-control", "--org", "acme")
    assert "erp1" in listed
    host.run("systemctl", "restart", CONTROL)
    assert host.state(CONTROL, "ActiveState")["ActiveState"] == "active"


def started(machine, unit):
    return machine.state(unit, "ActiveState", "MainPID", "NRestarts")


@pytest.fixture
def both(machine):
    machine.install(package(AGENT), package(CONTROL))
    machine.run("backstay-control", "init", "--state", "/var/lib/backstay-control")
    return machine


@pytest.mark.parametrize("unit", [AGENT, CONTROL])
def test_a_daemon_that_is_killed_is_started_again(both, unit):
    both.run("systemctl", "start", unit)
    first = started(both, unit)
    both.run("systemctl", "kill", "--kill-who=main", "-s", "KILL", unit)
    both.wait("another one", lambda: started(both, unit)["NRestarts"] == "1" and started(both, unit)["ActiveState"] == "active")
    assert started(both, unit)["MainPID"] != first["MainPID"]


@pytest.mark.parametrize("unit", [AGENT, CONTROL])
def test_a_daemon_that_hangs_is_ended_by_its_watchdog_and_started_again(both, unit):
    both.write(f"/etc/systemd/system/{unit}.service.d/soon.conf", "[Service]\nWatchdogSec=5\nTimeoutAbortSec=1\nRestartSec=1\n")
    both.run("systemctl", "daemon-reload")
    both.run("systemctl", "start", unit)
    first = started(both, unit)
    both.run("systemctl", "kill", "--kill-who=main", "-s", "STOP", unit)
    both.wait("another one", lambda: started(both, unit)["NRestarts"] == "1" and started(both, unit)["ActiveState"] == "active")
    assert "Watchdog timeout" in both.text("journalctl", "--no-pager", "-o", "cat")


def test_reloading_reads_the_agents_configuration_again(both):
    both.run("systemctl", "start", AGENT)
    both.sh("echo 'colour = 1' >>/etc/backstay/agent.toml")
    both.run("systemctl", "reload", AGENT)
    both.wait("a word about the fault", lambda: "configuration not taken" in both.journal(AGENT))
    assert started(both, AGENT)["ActiveState"] == "active"


def test_members_of_the_group_reach_the_agent_and_others_do_not(both):
    both.run("systemctl", "start", AGENT)
    both.sh("useradd --system admin1 && useradd --system --groups backstay admin2")
    assert both.sh("runuser -u admin1 -- backstay status", check=False).returncode == 4
    assert both.sh("runuser -u admin2 -- backstay status", check=False).returncode == 0


def test_the_doctor_finds_a_host_well_and_what_is_wrong_with_it(host):
    well = host.run("backstay", "doctor", check=False)
    assert well.returncode == 3 and " 0 to mend" in well.stdout, well.stdout
    assert "every [[destination]] is on this host" in well.stdout
    host.sh("touch /var/lib/backstay/left-by-root && systemctl stop backstay-agent")
    ill = host.run("backstay", "doctor", check=False)
    assert ill.returncode == 1 and "left-by-root" in ill.stdout and "systemctl enable --now backstay-agent" in ill.stdout, ill.stdout
