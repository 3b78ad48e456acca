"""Snapshots and rollbacks end to end: ordered over REST, done by the real agent, compared."""

import os

import odoo_compare
import odoo_data
import pytest
from api import Refused, until_terminal
from lab import PRODUCTION, STAGING

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
