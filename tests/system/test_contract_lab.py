"""What a real agent makes of a real database, held against the same contract: every answer must fit the OpenAPI document
and the reference objects, and the evidence must rest on real facts."""

import pytest
import seeds
from contract import CheckedApi, Contract


@pytest.fixture(scope="module")
def api(lab):
    return CheckedApi(Contract(), lab.env["API_URL"], lab.env["TOKEN"])


@pytest.fixture(scope="module")
def backup(lab, api):
    made = api.post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups", {"type": "full", "label": "held"})
    last = api.follow(f"/backups/{made['backupId']}/progress",
                      lambda payload: api.contract.fits({"$ref": "#/components/schemas/Progress"}, payload, "progress"), 240)
    assert last["done"] and last["operation"] == "backup" and last["id"] == made["backupId"]
    return api.get(f"/backups/{made['backupId']}")


def test_a_real_backup_is_complete_in_every_field(lab, api, backup):
    seeds.fits(seeds.BACKUP, backup)
    evidence = backup["recoveryEvidence"]
    assert (backup["status"], evidence["status"], evidence["remoteCopyState"]) == ("completed", "green", "verified"), evidence
    assert backup["sizeBytes"] > 0 and backup["databaseBytes"] > 0 and backup["filestoreBytes"] > 0
    assert backup["remotePaths"][lab.env["DESTINATION_ID"]].endswith(backup["id"])
    for name in ("dbChecksum", "filestoreChecksum", "configChecksum"):
        assert backup[name].startswith("sha256:")
    assert {"db", "filestore", "config", "manifest"} <= set(evidence["artifactPaths"])
    listed = api.get(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups", status="completed")["backups"]
    assert backup["id"] in [row["id"] for row in listed]


def test_its_steps_are_the_plan_and_each_testified(api, backup):
    steps = api.get(f"/operations/backup/{backup['id']}/steps")["steps"]
    required = [step["name"] for step in steps if step["required"]]
    assert required == backup["recoveryEvidence"]["requiredSteps"]
    for step in steps:
        assert step["status"] == "completed", step
        assert step["summary"] and step["startedAt"] <= step["completedAt"], step


def test_a_verification_and_a_restore_fit_too(lab, api, backup):
    asked = api.post(f"/backups/{backup['id']}/verify", {"drill": False})
    last = api.follow(f"/operations/verification/{asked['verificationId']}/progress", seconds=120)
    assert last["status"] == "completed", last
    verified = api.get(f"/backups/{backup['id']}")
    assert verified["status"] == "completed" and verified["verifiedAt"] >= backup["verifiedAt"]

    ordered = api.post(f"/backups/{backup['id']}/restore", {"targetType": "other",
                                                            "targetEnvironmentId": lab.env["ENV_STAGING_ID"]})
    assert api.follow(f"/backups/{backup['id']}/restore/progress", seconds=240)["status"] == "completed"
    log = api.get(f"/restores/{ordered['restoreLogId']}")
    seeds.fits(seeds.RESTORE_LOG, log)
    assert log["recoveryEvidence"]["status"] == "green", log["recoveryEvidence"]
    assert api.get(f"/environments/{lab.env['ENV_STAGING_ID']}")["isNeutralized"]
    assert api.get(f"/environments/{lab.env['ENV_STAGING_ID']}/restore-logs")["restoreLogs"][0]["id"] == log["id"]


def test_a_restore_is_undone_and_a_backup_deleted_for_real(lab, api, backup):
    log = api.get(f"/environments/{lab.env['ENV_STAGING_ID']}/restore-logs")["restoreLogs"][0]
    undone = api.post(f"/restores/{log['id']}/undo")
    assert api.follow(f"/operations/undo/{undone['undoId']}/progress", seconds=120)["status"] == "completed"
    assert api.get(f"/restores/{log['id']}")["status"] == "reverted"

    api.delete(f"/backups/{backup['id']}")
    deletion = api.get("/operations", backupId=backup["id"], type="deletion")["operations"][0]
    assert api.follow(f"/operations/deletion/{deletion['id']}/progress", seconds=120)["status"] == "completed"
    listed = api.get(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups")["backups"]
    assert backup["id"] not in [row["id"] for row in listed]


def test_the_agents_inventory_fits(lab, api):
    agent = api.get(f"/agents/{lab.env['AGENT_ID']}")
    databases = [base["name"] for cluster in agent["inventory"]["clusters"] for base in cluster["databases"]]
    assert agent["status"] == "online" and lab.env["DB_PRODUCTION"] in databases
    assert api.get("/agents")["total"] >= 1 and api.get("/backup-destinations")["total"] >= 1
