"""The agent is killed (SIGKILL) at moments spread over a whole backup and a whole restore. Afterwards everything is either
as before or done, and nothing is left behind."""

import os
import time

import odoo_compare
import odoo_data
import pytest
from api import TERMINAL, until_terminal
from lab import PRODUCTION, STAGING
from processes import wait_until

MOMENTS = 6


@pytest.fixture(scope="module")
def slow_lab():
    """Data and limits that make a job last a second or two, so that moments differ."""
    from conftest import end, made_lab

    lab = made_lab(production=odoo_data.Made("production", partners=2000, messages=30000, files=400),
                   limits={"rate_bytes_per_sec": 6_000_000, "parallel_dump_bytes": 1_000_000})
    yield lab
    end(lab)


def databases(lab):
    return set(lab.pg.psql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate").split())


def stored(lab):
    """Every file in the destination, by its path, but for a probe that a kill left behind: a line of text, of no backup."""
    return {os.path.join(base, name) for base, _, names in os.walk(lab.path("backups")) for name in names
            if not base.endswith(".backstay-probe")}


def is_whole(lab, number):
    """Its manifest, which comes last, is there."""
    return any(path.endswith("manifest.json") and number in path for path in stored(lab))


def leftovers(lab):
    scratch = os.path.join(lab.env["AGENT_STATE"], "scratch")
    found = os.listdir(scratch) if os.path.isdir(scratch) else []
    stores = os.path.dirname(lab.filestore(PRODUCTION))
    return [os.path.join(scratch, name) for name in found] + [name for name in os.listdir(stores) if "__restore" in name]


def fingerprint(lab, database):
    files = sorted(os.path.join(base, name) for base, _, names in os.walk(lab.filestore(database)) for name in names)
    return odoo_compare.fingerprints(lab.pg, database), files


def timed(job):
    began = time.monotonic()
    result = job()
    return result, time.monotonic() - began


def begin_backup(lab):
    return lab.api().post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups", {"type": "full"})["backupId"]


def ended_backup(lab, number):
    return until_terminal(lambda: lab.api().get(f"/backups/{number}"), 120)


def settled_backup(lab, number):
    """What became of it. One that waits for its next attempt (a minute) is cancelled: nothing of the first may be left."""
    api = lab.api()
    wait_until(lambda: api.get(f"/backups/{number}")["status"] in (*TERMINAL, "pending"), 60, 0.1)
    if api.get(f"/backups/{number}")["status"] == "pending":
        api.post(f"/backups/{number}/cancel")
    return ended_backup(lab, number)


def begin_restore(lab, backup_id):
    return lab.api().post(f"/backups/{backup_id}/restore", {
        "targetType": "other", "targetEnvironmentId": lab.env["ENV_STAGING_ID"], "createSafetyBackup": False})["restoreLogId"]


def ended_restore(lab, number):
    return until_terminal(lambda: lab.api().get(f"/restores/{number}"), 120)


@pytest.fixture(scope="module")
def good(slow_lab):
    """A backup that is there before anything is killed, and how long one takes."""
    backup, seconds = timed(lambda: ended_backup(slow_lab, begin_backup(slow_lab)))
    assert backup["status"] == "completed", backup["recoveryEvidence"]["whyNotGreen"]
    return backup, seconds


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_backup(slow_lab, good, moment):
    lab, (_, seconds) = slow_lab, good
    before, production = stored(lab), fingerprint(lab, PRODUCTION)
    number = begin_backup(lab)
    time.sleep(seconds * (moment + 0.5) / MOMENTS)  # the moment itself is what is tested
    lab.kill_agent()
    lab.start_agent()
    backup = settled_backup(lab, number)
    if backup["status"] == "completed":
        assert backup["recoveryEvidence"]["canWriteCleanSuccess"]
        assert is_whole(lab, number)
    else:
        assert (backup["status"], backup["recoveryEvidence"]["reason"]) == ("cancelled", "cancelled")
        if is_whole(lab, number):
            lab.api().delete(f"/backups/{number}")
        assert wait_until(lambda: stored(lab) <= before, 60), stored(lab) - before
    assert wait_until(lambda: leftovers(lab) == [], 60), leftovers(lab)
    assert fingerprint(lab, PRODUCTION) == production
    again = ended_backup(lab, begin_backup(lab))
    assert again["status"] == "completed", again["recoveryEvidence"]["whyNotGreen"]


def test_a_backup_that_died_before_it_told_its_end_stays_whole_until_it_is_deleted(slow_lab):
    lab, before = slow_lab, stored(slow_lab)
    number = begin_backup(lab)
    assert wait_until(lambda: is_whole(lab, number), 60, 0.002)
    lab.kill_agent()
    lab.start_agent()
    backup = settled_backup(lab, number)
    if backup["status"] != "completed":  # not killed too late
        assert is_whole(lab, number)
        lab.api().delete(f"/backups/{number}")
        assert wait_until(lambda: stored(lab) <= before, 60), stored(lab) - before
    assert wait_until(lambda: leftovers(lab) == [], 60), leftovers(lab)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_restore(slow_lab, good, moment):
    lab, (backup, _) = slow_lab, good
    if "seconds" not in RESTORE:
        log, RESTORE["seconds"] = timed(lambda: ended_restore(lab, begin_restore(lab, backup["id"])))
        assert log["status"] == "completed", log["recoveryEvidence"]["whyNotGreen"]
    production, old = fingerprint(lab, PRODUCTION), fingerprint(lab, STAGING)
    number = begin_restore(lab, backup["id"])
    time.sleep(RESTORE["seconds"] * (moment + 0.5) / MOMENTS)  # the moment itself is what is tested
    lab.kill_agent()
    lab.start_agent()
    log = ended_restore(lab, number)
    assert wait_until(lambda: not any("__restore_" in name for name in databases(lab)), 20), databases(lab)
    assert wait_until(lambda: leftovers(lab) == [], 20), leftovers(lab)
    if log["status"] in ("completed", "partial"):
        result = odoo_compare.compare(lab.pg, PRODUCTION, STAGING, lab.filestore(PRODUCTION), lab.filestore(STAGING))
        assert result.equal, result.wrong
    else:
        assert log["status"] in ("failed", "reverted"), log["status"]
        assert fingerprint(lab, STAGING) == old
    assert odoo_compare.damaged(lab.pg, STAGING, lab.filestore(STAGING)) == []
    assert lab.pg.psql("postgres", f"SELECT datallowconn FROM pg_database WHERE datname = '{STAGING}'") == "t"
    assert fingerprint(lab, PRODUCTION) == production


RESTORE = {}
