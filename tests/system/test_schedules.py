"""Schedules with the real programs: who is away misses nothing, and nothing is made twice."""

import contextlib
import json
import random
import time
from datetime import datetime

import processes
import pytest
from api import until_terminal
from processes import wait_until
import store

# Never by itself while the test runs: moments come from the test.
RARELY = {"dbFrequency": "custom", "dbCron": "0 0 1 1 *", "fullFrequency": "none"}


@pytest.fixture(scope="module")
def lab(lab):
    """The agent waits five seconds, not ten minutes, before it stands in."""
    path = lab.path("agent.toml")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("[control_plane]\n", "[control_plane]\naway_after_s = 5\n"))
    lab.stop_agent()
    lab.start_agent()
    return lab


def opened(lab):
    return store.opened(lab.path("control"))


def schedule_path(lab):
    return f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backup-schedule"


def runs(lab):
    return lab.api().get(schedule_path(lab) + "/runs")["runs"]


def milliseconds(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def scheduled(lab):
    """Every backup that a schedule made, and its status: also what retention let go since, for an hour keeps one."""
    with opened(lab) as db:
        return dict(db.execute("SELECT id, status FROM backups WHERE trigger_kind = 'scheduled'").fetchall())


def jobs_of_agent(lab):
    return {job["jobId"]: job for job in json.loads(lab.backstay("jobs", "--json").stdout)["jobs"]}


def restart_control(lab):
    lab.start_control(lab.address)


def kill_control(lab):
    pid, since = lab.running.pop("control")
    processes.end(pid, since, seconds=0)
    lab._keep()


def run_at(lab, due):
    return next((run for run in runs(lab) if milliseconds(run["dueAt"]) == due), None)


def made_at(lab, due):
    """The backup of this moment, once it has ended."""
    def known():
        with contextlib.suppress(Exception):
            run = run_at(lab, due)
            return run is not None and run["backupId"] in scheduled(lab)
        return False
    assert wait_until(known, 90), (due, runs(lab), lab.log_tail("control", 40), lab.log_tail("agent", 40))
    backup = run_at(lab, due)["backupId"]
    return until_terminal(lambda: lab.api().get(f"/backups/{backup}"), 120)


def every_minute(lab):
    """More often than people may ask for: the first quarter of a minute is the control plane's."""
    lab.api().put(schedule_path(lab), RARELY)
    with opened(lab) as db:
        db.execute("UPDATE schedules SET db_cron = '* * * * *', next_db_at = NULL, updated_at = updated_at + 1")
    assert wait_until(lambda: len(json.loads(lab.backstay("status", "--json").stdout)["nextRuns"]) == 1, 60)
    assert lab.env["DB_PRODUCTION"] in lab.backstay("status").stdout.partition("what happens next")[2]


def next_minute(least):
    """The next full minute that is at least so many seconds away, in milliseconds."""
    now = time.time()
    return int((now + least + 60) // 60) * 60_000


def test_a_moment_that_comes_while_the_control_plane_is_away_is_run_once_and_known_afterwards(lab):
    every_minute(lab)
    due = next_minute(least=3)
    with opened(lab) as db:
        db.execute("UPDATE schedules SET next_db_at = ?", (due,))
    time.sleep(max(0, due / 1000 - 2 - time.time()))  # the moment itself is the clock's
    kill_control(lab)
    assert wait_until(lambda: any(job["origin"] == "schedule" and job["state"] == "succeeded" for job in
                                  jobs_of_agent(lab).values()), 50), lab.log_tail("agent", 60)
    with opened(lab) as db:  # later moments are not of this test
        db.execute("UPDATE schedules SET db_cron = '0 0 1 1 *', updated_at = updated_at + 1")
    restart_control(lab)
    row = made_at(lab, due)
    assert (row["status"], row["trigger"], row["backupType"]) == ("completed", "scheduled", "db"), row
    assert row["recoveryEvidence"]["status"] == "green"
    # Whoever wrote it down first: they are one.
    assert run_at(lab, due)["outcome"] in ("by_agent", "ordered")
    assert jobs_of_agent(lab)[row["id"]]["origin"] == "schedule"

    def agree():
        made = {job for job, one in jobs_of_agent(lab).items() if one["kind"] == "backup"}
        return made == set(scheduled(lab)) == {run["backupId"] for run in runs(lab) if run["backupId"]}
    assert wait_until(agree, 60), (jobs_of_agent(lab), scheduled(lab), runs(lab))


def test_a_moment_that_comes_while_the_agent_is_away_is_run_once_when_it_is_back(lab):
    lab.api().put(schedule_path(lab), RARELY)
    before = set(scheduled(lab))
    lab.stop_agent()
    with opened(lab) as db:
        due = int(time.time() * 1000)
        db.execute("UPDATE schedules SET next_db_at = ?", (due,))
        # A minute and a half of silence, which is long for a test.
        db.execute("UPDATE agent_sessions SET heard_at = heard_at - 90000")
    assert wait_until(lambda: run_at(lab, due) is None and time.time() * 1000 > due + 7000, 15)
    lab.start_agent()
    row = made_at(lab, due)
    assert row["status"] == "completed" and run_at(lab, due)["outcome"] == "ordered"
    assert set(scheduled(lab)) - before == {row["id"]}


def test_a_control_plane_that_is_killed_at_random_loses_and_doubles_nothing(lab):
    lab.api().put(schedule_path(lab), RARELY)
    before = set(scheduled(lab))
    seed = int(time.time())
    chance = random.Random(seed)
    print(f"seed {seed}")
    moments = []
    for _ in range(6):
        due = int((time.time() + chance.uniform(0, 3)) * 1000)
        with opened(lab) as db:
            db.execute("UPDATE schedules SET next_db_at = ?", (due,))
        moments.append(due)
        time.sleep(chance.uniform(0.2, 8))  # anywhere between the moment and the end of its backup
        kill_control(lab)
        time.sleep(chance.uniform(0, 1.5))
        restart_control(lab)
        made_at(lab, due)
    rows = scheduled(lab)
    new = set(rows) - before
    assert len(new) == len(moments), (len(new), moments, runs(lab))
    assert {rows[one] for one in new} <= {"completed", "deleting", "deleted"}
    assert {run_at(lab, due)["backupId"] for due in moments} == new
    held = jobs_of_agent(lab)
    assert all(held[one]["state"] == "succeeded" for one in new)
