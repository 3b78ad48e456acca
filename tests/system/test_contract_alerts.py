"""Alerts over the REST contract, raised by what an agent that the test plays reports."""

import uuid

import pytest
import seeds
from contract import refused

COUNT = {"undismissed": 0, "unread": 0}


@pytest.fixture(autouse=True)
def nothing_open(plane):
    for alert in plane.owner.get("/backup-alerts", limit=100)["alerts"]:
        plane.owner.post(f"/backup-alerts/{alert['id']}/dismiss")
    yield


def fail_a_backup(plane, environment=None, **end):
    backup = plane.order(environment)
    assignment = plane.agent.take(kind="backup")
    plane.agent.finish(assignment, "failed", **{"reason": "disk_space_low", "errorMessage": "the disk is full", **end})
    return backup


def active(plane, api=None, **query):
    return (api or plane.owner).get("/backup-alerts", **query)["alerts"]


def test_a_failed_backup_is_an_alert_complete_in_every_field(plane):
    backup = fail_a_backup(plane)
    alert, = active(plane)
    assert (alert["type"], alert["severity"], alert["backupId"]) == ("backup_failed", "critical", backup)
    assert (alert["environmentName"], alert["environmentType"], alert["projectId"]) == ("prod", "production", plane.project)
    assert (alert["reason"], alert["message"]) == ("disk_space_low", "the disk is full") and alert["occurrences"] >= 1
    assert alert["url"] == f"/api/backups/{backup}" and alert["title"] == "Backup of prod failed"
    assert not alert["read"] and not alert["dismissed"] and alert["resolvedAt"] is None
    assert plane.owner.get(f"/backup-alerts/{alert['id']}") == alert
    counts = plane.owner.get("/backup-alerts/count")
    seeds.fits(COUNT, counts)
    assert counts == {"undismissed": 1, "unread": 1}


def test_it_is_merged_read_and_dismissed_for_the_whole_organization(plane):
    fail_a_backup(plane)
    first, = active(plane)
    latest = fail_a_backup(plane)
    alert, = active(plane)
    assert (alert["id"], alert["occurrences"], alert["backupId"]) == (first["id"], first["occurrences"] + 1, latest)
    path = f"/backup-alerts/{alert['id']}"
    assert plane.developer.post(f"{path}/read")["message"] and plane.owner.post(f"{path}/read")["message"]
    assert plane.viewer.get("/backup-alerts/count") == {"undismissed": 1, "unread": 0}
    assert active(plane)[0]["read"] and active(plane)[0]["readBy"]
    plane.owner.post(f"{path}/dismiss")
    plane.owner.post(f"{path}/dismiss")
    assert active(plane) == [] and plane.owner.get("/backup-alerts/count") == {"undismissed": 0, "unread": 0}
    dismissed = [one for one in active(plane, include_dismissed="true") if one["id"] == alert["id"]][0]
    assert dismissed["dismissed"] and dismissed["dismissedAt"] and dismissed["dismissedBy"]


def test_a_success_resolves_it_and_leaves_it_to_be_seen(plane):
    fail_a_backup(plane)
    assert plane.made_backup()["status"] == "completed"
    alert, = active(plane)
    assert alert["resolvedAt"] and not alert["dismissed"]


def test_a_destination_that_refuses_is_named(plane):
    plane.made_backup(failing=[plane.shared], destinationIds=[plane.local, plane.shared])
    alerts = {alert["type"]: alert for alert in active(plane)}
    assert set(alerts) == {"backup_partial", "remote_copy_failed"}
    assert alerts["remote_copy_failed"]["destinationId"] == plane.shared
    assert alerts["remote_copy_failed"]["severity"] == "warning"
    plane.made_backup(destinationIds=[plane.local, plane.shared])
    assert all(alert["resolvedAt"] for alert in active(plane))


def test_who_may_what(plane):
    fail_a_backup(plane)
    alert, = active(plane)
    path = f"/backup-alerts/{alert['id']}"
    refused(lambda: plane.viewer.post(f"{path}/dismiss"), 403, "forbidden")
    refused(lambda: plane.stranger.post(f"{path}/dismiss"), 404, "not_found")
    refused(lambda: plane.owner.post(f"/backup-alerts/{uuid.uuid4()}/read"), 404, "not_found")
    refused(lambda: plane.owner.post("/backup-alerts/nonsense/read"), 400, "invalid_id")
    assert plane.stranger.get("/backup-alerts") == {"alerts": [], "total": 0}
    refused(lambda: plane.owner.get("/backup-alerts", include_dismissed="perhaps"), 400, "invalid_parameter")
    other = plane.api(plane.owner.post("/api-keys", {"name": "second", "mode": "rw", "projectId": plane.second_project})["key"])
    assert active(plane, other) == [] and other.get("/backup-alerts/count") == {"undismissed": 0, "unread": 0}
    refused(lambda: other.post(f"{path}/read"), 404, "not_found")


def test_pages_count_the_filter(plane):
    fail_a_backup(plane)
    fail_a_backup(plane, plane.staging)
    page = plane.owner.get("/backup-alerts", limit=1, offset=1)
    assert page["total"] == 2 and len(page["alerts"]) == 1
    assert page["alerts"][0]["environmentName"] == "prod", "newest first"


def test_a_wrong_clock_and_a_full_disk_are_told_by_the_heartbeat(plane):
    agent = plane.far_agent
    agent.skew = 3600
    agent.inventory = {"hostname": "db2", "clusters": [], "disks": [{"path": "/state", "role": "state", "freeBytes": 1,
                                                                     "totalBytes": 10**12}]}
    agent.heartbeat()
    assert {alert["type"]: alert["severity"] for alert in active(plane)} == {"clock_skew": "critical", "agent_disk_low": "critical"}
    assert {alert["agentId"] for alert in active(plane)} == {agent.agent_id}
    agent.skew, agent.inventory = 0, {"hostname": "db2", "clusters": [], "disks": []}
    agent.heartbeat()
    assert all(alert["resolvedAt"] for alert in active(plane))
