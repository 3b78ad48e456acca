"""Backups over the REST contract, from the order to the verdict, with an agent that the test plays."""

import pathlib
import re
import threading
import uuid

import contract
import pytest
import requests
import seeds
from contract import refused


def test_a_new_backup_waits_complete_in_every_field(plane):
    answer = plane.owner.post(f"/environments/{plane.production}/backups", {"type": "db", "label": "before the upgrade"})
    assert set(answer) >= {"backupId", "message"}
    backup = plane.owner.get(f"/backups/{answer['backupId']}")
    seeds.fits(seeds.BACKUP, backup)
    assert (backup["status"], backup["backupType"], backup["label"]) == ("pending", "db", "before the upgrade")
    assert (backup["environmentName"], backup["environmentType"]) == ("prod", "production")
    evidence = backup["recoveryEvidence"]
    assert (evidence["status"], evidence["reason"], evidence["canWriteCleanSuccess"]) == ("pending", "", False)
    assert evidence["requiredSteps"][:2] == ["preflight", "db_dump"]
    assert "filestore_archive" not in evidence["requiredSteps"]
    assert plane.owner.post(f"/backups/{backup['id']}/cancel")["message"]
    cancelled = plane.owner.get(f"/backups/{backup['id']}")
    assert (cancelled["status"], cancelled["recoveryEvidence"]["reason"]) == ("cancelled", "cancelled")


def test_a_proven_backup_is_green_and_says_why(plane):
    backup = plane.made_backup()
    seeds.fits(seeds.BACKUP, backup)
    evidence = backup["recoveryEvidence"]
    assert backup["status"] == "completed", evidence
    assert (evidence["status"], evidence["reason"], evidence["remoteCopyState"]) == ("green", "ok", "verified")
    assert evidence["canWriteCleanSuccess"] and evidence["whyGreen"] and not evidence["whyNotGreen"]
    assert set(evidence["artifactPaths"]) == set(evidence["artifactChecksums"]) == {"db", "filestore", "config", "manifest"}
    assert backup["dbChecksum"] == evidence["artifactChecksums"]["db"]
    assert backup["remotePaths"] == {plane.local: f"v1/x/{backup['id']}"}
    assert backup["sizeBytes"] == 40 and backup["verifiedAt"] == backup["completedAt"]
    assert evidence["progress"]["done"] and evidence["progress"]["percent"] == 100
    steps = plane.owner.get(f"/operations/backup/{backup['id']}/steps")
    assert steps["total"] == len(steps["steps"]) == 11
    assert [step["sortOrder"] for step in steps["steps"]] == list(range(1, 12))
    assert {step["status"] for step in steps["steps"]} == {"completed"}
    assert plane.owner.get(f"/operations/backup/{backup['id']}")["status"] == "completed"


def test_a_missing_proof_is_never_green(plane):
    backup = plane.order()
    agent, assignment = plane.agent, plane.agent.take(kind="backup")
    agent.testify_backup(assignment, until="catalog_commit")
    agent.finish(assignment, folder=f"v1/x/{backup}")
    evidence = plane.owner.get(f"/backups/{backup}")["recoveryEvidence"]
    assert evidence["status"] == "red" and evidence["missingSteps"] == ["catalog_commit"]
    assert "db_toc:entries" in evidence["missingEvidence"] and not evidence["canWriteCleanSuccess"]


