"""Restores over the REST contract: what is checked before anything is touched, and what the evidence says after."""

import uuid

import pytest
import seeds
from contract import refused
from fake_agent import FakeAgent


@pytest.fixture(scope="module")
def backup(plane):
    plane.agent.heartbeat()
    return plane.made_backup()


def restore(plane, backup, **body):
    return plane.owner.post(f"/backups/{backup['id']}/restore", body)


def test_into_the_same_environment_with_a_safety_backup(plane, backup):
    answer = restore(plane, backup, targetType="same", backupId=backup["id"])
    assert (answer["backupId"], answer["target"], answer["targetEnvironmentId"]) == (backup["id"], "same", plane.production)
    refused(lambda: restore(plane, backup), 409, "target_busy")
    refused(lambda: plane.order(), 409, "operation_in_progress")
    refused(lambda: plane.owner.delete(f"/backups/{backup['id']}"), 409, "backup_in_use")
    assignment = plane.agent.take(kind="restore")
    order = assignment["order"]
    assert (order["neutralize"], order["newUuid"], order["folder"]) == (False, False, f"v1/x/{backup['id']}")
    assert order["destinations"][0]["config"]["path"] == "/var/backups/odoo"
    assert order["safetyBackup"]["trigger"] == "pre_restore" and order["safetyBackup"]["scope"] == "full"
    assert order["safetyBackup"]["destinations"][0]["config"]["path"] == "/var/backups/odoo"
    plane.agent.do_restore(assignment)
    shown = plane.owner.get(f"/restores/{answer['restoreLogId']}")
    seeds.fits(seeds.RESTORE_LOG, shown)
    assert shown["status"] == "completed", shown["recoveryEvidence"]
    assert shown["recoveryEvidence"]["status"] == "green" and shown["recoveryEvidence"]["remoteCopyState"] == "not_required"
    assert "stop_instance: not managed by the agent" in shown["recoveryEvidence"]["whyGreen"]
    assert shown["performedBy"] == "owner@acme.example" and shown["undoUntil"]
    safety = plane.owner.get(f"/backups/{shown['safetyBackupId']}")
    assert (safety["trigger"], safety["status"]) == ("pre_restore", "completed"), safety["recoveryEvidence"]
    events = list(plane.owner.events(f"/backups/{backup['id']}/restore/progress"))
    assert [name for _, name, _ in events] == ["restore-progress"] and events[-1][2]["done"]


def test_into_another_environment_neutralizes_and_renames(plane, backup):
    answer = restore(plane, backup, targetType="other", targetEnvironmentId=plane.staging, createSafetyBackup=False)
    order = plane.agent.poll(10_000)["assignments"][0]
    assert (order["order"]["neutralize"], order["order"]["newUuid"]) == (True, True)
    assert order["order"]["safetyBackup"] is None
    assert order["order"]["source"]["database"] == "shop" and order["order"]["target"]["database"] == "shop_staging"
    plane.agent.report(order, "accepted")
    plane.agent.do_restore(order)
    logs = plane.owner.get(f"/environments/{plane.staging}/restore-logs")
    assert logs["restoreLogs"][0]["id"] == answer["restoreLogId"] and logs["restoreLogs"][0]["status"] == "completed"
    seeds.fits(seeds.RESTORE_LOG, logs["restoreLogs"][0])
    as_source = plane.owner.get(f"/environments/{plane.production}/restore-logs")["restoreLogs"]
    assert answer["restoreLogId"] in [row["id"] for row in as_source]
    steps = plane.owner.get(f"/operations/restore/{answer['restoreLogId']}/steps")["steps"]
    assert "neutralize" in [step["name"] for step in steps]


def test_the_safety_copy_of_a_running_restore_is_left_alone(plane, backup):
    answer = restore(plane, backup)
    assignment = plane.agent.take(kind="restore")
    safety = assignment["order"]["safetyBackup"]
    plane.agent.testify_backup(assignment, {**safety, "environment": assignment["order"]["target"]}, safety["backupId"],
                               until="remote_upload")
    assert plane.owner.get(f"/backups/{safety['backupId']}")["status"] == "running"
    refused(lambda: plane.owner.delete(f"/backups/{safety['backupId']}"), 409, "backup_running")
    refused(lambda: plane.owner.post(f"/backups/{safety['backupId']}/cancel"), 409, "backup_in_use")
    plane.owner.post(f"/operations/restore/{answer['restoreLogId']}/cancel")
    plane.agent.finish(assignment, "cancelled", safety["backupId"])
    plane.agent.finish(assignment, "cancelled")
    assert plane.owner.get(f"/restores/{answer['restoreLogId']}")["status"] == "cancelled"
    assert plane.owner.get(f"/backups/{safety['backupId']}")["status"] == "cancelled"


