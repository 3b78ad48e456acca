"""Snapshots and rollbacks end to end: ordered over REST, done by the real agent, compared."""

import os

import odoo_compare
import odoo_data
import pytest
from api import Refused, until_terminal
from contract import CheckedApi, Contract, refused
from lab import PRODUCTION, STAGING
from processes import wait_until


def taken(lab, **body):
    path = f"/environments/{lab.env['ENV_PRODUCTION_ID']}/snapshots"
    number = lab.api().post(path, body)["snapshotId"]
    row = until_terminal(lambda: lab.api().get(f"{path}/{number}"))
    assert row["status"] == "completed", row["recoveryEvidence"]["whyNotGreen"]
    return row


def rolled_back(lab, snapshot, **body):
    path = f"/environments/{lab.env['ENV_PRODUCTION_ID']}"
    number = lab.api().post(f"{path}/rollback", {"snapshotId": snapshot["id"], **body})["deploymentId"]

    def log():
        rows = lab.api().get(f"{path}/rollback-logs")["rollbackLogs"]
        return next(row for row in rows if row["rollbackDeploymentId"] == number)

    return until_terminal(log)


@pytest.fixture(scope="module")
def snapshots(lab):
    """A full one, then a differential with one more file; the fingerprint is that of the second's moment."""
    full = taken(lab, trigger="pre_deploy")
    odoo_data.add_attachment(lab.pg, PRODUCTION, lab.filestore(PRODUCTION), "between", b"uploaded in between")
    differential = taken(lab)
    return full, differential, odoo_compare.fingerprints(lab.pg, PRODUCTION)


def test_the_second_is_a_differential_of_the_first(lab, snapshots):
    full, differential, _ = snapshots
    assert (full["isFullFilestore"], differential["isFullFilestore"]) == (True, False)
    assert differential["recoveryEvidence"]["status"] == "green"
    assert differential["recoveryEvidence"]["canWriteCleanSuccess"] is True
    # It cannot go before what builds on it.
    path = f"/environments/{lab.env['ENV_PRODUCTION_ID']}/snapshots/{full['id']}"
    with pytest.raises(Refused) as refused:
        lab.api().delete(path)
    assert (refused.value.status, refused.value.body["error"]) == (409, "snapshot_referenced")


def test_into_staging_it_is_neutralized(lab, snapshots):
    _, differential, _ = snapshots
    log = rolled_back(lab, differential, targetEnvironmentId=lab.env["ENV_STAGING_ID"])
    assert log["status"] == "completed" and log["neutralizationTriggered"] is True, log
    result = odoo_compare.compare(lab.pg, PRODUCTION, STAGING, lab.filestore(PRODUCTION), lab.filestore(STAGING))
    assert result.equal, result.wrong


def test_back_to_the_moment_before_the_deployment(lab, snapshots):
    _, differential, then = snapshots
    lab.pg.psql(PRODUCTION, "DELETE FROM mail_message")
    lost = lab.pg.psql(PRODUCTION, "SELECT store_fname FROM ir_attachment WHERE name = 'between'")
    os.remove(os.path.join(lab.filestore(PRODUCTION), lost))
    log = rolled_back(lab, differential)
    assert log["status"] == "completed" and log["safetySnapshotCreated"] is True, log
    assert odoo_compare.fingerprints(lab.pg, PRODUCTION) == then
    assert odoo_compare.damaged(lab.pg, PRODUCTION, lab.filestore(PRODUCTION)) == []