def test_a_destination_that_fails_is_amber_and_a_copy_heals_it(plane):
    backup = plane.made_backup(failing=[plane.shared], destinationIds=[plane.local, plane.shared])
    evidence = backup["recoveryEvidence"]
    assert (backup["status"], evidence["status"], evidence["reason"]) == ("partial", "amber", "remote_copy_partial")
    assert evidence["optionalFailedSteps"] == [f"remote_upload:{plane.shared}"]
    assert backup["remotePaths"] == {plane.local: f"v1/x/{backup['id']}"}

    copied = plane.owner.post(f"/backups/{backup['id']}/copy")
    refused(lambda: plane.owner.post(f"/backups/{backup['id']}/verify"), 409, "backup_in_use")
    assignment = plane.agent.take(kind="copy")
    assert [one["id"] for one in assignment["order"]["from"]] == [plane.local]
    assert [one["id"] for one in assignment["order"]["to"]] == [plane.shared]
    assert assignment["order"]["to"][0]["config"]["secretAccessKey"] == "very-secret-word"
    for artifact in ("db", "filestore", "config", "manifest"):
        plane.agent.copy(assignment, plane.shared, artifact, f"v1/x/{backup['id']}", operation=copied["copyId"])
    plane.agent.finish(assignment)
    healed = plane.owner.get(f"/backups/{backup['id']}")
    assert (healed["status"], healed["recoveryEvidence"]["status"]) == ("completed", "green"), healed["recoveryEvidence"]
    assert set(healed["remotePaths"]) == {plane.local, plane.shared}
    refused(lambda: plane.owner.post(f"/backups/{backup['id']}/copy"), 409, "nothing_to_copy")


def test_a_verification_that_finds_damage_takes_the_green_away(plane):
    backup = plane.made_backup()
    asked = plane.owner.post(f"/backups/{backup['id']}/verify", {"drill": False})
    assignment = plane.agent.take(kind="verify")
    assert assignment["order"]["verificationId"] == asked["verificationId"]
    plane.agent.copy(assignment, plane.local, "filestore", f"v1/x/{backup['id']}", "corrupt", message="checksum differs")
    plane.agent.finish(assignment, "failed", reason="remote_corrupt", errorMessage="a copy is damaged")
    after = plane.owner.get(f"/backups/{backup['id']}")
    assert after["status"] == "failed" and after["recoveryEvidence"]["reason"] == "remote_corrupt"
    assert after["recoveryEvidence"]["remoteCopyState"] == "corrupt"
    shown = plane.owner.get(f"/operations/verification/{asked['verificationId']}")
    assert shown["status"] == "failed" and shown["recoveryEvidence"]["operation"] == "verification"


def test_a_failure_that_may_pass_is_tried_again_inside_the_same_row(plane):
    backup = plane.order()
    assignment = plane.agent.take(kind="backup")
    plane.agent.report(assignment, "planned", plan={"operation": "backup", "steps": [], "requiredProofs": [],
                                                    "destinationIds": [plane.local], "artifacts": ["db"]})
    plane.agent.step(assignment, "preflight", "failed", reason="destination_unreachable", summary="no route")
    plane.agent.finish(assignment, "failed", reason="destination_unreachable", errorMessage="no route to host", transient=True)
    row = plane.owner.get(f"/backups/{backup}")
    assert row["status"] == "pending" and "attempt 1 failed: no route to host" in row["recoveryEvidence"]["progress"]["message"]
    assert plane.agent.poll()["assignments"] == [], "not before its minute is over"
    refused(lambda: plane.order(), 409, "operation_in_progress")
    plane.owner.post(f"/backups/{backup}/cancel")
    assert plane.owner.get(f"/backups/{backup}")["status"] == "cancelled"


def test_a_failure_that_stays_fails_at_once_and_names_its_reason(plane):
    backup = plane.order(type="db")
    assignment = plane.agent.take(kind="backup")
    plane.agent.testify_backup(assignment, until="db_dump")
    plane.agent.step(assignment, "db_dump", "failed", reason="db_auth_failed", summary="the role may not log in")
    plane.agent.finish(assignment, "failed", reason="db_auth_failed", errorMessage="db_dump: the role may not log in")
    row = plane.owner.get(f"/backups/{backup}")
    assert (row["status"], row["recoveryEvidence"]["reason"]) == ("failed", "db_auth_failed")
    assert row["errorMessage"] == "db_dump: the role may not log in"
    assert "db_dump: the role may not log in" in row["recoveryEvidence"]["whyNotGreen"]
    assert row["recoveryEvidence"]["blockingSteps"] == ["db_dump"]