def test_without_a_proof_it_is_amber(plane, backup):
    answer = restore(plane, backup, targetType="other", targetEnvironmentId=plane.staging, createSafetyBackup=False)
    plane.agent.do_restore(plane.agent.take(kind="restore"), without_proof=("filestore:reconciled",))
    shown = plane.owner.get(f"/restores/{answer['restoreLogId']}")
    assert (shown["status"], shown["recoveryEvidence"]["status"]) == ("partial", "amber")
    assert shown["recoveryEvidence"]["reason"] == "filestore_inconsistent"


def test_a_restore_that_failed_after_the_swap_is_reverted(plane, backup):
    answer = restore(plane, backup, targetType="other", targetEnvironmentId=plane.staging, createSafetyBackup=False)
    assignment = plane.agent.take(kind="restore")
    plane.agent.step(assignment, "health_check", "failed", reason="health_check_failed", summary="HTTP 500")
    plane.agent.finish(assignment, "failed", reason="health_check_failed", errorMessage="health_check: HTTP 500", reverted=True,
                       transient=True)
    shown = plane.owner.get(f"/restores/{answer['restoreLogId']}")
    assert shown["status"] == "reverted" and shown["errorMessage"] == "health_check: HTTP 500"
    assert plane.agent.poll()["assignments"] == [], "a restore is never started again by itself"


def test_a_restore_is_undone_while_the_previous_pair_is_kept(plane, backup):
    answer = restore(plane, backup, targetType="other", targetEnvironmentId=plane.staging, createSafetyBackup=False)
    log = answer["restoreLogId"]
    refused(lambda: plane.owner.post(f"/restores/{log}/undo"), 409, "not_undoable")
    plane.agent.do_restore(plane.agent.take(kind="restore"))
    undone = plane.owner.post(f"/restores/{log}/undo")
    assignment = plane.agent.take(kind="undo")
    assert assignment["order"]["restoreId"] == log and assignment["order"]["undoId"] == undone["undoId"]
    plane.agent.finish(assignment)
    shown = plane.owner.get(f"/restores/{log}")
    assert shown["status"] == "reverted" and shown["undoneAt"] and shown["undoUntil"] is None
    refused(lambda: plane.owner.post(f"/restores/{log}/undo"), 409, "already_undone")


def test_a_queued_restore_is_cancelled(plane, backup):
    answer = restore(plane, backup, targetType="other", targetEnvironmentId=plane.staging)
    plane.owner.post(f"/restores/{answer['restoreLogId']}/cancel")
    assert plane.owner.get(f"/restores/{answer['restoreLogId']}")["status"] == "cancelled"
    refused(lambda: plane.owner.post(f"/restores/{answer['restoreLogId']}/cancel"), 409, "not_running")


@pytest.mark.parametrize("body, status, code, field", [
    ({"targetType": "new", "newEnvironmentName": "x"}, 422, "target_type_disabled", "targetType"),
    ({"targetType": "moon"}, 422, "invalid_target_type", "targetType"),
    ({"targetType": "other"}, 422, "target_required", "targetEnvironmentId"),
    ({"targetType": "other", "targetEnvironmentId": "x"}, 400, "validation_error", "targetEnvironmentId"),
    ({"backupId": str(uuid.UUID(int=9, version=4))}, 422, "backup_id_mismatch", "backupId"),
    ({"pitrTimestamp": "yesterday"}, 400, "validation_error", "pitrTimestamp"),
    ({"pitrTimestamp": "2026-01-01T00:00:00Z"}, 422, "pitr_out_of_window", "pitrTimestamp"),
    ({"scope": "half"}, 422, "invalid_scope", "scope"),
    ({"createSafetyBackup": False}, 422, "safety_backup_required", "createSafetyBackup"),
    ({"createSafetyBackup": "no"}, 400, "validation_error", "createSafetyBackup"),
])
def test_a_bad_order_names_the_field(plane, backup, body, status, code, field):
    refused(lambda: restore(plane, backup, **body), status, code, field)


