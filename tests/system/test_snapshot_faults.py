"""What may happen to snapshots and rollbacks on a host: killed, cancelled, stopped, a full disk, deletions in between."""

import os
import signal
import time

import odoo_compare
import odoo_data
import pytest
from local_agent import DATABASE, LocalAgent
from processes import wait_until
from test_agent_local import make_agent  # noqa: F401 (a fixture)
from test_full_disks import incompressible, make  # noqa: F401 (a fixture)
from test_killed_in_the_swap import agent, stored_pair  # noqa: F401 (a fixture)

OVER = ("completed", "partial", "failed", "cancelled", "reverted")


def pair(agent):  # noqa: F811
    """Every table, and the files that it names: all there and sound."""
    assert odoo_compare.damaged(agent.pg, DATABASE, agent.filestore) == []
    return odoo_compare.fingerprints(agent.pg, DATABASE)


def go_on(agent):  # noqa: F811
    """What a deployment and its users do: to either state of the database only its own filestore fits."""
    lost = agent.pg.psql(DATABASE, "DELETE FROM ir_attachment WHERE name = 'between' RETURNING store_fname").split("\n")[0]
    os.remove(os.path.join(agent.filestore, lost))
    odoo_data.add_attachment(agent.pg, DATABASE, agent.filestore, "after", b"after")
    agent.pg.psql(DATABASE, "INSERT INTO res_partner (name) VALUES ('after the backup')")
    return pair(agent)


def ended(agent, job, seconds=90):  # noqa: F811
    assert wait_until(lambda: agent.json("job", job)["job"]["status"] in OVER, seconds), agent.log()
    return agent.json("job", job)


def step(agent, job, name):  # noqa: F811
    for operation in agent.json("job", job)["operations"]:
        for one in operation["steps"]:
            if one["name"] == name:
                return one["status"]
    return "pending"


def begin_upload(agent):  # noqa: F811
    """A differential that is whole on the host and on its way to `second`, slowly: its base goes before it."""
    odoo_data.add_attachment(agent.pg, DATABASE, agent.filestore, "noise", os.urandom(4 << 20))
    full = agent.json("snapshot", DATABASE)["job"]["operationId"]
    odoo_data.add_attachment(agent.pg, DATABASE, agent.filestore, "between", b"between")
    agent.run("limits", "--rate", "400000", check=0)
    job = agent.json("snapshot", DATABASE, "--to", "second", "--no-wait")["jobId"]
    assert wait_until(lambda: step(agent, job, "remote_upload") == "running", 60), agent.json("job", job)
    return full, job


def is_of_use(agent, job, full):  # noqa: F811
    """The snapshot of a job that lost its copies: there, amber, and good for a rollback."""
    told = ended(agent, job)
    assert told["job"]["status"] == "partial", told
    evidence = told["operations"][0]["recoveryEvidence"]
    assert evidence["status"] == "amber" and "remote_upload" in evidence["optionalFailedSteps"], evidence
    snapshot = told["job"]["operationId"]
    rows = {row["snapshotId"]: row for row in agent.json("snapshots")["snapshots"]}
    assert (rows[snapshot]["status"], rows[snapshot]["baseId"], rows[snapshot]["destinationIds"]) == ("partial", full, [])
    then = pair(agent)
    go_on(agent)
    agent.run("limits", "--rate", "0", check=0)
    back = agent.json("rollback", snapshot, "--no-safety")
    assert back["job"]["status"] == "completed", back
    assert pair(agent) == then
    assert not [name for name in agent.stored(agent.path("store2")) if snapshot in name and name.endswith("manifest.json")]


def test_one_whose_upload_is_cancelled_is_there(make_agent):  # noqa: F811
    agent = make_agent(second=True)
    full, job = begin_upload(agent)
    agent.run("cancel", job, check=0)
    is_of_use(agent, job, full)