def test_a_running_backup_is_cancelled_by_its_agent(plane):
    backup = plane.order()
    assignment = plane.agent.take(kind="backup")
    assert plane.owner.get(f"/backups/{backup}")["status"] == "running"
    refused(lambda: plane.owner.delete(f"/backups/{backup}"), 409, "backup_running")
    plane.owner.post(f"/backups/{backup}/cancel")
    assert plane.agent.poll()["cancel"] == [backup]
    assert plane.agent.heartbeat()["cancel"] == [backup]
    plane.agent.finish(assignment, "cancelled")
    assert plane.owner.get(f"/backups/{backup}")["status"] == "cancelled"
    refused(lambda: plane.owner.post(f"/backups/{backup}/cancel"), 409, "not_running")


def test_a_deleted_backup_disappears_once_every_copy_is_gone(plane):
    backup = plane.made_backup()["id"]
    plane.owner.delete(f"/backups/{backup}")
    assert plane.owner.get(f"/backups/{backup}")["status"] == "deleting"
    assert plane.owner.delete(f"/backups/{backup}")["message"], "asking twice is no fault"
    refused(lambda: plane.owner.post(f"/backups/{backup}/restore", {}), 409, "backup_not_restorable")
    assignment = plane.agent.take(kind="delete")
    assert assignment["order"]["folder"] == f"v1/x/{backup}"
    assert assignment["order"]["destinations"][0]["config"]["path"] == "/var/backups/odoo"
    plane.agent.finish(assignment)
    refused(lambda: plane.owner.get(f"/backups/{backup}"), 404, "not_found")
    listed = plane.owner.get(f"/environments/{plane.production}/backups", limit=100)["backups"]
    assert backup not in [row["id"] for row in listed]


def test_a_deletion_that_fails_keeps_the_row_and_may_be_asked_again(plane):
    backup = plane.made_backup()["id"]
    plane.owner.delete(f"/backups/{backup}")
    plane.agent.finish(plane.agent.take(kind="delete"), "failed", reason="remote_immutable", errorMessage="objects are locked")
    row = plane.owner.get(f"/backups/{backup}")
    assert row["status"] == "deleting" and row["errorMessage"] == "deletion: objects are locked"
    plane.owner.delete(f"/backups/{backup}")
    plane.agent.finish(plane.agent.take(kind="delete"))
    refused(lambda: plane.owner.get(f"/backups/{backup}"), 404, "not_found")


def test_a_pending_backup_is_deleted_without_an_agent(plane):
    backup = plane.order()
    plane.owner.delete(f"/backups/{backup}")
    refused(lambda: plane.owner.get(f"/backups/{backup}"), 404, "not_found")
    assert plane.agent.poll()["assignments"] == []


def test_lists_filter_page_and_count(plane):
    first, second = plane.made_backup(type="db")["id"], plane.made_backup(type="full")["id"]
    for path, usual in ((f"/environments/{plane.production}/backups", 20), (f"/projects/{plane.project}/backups", 50)):
        page = plane.owner.get(path)
        assert len(page["backups"]) <= usual and page["total"] >= 2
        assert [row["id"] for row in page["backups"]][:2] == [second, first], "newest first"
        seeds.fits(seeds.BACKUP, page["backups"][0])
        assert [row["id"] for row in plane.owner.get(path, limit=1, offset=1)["backups"]] == [first]
        assert {row["status"] for row in plane.owner.get(path, status="completed")["backups"]} == {"completed"}
        refused(lambda: plane.owner.get(path, status="great"), 400, "invalid_parameter")
        for bad in ("-1", "x", "1.5", ""):
            refused(lambda: plane.owner.get(path, limit=bad), 400, "invalid_parameter")
        assert len(plane.owner.get(path, limit=10_000)["backups"]) <= 100
        assert plane.owner.get(path, offset=100_000)["backups"] == []
    only = plane.owner.get(f"/environments/{plane.production}/backups", type="db")["backups"]
    assert {row["backupType"] for row in only} == {"db"}
    refused(lambda: plane.owner.get(f"/environments/{plane.production}/backups", type="big"), 400, "invalid_parameter")