def test_every_endpoint_with_a_real_agent(lab, snapshots):
    contract = Contract()
    api = CheckedApi(contract, lab.env["API_URL"], lab.env["TOKEN"])
    environment = f"/environments/{lab.env['ENV_PRODUCTION_ID']}"
    on_host = os.path.join(lab.env["AGENT_STATE"], "snapshots")

    def files(snapshot):
        return [name for folder, _, names in os.walk(on_host) for name in names if snapshot in folder]

    destination = lab.env["DESTINATION_ID"]
    settings = api.put(f"{environment}/snapshot-settings", {"destinationIds": [destination], "maxPinned": 1})
    assert settings["destinationIds"] == [destination]
    assert api.get(f"{environment}/snapshot-settings")["maxPinned"] == 1
    size = api.get(f"{environment}/snapshot-size")
    assert 0 < size["dbSizeBytes"] < size["totalSizeBytes"] == size["dbSizeBytes"] + size["filestoreSizeBytes"]

    made = api.post(f"{environment}/snapshots", {"trigger": "pre_upgrade", "deploymentId": "d-7", "commitSha": "abc", "imageTag": "v7"})
    one = f"{environment}/snapshots/{made['snapshotId']}"
    seen = []
    assert api.follow(f"{one}/progress", seen.append, seconds=120)["status"] == "completed"
    assert {"resolve_filestore_base", "filestore_capture", "remote_upload"} <= {payload["step"] for payload in seen}
    shown = api.get(one)
    assert (shown["remoteStatus"], shown["trigger"], shown["deploymentId"], shown["isFullFilestore"]) == (
        "verified", "pre_upgrade", "d-7", False), shown
    assert shown["storedBytes"] == sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(on_host)
                                     for name in names if made["snapshotId"] in folder), "what it takes on the disk"
    assert made["snapshotId"] in [row["id"] for row in api.get(f"{environment}/snapshots")["snapshots"]]
    of_project = api.get(f"/projects/{lab.env['PROJECT_ID']}/snapshots", environmentType="production")
    assert made["snapshotId"] in [row["id"] for row in of_project["snapshots"]]

    api.put(f"{one}/pin", {"label": "keep"})
    assert api.get(one)["expiresAt"] is None
    refused(lambda: api.delete(one), 409, "snapshot_pinned")
    refused(lambda: api.put(f"{environment}/snapshots/{snapshots[0]['id']}/pin", {}), 409, "pin_limit")
    api.delete(f"{one}/pin")

    ordered = api.post(f"{environment}/rollback", {"snapshotId": made["snapshotId"]})
    refused(lambda: api.delete(one), 409, "snapshot_in_use")
    seen.clear()
    assert api.follow(f"/deployments/{ordered['deploymentId']}/rollback/progress", seen.append, seconds=120)["status"] == "completed"
    assert {"validate_snapshot", "swap_in"} <= {payload["step"] for payload in seen}
    log = api.get(f"{environment}/rollback-logs")["rollbackLogs"][0]
    assert (log["rollbackDeploymentId"], log["deploymentId"], log["status"]) == (ordered["deploymentId"], "d-7", "completed"), log
    assert log["safetySnapshotCreated"] and log["recoveryEvidence"]["status"] == "green" and not log["neutralizationTriggered"]
    assert [row["id"] for row in api.get(one)["rollbackLogs"]] == [log["id"]]

    assert files(made["snapshotId"])
    api.delete(one)
    assert wait_until(lambda: not files(made["snapshotId"]), 60), "its files go from the host"
    listed = f"{environment}/snapshots"
    assert wait_until(lambda: made["snapshotId"] not in [row["id"] for row in api.get(listed)["snapshots"]], 60)
    refused(lambda: api.get(one), 404, "not_found")
    assert not any(made["snapshotId"] in folder for folder, _, names in os.walk(lab.path("backups")) if names)
    thirteen = {path for _, path in contract.used if "snapshot" in path or "rollback" in path}
    assert len(thirteen) == 8, thirteen  # and the two streams


def test_all_of_them_go_from_everywhere(lab, snapshots):
    """The base was brought to the destination by a differential's copy: it goes from there, too."""
    production = lab.env["ENV_PRODUCTION_ID"]
    api, path = lab.api(), f"/environments/{production}/snapshots"
    api.put(f"/environments/{production}/snapshot-settings", {"destinationIds": [lab.env["DESTINATION_ID"]]})
    copied = taken(lab)
    assert (copied["isFullFilestore"], copied["remoteStatus"]) == (False, "verified")
    assert api.get(f"{path}/{snapshots[0]['id']}")["remoteStatus"] == "verified"

    def stored():
        return [name for root in (os.path.join(lab.env["AGENT_STATE"], "snapshots"), lab.path("backups"))
                for folder, _, names in os.walk(root) if f"/{production}/snapshots/" in folder for name in names]

    assert stored()
    for full in (False, True):
        for row in api.get(path, limit=100)["snapshots"]:
            if row["isFullFilestore"] == full:
                api.delete(f"{path}/{row['id']}")
        assert wait_until(lambda: full not in [row["isFullFilestore"] for row in api.get(path, limit=100)["snapshots"]], 90)
    assert stored() == []