def test_one_whose_agent_dies_in_the_upload_is_there(make_agent):  # noqa: F811
    agent = make_agent(second=True)
    full, job = begin_upload(agent)
    there = agent.path("store2")
    assert wait_until(lambda: any("/snapshots/" in name for name in agent.stored(there)), 60)
    agent.kill()
    assert not [name for name in agent.stored(there) if name.endswith("manifest.json")]
    agent.start()
    is_of_use(agent, job, full)
    assert agent.stored(there) == [], "what nobody knows does not stay"


def test_one_whose_agent_is_stopped_in_the_upload_is_there(make_agent):  # noqa: F811
    agent = make_agent(second=True)
    full, job = begin_upload(agent)
    agent.process.send_signal(signal.SIGTERM)
    agent.process.send_signal(signal.SIGTERM)  # at once
    agent.process.wait(60)
    agent.start()
    is_of_use(agent, job, full)


def test_a_rollback_holds_what_it_works_with(agent, folder):  # noqa: F811
    snapshot = agent.json("snapshot", DATABASE)["job"]["operationId"]
    (folder / "hold").touch()
    job = agent.json("rollback", snapshot, "--no-wait")["jobId"]
    assert wait_until(lambda: (folder / "starting").exists(), 60), agent.log()
    safety = agent.json("job", job)["operations"][1]["operationId"]
    # The one that it goes back to is the other's base, besides.
    for used, why in ((snapshot, safety), (safety, f"works with {safety}")):
        refused = agent.run("snapshot-delete", used)
        assert refused.returncode == 1 and why in refused.stderr, refused
        assert agent.call("DELETE", f"/v1/snapshots/{used}")[0] == 409
    (folder / "hold").unlink()
    assert ended(agent, job)["job"]["status"] == "completed"
    assert agent.json("snapshot-delete", safety)["job"]["status"] == "completed"


@pytest.mark.parametrize("strict", [False, True])
def test_killed_when_the_new_pair_is_live(agent, folder, strict):  # noqa: F811
    snapshot = agent.json("snapshot", DATABASE)["job"]["operationId"]
    odoo_data.add_attachment(agent.pg, DATABASE, agent.filestore, "between", b"between")
    differential = agent.json("snapshot", DATABASE)["job"]["operationId"]
    then = pair(agent)
    now = go_on(agent)
    (folder / "hold").touch()
    job = agent.json("rollback", differential, "--no-wait")["jobId"]
    assert wait_until(lambda: (folder / "starting").exists(), 60), agent.log()
    agent.kill()
    (folder / "hold").unlink()
    if strict:
        (folder / "strict").touch()
    agent.start()
    told = ended(agent, job)
    assert told["job"]["status"] == ("reverted" if strict else "completed"), told
    assert pair(agent) == (now if strict else then)
    # The safety snapshot is an operation of its own, and stays with the other two.
    assert {row["snapshotId"] for row in agent.json("snapshots")["snapshots"]} >= {snapshot, differential}
    assert len(agent.json("snapshots")["snapshots"]) == 3
    if not strict:
        assert agent.json("undo", job)["job"]["status"] == "completed"
        assert pair(agent) == now


def test_a_rollback_killed_at_each_step_leaves_one_whole_pair(make_agent):  # noqa: F811
    agent = make_agent()
    agent.json("snapshot", DATABASE)
    odoo_data.add_attachment(agent.pg, DATABASE, agent.filestore, "between", b"between")
    differential = agent.json("snapshot", DATABASE)["job"]["operationId"]
    then = pair(agent)
    now = go_on(agent)
    planned = [one["name"] for one in agent.json("rollback", differential)["operations"][0]["steps"]]
    assert pair(agent) == then and {"safety_snapshot", "restore_filestore", "swap_in", "catalog_commit"} <= set(planned), planned
    found = {}
    for name in planned:
        jobs = agent.json("jobs")["jobs"]
        if pair(agent) != now:  # forward again: by what the last rollback replaced
            last = next(row for row in jobs if row["kind"] == "rollback" and row["status"] == "completed")
            assert agent.json("undo", last["jobId"])["job"]["status"] == "completed"
        assert pair(agent) == now
        job = agent.json("rollback", differential, "--no-wait")["jobId"]
        deadline = time.monotonic() + 60
        while step(agent, job, name) == "pending" and time.monotonic() < deadline:
            pass
        agent.kill()
        agent.start()
        told = ended(agent, job)["job"]["status"]
        found[name] = told
        assert pair(agent) == (then if told == "completed" else now), (name, told)
        assert os.listdir(os.path.join(agent.state, "scratch")) == []
    assert found["validate_snapshot"] == "failed" and found["restore_filestore"] == "failed", found
    assert [row["status"] for row in agent.json("snapshots")["snapshots"] if row["status"] != "completed"] == []


