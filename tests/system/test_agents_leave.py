"""What happens to work and to backups when an agent, or a destination, is taken away."""

import pytest
from contract import refused
from fake_agent import FakeAgent


@pytest.fixture
def leaving(plane):
    """An agent of its own with one environment and a finished backup; (agent, environment, backup)."""
    agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", "leaving"))
    agent.heartbeat()
    environment = plane.owner.post(f"/projects/{plane.project}/environments", {
        "name": f"env {agent.agent_id}", "type": "staging", "agentId": agent.agent_id, "database": "leaving"})["id"]

    def back_up(*destinations):
        backup = plane.order(environment, type="db", destinationIds=list(destinations))
        agent.do_backup(agent.take(kind="backup"))
        return backup

    agent.environment, agent.back_up = environment, back_up
    return agent


def removed_agent(plane, agent):
    plane.owner.delete(f"/environments/{agent.environment}")
    plane.owner.delete(f"/agents/{agent.agent_id}")


def test_an_agent_with_open_work_stays_and_the_refusal_names_it(plane, leaving):
    path = f"/agents/{leaving.agent_id}"
    backup = leaving.back_up(plane.local)
    disk = plane.owner.post("/backup-destinations", {"name": "leaving disk", "destinationType": "local", "skipTest": True,
                                                     "config": {"path": "/var/b"}, "agentId": leaving.agent_id})
    plane.owner.delete(f"/backups/{backup}")
    body = refused(lambda: plane.owner.delete(path), 409, "agent_in_use")
    deletion = plane.owner.get("/operations", backupId=backup, type="deletion")["operations"][0]["id"]
    for word in ("environment", leaving.environment, "deletion", deletion, "destination", disk["id"]):
        assert word in body["message"], body
    plane.owner.delete(f"/environments/{leaving.environment}")
    plane.owner.delete(f"/backup-destinations/{disk['id']}")
    body = refused(lambda: plane.owner.delete(path), 409, "agent_in_use")
    assert deletion in body["message"] and "environment" not in body["message"], body
    leaving.finish(leaving.take(kind="delete"))
    plane.owner.delete(path)
    refused(lambda: plane.owner.get(path), 404, "not_found")


def test_a_backup_on_a_removed_agents_host_is_forgotten_and_says_what_stays(plane, leaving):
    backup = leaving.back_up(plane.local)
    removed_agent(plane, leaving)
    answer = plane.owner.delete(f"/backups/{backup}")
    assert "stay" in answer["message"] and "here" in answer["message"], answer
    refused(lambda: plane.owner.get(f"/backups/{backup}"), 404, "not_found")
    entry = next(row for row in plane.owner.get("/audit-logs", limit=100)["entries"] if row["objectId"] == backup)
    assert entry["action"] == "backup.delete" and "stay" in entry["detail"], entry


def test_another_agent_deletes_what_a_removed_one_left_in_a_shared_destination(plane, leaving):
    backup = leaving.back_up(plane.local, plane.shared)
    removed_agent(plane, leaving)
    answer = plane.owner.delete(f"/backups/{backup}")
    assert "here" in answer["message"], answer
    work = {one.agent_id: one.poll()["assignments"] for one in (plane.agent, plane.far_agent)}
    taken = [(one, assignment) for one in (plane.agent, plane.far_agent) for assignment in work[one.agent_id]]
    assert len(taken) == 1, work
    agent, assignment = taken[0]
    assert [one["id"] for one in assignment["order"]["destinations"]] == [plane.shared], "a folder of the other host is not ours"
    agent.report(assignment, "accepted")
    agent.finish(assignment)
    refused(lambda: plane.owner.get(f"/backups/{backup}"), 404, "not_found")


def test_a_backup_whose_destinations_are_gone_ends_with_the_reason(plane):
    made = plane.owner.post("/backup-destinations", {"name": "short-lived", "destinationType": "local", "skipTest": True,
                                                     "config": {"path": "/var/c"}, "agentId": plane.agent.agent_id})
    backup = plane.made_backup(type="db", destinationIds=[made["id"]])["id"]
    plane.owner.delete(f"/backup-destinations/{made['id']}?force=true")
    answer = plane.owner.delete(f"/backups/{backup}")
    assert "stay" in answer["message"] and "short-lived" in answer["message"], answer
    refused(lambda: plane.owner.get(f"/backups/{backup}"), 404, "not_found")
    entry = next(row for row in plane.owner.get("/audit-logs", limit=100)["entries"] if row["objectId"] == backup)
    assert "short-lived" in entry["detail"], entry