def test_targets_that_are_not_allowed(plane, backup):
    def into(target):
        return lambda: restore(plane, backup, targetType="other", targetEnvironmentId=target)

    refused(into(plane.elsewhere), 422, "target_not_allowed", "targetEnvironmentId")
    refused(into(plane.production), 422, "target_not_allowed", "targetEnvironmentId")
    refused(into(str(uuid.uuid4())), 404, "not_found")
    plane.far_agent.heartbeat()
    refused(into(plane.far), 422, "target_not_allowed", "targetEnvironmentId")
    refused(lambda: plane.developer.post(f"/backups/{backup['id']}/restore", {}), 403, "forbidden")


def test_another_agent_restores_from_a_shared_destination_only_while_it_is_there(plane, backup):
    shared = plane.made_backup(destinationIds=[plane.shared])
    ask = {"targetType": "other", "targetEnvironmentId": plane.far, "createSafetyBackup": False}
    plane.far_agent.heartbeat()
    answer = restore(plane, shared, **ask)
    assert plane.agent.poll()["assignments"] == []
    assignment = plane.far_agent.take(kind="restore")
    assert assignment["order"]["destinations"][0]["config"]["secretAccessKey"] == "very-secret-word"
    plane.far_agent.do_restore(assignment)
    assert plane.owner.get(f"/restores/{answer['restoreLogId']}")["status"] == "completed"


def test_an_older_server_or_another_odoo_is_refused(plane, backup):
    database = {"name": "shop_staging", "owner": "odoo", "sizeBytes": 1, "isOdoo": True, "odooVersion": "17.0"}
    cluster = {"name": "main", "host": "localhost", "port": 5432, "serverVersion": "14.3", "serverVersionNum": 140003,
               "databases": [database]}
    plane.agent.inventory = {"hostname": "db1", "clusters": [cluster], "disks": []}
    plane.agent.heartbeat()
    ask = {"targetType": "other", "targetEnvironmentId": plane.staging}
    refused(lambda: restore(plane, backup, **ask), 422, "version_mismatch", "targetEnvironmentId")
    cluster["serverVersionNum"] = 160001
    plane.agent.heartbeat()
    answer = restore(plane, backup, **ask)
    plane.owner.post(f"/restores/{answer['restoreLogId']}/cancel")
    cluster["databases"] = []
    plane.agent.heartbeat()
    answer = restore(plane, backup, **ask)
    assignment = plane.agent.take(kind="restore")
    assert assignment["order"]["safetyBackup"] is None, "there is nothing yet to be kept safe"
    plane.agent.do_restore(assignment)
    plane.agent.inventory = None


def test_backups_that_cannot_be_restored(plane, backup):
    waiting = plane.order()
    refused(lambda: plane.owner.post(f"/backups/{waiting}/restore", {}), 409, "backup_not_restorable")
    plane.owner.post(f"/backups/{waiting}/cancel")
    refused(lambda: plane.owner.post(f"/backups/{waiting}/restore", {}), 409, "backup_not_restorable")
    only_database = plane.made_backup(type="db")
    refused(lambda: restore(plane, only_database, scope="filestore"), 422, "scope_not_in_backup", "scope")
    refused(lambda: list(plane.owner.events(f"/backups/{only_database['id']}/restore/progress")), 404, "no_restore")


def test_an_agent_that_is_away_is_asked_for_no_restore(plane):
    silent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", "silent"))
    target = plane._environment("silent", "development", "shop_silent", agent=silent)
    shared = plane.made_backup(destinationIds=[plane.shared])
    ask = {"targetType": "other", "targetEnvironmentId": target}
    refused(lambda: restore(plane, shared, **ask), 503, "agent_offline")
    silent.heartbeat()
    answer = restore(plane, shared, **ask)
    plane.owner.post(f"/restores/{answer['restoreLogId']}/cancel")
    assert silent.poll()["assignments"] == []
