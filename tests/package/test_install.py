"""Packages on a host: installed, without configuration, upgraded, removed, purged."""

import pathlib
import subprocess

import pytest
from conftest import PACKAGES, package

AGENT, CONTROL = "backstay-agent", "backstay-control"
MEGABYTE = 1024


def test_installing_makes_accounts_and_folders_and_starts_nothing(machine):
    machine.install(package(AGENT), package(CONTROL))
    for unit in (AGENT, CONTROL):
        assert machine.state(unit, "ActiveState", "UnitFileState") == {"ActiveState": "inactive", "UnitFileState": "disabled"}
    assert machine.text("systemctl", "is-system-running") == "running"
    modes = machine.text("stat", "-c", "%n %a %U %G", "/etc/backstay", "/var/lib/backstay", "/var/backups/backstay",
                         "/var/lib/backstay-control", "/etc/backstay/agent.toml")
    assert modes.splitlines() == ["/etc/backstay 750 root backstay", "/var/lib/backstay 700 backstay backstay",
                                  "/var/backups/backstay 700 backstay backstay",
                                  "/var/lib/backstay-control 700 backstay-control backstay-control",
                                  "/etc/backstay/agent.toml 644 root root"]
    assert machine.text("getent", "passwd", "backstay").endswith("/usr/sbin/nologin")
    assert "is good" in machine.text("backstay-agent", "--config", "/etc/backstay/agent.toml", "--check-config")
    assert machine.text("backstay", "--version").startswith("backstay 0.")
    assert not machine.sh("ldd /usr/bin/backstay-agent /usr/lib/backstay/backstay-cli /usr/bin/backstay-control | grep 'not found'",
                          check=False).stdout


def failed(machine, unit):
    return machine.state(unit, "ActiveState")["ActiveState"] == "failed"


def test_services_that_are_not_set_up_say_so_and_stay_down(machine):
    machine.install(package(AGENT), package(CONTROL))
    machine.run("rm", "/etc/backstay/agent.toml")
    for unit, said in ((AGENT, "/etc/backstay/agent.toml: No such file or directory"), (CONTROL, "backstay-control init --state")):
        assert machine.run("systemctl", "start", unit, check=False).returncode != 0
        machine.wait("the end", lambda: failed(machine, unit))
        assert machine.state(unit, "ExecMainStatus", "NRestarts", "Result") == {
            "ExecMainStatus": "2", "NRestarts": "0", "Result": "exit-code"}
        assert said in machine.journal(unit)


def test_an_agent_with_faults_in_its_configuration_names_them_and_stays_down(machine):
    machine.install(package(AGENT))
    machine.sh("echo 'colour = \"blue\"' >/etc/backstay/agent.toml")
    assert machine.run("systemctl", "start", AGENT, check=False).returncode != 0
    machine.wait("the end", lambda: failed(machine, AGENT))
    assert machine.state(AGENT, "NRestarts")["NRestarts"] == "0" and "line 1: colour" in machine.journal(AGENT)


@pytest.fixture
def next_agent(tmp_path):
    """The agent's package with a higher version and another default in its configuration."""
    tree, made = tmp_path / "tree", tmp_path / "backstay-agent_9.0-1_all.deb"
    subprocess.run(["dpkg-deb", "-R", package(AGENT), tree], check=True)
    for name, old, new in (("DEBIAN/control", "Version: ", "Version: 9."), ("etc/backstay/agent.toml", "zstd_level = 3", "zstd_level = 4")):
        path = tree / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, made], check=True, capture_output=True)
    return made


