"""What verifications find after the backup was made: by themselves, thirty days later, with the real programs."""

import os

import pytest
from api import until_terminal
from processes import wait_until
import store


@pytest.fixture(scope="module")
def api(lab):
    return lab.api()


def backed_up(lab, api):
    made = api.post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups", {"type": "full"})
    backup = until_terminal(lambda: api.get(f"/backups/{made['backupId']}"))
    assert backup["status"] == "completed" and backup["verifiedAt"], backup["recoveryEvidence"]["whyNotGreen"]
    return backup


def come_due(lab, backup):
    """As if thirty days were over."""
    with store.opened(lab.env["CONTROL_STATE"]) as db:
        db.execute("UPDATE backups SET next_check_at = 1 WHERE id = ?", (backup["id"],))


def artifact(lab, backup, name):
    folder = backup["remotePaths"][lab.env["DESTINATION_ID"]]
    return os.path.join(lab.path("backups"), folder, backup["recoveryEvidence"]["artifactPaths"][name])


def test_a_sound_backup_is_proven_again_and_a_damaged_one_is_told(lab, api):
    backup = backed_up(lab, api)
    come_due(lab, backup)
    assert wait_until(lambda: api.get(f"/backups/{backup['id']}")["verifiedAt"] > backup["verifiedAt"], 90, 0.2)
    proven = api.get(f"/backups/{backup['id']}")
    assert any(line.startswith("verification: ") for line in proven["recoveryEvidence"]["whyGreen"])

    with open(artifact(lab, backup, "filestore"), "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    come_due(lab, backup)
    assert wait_until(lambda: api.get(f"/backups/{backup['id']}")["verifiedAt"] is None, 90, 0.2)
    path = f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups"
    row = next(row for row in api.get(path)["backups"] if row["id"] == backup["id"])
    evidence = row["recoveryEvidence"]
    assert evidence["canWriteCleanSuccess"] is False and evidence["remoteCopyState"] == "corrupt", evidence
    assert row["status"] == "failed" and evidence["status"] == "red", "it was the only copy"

    def alarm():
        alerts = api.get("/backup-alerts", limit=100)["alerts"]
        return [one for one in alerts if one["type"] == "verification_failed" and one["backupId"] == backup["id"]]
    assert wait_until(alarm, 60, 0.2) and alarm()[0]["severity"] == "critical"


def test_a_drill_proves_that_it_can_be_restored_and_leaves_nothing(lab, api):
    backup = backed_up(lab, api)
    ordered = api.post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/drills")
    assert ordered["backupId"] == backup["id"]
    asked = ordered["drillId"]
    drill = until_terminal(lambda: api.get(f"/operations/verification/{asked}"))
    assert drill["status"] == "completed", drill["recoveryEvidence"]
    assert {"scratch_restore", "content_checks", "neutralize", "scratch_drop"} <= set(drill["recoveryEvidence"]["requiredSteps"])
    steps = {step["name"]: step for step in api.get(f"/operations/verification/{asked}/steps")["steps"]}
    assert int(steps["scratch_restore"]["facts"]["files"]) > 0
    assert steps["content_checks"]["facts"]["attachment_files_missing"] == "0"
    assert any(line.startswith("drill: ") for line in api.get(f"/backups/{backup['id']}")["recoveryEvidence"]["whyGreen"])
    assert lab.pg.psql("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'backstay_drill%'").strip() == "0"
    scratch = os.path.join(lab.env["AGENT_STATE"], "scratch")
    assert not os.path.exists(scratch) or not [name for name in os.listdir(scratch) if name.startswith("verify-")]
