"""The agent is killed (SIGKILL) under snapshots and rollbacks that the control plane ordered: it learns how all of it ended."""

import os

import odoo_data
import pytest
from api import until_terminal
from lab import PRODUCTION
from processes import wait_until


@pytest.fixture
def slow(make_lab):
    """Whatever comes after it takes its time."""
    lab = make_lab()
    odoo_data.add_attachment(lab.pg, PRODUCTION, lab.filestore(PRODUCTION), "noise", os.urandom(4 << 20))

    def slow_down(rate=400_000):
        assert lab.backstay("limits", "--rate", str(rate)).returncode == 0

    lab.slow_down = slow_down
    return lab


def path(lab):
    return f"/environments/{lab.env['ENV_PRODUCTION_ID']}"


def order(lab):
    return lab.api().post(f"{path(lab)}/snapshots", {})["snapshotId"]


def ended(lab, number):
    return until_terminal(lambda: lab.api().get(f"{path(lab)}/snapshots/{number}"), 90)


def stored(lab):
    return [os.path.join(base, name) for base, _, names in os.walk(lab.path("backups")) for name in names]


def kill(lab):
    lab.kill_agent()
    lab.start_agent()


def test_a_killed_upload_leaves_nothing_in_the_destination(slow):
    lab = slow
    lab.api().put(f"{path(lab)}/snapshot-settings", {"destinationIds": [lab.env["DESTINATION_ID"]]})
    lab.slow_down(1_000_000)
    number = order(lab)
    assert wait_until(lambda: any("/snapshots/" in name for name in stored(lab)), 60, 0.05)
    kill(lab)
    row = ended(lab, number)
    assert (row["status"], row["remoteStatus"]) == ("partial", "failed"), row
    assert wait_until(lambda: stored(lab) == [], 30), stored(lab)
    # The next one brings both: the full one is its base.
    following = ended(lab, order(lab))
    assert (following["status"], following["isFullFilestore"], following["remoteStatus"]) == ("completed", False, "verified")
    assert lab.api().get(f"{path(lab)}/snapshots/{number}")["remoteStatus"] == "verified"


def test_the_safety_snapshot_of_a_killed_rollback_has_an_end(slow):
    lab = slow
    first = order(lab)
    assert ended(lab, first)["status"] == "completed"
    odoo_data.add_attachment(lab.pg, PRODUCTION, lab.filestore(PRODUCTION), "more", os.urandom(4 << 20))
    lab.slow_down()
    lab.api().post(f"{path(lab)}/rollback", {"snapshotId": first})

    def log():
        return lab.api().get(f"{path(lab)}/rollback-logs")["rollbackLogs"][0]

    assert wait_until(lambda: log()["safetySnapshotId"], 60, 0.05)
    kill(lab)
    over = until_terminal(log, 90)
    assert (over["status"], over["safetySnapshotCreated"]) == ("failed", False), over
    safety = lab.api().get(f"{path(lab)}/snapshots/{over['safetySnapshotId']}")
    assert safety["status"] == "failed" and safety["errorMessage"], safety
    assert safety["recoveryEvidence"]["status"] == "red", safety
    on_host = os.path.join(lab.env["AGENT_STATE"], "snapshots")
    assert not [base for base, _, names in os.walk(on_host) if names and over["safetySnapshotId"] in base]
