"""backstay-control as administrators use it beside a running server: schedules, what they keep, alerts."""

import json
import subprocess

import pytest
from contract import refused


@pytest.fixture(autouse=True)
def clean(plane):
    yield
    for word in ("remove",):
        command(plane, "schedule", word, "--environment", plane.production)
    command(plane, "retention", "reset")


def command(plane, *words, as_json=True):
    argv = [plane.program, *words, "--state", plane.state, "--org", "acme"]
    done = subprocess.run([*argv, "--json"] if as_json else argv, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    return done


def made(plane, *words):
    done = command(plane, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def path(plane):
    return f"/environments/{plane.production}/backup-schedule"


def test_a_schedule_is_made_shown_changed_and_removed_as_through_rest(plane):
    of_one = ("--environment", plane.production)
    refused(lambda: plane.owner.get(path(plane)), 404, "schedule_not_found")
    done = command(plane, "schedule", "show", *of_one)
    assert done.returncode == 1 and "no schedule" in done.stderr and "schedule set" in done.stderr
    shown = made(plane, "schedule", "set", *of_one, "--db", "hourly", "--full", "30 2 * * 0", "--timezone", "Europe/Brussels",
                 "--destination", plane.shared, "--retention", '{"retainDaily": 9}')
    assert (shown["dbFrequency"], shown["fullFrequency"], shown["fullCron"]) == ("hourly", "custom", "30 2 * * 0")
    assert (shown["destinationIds"], shown["retainDaily"], shown["timezone"]) == ([plane.shared], 9, "Europe/Brussels")
    assert plane.owner.get(path(plane)) == shown
    assert made(plane, "schedule", "set", *of_one, "--paused", "on")["nextDbBackupAt"] is None
    assert made(plane, "schedule", "show", *of_one) == plane.owner.get(path(plane))
    listed = made(plane, "schedule", "list")
    assert [one["environmentId"] for one in listed["schedules"]] == [plane.production] and listed["total"] == 1
    text = command(plane, "schedule", "show", *of_one, as_json=False).stdout
    assert "paused" in text and "9 daily" in text and "30 2 * * 0" in text
    assert "prod" in command(plane, "schedule", "list", as_json=False).stdout
    trail = plane.owner.get("/audit-logs", limit=20)
    assert "schedule.create" in json.dumps(trail) and '"cli"' in json.dumps(trail)


@pytest.mark.parametrize("words, said", [
    (("--db", "sometimes"), "must be none, hourly"),
    (("--db", "*/5 * * * *"), "at least 15 are needed"),
    (("--timezone", "Europe/Atlantis"), "IANA"),
    (("--enabled", "perhaps"), "--enabled must be on or off"),
    (("--retention", "[]"), "must be a JSON object"),
    (("--retention", '{"enabled": true}'), "retain"),
    (("--retention", '{"retainDaily": 5000}'), "must be 0 to 1000"),
    (("--destination", "nonsense"), "UUID"),
    (("--wal", "on"), "archives no WAL"),
])
def test_what_breaks_a_rule_is_refused_in_words_and_changes_nothing(plane, words, said):
    done = command(plane, "schedule", "set", "--environment", plane.production, *words)
    assert done.returncode != 0 and said in done.stderr, done.stderr
    refused(lambda: plane.owner.get(path(plane)), 404, "schedule_not_found")


def test_an_environment_of_nobody_is_not_found(plane):
    done = command(plane, "schedule", "set", "--environment", "00000000-0000-4000-8000-000000000000", "--db", "daily")
    assert done.returncode == 1 and "there is no environment" in done.stderr


def test_the_organizations_numbers(plane):
    changed = made(plane, "retention", "set", "--retention", '{"retainDaily": 30}')
    assert changed["retainDaily"] == 30 and changed["updatedBy"] == "cli"
    assert made(plane, "retention", "show") == changed == plane.owner.get("/retention-policy")
    assert "30 daily" in command(plane, "retention", "show", as_json=False).stdout
    assert made(plane, "retention", "reset")["retainDaily"] == 7


def test_alerts_are_listed_read_and_dismissed(plane):
    backup = plane.order()
    assignment = plane.agent.take(kind="backup")
    plane.agent.finish(assignment, "failed", reason="disk_space_low", errorMessage="the disk is full")
    alert = next(one for one in made(plane, "alert", "list")["alerts"] if one["backupId"] == backup)
    assert alert == plane.owner.get(f"/backup-alerts/{alert['id']}")
    assert "Backup of prod failed" in command(plane, "alert", "list", as_json=False).stdout
    assert made(plane, "alert", "read", "--id", alert["id"])["readBy"] == "cli"
    assert made(plane, "alert", "dismiss", "--id", alert["id"])["dismissed"]
    assert alert["id"] not in [one["id"] for one in made(plane, "alert", "list")["alerts"]]
    assert alert["id"] in [one["id"] for one in made(plane, "alert", "list", "--all")["alerts"]]
    assert command(plane, "alert", "dismiss", "--id", "nonsense").returncode == 1