def test_an_upgrade_restarts_what_runs_and_brings_the_new_defaults(machine, next_agent):
    machine.install(package(AGENT))
    machine.run("systemctl", "enable", "--now", AGENT)
    before = machine.state(AGENT, "MainPID")["MainPID"]
    machine.install(next_agent)
    assert machine.state(AGENT, "ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "enabled"}
    assert machine.state(AGENT, "MainPID")["MainPID"] not in ("0", before)
    assert "zstd_level = 4" in machine.text("cat", "/etc/backstay/agent.toml")


def test_an_upgrade_keeps_a_configuration_that_was_changed_and_starts_nothing(machine, next_agent):
    machine.install(package(AGENT))
    machine.sh("sed -i 's/^zstd_level = 3/zstd_level = 9/' /etc/backstay/agent.toml")
    machine.install(next_agent, options=("--force-confold",))
    assert "zstd_level = 9" in machine.text("cat", "/etc/backstay/agent.toml")
    assert "zstd_level = 4" in machine.text("cat", "/etc/backstay/agent.toml.dpkg-dist")
    assert machine.state(AGENT, "ActiveState")["ActiveState"] == "inactive"


def test_removing_stops_and_keeps_what_was_set_up_and_purging_keeps_what_cannot_be_made_again(machine):
    machine.install(package(AGENT), package(CONTROL))
    machine.run("backstay-control", "init", "--state", "/var/lib/backstay-control")
    machine.run("systemctl", "enable", "--now", AGENT, CONTROL)
    machine.run("dpkg", "-r", AGENT, CONTROL)
    for unit in (AGENT, CONTROL):
        assert machine.run("systemctl", "is-active", unit, check=False).returncode != 0
    assert not machine.sh("pgrep -u backstay; pgrep -u backstay-control", check=False).stdout
    machine.sh("test -e /etc/backstay/agent.toml && test -e /var/lib/backstay/agent.db && test ! -e /usr/bin/backstay")
    machine.install(package(AGENT))
    assert machine.state(AGENT, "UnitFileState")["UnitFileState"] == "enabled"
    machine.sh("mkdir -p /var/lib/backstay/snapshots/one /var/backups/backstay/v1")
    told = machine.run("dpkg", "-P", AGENT, CONTROL).stderr
    for kept in ("/var/lib/backstay/snapshots", "/var/backups/backstay", "/var/lib/backstay-control"):
        assert f"{kept} " in told
    machine.sh("test ! -e /etc/backstay && test -e /var/lib/backstay/agent.db && test -d /var/lib/backstay/snapshots/one")
    machine.sh("test -e /var/lib/backstay-control/secrets.key && test -d /var/backups/backstay/v1")
    assert not machine.sh("ls /etc/systemd/system/multi-user.target.wants | grep backstay", check=False).stdout


def test_a_purge_of_what_was_never_used_leaves_nothing(machine):
    before = machine.sh("find / -xdev -path /proc -prune -o -path /sys -prune -o -name '*backstay*' -print").stdout
    machine.install(package(AGENT), package(CONTROL))
    machine.run("dpkg", "-P", AGENT, CONTROL)
    machine.sh("rm -f /mnt/backstay*")
    after = machine.sh("find / -xdev -path /proc -prune -o -path /sys -prune -o -name '*backstay*' -print").stdout
    assert after == before


def test_an_agent_brings_at_most_thirty_megabytes(system):
    """To a host with a PostgreSQL: libxml2 and ICU are that one's already."""
    brings = (pathlib.Path(system.base) / "brings.backstay-agent").read_text().splitlines()
    sizes = {line.split(" ", 1)[1]: int(line.split()[0]) for line in brings}
    assert len(sizes) > 5
    assert sum(sizes.values()) <= 30 * MEGABYTE, sorted(sizes.items(), key=lambda one: -one[1])


def test_debians_and_rpms_own_checkers_find_no_errors():
    debs, rpms = sorted(PACKAGES.glob("*.deb")), sorted(PACKAGES.glob("*.rpm"))
    assert len(debs) == len(rpms) == 2
    lintian = subprocess.run(["lintian", "--fail-on", "error", *debs], capture_output=True, text=True)
    assert lintian.returncode == 0, lintian.stdout + lintian.stderr
    rules = pathlib.Path(__file__).resolve().parents[2] / "packaging/rpm/rpmlint.toml"
    rpmlint = subprocess.run(["rpmlint", "-c", rules, *rpms], capture_output=True, text=True)
    assert ": E: " not in rpmlint.stdout and "2 packages" in rpmlint.stdout, rpmlint.stdout


def files_of_deb(path):
    told = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], capture_output=True, check=True).stdout
    names = subprocess.run(["tar", "-t"], input=told, capture_output=True, check=True).stdout.decode().split()
    return {name[1:].replace("/lib/systemd/", "/usr/lib/systemd/", 1) for name in names if not name.endswith("/")}


@pytest.mark.parametrize("name", [AGENT, CONTROL])
def test_the_rpm_has_the_same_files_and_scripts_that_work(machine, name, tmp_path):
    path = package(name, "rpm")
    listed = subprocess.run(["rpm", "-qpl", path], capture_output=True, text=True, check=True).stdout.split()
    only_debian = {one for one in files_of_deb(package(name)) if "lintian" in one or one.endswith(("/copyright", "changelog.Debian.gz"))}
    assert files_of_deb(package(name)) - only_debian <= set(listed)
    config = subprocess.run(["rpm", "-qp", "--configfiles", path], capture_output=True, text=True, check=True).stdout.split()
    assert config == (["/etc/backstay/agent.toml"] if name == AGENT else [])
    unpacked = tmp_path / "unpacked.tar"
    cpio = subprocess.run(["rpm2archive", "-n", path], capture_output=True, cwd=tmp_path)
    assert cpio.returncode == 0, cpio.stderr
    unpacked = next(tmp_path.glob("*.tar"), None) or next(pathlib.Path(path).parent.glob(f"{name}*.rpm.tar"))
    machine.put(unpacked)
    machine.sh(f"tar -C / --keep-directory-symlink -xf /mnt/{unpacked.name}")
    unpacked.unlink()
    for tag, argument in (("POSTIN", 1), ("POSTUN", 1), ("PREUN", 1)):
        script = subprocess.run(["rpm", "-qp", "--qf", f"%{{{tag}}}", path], capture_output=True, text=True, check=True).stdout
        machine.write("/root/script", script)
        machine.run("sh", "-e", "/root/script", str(argument))
    if name == CONTROL:
        machine.run("backstay-control", "init", "--state", "/var/lib/backstay-control")
    machine.run("systemctl", "enable", "--now", name)
    script = subprocess.run(["rpm", "-qp", "--qf", "%{PREUN}", path], capture_output=True, text=True, check=True).stdout
    machine.write("/root/script", script)
    machine.run("sh", "-e", "/root/script", "0")
    assert machine.state(name, "ActiveState", "UnitFileState") == {"ActiveState": "inactive", "UnitFileState": "disabled"}
