"""The agent's own database is lost: it begins again, says so, loses nothing that lies elsewhere, and `backstay adopt` knows it again."""

import glob
import json
import os
import sqlite3

import processes
import pytest
from api import until_terminal
from local_agent import DATABASE
from test_agent_local import make_agent, partners  # noqa: F401 (a fixture)
from wal_agent import WalAgent


def database(agent):
    return os.path.join(agent.state, "agent.db")


def set_aside(agent):
    return [name for name in glob.glob(database(agent) + ".damaged-*") if not name.endswith(("-wal", "-shm"))]


def smash(agent):
    """What a bad disk may do. First all changes go into the file itself: SQLite mends it with those that lie beside it."""
    connection = sqlite3.connect(database(agent), timeout=30)
    assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()
    size = os.path.getsize(database(agent))
    with open(database(agent), "r+b") as file:
        file.seek(4096 if size > 8192 else 0)
        file.write(os.urandom(size - file.tell()))


def lost(agent):
    done = agent.run("--json", "status")
    return json.loads(done.stdout).get("stateLost") if done.returncode == 0 else None


def listed(agent):
    return [row["backupId"] for row in agent.json("backups")["backups"]]


def test_a_smashed_state_is_set_aside_and_adopted_again(make_agent):  # noqa: F811
    agent = make_agent(second=True)
    assert agent.json("status")["stateLost"] is None
    before = partners(agent)
    backup = agent.json("backup", DATABASE, "--label", "kept")["job"]["operationId"]
    first = agent.json("snapshot", DATABASE)["job"]["operationId"]
    second = agent.json("snapshot", DATABASE)["job"]["operationId"]
    restored = agent.json("restore", backup)
    assert restored["job"]["status"] == "completed"
    safety = restored["operations"][1]["operationId"]
    stored, databases = agent.stored(), agent.databases()
    as_it_was = {row["backupId"]: row for row in agent.json("backups")["backups"]}
    agent.kill()
    smash(agent)
    agent.start()

    told = lost(agent)
    assert told and told["keptAs"] and "database" in told["why"], told
    assert "STATE LOST" in agent.run("status", check=0).stdout and "backstay_agent_state_lost 1" in agent.run("metrics", check=0).stdout
    assert "the agent's state was lost" in agent.log() and len(set_aside(agent)) == 1
    # Nothing that it does not know any more was swept.
    assert (agent.stored(), agent.databases(), listed(agent)) == (stored, databases, [])
    assert agent.json("backup", DATABASE)["job"]["status"] == "completed"

    shown = agent.json("adopt", "--show")
    assert (shown["backups"], shown["snapshots"], shown["known"], shown["faults"]) == (2, 2, 2, []), shown
    assert shown["copies"] == 2 and shown["lostAt"] and backup not in listed(agent) and lost(agent)
    told = agent.run("adopt", check=0).stdout
    assert "adopted: 2 backups, 2 snapshots" in told and "lost for good" in told and "__prev_" in told, told
    assert lost(agent) is None and {backup, safety} < set(listed(agent))
    rows = {row["backupId"]: row for row in agent.json("backups")["backups"]}
    for name in (backup, safety):
        for key in ("cluster", "database", "scope", "trigger", "label", "status", "sizeBytes", "destinationIds"):
            assert rows[name][key] == as_it_was[name][key], (key, rows[name], as_it_was[name])
    assert [(row["snapshotId"], row["baseId"]) for row in agent.json("snapshots")["snapshots"]] == [(second, first), (first, None)]
    again = agent.json("adopt")
    assert again["backups"] + again["snapshots"] + again["bases"] + again["copies"] == 0, again

    # What was adopted is as good as what was known.
    agent.pg.psql(DATABASE, "INSERT INTO res_partner (name) VALUES ('after')")
    assert agent.json("verify", backup)["job"]["status"] == "completed"
    assert agent.json("restore", backup, "--no-safety-backup")["job"]["status"] == "completed" and partners(agent) == before
    assert agent.run("snapshot-delete", first).returncode == 1  # the other one leans on it
    assert agent.json("rollback", second)["job"]["status"] == "completed" and partners(agent) == before
    third = agent.json("snapshot", DATABASE)["job"]["operationId"]
    assert [row["baseId"] for row in agent.json("snapshots")["snapshots"] if row["snapshotId"] == third][0] not in (first, second)
    agent.run("delete", backup, check=0)
    assert not any(backup in name for name in agent.stored() + agent.stored(agent.path("store2")))


def test_a_state_that_goes_while_the_agent_runs_is_begun_again(make_agent):  # noqa: F811
    agent = make_agent()
    backup = agent.json("backup", DATABASE)["job"]["operationId"]
    os.remove(database(agent))
    assert processes.wait_until(lambda: lost(agent), 60), agent.log()
    assert agent.process.poll() is None  # it needs nobody who starts it again
    assert agent.json("adopt")["backups"] == 1 and listed(agent) == [backup]
    smash(agent)
    agent.run("backup", DATABASE)  # meets it, with a connection of its own
    assert processes.wait_until(lambda: lost(agent), 60), agent.log()
    assert agent.json("adopt")["backups"] == 1