@pytest.mark.parametrize("body, status, code, field", [
    ({"type": "base"}, 422, "invalid_type", "type"),
    ({"type": 7}, 400, "validation_error", "type"),
    ({"label": "x" * 201}, 422, "label_too_long", "label"),
    ({"destinationIds": "all"}, 400, "validation_error", "destinationIds"),
    ({"destinationIds": ["nonsense"]}, 400, "validation_error", "destinationIds[0]"),
    ({"destinationIds": [str(uuid.UUID(int=5, version=4))]}, 422, "destination_not_found", "destinationIds[0]"),
    ({"retention": "forever"}, 422, "invalid_retention", "retention"),
    ({"colour": "red"}, 400, "validation_error", "colour"),
])
def test_a_bad_order_names_the_field(plane, body, status, code, field):
    refused(lambda: plane.owner.post(f"/environments/{plane.production}/backups", body), status, code, field)


def test_another_organization_sees_nothing(plane):
    backup = plane.made_backup()["id"]
    for path in (f"/backups/{backup}", f"/environments/{plane.production}/backups", f"/projects/{plane.project}/backups",
                 f"/environments/{plane.production}/restore-logs", f"/operations/backup/{backup}/steps"):
        refused(lambda: plane.stranger.get(path), 404, "not_found")
    refused(lambda: plane.stranger.post(f"/environments/{plane.production}/backups", {}), 404, "not_found")
    refused(lambda: plane.stranger.delete(f"/backups/{backup}"), 404, "not_found")
    refused(lambda: plane.stranger.post(f"/backups/{backup}/restore", {}), 404, "not_found")
    assert plane.stranger.get("/operations")["total"] == 0
    refused(lambda: list(plane.stranger.events(f"/backups/{backup}/progress")), 404, "not_found")


def test_a_viewer_reads_and_does_not_write(plane):
    backup = plane.made_backup()["id"]
    assert plane.viewer.get(f"/backups/{backup}")["id"] == backup
    refused(lambda: plane.viewer.post(f"/environments/{plane.production}/backups", {}), 403, "forbidden")
    refused(lambda: plane.viewer.delete(f"/backups/{backup}"), 403, "forbidden")
    refused(lambda: plane.viewer.post(f"/backups/{backup}/restore", {}), 403, "forbidden")


def test_the_same_idempotency_key_makes_one_backup(plane):
    key, path = {"headers": {"Idempotency-Key": str(uuid.uuid4())}}, f"/environments/{plane.production}/backups"
    first = plane.owner.post(path, {"type": "db"}, **key)
    assert plane.owner.post(path, {"type": "db"}, **key) == first
    refused(lambda: plane.owner.post(path, {"type": "full"}, **key), 422, "idempotency_key_reused")
    plane.owner.post(f"/backups/{first['backupId']}/cancel")


