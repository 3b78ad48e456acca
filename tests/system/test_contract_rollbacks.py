"""Rollbacks to snapshots over the REST contract: what is checked before anything is touched, and what is told after."""

import uuid

import pytest
import seeds
from contract import refused
from fake_agent import FakeAgent


@pytest.fixture(scope="module")
def snapshot(plane):
    plane.agent.heartbeat()
    return made(plane, deploymentId="d-1")


def made(plane, environment=None, **body):
    path = f"/environments/{environment or plane.production}/snapshots"
    made_id = plane.owner.post(path, body or None)["snapshotId"]
    plane.agent.do_snapshot(plane.agent.take(kind="snapshot"))
    return plane.owner.get(f"{path}/{made_id}")


def roll_back(plane, snapshot, who=None, environment=None, **body):
    wanted = {"snapshotId": snapshot["id"], **body}
    return (who or plane.owner).post(f"/environments/{environment or plane.production}/rollback", wanted)


def log_of(plane, answer):
    logs = plane.owner.get(f"/environments/{answer['environmentId']}/rollback-logs", limit=100)["rollbackLogs"]
    return next(row for row in logs if row["rollbackDeploymentId"] == answer["deploymentId"])


def cancel(plane, answer):
    plane.owner.post(f"/operations/rollback/{answer['deploymentId']}/cancel")


def test_in_its_own_environment_with_a_safety_snapshot(plane, snapshot):
    answer = roll_back(plane, snapshot)
    assert (answer["environmentId"], answer["snapshotId"]) == (plane.production, snapshot["id"])
    refused(lambda: roll_back(plane, snapshot), 409, "target_busy")
    refused(lambda: plane.order(), 409, "operation_in_progress")
    refused(lambda: plane.owner.delete(f"/environments/{plane.production}/snapshots/{snapshot['id']}"), 409, "snapshot_in_use")
    waiting = log_of(plane, answer)
    assert (waiting["status"], waiting["safetySnapshotCreated"], waiting["safetySnapshotId"]) == ("pending", False, None)
    assignment = plane.agent.take(kind="rollback")
    order = assignment["order"]
    assert (order["rollbackId"], order["snapshotId"], order["folder"]) == (
        answer["deploymentId"], snapshot["id"], f"v1/x/snapshots/{snapshot['id']}")
    assert (order["targetType"], order["neutralize"], order["newUuid"], order["destinations"]) == ("same", False, False, [])
    assert (order["safetySnapshot"]["trigger"], order["safetySnapshot"]["destinations"]) == ("pre_rollback", [])
    plane.agent.do_rollback(assignment)
    log = log_of(plane, answer)
    seeds.fits(seeds.ROLLBACK_LOG, log)
    assert log["status"] == "completed", log["recoveryEvidence"]
    assert (log["deploymentId"], log["performedBy"]) == ("d-1", "owner@acme.example")
    assert log["safetySnapshotCreated"] and log["safetySnapshotId"] == order["safetySnapshot"]["snapshotId"]
    assert log["neutralizationTriggered"] is False and log["keptUntil"]
    safety = plane.owner.get(f"/environments/{plane.production}/snapshots/{log['safetySnapshotId']}")
    assert (safety["trigger"], safety["status"], safety["performedBy"]) == ("pre_rollback", "completed", "system")
    events = list(plane.owner.events(f"/deployments/{answer['deploymentId']}/rollback/progress"))
    assert [name for _, name, _ in events] == ["rollback-progress"] and events[-1][2]["done"]
    details = plane.owner.get(f"/environments/{plane.production}/snapshots/{snapshot['id']}")
    assert [row["id"] for row in details["rollbackLogs"]] == [log["id"]]
    assert plane.owner.get(f"/operations/rollback/{answer['deploymentId']}")["snapshotId"] == snapshot["id"]


def test_into_another_environment_it_is_neutralized_and_that_is_proven(plane, snapshot):
    answer = roll_back(plane, snapshot, targetEnvironmentId=plane.staging, createSafetySnapshot=False)
    assert answer["environmentId"] == plane.staging
    assignment = plane.agent.take(kind="rollback")
    order = assignment["order"]
    assert (order["targetType"], order["neutralize"], order["newUuid"], order["safetySnapshot"]) == ("other", True, True, None)
    assert (order["source"]["database"], order["target"]["database"]) == ("shop", "shop_staging")
    plane.agent.do_rollback(assignment)
    log = log_of(plane, answer)
    assert (log["status"], log["neutralizationTriggered"], log["safetySnapshotCreated"]) == ("completed", True, False)
    assert plane.owner.get(f"/environments/{plane.staging}")["isNeutralized"] is True
    as_source = plane.owner.get(f"/environments/{plane.production}/rollback-logs")
    assert answer["deploymentId"] in [row["id"] for row in as_source["rollbackLogs"]] and as_source["total"] >= 2


