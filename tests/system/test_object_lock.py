"""A backup in a bucket with object lock: its deletion waits and says until when, nobody can hurry it, it still restores."""

import datetime
import os

import botocore.exceptions
import pytest
from api import Refused, until_terminal
from conftest import PRESET
from lab import s3_config
from local_agent import DATABASE, LocalAgent
from processes import wait_until

BUCKET = "locked"


@pytest.fixture(scope="module")
def s3(s3):
    s3.client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    return s3


@pytest.fixture
def lab(make_lab, s3):
    return make_lab(s3=s3.env)


@pytest.fixture
def agent(folder, s3):
    one = LocalAgent(folder, PRESET).prepare()
    secret = one.path("bucket.secret")
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(s3.env["S3_SECRET_KEY"])
    with open(one.path("agent.toml"), "a") as file:
        file.write(f'''
[[destination]]
id = "vault"
type = "s3_compatible"
endpoint = "{s3.env["S3_ENDPOINT"]}"
bucket = "{BUCKET}"
access_key_id = "{s3.env["S3_ACCESS_KEY"]}"
secret_access_key_file = "{secret}"
prefix = "host"
object_lock_days = 1
''')
    yield one.start()
    print("--- agent.log\n" + one.log()[-6000:])
    one.end()


def versions(s3):
    """{key: versions}, deletion markers apart."""
    kept = {}
    for one in s3.client.list_object_versions(Bucket=BUCKET).get("Versions", []):
        kept.setdefault(one["Key"], []).append(one["VersionId"])
    return kept


def test_a_locked_backup_outlives_its_deletion(lab, s3):
    api = lab.api()
    destination = api.post("/backup-destinations", {
        "name": "vault", "destinationType": "s3_compatible",
        "config": {**s3_config(s3.env), "bucket": BUCKET, "objectLockDays": 2}})
    assert destination["testStatus"] == "passed" and not [key for key in versions(s3) if "probe" in key], "the test's object goes with its version"
    order = api.post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups",
                     {"type": "full", "destinationIds": [destination["id"]]})
    backup = until_terminal(lambda: api.get(f"/backups/{order['backupId']}"))
    assert backup["status"] == "completed", backup["recoveryEvidence"]["whyNotGreen"]
    stored = {key: each for key, each in versions(s3).items() if backup["id"] in key}
    assert len(stored) >= 4 and all(len(each) == 1 for each in stored.values()), stored
    tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    for key in stored:
        lock = s3.client.get_object_retention(Bucket=BUCKET, Key=key)["Retention"]
        assert lock["Mode"] == "COMPLIANCE" and lock["RetainUntilDate"] > tomorrow, (key, lock)

    # With the very keys that the agent has.
    for key, (version,) in stored.items():
        for attempt in (lambda: s3.client.delete_object(Bucket=BUCKET, Key=key, VersionId=version, BypassGovernanceRetention=True),
                        lambda: s3.client.put_object_retention(Bucket=BUCKET, Key=key, BypassGovernanceRetention=True, Retention={
                            "Mode": "COMPLIANCE", "RetainUntilDate": tomorrow - datetime.timedelta(hours=23)})):
            with pytest.raises(botocore.exceptions.ClientError):
                attempt()

    path = f"{backup['remotePaths'][destination['id']]}/{backup['recoveryEvidence']['artifactPaths']['db']}"
    with pytest.raises(Refused) as locked:
        api.call("DELETE", f"/storage/destinations/{destination['id']}/files", params={"path": path, "force": "true"})
    assert (locked.value.status, locked.value.body["error"]) == (409, "object_locked"), locked.value

    api.delete(f"/backups/{backup['id']}")

    def told():
        shown = api.get(f"/backups/{backup['id']}")
        return shown["status"] == "deleting" and "locked until" in str(shown) and shown

    shown = wait_until(told, 60, 0.3) and told()
    assert shown, api.get(f"/backups/{backup['id']}")
    assert "remote_immutable" in str(shown), shown
    assert {key: each for key, each in versions(s3).items() if backup["id"] in key} == stored, "not one byte has gone, and nothing hides it"
    assert api.get(f"/backups/{backup['id']}")["status"] == "deleting"
    alerts = api.get("/backup-alerts")["alerts"]
    assert [one for one in alerts if one["type"] == "retention_blocked"], alerts


def test_a_deletion_on_the_host_says_until_when_and_the_backup_restores(agent, s3):
    count = "SELECT count(*) FROM mail_message"
    before = agent.pg.psql(DATABASE, count)
    backup = agent.json("backup", DATABASE, "--to", "vault")["job"]["operationId"]
    stored = {key: each for key, each in versions(s3).items() if backup in key}
    refused = agent.run("delete", backup)
    assert refused.returncode != 0 and "locked until" in refused.stdout + refused.stderr, refused
    assert {key: each for key, each in versions(s3).items() if backup in key} == stored
    agent.pg.psql(DATABASE, "DELETE FROM mail_message")
    assert agent.json("restore", backup)["job"]["status"] == "completed"
    assert agent.pg.psql(DATABASE, count) == before
