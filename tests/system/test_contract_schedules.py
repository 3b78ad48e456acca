"""Schedules, their runs and the preview of retention over the REST contract, with an agent that the test plays."""

import contextlib
import http.client
import json
import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest
import seeds
from contract import refused
from fake_agent import stamp
import store

NUMBERS = [f"retain{kind}{tier}" for kind in ("Db", "Full") for tier in ("Hourly", "Daily", "Weekly", "Monthly")]
NUMBERS += [f"retain{tier}Days" for tier in ("Hourly", "Daily", "Weekly", "Monthly")]


@pytest.fixture(autouse=True)
def clean(plane):
    plane.agent.heartbeat()
    yield
    with contextlib.suppress(Exception):
        plane.owner.delete("/retention-policy")
    for environment in (plane.production, plane.staging):
        with contextlib.suppress(Exception):
            plane.owner.delete(path(plane, environment))


def path(plane, environment=None, *more):
    return "/".join([f"/environments/{environment or plane.production}/backup-schedule", *more])


def at(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def due_now(plane, environment=None, scope="db", ago=0):
    """Makes a moment due as if the clock had come to it; its milliseconds."""
    moment = int((time.time() - ago) * 1000)
    with store.opened(plane.state) as db:
        changed = db.execute(f"UPDATE schedules SET next_{scope}_at = ? WHERE environment_id = ?",
                             (moment, environment or plane.production))
        assert changed.rowcount == 1
    return moment


def runs(plane, environment=None):
    return plane.owner.get(path(plane, environment, "runs"))["runs"]


def test_presets_are_crons_with_a_label(plane):
    presets = plane.viewer.get("/backup-schedule/presets")
    assert [set(preset) for preset in presets] == [{"cron", "label"}] * 7
    assert presets[3] == {"cron": "0 2 * * *", "label": "Every day at 02:00"}


def test_there_is_none_until_it_is_made_and_it_has_the_contracts_defaults(plane):
    refused(lambda: plane.owner.get(path(plane)), 404, "schedule_not_found")
    refused(lambda: plane.owner.delete(path(plane)), 404, "schedule_not_found")
    made = plane.owner.put(path(plane), {})
    seeds.fits(seeds.SCHEDULE, made)
    assert (made["dbFrequency"], made["fullFrequency"], made["timezone"]) == ("daily", "weekly", "UTC")
    minute = made["dbCron"].split()[0]
    assert made["dbCron"] == f"{minute} 2 * * *" and made["fullCron"] == f"{minute} 2 * * 0"
    assert (made["enabled"], made["paused"], made["walEnabled"], made["walRetentionDays"]) == (True, False, False, 7)
    assert made["destinationIds"] == [plane.local]
    assert [made[f"retain{tier}"] for tier in ("Hourly", "Daily", "Weekly", "Monthly")] == [24, 7, 4, 3]
    assert {name: made[name] for name in NUMBERS if made[name] is not None} == {"retainFullHourly": 0}
    assert len(made["retentionInherited"]) == 16
    assert at(made["nextDbBackupAt"]) > datetime.now(timezone.utc) and at(made["nextDbBackupAt"]).minute == int(minute)
    assert plane.viewer.get(path(plane)) == made
    assert plane.owner.put(path(plane), made) == {**made, "updatedAt": plane.owner.get(path(plane))["updatedAt"]}, "sent back as it is"


def test_absent_members_stay_and_null_is_the_default_again(plane):
    made = plane.owner.put(path(plane), {"dbFrequency": "custom", "dbCron": "30 4 * * 1-5", "timezone": "Europe/Brussels",
                                         "retainDaily": 9, "retainDbWeekly": 2, "retainDailyDays": 40, "walRetentionDays": 14})
    assert (made["dbFrequency"], made["dbCron"]) == ("custom", "30 4 * * 1-5")
    changed = plane.owner.put(path(plane), {"paused": True, "retainDaily": None, "retainDbWeekly": None})
    assert changed["nextDbBackupAt"] is None and changed["nextFullBackupAt"] is None
    assert (changed["dbCron"], changed["timezone"], changed["walRetentionDays"]) == ("30 4 * * 1-5", "Europe/Brussels", 14)
    assert (changed["retainDaily"], changed["retainDbWeekly"], changed["retainDailyDays"]) == (7, None, 40)
    resumed = plane.owner.put(path(plane), {"paused": False})
    assert resumed["nextDbBackupAt"] == made["nextDbBackupAt"]
    assert plane.owner.put(path(plane), {"enabled": False})["nextFullBackupAt"] is None
    plane.owner.delete(path(plane))
    refused(lambda: plane.owner.get(path(plane)), 404, "schedule_not_found")


@pytest.mark.parametrize("body, status, code, field", [
    ({"dbCron": "nonsense"}, 422, "invalid_cron", "dbCron"),
    ({"fullFrequency": "custom", "fullCron": "*/5 * * * *"}, 422, "cron_too_frequent", "fullCron"),
    ({"dbFrequency": "weekly", "dbCron": "1 1 * * *"}, 422, "invalid_cron", "dbCron"),
    ({"dbFrequency": "sometimes"}, 422, "invalid_frequency", "dbFrequency"),
    ({"timezone": "Europe/Atlantis"}, 422, "invalid_timezone", "timezone"),
    ({"destinationIds": [str(uuid.uuid4())]}, 422, "destination_not_found", "destinationIds[0]"),
    ({"retainDaily": 1001}, 422, "out_of_range", "retainDaily"),
    ({"retainHourly": 0, "retainDaily": 0, "retainWeekly": 0, "retainMonthly": 0}, 422, "empty_retention", None),
    ({"walRetentionDays": 91}, 422, "out_of_range", "walRetentionDays"),
    ({"walEnabled": True}, 422, "wal_not_possible", "walEnabled"),
    ({"retainDaily": "many"}, 400, "validation_error", "retainDaily"),
    ({"retainYearly": 3}, 400, "validation_error", "retainYearly"),
    ({"enabled": 1}, 400, "validation_error", "enabled"),
    ({"color": "red"}, 400, "validation_error", "color"),
])
def test_what_breaks_a_rule_is_refused_by_name_and_changes_nothing(plane, body, status, code, field):
    refused(lambda: plane.owner.put(path(plane), body), status, code, field)
    refused(lambda: plane.owner.get(path(plane)), 404, "schedule_not_found")


def test_others_neither_see_nor_change_it(plane):
    plane.owner.put(path(plane), {})
    refused(lambda: plane.viewer.put(path(plane), {}), 403, "forbidden")
    refused(lambda: plane.stranger.get(path(plane)), 404, "not_found")
    refused(lambda: plane.stranger.put(path(plane), {}), 404, "not_found")
    refused(lambda: plane.owner.get(path(plane, str(uuid.uuid4()))), 404, "not_found")
    assert plane.developer.put(path(plane), {})["enabled"]


def test_a_due_moment_becomes_one_backup_and_a_destination_in_use_stays(plane):
    plane.owner.put(path(plane), {"dbFrequency": "hourly", "fullFrequency": "none", "destinationIds": [plane.shared]})
    refused(lambda: plane.owner.delete(f"/backup-destinations/{plane.shared}"), 409, "destination_in_use")
    moment = due_now(plane)
    order = plane.agent.take(kind="backup")
    assert order["order"]["trigger"] == "scheduled" and order["order"]["scope"] == "db"
    assert [one["id"] for one in order["order"]["destinations"]] == [plane.shared]
    plane.agent.do_backup(order)
    row = plane.owner.get(f"/backups/{order['jobId']}")
    assert (row["status"], row["trigger"], row["backupType"]) == ("completed", "scheduled", "db")
    assert row["gfsTiers"] == ["hourly", "daily", "weekly", "monthly"]
    run = runs(plane)[0]
    assert (run["outcome"], run["backupId"], run["backupType"]) == ("ordered", row["id"], "db")
    assert at(run["dueAt"]) == datetime.fromtimestamp(moment / 1000, timezone.utc)
    assert at(plane.owner.get(path(plane))["nextDbBackupAt"]) > datetime.now(timezone.utc)
    assert plane.agent.poll()["assignments"] == []


def test_a_moment_that_finds_another_run_is_skipped_and_says_why(plane):
    plane.owner.put(path(plane), {"dbFrequency": "hourly", "fullFrequency": "none"})
    other = plane.order()
    due_now(plane)
    for _ in range(100):
        if any(run["outcome"] == "skipped" for run in runs(plane)):
            break
        time.sleep(0.2)
    skipped = [run for run in runs(plane) if run["outcome"] == "skipped"]
    assert len(skipped) == 1 and other in skipped[0]["message"] and skipped[0]["backupId"] is None
    plane.owner.delete(f"/backups/{other}")


def test_the_agent_is_told_and_what_it_ran_alone_is_one_operation(plane):
    plane.owner.put(path(plane, plane.staging), {"dbFrequency": "hourly", "fullFrequency": "none"})
    answer = plane.agent.heartbeat(scheduleVersion="")
    book = answer["schedules"]
    entry = next(one for one in book["schedules"] if one["environment"]["environmentId"] == plane.staging)
    assert entry["destinations"][0]["config"]["path"] == "/var/backups/odoo" and entry["dbCron"].endswith("* * * *")
    assert plane.agent.heartbeat(scheduleVersion=book["version"])["schedules"] is None
    moment = due_now(plane, plane.staging)
    due = datetime.fromtimestamp(moment / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment % 1000:03d}Z"
    plane.agent.heartbeat(scheduleVersion=book["version"],
                          scheduledRuns=[{"environmentId": plane.staging, "scope": "db", "dueAt": due}])
    found = [run for run in runs(plane, plane.staging) if at(run["dueAt"]) == at(due)]
    # Whoever was first: it has one key, and is known as one run.
    assert len(found) == 1 and found[0]["backupId"]
    backup = found[0]["backupId"]
    declaration = {"kind": "backup", "origin": "schedule", "order": {
        "backupId": backup, "scope": "db", "trigger": "scheduled", "createdAt": stamp(), "dueAt": due,
        "environment": entry["environment"], "destinations": [], "encryptFor": [], "timeoutMs": 1000}}
    job = {"jobId": backup, "fence": 0}
    plane.agent.report(job, "declared", declared=declaration)
    assert plane.agent.poll()["assignments"] == []
    row = plane.owner.get(f"/backups/{backup}")
    assert (row["status"], row["trigger"], row["environmentId"]) == ("running", "scheduled", plane.staging)
    plane.agent.report(job, "finished", finished={"outcome": "failed", "reason": "internal_error", "errorMessage": "as the test wants"})
    assert plane.owner.get(f"/backups/{backup}")["status"] == "failed"


def test_the_preview_lists_what_would_go_and_why_and_changes_nothing(plane):
    preview = path(plane, plane.staging, "retention-preview")
    refused(lambda: plane.owner.post(preview, {}), 404, "schedule_not_found")
    ids = [plane.made_backup(plane.staging)["id"] for _ in range(3)]
    now = int(time.time() * 1000)
    with store.opened(plane.state) as db:
        for number, backup in enumerate(ids):
            db.execute("UPDATE backups SET trigger_kind = 'scheduled', size_bytes = 100, created_at = ? WHERE id = ?",
                       (now - (number + 1) * 86_400_000 * 40, backup))
    plane.owner.put(path(plane, plane.staging), {"retainMonthly": 24, "dbFrequency": "none", "fullFrequency": "none"})
    assert plane.owner.post(preview, {}) == {"items": [], "totalSizeBytes": 0}
    answer = plane.owner.post(preview, {"retainMonthly": 0, "retainWeekly": 0, "retainDaily": 2})
    seeds.fits(seeds.PREVIEW, answer)
    assert [item["backupId"] for item in answer["items"]] == [ids[2]] and answer["totalSizeBytes"] == 100
    assert answer["items"][0]["reason"].startswith("tier_count_exceeded: ") and "monthly" in answer["items"][0]["gfsTiers"]
    refused(lambda: plane.owner.post(preview, {name: 0 for name in ("retainHourly", "retainDaily", "retainWeekly", "retainMonthly")}),
            422, "empty_retention")
    refused(lambda: plane.owner.post(preview, {"retainDaily": -1}), 422, "out_of_range", "retainDaily")
    refused(lambda: plane.owner.post(preview, {"walEnabled": True}), 400, "validation_error", "walEnabled")
    refused(lambda: plane.viewer.post(preview, {}), 403, "forbidden")
    assert plane.owner.get(path(plane, plane.staging))["retainMonthly"] == 24
    assert {plane.owner.get(f"/backups/{one}")["status"] for one in ids} == {"completed"}


def test_an_organizations_numbers_are_inherited_until_a_schedule_sets_its_own(plane):
    usual = plane.viewer.get("/retention-policy")
    assert (usual["retainDaily"], usual["retainFullHourly"]) == (7, 0)
    assert len(usual["retentionInherited"]) == 16
    plane.owner.put(path(plane), {"retainWeekly": 9})
    changed = plane.owner.put("/retention-policy", {"retainDaily": 30, "retainDbMonthly": 5})
    assert (changed["retainDaily"], changed["retainDbMonthly"], changed["retainHourly"]) == (30, 5, 24)
    assert changed["updatedBy"] and changed["updatedAt"] and "retainDaily" not in changed["retentionInherited"]
    shown = plane.owner.get(path(plane))
    assert (shown["retainDaily"], shown["retainDbMonthly"], shown["retainWeekly"]) == (30, 5, 9)
    assert "retainDaily" in shown["retentionInherited"] and "retainWeekly" not in shown["retentionInherited"]
    plane.owner.put(path(plane), shown)
    plane.owner.put("/retention-policy", {**changed, "retainDaily": 31})
    assert plane.owner.get(path(plane))["retainDaily"] == 31, "what came back unchanged is still inherited"
    plane.owner.put(path(plane), {"retainDaily": 31})
    assert plane.owner.delete("/retention-policy") is None
    assert plane.owner.get(path(plane))["retainDaily"] == 31 and plane.owner.get(path(plane))["retainDbMonthly"] is None
    assert plane.owner.put(path(plane), {"retainDaily": None})["retainDaily"] == 7


@pytest.mark.parametrize("body, status, code, field", [
    ({"retainDaily": 1001}, 422, "out_of_range", "retainDaily"),
    ({"retainDailyDays": -1}, 422, "out_of_range", "retainDailyDays"),
    ({"retainHourly": 0, "retainDaily": 0, "retainWeekly": 0, "retainMonthly": 0}, 422, "empty_retention", "retainDaily"),
    ({"retainDaily": "many"}, 400, "validation_error", "retainDaily"),
    ({"retainYearly": 1}, 400, "validation_error", "retainYearly"),
    ({"enabled": True}, 400, "validation_error", "enabled"),
    ({"retentionInherited": "all"}, 400, "validation_error", "retentionInherited"),
    ([], 400, "validation_error", ""),
])
def test_an_organizations_policy_refuses_what_breaks_a_rule(plane, body, status, code, field):
    refused(lambda: plane.owner.put("/retention-policy", body), status, code, field)
    assert len(plane.owner.get("/retention-policy")["retentionInherited"]) == 16


def test_an_organizations_policy_is_for_those_who_answer_for_all_projects(plane):
    refused(lambda: plane.viewer.put("/retention-policy", {}), 403, "forbidden")
    refused(lambda: plane.developer.put("/retention-policy", {}), 403, "forbidden")
    refused(lambda: plane.developer.delete("/retention-policy"), 403, "forbidden")
    plane.owner.put("/retention-policy", {"retainDaily": 3})
    assert plane.stranger.get("/retention-policy")["retainDaily"] == 7
    plane.owner.put(path(plane), {name: 0 for name in ("retainHourly", "retainWeekly", "retainMonthly")})
    refused(lambda: plane.owner.put("/retention-policy", {"retainDaily": 0}), 422, "empty_retention", "retainDaily")
    plane.owner.delete("/retention-policy")


def test_an_organizations_policy_that_stays_as_it_is_keeps_no_schedule_waiting(plane):
    plane.owner.delete("/retention-policy")
    plane.owner.put("/retention-policy", {"retainDaily": 8})
    changed = plane.owner.get("/retention-policy")["updatedAt"]
    time.sleep(0.01)  # the stamp counts milliseconds
    assert plane.owner.put("/retention-policy", {"retainDaily": 8})["updatedAt"] == changed
    plane.owner.delete("/retention-policy")
    reset = plane.owner.get("/retention-policy")["updatedAt"]
    assert at(reset) > at(changed)
    time.sleep(0.01)
    assert plane.owner.delete("/retention-policy") is None
    assert plane.owner.get("/retention-policy")["updatedAt"] == reset


def test_the_host_is_told_how_much_wal_schedules_ask_for(plane):
    now = stamp()
    wal = {"cluster": "main", "systemId": "7", "archive": "v1/x/clusters/7", "destinationIds": [],
           "archiving": {"enabled": True, "status": "ok", "failedCount": 0, "spoolBytes": 0, "backlogBytes": 0,
                         "archiveTimeoutSeconds": 60, "retentionDays": 7},
           "baseBackups": [], "walRanges": [], "gaps": []}
    plane.agent.heartbeat(wal=[wal], sentAt=now)
    plane.owner.put(path(plane), {"walEnabled": True, "walRetentionDays": 21, "fullFrequency": "daily", "paused": True})
    book = plane.agent.heartbeat(scheduleVersion="")["schedules"]
    assert book["wal"] == [{"cluster": "main", "retentionDays": 21, "baseEveryDays": 1}]
    shown = plane.owner.get(f"/environments/{plane.production}/pitr-coverage")["archiving"]
    assert (shown["archiveTimeoutSeconds"], shown["retentionDays"]) == (60, 7)
    plane.owner.put(path(plane), {"enabled": False})
    assert plane.agent.heartbeat(scheduleVersion=book["version"])["schedules"]["wal"] == []
    plane.agent.heartbeat(wal=[])


def test_backups_by_hand_go_where_the_schedule_stores(plane):
    plane.owner.put(path(plane), {"destinationIds": [plane.shared], "dbFrequency": "none", "fullFrequency": "none"})
    plane.order()
    order = plane.agent.take(kind="backup")
    assert [one["id"] for one in order["order"]["destinations"]] == [plane.shared]
    plane.agent.do_backup(order)


def test_moments_are_of_the_schedules_own_zone(plane):
    made = plane.owner.put(path(plane), {"dbFrequency": "custom", "dbCron": "30 0 * * *", "timezone": "Asia/Kolkata"})
    assert at(made["nextDbBackupAt"]).strftime("%H:%M") == "19:00"
    assert timedelta(0) < at(made["nextDbBackupAt"]) - datetime.now(timezone.utc) <= timedelta(days=1)


ODD = [None, True, 0, -1, 1.5, 10**30, "", "x" * 5000, "\u0000", "💾", [], [None], {}, {"a": {}}, "2026-02-30", "* * * * *"]
MEMBERS = ["enabled", "paused", "timezone", "dbFrequency", "dbCron", "fullFrequency", "fullCron", "destinationIds", "walEnabled",
           "walRetentionDays", "retainDaily", "retainFullWeekly", "retainMonthlyDays", "retentionInherited", "id", "nextDbBackupAt"]


def test_nothing_that_is_sent_is_the_servers_fault(plane):
    def status(method, where, text):
        connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=30)
        connection.request(method, "/api" + where, body=text and text.encode(), headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    places = [("PUT", path(plane)), ("POST", path(plane, None, "retention-preview")), ("PUT", "/retention-policy")]
    texts = ["", "{", "null", "[]", "7", '"x"', "[" * 200, '{"enabled": tru', '{"a": 1, "a": 2}', "\ufeff{}", '{"retainDaily": 1e400}',
             '{"dbCron": "\\ud800"}', '{"destinationIds": ["' + "x" * 100_000 + '"]}']
    texts += [json.dumps({member: odd}) for member in MEMBERS for odd in ODD]
    for number, (method, where) in enumerate(places):
        # A key may write three hundred times a minute.
        token = plane.owner.post("/api-keys", {"name": f"odd {number}", "mode": "rw"})["key"]
        met = {}
        for text in texts:
            met.setdefault(status(method, where, text), []).append(text[:80])
        assert set(met) <= {200, 400, 404, 413, 422}, {code: some[:3] for code, some in met.items()}
        plane.owner.get("/retention-policy")
    for where in ("/backup-alerts?limit=x", "/backup-alerts?offset=-1", "/backup-alerts?limit=99999999999999999999",
                  "/backup-alerts?include_dismissed=1", "/backup-alerts/x", f"/backup-alerts/{uuid.uuid4()}",
                  "/environments/x/backup-schedule", f"/environments/{uuid.uuid4()}/backup-schedule/runs"):
        assert status("GET", where, None) in (200, 400, 404), where