def test_a_restore_below_a_later_rollback_is_not_undone(plane, snapshot):
    backup = plane.made_backup()
    ask = {"targetType": "other", "targetEnvironmentId": plane.staging, "createSafetyBackup": False}
    restore = plane.owner.post(f"/backups/{backup['id']}/restore", ask)["restoreLogId"]
    plane.agent.do_restore(plane.agent.take(kind="restore"))
    roll_back(plane, snapshot, targetEnvironmentId=plane.staging, createSafetySnapshot=False)
    plane.agent.do_rollback(plane.agent.take(kind="rollback"))
    refused(lambda: plane.owner.post(f"/restores/{restore}/undo"), 409, "not_latest")


def test_without_its_report_nothing_was_neutralized(plane, snapshot):
    answer = roll_back(plane, snapshot, targetEnvironmentId=plane.staging, createSafetySnapshot=False)
    plane.agent.do_rollback(plane.agent.take(kind="rollback"), without_proof=("neutralize:report",))
    log = log_of(plane, answer)
    assert (log["status"], log["neutralizationTriggered"]) == ("partial", False)
    assert "neutralize:report" in log["recoveryEvidence"]["missingEvidence"]


def test_a_failed_health_check_puts_the_previous_pair_back(plane, snapshot):
    answer = roll_back(plane, snapshot)
    assignment = plane.agent.take(kind="rollback")
    plane.agent.do_rollback(assignment, until="health_check")
    plane.agent.step(assignment, "health_check", "failed", reason="health_check_failed", summary="HTTP 500")
    plane.agent.finish(assignment, "failed", reverted=True, reason="health_check_failed", errorMessage="HTTP 500")
    log = log_of(plane, answer)
    assert (log["status"], log["errorMessage"]) == ("reverted", "HTTP 500")
    assert log["recoveryEvidence"]["status"] == "red" and log["safetySnapshotCreated"]


def test_a_safety_snapshot_that_fails_is_told(plane, snapshot):
    answer = roll_back(plane, snapshot)
    assignment = plane.agent.take(kind="rollback")
    plane.agent.do_rollback(assignment, until="safety_snapshot")
    safety = assignment["order"]["safetySnapshot"]
    plane.agent.do_snapshot(assignment, safety, safety["snapshotId"], until="db_dump")
    path = f"/environments/{plane.production}/snapshots/{safety['snapshotId']}"
    assert plane.owner.get(path)["status"] == "running"
    refused(lambda: plane.owner.delete(path), 409, "snapshot_running")
    plane.agent.finish(assignment, "failed", safety["snapshotId"], reason="db_dump_failed", errorMessage="no room")
    plane.agent.step(assignment, "safety_snapshot", "failed", reason="safety_copy_failed", summary="no room")
    plane.agent.finish(assignment, "failed", reason="safety_copy_failed", errorMessage="no room")
    log = log_of(plane, answer)
    assert (log["status"], log["safetySnapshotCreated"], log["safetySnapshotId"]) == ("failed", False, safety["snapshotId"])
    assert log["recoveryEvidence"]["reason"] == "safety_copy_failed"
    assert plane.owner.get(path)["status"] == "failed"


@pytest.mark.parametrize("body, status, code, field", [
    ({}, 422, "snapshot_required", "snapshotId"),
    ({"snapshotId": ""}, 422, "snapshot_required", "snapshotId"),
    ({"snapshotId": "x"}, 400, "validation_error", "snapshotId"),
    ({"snapshotId": 5}, 400, "validation_error", "snapshotId"),
])
def test_a_bad_order_names_the_field(plane, body, status, code, field):
    refused(lambda: plane.owner.post(f"/environments/{plane.production}/rollback", body), status, code, field)


def test_targets_and_snapshots_that_are_not_allowed(plane, snapshot):
    refused(lambda: roll_back(plane, {"id": str(uuid.uuid4())}), 404, "not_found")
    refused(lambda: roll_back(plane, snapshot, environment=plane.staging), 422, "snapshot_wrong_environment", "snapshotId")
    refused(lambda: roll_back(plane, snapshot, targetEnvironmentId=plane.elsewhere), 422, "target_not_allowed", "targetEnvironmentId")
    refused(lambda: roll_back(plane, snapshot, targetEnvironmentId="x"), 400, "validation_error", "targetEnvironmentId")
    refused(lambda: roll_back(plane, snapshot, targetEnvironmentId=str(uuid.uuid4())), 404, "not_found")
    plane.far_agent.heartbeat()
    refused(lambda: roll_back(plane, snapshot, targetEnvironmentId=plane.far), 422, "target_not_allowed", "targetEnvironmentId")
    path = f"/environments/{plane.production}/snapshots"
    waiting = plane.owner.post(path)["snapshotId"]
    refused(lambda: roll_back(plane, {"id": waiting}), 409, "snapshot_not_usable")
    plane.owner.delete(f"{path}/{waiting}")


