"""One backup to a local folder and to S3 at once; one of them failing; the repair."""

import hashlib
import os

import pytest
from api import until_terminal
from processes import wait_until


@pytest.fixture
def lab(make_lab, s3):
    return make_lab(s3=s3.env)


def backed_up(lab, destinations, **body):
    api = lab.api()
    answer = api.post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups",
                      {"type": "full", "destinationIds": [lab.env[one] for one in destinations], **body})
    return until_terminal(lambda: api.get(f"/backups/{answer['backupId']}"))


def objects(lab, s3, backup):
    """{artifact: content} of what the bucket holds of a backup."""
    folder = backup["remotePaths"][lab.env["S3_DESTINATION_ID"]]
    paths = backup["recoveryEvidence"]["artifactPaths"]
    return {name: s3.read(next(key for key in s3.keys() if key.endswith(f"{folder}/{path}"))) for name, path in paths.items()}


def test_both_hold_the_same_verified_bytes(lab, s3):
    backup = backed_up(lab, ["DESTINATION_ID", "S3_DESTINATION_ID"])
    evidence = backup["recoveryEvidence"]
    assert backup["status"] == "completed", evidence["whyNotGreen"]
    assert evidence["remoteCopyState"] == "verified"
    assert set(backup["remotePaths"]) == {lab.env["DESTINATION_ID"], lab.env["S3_DESTINATION_ID"]}
    for name, content in objects(lab, s3, backup).items():
        assert evidence["artifactChecksums"][name] == "sha256:" + hashlib.sha256(content).hexdigest(), name
    assert s3.unfinished() == []


def test_one_failing_gives_a_partial_backup_that_a_copy_makes_green(lab, s3):
    s3("quota", "1")
    try:
        backup = backed_up(lab, ["DESTINATION_ID", "S3_DESTINATION_ID"])
    finally:
        s3("quota", str(1 << 40))
    evidence = backup["recoveryEvidence"]
    assert (backup["status"], evidence["status"], evidence["remoteCopyState"]) == ("partial", "amber", "partial")
    assert evidence["optionalFailedSteps"] == [f"remote_upload:{lab.env['S3_DESTINATION_ID']}"]
    assert evidence["canWriteCleanSuccess"] is False and evidence["whyNotGreen"]
    assert not [key for key in s3.keys() if backup["id"] in key] and s3.unfinished() == []

    api = lab.api()
    api.post(f"/backups/{backup['id']}/copy")
    repaired = until_terminal_state(api, backup["id"], "completed")
    assert repaired["recoveryEvidence"]["status"] == "green", repaired["recoveryEvidence"]["whyNotGreen"]
    assert set(objects(lab, s3, repaired)) == set(evidence["artifactPaths"])


def until_terminal_state(api, backup_id, status, seconds=60):
    wait_until(lambda: api.get(f"/backups/{backup_id}")["status"] == status, seconds, 0.2)
    return api.get(f"/backups/{backup_id}")


def test_a_deleted_backup_leaves_nothing_in_any_destination(lab, s3):
    backup = backed_up(lab, ["DESTINATION_ID", "S3_DESTINATION_ID"])
    folder = os.path.join(lab.path("backups"), backup["remotePaths"][lab.env["DESTINATION_ID"]])
    assert os.path.exists(os.path.join(folder, "manifest.json"))
    lab.api().delete(f"/backups/{backup['id']}")
    assert wait_until(lambda: not os.path.exists(folder) or not os.listdir(folder), 30)
    assert wait_until(lambda: not [key for key in s3.keys() if backup["id"] in key], 30)
