"""The daemon's own part of restores to a moment: it takes base backups by itself, shows what can be had back, and restores."""

import json
import os
import time

import odoo_data
import pytest
from archived_cluster import Writer, ledger, moment_of, text_of
from processes import wait_until
from test_pitr import expected
from wal_agent import WalAgent

PRESET = os.environ.get("BACKSTAY_PRESET", "dev")


@pytest.fixture
def agent(folder):
    one = WalAgent(folder, PRESET, settings=["track_commit_timestamp = on", "archive_timeout = 1"])
    one.pg.start()
    odoo_data.create(one.pg, "shop")
    one.start()
    yield one
    print(one.log()[-5000:])
    one.end()


def told(agent, *words):
    done = agent.run("--json", *words)
    return json.loads(done.stdout) if done.stdout else {"error": done.stderr}


def archive(agent):
    found = told(agent, "wal-show")["archives"]
    return found[0] if found else {"bases": [], "latestRecoverable": None}


def test_a_base_backup_comes_by_itself_and_a_moment_is_restored(agent):
    with Writer(agent.pg, "shop") as shop:
        assert wait_until(lambda: len(archive(agent)["bases"]) == 1, 90, 0.2), agent.log()
        time.sleep(2)  # commits behind it
    commits = shop.commits()
    agent.pg.psql("postgres", "SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_switch_wal()")
    last = commits[-1][1]
    assert wait_until(lambda: moment_of(archive(agent)["latestRecoverable"]) >= last, 60, 0.2), archive(agent)
    shown = archive(agent)
    assert shown["cluster"] == "main" and shown["gaps"] == []
    jobs = [job for job in told(agent, "jobs")["jobs"] if job["kind"] == "base_backup"]
    assert [job["status"] for job in jobs] == ["completed"], jobs
    later = [at for _, at in commits if at > moment_of(shown["earliestRecoverable"])]
    moment = later[len(later) // 2].replace(microsecond=0)
    moment = max(moment, moment_of(shown["earliestRecoverable"]))
    done = agent.run("restore", "--at", text_of(moment), "--of", "shop", "--database", "then", "--scope", "db", "--no-neutralize",
                     "--keep-uuid", "--no-safety-backup")
    assert done.returncode == 0, done.stdout + done.stderr + agent.log()
    assert ledger(agent.pg, "then") == expected(commits, moment)
    # One more by hand; the agent itself asks for no further one.
    assert agent.run("base-backup").returncode == 0, agent.log()
    assert len(archive(agent)["bases"]) == 2


def test_a_moment_without_archive_is_refused(agent):
    done = agent.run("restore", "--at", "2001-01-01T00:00:00Z", "--of", "shop", "--database", "then", "--scope", "db")
    assert done.returncode in (1, 5), done.stdout + done.stderr
    assert "then" not in agent.pg.psql("postgres", "SELECT datname FROM pg_database")