def test_a_disk_that_fills_up_meanwhile(make, folder):  # noqa: F811
    place = str(folder / "snapshots")
    agent = make({"snapshots": "400m"}, extra=f'snapshot_dir = "{place}"')
    full = agent.json("snapshot", DATABASE)["job"]["operationId"]
    held = sorted(agent.files(place))
    incompressible(agent, 6)
    agent.run("limits", "--rate", "1000000", check=0)
    job = agent.json("snapshot", DATABASE, "--full", "--no-wait")["jobId"]
    assert wait_until(lambda: step(agent, job, "filestore_capture") == "running", 30), agent.json("job", job)
    filler = agent.fill(place)
    told = ended(agent, job)
    os.remove(filler)
    assert told["job"]["status"] == "failed", told
    evidence = told["operations"][0]["recoveryEvidence"]
    assert evidence["reason"] in ("destination_full", "disk_space_low"), evidence
    assert any(place in why for why in evidence["whyNotGreen"]), evidence["whyNotGreen"]
    assert sorted(agent.files(place)) == held, "nothing half is left, the good one stays"
    assert agent.files(os.path.join(agent.state, "scratch")) == []
    agent.run("limits", "--rate", "0", check=0)
    again = agent.json("snapshot", DATABASE)
    assert again["job"]["status"] == "completed", again
    assert [row["baseId"] for row in agent.json("snapshots")["snapshots"]][0] in (full, None)


def test_two_at_once_take_turns(make_agent):  # noqa: F811
    agent = make_agent()
    jobs = [agent.json("snapshot", DATABASE, "--no-wait")["jobId"] for _ in range(3)]
    assert [ended(agent, job)["job"]["status"] for job in jobs] == ["completed"] * 3
    rows = sorted(agent.json("snapshots")["snapshots"], key=lambda row: row["createdAt"])
    assert sorted(row["mode"] for row in rows) == ["differential", "differential", "full"]


def test_encrypted_ones_are_of_no_use_without_the_key(make_agent):  # noqa: F811
    agent = make_agent(start=False, second=True)
    key = agent.path("snapshot.key")
    agent.run("key", "generate", key, check=0)
    agent.write_config(f'encryption_key_file = "{key}"')
    with open(agent.path("agent.toml")) as file:
        text = file.read().replace('id = "second"\n', 'id = "second"\nencrypt = true\n')
    with open(agent.path("agent.toml"), "w") as file:
        file.write(text)
    agent.start()
    taken = agent.json("snapshot", DATABASE, "--to", "second")
    assert taken["job"]["status"] == "completed", taken
    snapshot = taken["job"]["operationId"]
    own = agent.stored(os.path.join(agent.state, "snapshots"))
    assert own == agent.stored(agent.path("store2"))
    assert all(name.endswith((".enc", "manifest.json")) for name in own), own
    then = pair(agent)
    agent.pg.psql(DATABASE, "DELETE FROM mail_message")
    os.rename(key, key + ".away")
    assert agent.json("rollback", snapshot, "--no-safety", check=1)["job"]["status"] == "failed"
    os.rename(key + ".away", key)
    assert agent.json("rollback", snapshot, "--no-safety")["job"]["status"] == "completed"
    assert pair(agent) == then
