"""A lease that ends because its agent died. Two minutes are long for a test: they pass in the store, for this job and agent."""

import time
import uuid

import odoo_data
import pytest
from api import until_terminal
from fake_agent import FakeAgent
from processes import wait_until
import store


def change(state, job, what):
    """Beside the running server, as its own writers do."""
    with store.opened(state) as db:
        db.execute(f"UPDATE jobs SET {what} WHERE id = ?", (job,))


def let_lease_end(state, job):
    """Two minutes and a second pass."""
    with store.opened(state) as db:
        columns = ", ".join(f"{name} = {name} - 121000" for name in ("lease_until", "lost_at", "started_at", "moved_at", "told_at"))
        db.execute(f"UPDATE jobs SET {columns} WHERE id = ?", (job,))
        db.execute("UPDATE agent_sessions SET heard_at = heard_at - 121000, seen_at = seen_at - 121000 "
                   "WHERE agent_id = (SELECT agent_id FROM jobs WHERE id = ?)", (job,))


def job_of(state, job):
    with store.opened(state) as db:
        return dict(db.execute("SELECT state, fence, attempt, lost_at, lease_until FROM jobs WHERE id = ?", (job,)).fetchone())


@pytest.fixture
def host(plane):
    """An agent with an environment of its own, as processes of one installation follow each other."""
    agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", f"lease {uuid.uuid4()}"))
    agent.instance_id = f"{agent.agent_id}.1"
    agent.heartbeat()
    agent.environment = plane.owner.post(f"/projects/{plane.project}/environments", {
        "name": agent.agent_id, "type": "staging", "agentId": agent.agent_id, "database": f"db_{agent.agent_id[:8]}"})["id"]
    return agent


def successor_of(agent):
    after = agent.twin()
    after.instance_id = f"{agent.agent_id}.2"
    return after


def test_a_backup_is_given_anew_to_the_next_process(plane, host):
    backup = plane.order(host.environment, type="db")
    first = host.take(kind="backup")
    host.testify_backup(first, until="remote_upload")
    let_lease_end(plane.state, backup)  # it died: nobody renews
    assert wait_until(lambda: job_of(plane.state, backup)["state"] == "queued", 20), job_of(plane.state, backup)
    row = plane.owner.get(f"/backups/{backup}")
    assert row["status"] == "pending" and "has not been heard" in row["recoveryEvidence"]["progress"]["message"], row
    change(plane.state, backup, "not_before = 1")  # the minute before the next attempt
    after = successor_of(host)
    assert after.poll()["assignments"] == [], "first it must have had the chance to say that it holds the job"
    assert after.heartbeat()["lost"] == []
    second = after.poll(5_000)["assignments"][0]
    assert (second["jobId"], second["fence"], second["attempt"]) == (backup, first["fence"] + 1, 2)
    late = host.send([host.made(first, "progress", progress=None)])[0]
    assert late["refused"], "what the old process still says does not count"
    after.report(second, "accepted")
    assert plane.owner.get(f"/operations/backup/{backup}/steps")["steps"][1]["status"] == "pending", "a clean page"
    after.do_backup(second)
    row = plane.owner.get(f"/backups/{backup}")
    assert (row["status"], row["recoveryEvidence"]["status"]) == ("completed", "green"), row["recoveryEvidence"]


def test_a_process_that_was_only_cut_off_keeps_its_job(plane, host):
    backup = plane.order(host.environment, type="db")
    assignment = host.take(kind="backup")
    let_lease_end(plane.state, backup)
    assert wait_until(lambda: job_of(plane.state, backup)["state"] == "queued", 20)
    assert host.heartbeat()["lost"] == [], "it names the job: nobody else has got it"
    assert (job_of(plane.state, backup)["state"], job_of(plane.state, backup)["attempt"]) == ("accepted", 1)
    host.do_backup(assignment)
    assert plane.owner.get(f"/backups/{backup}")["status"] == "completed"


def test_a_restore_is_never_given_anew(plane, host):
    backup = plane.order(host.environment, type="db")
    host.do_backup(host.take(kind="backup"))
    restore = plane.owner.post(f"/backups/{backup}/restore", {"targetType": "same", "createSafetyBackup": False})["restoreLogId"]
    host.take(kind="restore")
    let_lease_end(plane.state, restore)
    assert wait_until(lambda: job_of(plane.state, restore)["lost_at"], 20)
    assert plane.owner.get(f"/restores/{restore}")["status"] == "running", "what it did must become known"
    after = successor_of(host)
    after.heartbeat()
    assert wait_until(lambda: job_of(plane.state, restore)["lost_at"] is None, 20), "one more lease to deliver its end"
    assert after.poll()["assignments"] == []
    let_lease_end(plane.state, restore)
    after.heartbeat()  # and still does not name it
    assert wait_until(lambda: plane.owner.get(f"/restores/{restore}")["status"] == "failed", 20)
    row = plane.owner.get(f"/restores/{restore}")
    assert row["recoveryEvidence"]["reason"] == "agent_offline" and "does not know" in row["errorMessage"], row
    assert after.poll()["assignments"] == []


def test_a_real_agent_that_was_killed_gets_its_backup_again(make_lab):
    lab = make_lab(production=odoo_data.Made("production", partners=500, messages=5000, files=100),
                   limits={"rate_bytes_per_sec": 500_000})
    state, api = lab.env["CONTROL_STATE"], lab.api()
    backup = api.post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups", {"type": "full"})["backupId"]
    assert wait_until(lambda: job_of(state, backup)["state"] == "accepted", 30, 0.05), job_of(state, backup)
    lab.kill_agent()
    let_lease_end(state, backup)
    assert wait_until(lambda: job_of(state, backup)["state"] == "queued", 20), job_of(state, backup)
    assert api.get(f"/backups/{backup}")["status"] == "pending"
    lab.start_agent()
    # It settles what it left, and says so or not; either way the job is tried again, now instead of after its minutes.
    deadline = time.monotonic() + 120
    while api.get(f"/backups/{backup}")["status"] not in ("completed", "partial", "failed"):
        assert time.monotonic() < deadline, job_of(state, backup)
        if job_of(state, backup)["state"] == "queued":
            change(state, backup, "not_before = 1")
        time.sleep(0.5)
    row = until_terminal(lambda: api.get(f"/backups/{backup}"))
    assert (row["status"], row["recoveryEvidence"]["status"]) == ("completed", "green"), row
    assert job_of(state, backup)["fence"] == 2
