"""Snapshots and rollbacks of an agent alone: the real daemon, a real PostgreSQL, the real command line."""

import os

import odoo_compare
import odoo_data
import processes
from local_agent import DATABASE
from test_agent_local import make_agent, partners  # noqa: F401 (a fixture)
from test_restore_by_hand import blocks, run, settings


def snapshot(agent, *words):
    done = agent.json("snapshot", DATABASE, *words)
    assert done["job"]["status"] == "completed", done
    return done["job"]["operationId"]


def steps(detail):
    return {step["name"]: step for operation in detail["operations"][:1] for step in operation["steps"]}


def own(agent, identity, name=""):
    return os.path.join(agent.state, "snapshots", agent.json("snapshots")["snapshots"][0]["folder"].rsplit("/", 1)[0], identity, name)


def test_takes_snapshots_and_goes_back(make_agent):  # noqa: F811
    agent = make_agent()
    first = snapshot(agent)
    kept = odoo_data.add_attachment(agent.pg, DATABASE, agent.filestore, "between", b"uploaded in between")
    second = snapshot(agent, "--label", "before v2", "--trigger", "pre_deploy")
    before, files = odoo_compare.fingerprints(agent.pg, DATABASE), partners(agent)
    rows = agent.json("snapshots", DATABASE)["snapshots"]
    assert [(row["snapshotId"], row["mode"], row["baseId"]) for row in rows] == [
        (second, "differential", first), (first, "full", None)]
    assert rows[0]["label"] == "before v2" and rows[0]["trigger"] == "pre_deploy"
    assert "last snapshots" in agent.run("status", check=0).stdout and "before v2" in agent.run("snapshots", check=0).stdout

    # The deployment goes wrong: rows are gone, and so is a file.
    agent.pg.psql(DATABASE, "DELETE FROM mail_message; INSERT INTO res_partner (name) VALUES ('v2')")
    os.remove(os.path.join(agent.filestore, kept))
    back = agent.json("rollback", second[:18])
    assert back["job"]["status"] == "completed" and back["operations"][0]["recoveryEvidence"]["status"] == "green", back
    assert (odoo_compare.fingerprints(agent.pg, DATABASE), partners(agent)) == (before, files)
    assert os.path.exists(os.path.join(agent.filestore, kept))
    safety = back["operations"][1]["operationId"]  # an operation of its own
    assert agent.json("snapshots")["snapshots"][0]["snapshotId"] == safety
    # And forward again, by the pair that is kept.
    assert agent.json("undo", back["job"]["jobId"][:18])["job"]["status"] == "completed"
    assert partners(agent) == files + 1

    refused = agent.run("snapshot-delete", first)
    assert refused.returncode == 1 and "remove those first" in refused.stderr
    for identity in (safety, second, first):
        assert agent.json("snapshot-delete", identity)["job"]["status"] == "completed"
    assert agent.json("snapshots")["snapshots"] == []
    assert not [name for _, _, names in os.walk(os.path.join(agent.state, "snapshots")) for name in names]


def test_into_another_database_neutralized(make_agent):  # noqa: F811
    agent = make_agent(second=True)
    snapshot(agent)
    odoo_data.add_attachment(agent.pg, DATABASE, agent.filestore, "new", b"new")
    copied = agent.json("snapshot", DATABASE, "--to", "second")
    assert copied["job"]["status"] == "completed" and steps(copied)["remote_verify"]["status"] == "completed"
    assert len([name for name in agent.stored(agent.path("store2")) if name.endswith("manifest.json")]) == 2
    other = agent.path("filestore", "copy")
    back = agent.json("rollback", copied["job"]["operationId"], "--to", "copy", "--filestore", other, "--no-safety")
    assert back["job"]["status"] == "completed", back
    assert steps(back)["neutralize"]["proofs"] == ["neutralize:report"]
    assert agent.pg.psql("copy", "SELECT value FROM ir_config_parameter WHERE key = 'database.is_neutralized'").lower() == "true"
    result = odoo_compare.compare(agent.pg, DATABASE, "copy", agent.filestore, other)
    assert result.equal, result.wrong


def test_a_killed_agent_leaves_no_part_of_a_snapshot(make_agent):  # noqa: F811
    agent = make_agent(limits={"rate_bytes_per_sec": 60_000})
    job = agent.json("snapshot", DATABASE, "--no-wait")["jobId"]

    def at_work():
        return steps(agent.json("job", job)).get("filestore_capture", {}).get("status") == "running"

    assert processes.wait_until(at_work, 20), agent.json("job", job)
    agent.kill()
    agent.write_config(limits={"rate_bytes_per_sec": 0})
    agent.start()
    assert processes.wait_until(lambda: agent.json("job", job)["job"]["state"] == "interrupted", 30)
    assert agent.json("snapshots")["snapshots"] == []
    assert not [name for _, _, names in os.walk(os.path.join(agent.state, "snapshots")) for name in names]
    assert os.listdir(os.path.join(agent.state, "scratch")) == []
    snapshot(agent)


def test_a_differential_is_restored_by_hand(make_agent):  # noqa: F811
    agent = make_agent()
    snapshot(agent)
    gone = odoo_data.add_attachment(agent.pg, DATABASE, agent.filestore, "gone", b"not in the differential")
    agent.json("snapshot", DATABASE, "--full")
    agent.pg.psql(DATABASE, "DELETE FROM ir_attachment WHERE name = 'gone'")
    os.remove(os.path.join(agent.filestore, gone))
    odoo_data.add_attachment(agent.pg, DATABASE, agent.filestore, "new", b"in the differential only")
    folder = own(agent, snapshot(agent))
    assert os.path.exists(os.path.join(folder, "filestore.diff.tar.zst"))
    names = settings(BACKUP=folder, DATABASE="by_hand", OWNER=odoo_data.OWNER, FILESTORE=agent.path("by_hand"),
                     WORK=agent.path("work"))
    whole = blocks()
    database = whole[:whole.index("\nmkdir -p \"$FILESTORE\"")]
    code, output = run(agent.pg, names + database + "\n" + blocks("snapshot"))
    assert code == 0, output
    result = odoo_compare.compare(agent.pg, DATABASE, "by_hand", agent.filestore, agent.path("by_hand"), neutralized=False)
    assert result.equal, result.wrong
    assert not os.path.exists(agent.path("by_hand", gone))