def test_who_may_take_production_back(plane, snapshot):
    refused(lambda: roll_back(plane, snapshot, plane.viewer), 403, "forbidden")
    refused(lambda: roll_back(plane, snapshot, plane.developer, createSafetySnapshot=False), 403, "forbidden")
    staged = made(plane, plane.staging)
    refused(lambda: roll_back(plane, staged, plane.developer, plane.staging, targetEnvironmentId=plane.production), 403, "forbidden")
    cancel(plane, roll_back(plane, snapshot, plane.developer))
    cancel(plane, roll_back(plane, snapshot, createSafetySnapshot=False))


def test_another_agent_reads_the_copy_in_a_shared_destination(plane):
    settings = f"/environments/{plane.production}/snapshot-settings"
    plane.owner.put(settings, {"destinationIds": [plane.local, plane.shared]})
    copied = made(plane)
    plane.owner.put(settings, {"destinationIds": []})
    plane.far_agent.heartbeat()
    answer = roll_back(plane, copied, targetEnvironmentId=plane.far, createSafetySnapshot=False)
    assignment = plane.far_agent.take(kind="rollback")
    assert [one["id"] for one in assignment["order"]["destinations"]] == [plane.shared]
    assert assignment["order"]["destinations"][0]["config"]["secretAccessKey"] == "very-secret-word"
    plane.far_agent.do_rollback(assignment)
    assert log_of(plane, answer)["status"] == "completed"


def test_an_older_server_is_refused_and_an_empty_target_needs_no_safety(plane, snapshot):
    cluster = {"name": "main", "host": "localhost", "port": 5432, "serverVersion": "14.3", "serverVersionNum": 140003, "databases": []}
    plane.agent.inventory = {"hostname": "db1", "clusters": [cluster], "disks": []}
    plane.agent.heartbeat()
    refused(lambda: roll_back(plane, snapshot, targetEnvironmentId=plane.staging), 422, "version_mismatch", "targetEnvironmentId")
    cluster["serverVersionNum"] = 160001
    plane.agent.heartbeat()
    answer = roll_back(plane, snapshot, targetEnvironmentId=plane.staging)
    assignment = plane.agent.take(kind="rollback")
    assert assignment["order"]["safetySnapshot"] is None, "there is nothing yet to be kept safe"
    plane.agent.do_rollback(assignment)
    assert log_of(plane, answer)["status"] == "completed"
    plane.agent.inventory = None


def test_an_agent_that_is_away_is_asked_for_no_rollback(plane):
    silent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", "silent"))
    target = plane._environment("silent", "development", "shop_silent", agent=silent)
    settings = f"/environments/{plane.production}/snapshot-settings"
    plane.owner.put(settings, {"destinationIds": [plane.shared]})
    copied = made(plane)
    plane.owner.put(settings, {"destinationIds": []})
    refused(lambda: roll_back(plane, copied, targetEnvironmentId=target), 503, "agent_offline")
    silent.heartbeat()
    answer = roll_back(plane, copied, targetEnvironmentId=target)
    cancel(plane, answer)
    assert log_of(plane, answer)["status"] == "cancelled" and silent.poll()["assignments"] == []
    refused(lambda: list(plane.owner.events(f"/deployments/{uuid.uuid4()}/rollback/progress")), 404, "not_found")
    refused(lambda: list(plane.stranger.events(f"/deployments/{answer['deploymentId']}/rollback/progress")), 404, "not_found")


def test_one_that_began_on_the_host_is_known(plane, snapshot):
    rollback, own = str(uuid.uuid4()), {"jobId": str(uuid.uuid4()), "fence": 0}
    place = {"organizationId": "", "projectId": "", "environmentId": plane.production, "name": "x", "type": "production",
             "cluster": "main", "database": "shop"}
    wanted = {"rollbackId": rollback, "snapshotId": snapshot["id"], "folder": snapshot["dbDumpPath"].rpartition("/")[0],
              "destinations": [], "source": place, "target": place, "targetType": "same", "neutralize": False, "newUuid": False,
              "safetySnapshot": None}
    plane.agent.report(own, "declared", rollback, declared={"kind": "rollback", "order": wanted, "origin": "socket"})
    plane.agent.report(own, "step", rollback, step={"name": "validate_snapshot", "status": "completed", "required": True})
    log = log_of(plane, {"environmentId": plane.production, "deploymentId": rollback})
    assert (log["status"], log["performedBy"], log["deploymentId"]) == ("running", "agent:db1", "d-1")
    plane.agent.finish(own, "failed", rollback, reason="internal_error", errorMessage="nothing came of it")
    assert log_of(plane, {"environmentId": plane.production, "deploymentId": rollback})["status"] == "failed"