def test_a_new_host_takes_over_and_leaves_alone_what_is_not_its_own(make_agent):  # noqa: F811
    agent = make_agent()
    backup = agent.json("backup", DATABASE)["job"]["operationId"]
    gone = agent.json("backup", DATABASE)["job"]["operationId"]
    old = agent.json("status")["agentId"]
    manifest = next(name for name in agent.stored() if gone in name and name.endswith("database.dump.zst"))
    os.truncate(os.path.join(agent.store, manifest), 100)
    agent.stop()
    os.rename(agent.state, agent.path("old-state"))
    agent.start()
    assert lost(agent) is None  # a new agent has lost nothing
    shown = agent.json("adopt")
    assert shown["backups"] == 0 and [(one["agentId"], one["count"], one["databases"]) for one in shown["foreign"]] == [(old, 2, [DATABASE])]
    assert "--from-agent" in agent.run("adopt", "--show", check=0).stdout
    assert agent.run("adopt", "--from-agent", "nobody").returncode == 2
    taken = agent.json("adopt", "--from-agent", old, check=3)
    assert taken["backups"] == 1 and listed(agent) == [backup]
    assert taken["faultCount"] == 1 and gone in taken["faults"][0] and "100 bytes" in taken["faults"][0]
    assert agent.json("restore", backup)["job"]["status"] == "completed"


def test_what_is_no_damage_stays_where_it_is(make_agent):  # noqa: F811
    agent = make_agent()
    agent.stop()
    connection = sqlite3.connect(database(agent))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version = {version + 1}")
    connection.commit()
    connection.close()
    with open(database(agent), "rb") as file:
        before = file.read()
    agent.start(wait=False)
    assert agent.process.wait(60) == 2  # RestartPreventExitStatus: systemd does not try again
    assert "newer version" in agent.log() and "hint:" in agent.log()
    with open(database(agent), "rb") as file:
        assert file.read() == before
    assert set_aside(agent) == [] and not os.path.exists(database(agent) + "-wal")


@pytest.fixture
def wal_agent(folder):
    one = WalAgent(folder, os.environ.get("BACKSTAY_PRESET", "dev"), segments_mb=1, wal='ack = "spool"')
    one.pg.start()
    one.start()
    yield one
    print(one.log()[-6000:])
    one.end()


def test_acknowledged_wal_and_its_archive_outlive_the_state(wal_agent):
    agent = wal_agent

    def archive():
        found = json.loads(agent.run("--json", "wal-show").stdout)["archives"]
        return found[0] if found else {"bases": [], "runs": []}

    def segments():
        return sum(run["segments"] for run in archive()["runs"])

    first = agent.switch()
    agent.waits_for(first, 60)
    assert processes.wait_until(lambda: archive()["bases"], 90), agent.log()
    bases = {base["backupId"] for base in archive()["bases"]}
    assert processes.wait_until(lambda: segments() >= len([name for name in agent.archived() if len(name) == 24]), 60)
    known = segments()
    agent.lose_store()
    spooled = agent.switch()
    assert processes.wait_until(lambda: agent.last_archived() >= spooled, 60), agent.log()  # only this host holds it
    agent.kill()
    for path in (database(agent), database(agent) + "-wal"):
        os.remove(path)
    agent.start()
    assert processes.wait_until(lambda: lost(agent), 60), agent.log()
    agent.bring_store()
    agent.waits_for(spooled, 60)
    assert processes.wait_until(lambda: segments() > known, 60), agent.log()  # read back from the archive itself
    agent.run("adopt", check=0)
    assert bases <= {base["backupId"] for base in archive()["bases"]}
    assert lost(agent) is None


def test_the_control_plane_goes_on_with_an_agent_that_lost_its_state(lab):
    api, environment = lab.api(), lab.env["ENV_PRODUCTION_ID"]
    name = lab.env["DB_PRODUCTION"]

    def backup():
        made = api.post(f"/environments/{environment}/backups", {"type": "full"})["backupId"]
        done = until_terminal(lambda: api.get(f"/backups/{made}"))
        assert done["status"] == "completed", done
        return made

    def told(*words):
        return json.loads(lab.backstay("--json", *words).stdout)

    kept = backup()
    gone = backup()
    own = told("backup", name)["job"]["operationId"]
    # Told before it is lost: else the control plane takes it for running until it is given up.
    assert until_terminal(lambda: api.get(f"/backups/{own}"))["status"] == "completed"
    lab.kill_agent()
    for end in ("", "-wal", "-shm"):
        if os.path.exists(lab.path("agent", "agent.db" + end)):
            os.remove(lab.path("agent", "agent.db" + end))
    lab.start_agent()
    assert told("status")["stateLost"]
    assert processes.wait_until(lambda: told("status")["controlPlane"]["connected"], 60)
    # The control plane's orders bring along what they need.
    restored = api.post(f"/backups/{kept}/restore", {"targetType": "same", "backupId": kept})["restoreLogId"]
    restored = until_terminal(lambda: api.get(f"/restores/{restored}"))
    assert restored["status"] == "completed", restored
    report = told("adopt")
    assert report["backups"] == 3 and report["settled"], report
    known = {row["backupId"]: row for row in told("backups")["backups"]}
    assert {kept, gone, own} <= set(known) and known[kept]["origin"] == "control_plane" and known[own]["origin"] == "socket"
    assert known[kept]["cluster"] == "main" and known[kept]["database"] == name
    assert told("verify", kept)["job"]["status"] == "completed"
    api.delete(f"/backups/{gone}")
    assert processes.wait_until(lambda: gone not in {row["backupId"] for row in told("backups")["backups"]}, 60)
    backup()
