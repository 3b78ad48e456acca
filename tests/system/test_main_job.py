"""The main job end to end: ordered over REST, done by the agent, proven, restored, compared."""

import hashlib
import os
import subprocess

import odoo_compare
import odoo_data
import pytest
from api import until_terminal
from lab import PRODUCTION, STAGING


def order_backup(lab, **body):
    api = lab.api()
    answer = api.post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups", {"type": "full", **body})
    return answer["backupId"]


def backed_up(lab, **body):
    api, number = lab.api(), order_backup(lab, **body)
    return until_terminal(lambda: api.get(f"/backups/{number}"))


def restored(lab, backup, **body):
    api, target = lab.api(), lab.env["ENV_STAGING_ID"]
    answer = api.post(f"/backups/{backup['id']}/restore", {"targetType": "other", "targetEnvironmentId": target, **body})

    def log():
        return next(one for one in api.get(f"/environments/{target}/restore-logs")["restoreLogs"] if one["id"] == answer["restoreLogId"])

    return until_terminal(log)


def stored_file(lab, backup, name):
    return os.path.join(lab.path("backups"), backup["remotePaths"][lab.env["DESTINATION_ID"]],
                        backup["recoveryEvidence"]["artifactPaths"][name])


@pytest.fixture(scope="module")
def backup(lab):
    return backed_up(lab, label="the main job")


def test_a_full_backup_is_green_and_says_why(backup):
    evidence = backup["recoveryEvidence"]
    assert backup["status"] == "completed", evidence["whyNotGreen"]
    assert evidence["status"] == "green" and evidence["reason"] == "ok" and evidence["canWriteCleanSuccess"] is True
    assert evidence["remoteCopyState"] == "verified"
    for empty in ("missingSteps", "blockingSteps", "optionalFailedSteps", "missingEvidence", "whyNotGreen"):
        assert evidence[empty] == [], empty
    assert evidence["requiredSteps"][0] == "preflight" and evidence["requiredSteps"][-1] == "catalog_commit"
    assert {"filestore_archive", "filestore_reconcile"} <= set(evidence["requiredSteps"])
    assert any(line.startswith("db_dump: ") for line in evidence["whyGreen"])


def test_stored_bytes_are_what_the_evidence_testifies(lab, backup):
    evidence = backup["recoveryEvidence"]
    assert {"db", "filestore", "config", "manifest"} <= set(evidence["artifactPaths"])
    for name in evidence["artifactPaths"]:
        with open(stored_file(lab, backup, name), "rb") as file:
            assert evidence["artifactChecksums"][name] == "sha256:" + hashlib.file_digest(file, "sha256").hexdigest(), name
    assert backup["dbChecksum"] == evidence["artifactChecksums"]["db"]
    assert backup["filestoreChecksum"] == evidence["artifactChecksums"]["filestore"]
    assert backup["sizeBytes"] > 0


def test_no_secret_of_odoo_conf_is_stored_or_logged(lab, backup):
    secrets = (b"lab-master-password", b"lab-database-password")
    conf = subprocess.check_output(["zstd", "-dcq", stored_file(lab, backup, "config")])
    logs = b"".join(open(lab.path("log", name + ".log"), "rb").read() for name in ("agent", "control"))
    for secret in secrets:
        assert secret not in conf and secret not in logs
    assert b"data_dir" in conf


def test_a_database_backup_has_no_filestore(lab):
    backup = backed_up(lab, type="db")
    assert backup["status"] == "completed", backup["recoveryEvidence"]["whyNotGreen"]
    assert backup["filestoreChecksum"] is None and "filestore" not in backup["recoveryEvidence"]["artifactPaths"]


def test_progress_rises_to_its_end_and_can_be_taken_up_again(lab):
    api, number = lab.api(), order_backup(lab)
    seen = []
    last = api.follow(f"/backups/{number}/progress", seen.append)
    percents = [payload["percent"] for payload in seen]
    assert percents == sorted(percents) and last["done"] and last["percent"] == 100.0
    assert last["status"] == "completed" and last["error"] is None
    again = list(api.events(f"/backups/{number}/progress"))
    assert len(again) == 1 and again[0][2]["done"]


def test_a_restore_into_staging_equals_production(lab, backup):
    log = restored(lab, backup)
    assert log["status"] == "completed", log["recoveryEvidence"]["whyNotGreen"]
    result = odoo_compare.compare(lab.pg, PRODUCTION, STAGING, lab.filestore(PRODUCTION), lab.filestore(STAGING))
    assert result.equal, result.wrong
    assert lab.pg.psql(STAGING, "SELECT count(*) FROM ir_cron WHERE active") == "1"
    assert lab.pg.psql(STAGING, "SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host <> 'invalid'") == "0"
    assert lab.pg.psql(STAGING, "SELECT value FROM ir_config_parameter WHERE key = 'database.is_neutralized'") == "true"
    uuids = {lab.pg.psql(name, "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'") for name in (PRODUCTION, STAGING)}
    assert len(uuids) == 2


def test_a_damaged_file_makes_the_backup_amber_and_is_named(make_lab):
    lab = make_lab()
    whole = backed_up(lab)
    assert whole["status"] == "completed"
    names = sorted({row[0] for row in odoo_compare.attachments(lab.pg, PRODUCTION).values()})
    with open(os.path.join(lab.filestore(PRODUCTION), names[0]), "ab") as file:
        file.write(b"rot")
    os.remove(os.path.join(lab.filestore(PRODUCTION), names[1]))
    backup = backed_up(lab)
    evidence = backup["recoveryEvidence"]
    assert (backup["status"], evidence["status"], evidence["reason"]) == ("partial", "amber", "filestore_inconsistent")
    assert "filestore:reconciled" in evidence["missingEvidence"]
    told = " ".join(evidence["whyNotGreen"])
    assert names[0] in told and names[1] in told


def test_what_users_do_during_a_backup_does_not_hurt_it(lab):
    number = order_backup(lab)
    for n in range(20):
        odoo_data.add_attachment(lab.pg, PRODUCTION, lab.filestore(PRODUCTION), f"new {n}", f"written meanwhile {n}".encode())
    backup = until_terminal(lambda: lab.api().get(f"/backups/{number}"))
    assert backup["status"] == "completed", backup["recoveryEvidence"]["whyNotGreen"]


def test_jobs_wait_for_an_agent_that_is_away(lab):
    lab.stop_agent()
    number = order_backup(lab)
    assert lab.api().get(f"/backups/{number}")["status"] == "pending"
    lab.start_agent()
    backup = until_terminal(lambda: lab.api().get(f"/backups/{number}"))
    assert backup["status"] == "completed", backup["recoveryEvidence"]["whyNotGreen"]


def test_the_agent_works_on_while_the_control_plane_is_away(make_lab):
    lab = make_lab()
    number = order_backup(lab)
    address = lab.address
    lab.end("control")
    lab.backstay("backup", PRODUCTION, "--wait")
    lab.start_control(listen=address)
    backup = until_terminal(lambda: lab.api().get(f"/backups/{number}"))
    assert backup["status"] == "completed", backup["recoveryEvidence"]["whyNotGreen"]
