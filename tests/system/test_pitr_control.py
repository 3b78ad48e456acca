"""Moments through everything: coverage and restore over REST, base backup, WAL and recovery by the agent on its host."""

import time

import odoo_compare
import odoo_data
import pytest
from api import until_terminal
from archived_cluster import Writer, ledger, moment_of, text_of
from contract import refused
from lab import PRODUCTION, STAGING
from processes import wait_until
from test_main_job import backed_up
from test_pitr import expected


@pytest.fixture(scope="module")
def lab():
    from conftest import end, made_lab
    made = made_lab(wal=True, settings=["track_commit_timestamp = on", "autovacuum = off"])
    yield made
    end(made)


def coverage(lab):
    return lab.api().get(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/pitr-coverage")


def switch(lab):
    lab.pg.psql("postgres", "SELECT pg_logical_emit_message(true, 'test', 'x')")
    lab.pg.psql("postgres", "SELECT pg_switch_wal()")


@pytest.fixture(scope="module")
def written(lab):
    """The writer and a full backup taken while it wrote; the base backup is the agent's own."""
    with Writer(lab.pg, PRODUCTION) as writer:
        switch(lab)
        backup = backed_up(lab)
        assert wait_until(lambda: coverage(lab)["baseBackups"], 150, 0.5), coverage(lab)
        file = odoo_data.add_attachment(lab.pg, PRODUCTION, lab.filestore(PRODUCTION), "later", b"after the backup")
        time.sleep(2)  # commits behind it
    switch(lab)
    last = writer.commits()[-1][1]
    assert wait_until(lambda: moment_of(coverage(lab)["latestRecoverable"] or "2001-01-01T00:00:00Z") >= last, 60, 0.5), coverage(lab)
    return writer, backup, file


def test_coverage_is_that_of_the_agents_archive(lab, written):
    shown = coverage(lab)
    archiving = shown["archiving"]
    assert archiving["enabled"] and archiving["status"] == "ok", archiving
    assert archiving["lastArchivedSegment"] >= lab.pg.psql("postgres", "SELECT last_archived_wal FROM pg_stat_archiver")[:24]
    assert archiving["lastArchivedAt"] and archiving["reportedAt"] and archiving["failedCount"] == 0
    assert len(shown["walRanges"]) == 1 and shown["gaps"] == []
    (base,) = shown["baseBackups"]
    assert base["timestamp"] == shown["earliestRecoverable"] < shown["latestRecoverable"]
    row = lab.api().get(f"/backups/{base['backupId']}")
    assert (row["backupType"], row["status"]) == ("base", "completed"), row


def test_a_moment_is_restored_through_the_control_plane(lab, written):
    writer, backup, file = written
    commits, shown = writer.commits(), coverage(lab)
    first = moment_of(shown["earliestRecoverable"])
    later = [at for _, at in commits if at > first]
    moment = later[len(later) * 2 // 3]
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    api, target = lab.api(), lab.env["ENV_STAGING_ID"]
    answer = api.post(f"/backups/{backup['id']}/restore", {
        "pitrTimestamp": text_of(moment), "targetType": "other", "targetEnvironmentId": target, "createSafetyBackup": False})
    done = until_terminal(lambda: api.get(f"/restores/{answer['restoreLogId']}"))
    evidence = done["recoveryEvidence"]
    assert done["status"] == "completed", (evidence, lab.log_tail("agent", 40))
    assert evidence["status"] == "green", evidence["whyNotGreen"]
    assert ledger(lab.pg, STAGING) == expected(commits, moment)
    assert odoo_compare.damaged(lab.pg, STAGING, lab.filestore(STAGING)) == []
    assert file


def test_a_moment_beyond_the_archive_is_refused_with_the_nearest(lab, written):
    _, backup, _ = written
    body = {"pitrTimestamp": "2001-01-01T00:00:00Z", "targetType": "other", "targetEnvironmentId": lab.env["ENV_STAGING_ID"]}
    answer = refused(lambda: lab.api().post(f"/backups/{backup['id']}/restore", body), 422, "pitr_out_of_window", "pitrTimestamp")
    assert coverage(lab)["earliestRecoverable"] in str(answer["detail"])


def test_a_schedule_lengthens_the_window_of_the_agents_archive_and_never_shortens_it(lab, written):
    path = f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backup-schedule"
    kept_is = lambda days: wait_until(lambda: coverage(lab)["archiving"]["retentionDays"] == days, 90, 0.5)  # noqa: E731
    wish = {"dbFrequency": "custom", "dbCron": "0 0 1 1 *", "fullFrequency": "none", "walEnabled": True, "walRetentionDays": 30}
    assert kept_is(7), coverage(lab)["archiving"]
    lab.api().put(path, wish)
    assert kept_is(30), coverage(lab)["archiving"]
    lab.stop_agent()
    lab.start_agent()
    assert kept_is(30), "it is forgotten when the agent begins again"
    lab.api().put(path, {**wish, "walRetentionDays": 2})
    assert kept_is(7), coverage(lab)["archiving"]
    lab.api().delete(path)
