"""Restore drills through REST and on the command line, with an agent that the test plays."""

import json
import subprocess
import uuid

from contract import refused

STEPS = ("fetch_artifacts", "verify_artifacts", "structure_check", "scratch_restore", "content_checks", "neutralize", "scratch_drop")
PROOFS = ["manifest:readback", "db_toc:entries", "restore:row_counts", "neutralize:report"]


def path(plane):
    return f"/environments/{plane.production}/drills"


def command(plane, *words):
    argv = [plane.program, "drills", *words, "--state", plane.state, "--org", "acme", "--environment", plane.production, "--json"]
    done = subprocess.run(argv, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def drilled(plane, failing=None):
    """The agent does the drill that waits; its order."""
    assignment = plane.agent.take(kind="verify")
    for name in STEPS:
        if name == failing:
            plane.agent.step(assignment, name, "failed", reason="restore_failed", summary="2 rows are missing")
            plane.agent.finish(assignment, "failed", reason="restore_failed", errorMessage="2 rows are missing")
            return assignment["order"]
        plane.agent.step(assignment, name, proofs=PROOFS)
    plane.agent.finish(assignment)
    return assignment["order"]


def test_a_drill_is_ordered_done_and_shown(plane):
    refused(lambda: plane.owner.post(path(plane)), 409, "no_backup")
    assert plane.viewer.get(path(plane)) == {"environmentId": plane.production, "everyDays": 0, "nextDrillAt": None,
                                             "lastPassedAt": None, "drills": [], "total": 0}
    backup = plane.made_backup()
    asked = plane.owner.post(path(plane))
    assert asked["backupId"] == backup["id"]
    refused(lambda: plane.owner.post(path(plane)), 409, "drill_running")
    order = drilled(plane)
    assert order["drill"] is True and order["backupId"] == backup["id"]
    shown = plane.viewer.get(path(plane))
    assert shown["total"] == 1 and shown["lastPassedAt"] and shown["drills"][0]["id"] == asked["drillId"]
    assert shown["drills"][0]["recoveryEvidence"]["status"] == "green"
    steps = plane.viewer.get(f"/operations/verification/{asked['drillId']}/steps")["steps"]
    assert [step["name"] for step in steps] == list(STEPS)


def test_one_that_fails_turns_the_backup_and_is_an_alert(plane):
    backup = plane.made_backup()
    asked = command(plane, "run")
    assert asked["backupId"] == backup["id"]
    drilled(plane, failing="content_checks")
    listed = command(plane, "list")
    assert listed["drills"][0]["id"] == asked["drillId"] and listed["drills"][0]["status"] == "failed"
    row = plane.owner.get(f"/backups/{backup['id']}")
    assert row["status"] == "partial" and row["verifiedAt"] is None and row["recoveryEvidence"]["optionalFailedSteps"] == ["drill"]
    types = {one["type"] for one in plane.owner.get("/backup-alerts", limit=100)["alerts"] if one["backupId"] == backup["id"]}
    assert {"drill_failed", "verification_failed"} <= types


def test_they_come_by_themselves_when_they_are_wanted(plane):
    for wrong in (-1, 366):
        refused(lambda: plane.owner.put(path(plane), {"everyDays": wrong}), 422, "out_of_range")
    refused(lambda: plane.viewer.put(path(plane), {"everyDays": 7}), 403, "forbidden")
    refused(lambda: plane.viewer.post(path(plane)), 403, "forbidden")
    for method in (plane.owner.get, plane.owner.post):
        refused(lambda: method(f"/environments/{uuid.uuid4()}/drills"), 404, "not_found")
    refused(lambda: plane.stranger.get(path(plane)), 404, "not_found")
    backup = plane.made_backup()
    settings = plane.owner.put(path(plane), {"everyDays": 7})
    assert settings["everyDays"] == 7 and settings["nextDrillAt"]
    assert command(plane, "set", "--every-days", "0")["nextDrillAt"] is None
    assert plane.owner.get(path(plane))["everyDays"] == 0
    assert plane.owner.get(f"/backups/{backup['id']}")["status"] == "completed"