def test_progress_streams_from_pending_to_done(plane):
    backup = plane.order()
    seen, ids, names = [], [], []

    def follow():
        for number, name, payload in plane.owner.events(f"/backups/{backup}/progress"):
            ids.append(int(number))
            names.append(name)
            seen.append(payload)

    reader = threading.Thread(target=follow)
    reader.start()
    assignment = plane.agent.take(kind="backup")
    for percent in (10, 40, 30, 60):
        plane.agent.progress(assignment, percent)
    plane.agent.do_backup(assignment)
    reader.join(20)
    assert not reader.is_alive(), "the stream ends with the backup"
    assert set(names) == {"backup-progress"} and ids == sorted(set(ids))
    percents = [payload["percent"] for payload in seen]
    assert percents == sorted(percents) and percents[-1] == 100
    assert seen[0]["status"] in ("pending", "running")
    assert [payload["done"] for payload in seen].count(True) == 1 and seen[-1]["status"] == "completed"
    for payload in seen:
        plane.contract.fits({"$ref": "#/components/schemas/Progress"}, payload, "progress")

    again = list(plane.owner.events(f"/backups/{backup}/progress"))
    assert len(again) == 1 and again[0][2]["done"], "a finished operation: one final event"
    resumed = [int(number) for number, _, _ in plane.owner.events(f"/backups/{backup}/progress", last_id=ids[-4])]
    assert resumed == [number for number in range(ids[-4] + 1, ids[-1] + 1)]


def test_streams_are_bounded_and_a_browser_may_use_a_short_token(plane):
    backup = plane.order()
    url = f"{plane.url}/api/backups/{backup}/progress"
    streams = [plane.viewer.session.get(url, stream=True, timeout=10) for _ in range(12)]
    assert {answer.status_code for answer in streams} == {200}
    assert plane.viewer.session.get(url, stream=True, timeout=10).status_code == 429
    for answer in streams:
        answer.close()
    short = plane.control.token("acme", "viewer", 120)
    with requests.get(url, params={"access_token": short}, stream=True, timeout=10) as answer:
        assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/event-stream"
    plane.owner.post(f"/backups/{backup}/cancel")


def test_operations_list_everything_that_ran(plane):
    backup = plane.made_backup()["id"]
    page = plane.owner.get("/operations", backupId=backup)
    assert page["total"] == 1 and page["operations"][0]["type"] == "backup"
    assert plane.owner.get("/operations", type="copy", limit=1)["operations"][0]["type"] == "copy"
    refused(lambda: plane.owner.get("/operations", type="dance"), 400, "invalid_parameter")
    refused(lambda: plane.owner.get("/operations", backupId="x"), 400, "invalid_id")
    refused(lambda: plane.owner.get(f"/operations/restore/{backup}"), 404, "not_found")
    refused(lambda: plane.owner.get(f"/operations/dance/{backup}"), 404, "not_found")
    refused(lambda: plane.owner.get("/backups/not-a-uuid"), 400, "invalid_id")
    refused(lambda: plane.owner.get(f"/backups/{uuid.uuid4()}"), 404, "not_found")


def test_the_document_is_what_is_served(plane):
    served = requests.get(f"{plane.url}/api/openapi.json", timeout=10).json()
    assert served == plane.contract.document and served["openapi"].startswith("3.1")


def test_every_documented_operation_is_served_and_every_route_is_documented(plane):
    documented = set()
    for template, item in plane.contract.document["paths"].items():
        path = re.sub(r"\{type\}", "backup", template)
        path = re.sub(r"\{[^}]+\}", str(uuid.uuid4()), path)
        documented.add(re.sub(r"\{[^}]+\}", "{}", template))
        for method in item:
            answer = requests.request(method, plane.url + "/api" + path, timeout=10)
            # A link is its own key: one that nobody made leads nowhere.
            expected = {"/openapi.json": 200, "/storage/stream/{token}": 404}.get(template, 401)
            assert answer.status_code == expected, f"{method} {template}: {answer.status_code} {answer.text}"
    sources = pathlib.Path(contract.ROOT, "control-plane").glob("*-api/*.cpp")
    sources = [*sources, *pathlib.Path(contract.ROOT, "control-plane", "api").glob("*.cpp")]
    served = {found for source in sources for found in re.findall(r'"/api(/[^"]*)"', source.read_text())}
    served = {re.sub(r"\{[^}]+\}", "{}", path) for path in served if not path.endswith("/")}
    assert served - documented == set()
