"""Snapshots over the REST contract, from the order to expiry, with an agent that the test plays."""

import contextlib
import threading
import uuid
from datetime import datetime

import processes
import pytest
import requests
import seeds
from contract import refused
from fake_agent import FakeAgent, snapshot_plan
import store


@pytest.fixture(scope="module", autouse=True)
def awake(plane):
    plane.agent.heartbeat()
    plane.owner.put(settings_path(plane), {"maxPinned": 50})


def base_path(plane, environment=None):
    return f"/environments/{environment or plane.production}/snapshots"


def settings_path(plane, environment=None):
    return f"/environments/{environment or plane.production}/snapshot-settings"


def order(plane, environment=None, **body):
    return plane.owner.post(base_path(plane, environment), body or None)["snapshotId"]


def shown(plane, snapshot, environment=None):
    return plane.owner.get(f"{base_path(plane, environment)}/{snapshot}")


def made(plane, environment=None, base=None, failing=(), **body):
    snapshot = order(plane, environment, **body)
    plane.agent.do_snapshot(plane.agent.take(kind="snapshot"), base=base, failing=failing)
    return shown(plane, snapshot, environment)


def removed(plane, snapshot):
    """Deleted by its agent as by an order."""
    plane.owner.delete(f"{base_path(plane)}/{snapshot}")
    plane.agent.finish(plane.agent.take(kind="delete_snapshot"))


def test_a_new_snapshot_waits_complete_in_every_field(plane):
    answer = plane.owner.post(base_path(plane))
    assert set(answer) >= {"environmentId", "message", "snapshotId"} and answer["environmentId"] == plane.production
    row = shown(plane, answer["snapshotId"])
    seeds.fits(seeds.SNAPSHOT, row)
    assert (row["status"], row["trigger"], row["remoteStatus"]) == ("pending", "manual", "none")
    assert (row["environmentName"], row["environmentType"]) == ("prod", "production")
    assert row["isFullFilestore"] is None and row["expiresAt"] is None and row["rollbackLogs"] == []
    evidence = row["recoveryEvidence"]
    assert (evidence["operation"], evidence["status"]) == ("snapshot", "pending")
    assert evidence["requiredSteps"][:2] == ["preflight", "resolve_filestore_base"]
    refused(lambda: order(plane), 409, "operation_in_progress")
    refused(lambda: plane.order(), 409, "operation_in_progress")
    plane.owner.post(f"/operations/snapshot/{row['id']}/cancel")
    assert shown(plane, row["id"])["status"] == "cancelled"
    plane.owner.delete(f"{base_path(plane)}/{row['id']}")
    refused(lambda: shown(plane, row["id"]), 404, "not_found")
    assert plane.agent.poll()["assignments"] == [], "nothing was ever written"


def test_a_proven_snapshot_says_what_it_is_and_how_long_it_stays(plane):
    deployment = str(uuid.uuid4())
    row = made(plane, trigger="pre_deploy", deploymentId=deployment, commitSha="0a1b2c", imageTag="shop:17", label="before")
    seeds.fits(seeds.SNAPSHOT, row)
    evidence = row["recoveryEvidence"]
    assert row["status"] == "completed", evidence
    assert (evidence["status"], evidence["remoteCopyState"]) == ("green", "not_required")
    assert set(evidence["artifactPaths"]) == set(evidence["artifactChecksums"]) == {"db", "filestore", "config", "manifest"}
    assert (row["deploymentId"], row["commitSha"], row["imageTag"], row["label"]) == (deployment, "0a1b2c", "shop:17", "before")
    assert row["dbDumpPath"] == f"v1/x/snapshots/{row['id']}/database.dump.zst"
    assert row["filestorePath"].endswith("/filestore.tar.zst") and row["configPath"].endswith("/config.tar.zst")
    assert (row["dbSizeBytes"], row["filestoreSizeBytes"], row["totalSizeBytes"], row["storedBytes"]) == (400, 200, 600, 40)
    assert row["isFullFilestore"] is True and row["baseSnapshotId"] is None
    assert row["failurePolicy"] == "block", "production"
    assert days_between(row["completedAt"], row["expiresAt"]) == 7
    assert row["durationMs"] >= 0
    operation = plane.owner.get("/operations", snapshotId=row["id"])["operations"][0]
    assert (operation["type"], operation["snapshotId"], operation["backupId"]) == ("snapshot", row["id"], None)


def days_between(earlier, later):
    parse = lambda text: datetime.fromisoformat(text.replace("Z", "+00:00"))  # noqa: E731
    return (parse(later) - parse(earlier)).total_seconds() / 86400


def test_the_order_says_what_is_wanted(plane):
    plane.owner.put(settings_path(plane), {"timeoutSeconds": 600, "destinationIds": [plane.local, plane.shared]})
    snapshot = order(plane, trigger="pre_upgrade", label="18.0")
    assignment = plane.agent.take(kind="snapshot")
    wanted = assignment["order"]
    assert (wanted["snapshotId"], wanted["trigger"], wanted["label"]) == (snapshot, "pre_upgrade", "18.0")
    assert wanted["timeoutMs"] == 600_000 and wanted["environment"]["database"] == "shop"
    assert [one["id"] for one in wanted["destinations"]] == [plane.local, plane.shared]
    assert wanted["destinations"][1]["config"]["secretAccessKey"] == "very-secret-word"
    assert shown(plane, snapshot)["remoteStatus"] == "pending"
    plane.agent.do_snapshot(assignment)
    row = shown(plane, snapshot)
    assert (row["status"], row["remoteStatus"]) == ("completed", "verified"), row["recoveryEvidence"]
    refused(lambda: plane.owner.delete(f"/backup-destinations/{plane.shared}"), 409, "destination_in_use")
    half = made(plane, failing=[plane.shared])
    assert (half["status"], half["remoteStatus"], half["recoveryEvidence"]["status"]) == ("partial", "failed", "amber")
    plane.owner.put(settings_path(plane), {"destinationIds": [], "timeoutSeconds": 1800})


def test_a_differential_names_its_base_and_holds_it(plane):
    full = made(plane)
    differential = made(plane, base=full["id"])
    assert (differential["isFullFilestore"], differential["baseSnapshotId"]) == (False, full["id"])
    again = shown(plane, full["id"])
    assert again["expiresAt"] >= differential["expiresAt"], "a base lives as long as its differentials"
    pin = f"{base_path(plane)}/{differential['id']}/pin"
    plane.owner.put(pin, {})
    assert shown(plane, full["id"])["expiresAt"] is None, "what is pinned needs it"
    plane.owner.delete(pin)
    body = refused(lambda: plane.owner.delete(f"{base_path(plane)}/{full['id']}"), 409, "snapshot_referenced", "snapshotId")
    assert body["detail"][0]["message"] == differential["id"]
    removed(plane, differential["id"])
    removed(plane, full["id"])
    refused(lambda: shown(plane, full["id"]), 404, "not_found")


def test_a_deletion_is_asynchronous_and_told_once(plane):
    snapshot = made(plane)["id"]
    path = f"{base_path(plane)}/{snapshot}"
    assert plane.owner.delete(path) is None
    assert shown(plane, snapshot)["status"] == "deleting"
    assert plane.owner.delete(path) is None, "asking twice is no fault"
    assignment = plane.agent.take(kind="delete_snapshot")
    assert (assignment["order"]["snapshotId"], assignment["order"]["folder"]) == (snapshot, f"v1/x/snapshots/{snapshot}")
    plane.agent.finish(assignment, "failed", reason="internal_error", errorMessage="another one needs it")
    assert shown(plane, snapshot)["errorMessage"] == "deletion: another one needs it"
    removed(plane, snapshot)
    refused(lambda: shown(plane, snapshot), 404, "not_found")


def test_what_is_running_pinned_or_may_become_a_base_stays(plane):
    full = made(plane)["id"]
    pin = f"{base_path(plane)}/{full}/pin"
    plane.owner.put(pin, {"label": "golden"})
    refused(lambda: plane.owner.delete(f"{base_path(plane)}/{full}"), 409, "snapshot_pinned")
    plane.owner.delete(pin)
    running = order(plane)
    assignment = plane.agent.take(kind="snapshot")
    refused(lambda: plane.owner.delete(f"{base_path(plane)}/{running}"), 409, "snapshot_running")
    refused(lambda: plane.owner.delete(f"{base_path(plane)}/{full}"), 409, "snapshot_in_use")
    refused(lambda: plane.owner.put(f"{base_path(plane)}/{running}/pin", {}), 409, "snapshot_not_usable")
    plane.agent.do_snapshot(assignment)
    removed(plane, full)


def test_pins_are_limited_labelled_and_idempotent(plane):
    first, second = made(plane)["id"], made(plane)["id"]
    path = lambda snapshot: f"{base_path(plane)}/{snapshot}/pin"  # noqa: E731
    plane.owner.put(settings_path(plane), {"maxPinned": 1})
    assert plane.owner.put(path(first), {"label": "über" * 25})["message"]
    row = shown(plane, first)
    assert (row["isPinned"], row["pinLabel"], row["expiresAt"]) == (True, "über" * 25, None)
    refused(lambda: plane.owner.put(path(second), {"label": "x"}), 409, "pin_limit")
    refused(lambda: plane.owner.put(path(first), {"label": "x" * 101}), 422, "label_too_long", "label")
    plane.owner.put(path(first), {"label": "again"})
    assert shown(plane, first)["pinLabel"] == "again"
    plane.owner.put(settings_path(plane), {"maxPinned": 0})
    assert shown(plane, first)["isPinned"], "lowering the limit unpins nothing"
    plane.owner.put(path(first))
    assert shown(plane, first)["pinLabel"] == ""
    assert plane.owner.delete(path(first))["message"] and plane.owner.delete(path(first))["message"]
    row = shown(plane, first)
    assert row["isPinned"] is False and days_between(row["completedAt"], row["expiresAt"]) == 7
    plane.owner.put(settings_path(plane), {"maxPinned": 50})


def test_settings_are_made_with_defaults_and_changed_in_part(plane):
    for environment, policy in ((plane.staging, "warn"), (plane.far, "warn")):
        settings = plane.viewer.get(settings_path(plane, environment))
        seeds.fits(seeds.SNAPSHOT_SETTINGS, settings)
        wanted = {"autoEnabled": True, "failurePolicy": policy, "maxPinned": 5, "retentionDays": 7, "timeoutSeconds": 1800}
        assert {name: settings[name] for name in wanted} == wanted
        assert plane.owner.get(settings_path(plane, environment)) == settings, "made once"
    changed = plane.owner.put(settings_path(plane, plane.staging), {"failurePolicy": "ignore"})
    assert (changed["failurePolicy"], changed["retentionDays"], changed["id"]) != ("warn", 7, None) and changed["retentionDays"] == 7
    assert plane.owner.get(settings_path(plane, plane.staging)) == changed
    path = settings_path(plane, plane.staging)
    for body, status, code, field in (
            ({"failurePolicy": "panic"}, 422, "invalid_failure_policy", "failurePolicy"),
            ({"maxPinned": 51}, 422, "out_of_range", "maxPinned"), ({"maxPinned": -1}, 422, "out_of_range", "maxPinned"),
            ({"retentionDays": 0}, 422, "out_of_range", "retentionDays"), ({"retentionDays": 366}, 422, "out_of_range", "retentionDays"),
            ({"timeoutSeconds": 59}, 422, "out_of_range", "timeoutSeconds"), ({"timeoutSeconds": "1"}, 400, "validation_error", "timeoutSeconds"),
            ({"destinationIds": [str(uuid.uuid4())]}, 422, "destination_not_found", "destinationIds[0]"),
            ({"colour": 1}, 400, "validation_error", "colour")):
        refused(lambda: plane.owner.put(path, body), status, code, field)  # noqa: B023
    refused(lambda: plane.viewer.put(path, {}), 403, "forbidden")


def test_a_new_retention_counts_for_what_is_there(plane):
    row = made(plane)
    plane.owner.put(settings_path(plane), {"retentionDays": 30})
    assert days_between(row["completedAt"], shown(plane, row["id"])["expiresAt"]) == 30
    plane.owner.put(settings_path(plane), {"retentionDays": 7})


def test_automatic_ones_can_be_switched_off(plane):
    plane.owner.put(settings_path(plane), {"autoEnabled": False})
    refused(lambda: order(plane, trigger="pre_deploy"), 409, "snapshots_disabled")
    plane.owner.delete(f"{base_path(plane)}/{order(plane)}")
    plane.owner.put(settings_path(plane), {"autoEnabled": True})


@pytest.mark.parametrize("body, status, code, field", [
    ({"trigger": "boredom"}, 422, "invalid_trigger", "trigger"),
    ({"label": "x" * 201}, 422, "text_too_long", "label"),
    ({"commitSha": "x" * 201}, 422, "text_too_long", "commitSha"),
    ({"imageTag": 5}, 400, "validation_error", "imageTag"),
    ({"colour": "red"}, 400, "validation_error", "colour"),
])
def test_a_bad_order_names_the_field(plane, body, status, code, field):
    refused(lambda: order(plane, **body), status, code, field)


def test_a_failed_snapshot_fails_at_once_and_is_not_tried_again(plane):
    snapshot = order(plane)
    assignment = plane.agent.take(kind="snapshot")
    plane.agent.do_snapshot(assignment, until="db_dump")
    plane.agent.step(assignment, "db_dump", "failed", reason="db_dump_failed", summary="the server went away")
    plane.agent.finish(assignment, "failed", reason="db_dump_failed", errorMessage="the server went away", transient=True)
    row = shown(plane, snapshot)
    assert (row["status"], row["errorMessage"], row["recoveryEvidence"]["reason"]) == ("failed", "the server went away", "db_dump_failed")
    refused(lambda: plane.owner.put(f"{base_path(plane)}/{snapshot}/pin", {}), 409, "snapshot_not_usable")


def test_the_size_is_what_the_agent_last_told(plane):
    path = f"/environments/{plane.production}/snapshot-size"
    database = {"name": "shop", "owner": "odoo", "sizeBytes": 1000, "isOdoo": True, "odooVersion": "17.0", "filestoreBytes": 234}
    cluster = {"name": "main", "host": "localhost", "port": 5432, "databases": [database]}
    plane.agent.inventory = {"hostname": "db1", "clusters": [cluster],
                             "disks": [{"path": "/srv/snapshots", "role": "snapshots", "freeBytes": 49, "totalBytes": 5000}]}
    plane.agent.heartbeat()
    sizes = plane.owner.get(path)
    assert {name: sizes[name] for name in ("dbSizeBytes", "filestoreSizeBytes", "totalSizeBytes")} == {
        "dbSizeBytes": 1000, "filestoreSizeBytes": 234, "totalSizeBytes": 1234}
    refused(lambda: order(plane), 507, "local_space_low")
    plane.agent.inventory["disks"] = []
    plane.agent.heartbeat()
    refused(lambda: plane.owner.get(f"/environments/{plane.staging}/snapshot-size"), 503, "size_unknown")
    silent = plane.control.made("environment", "create", "--org", "acme", "--project", plane.project, "--name", "silent", "--type",
                                "staging", "--agent", plane.far_agent.agent_id, "--database", "shop_silent")["id"]
    refused(lambda: plane.owner.get(f"/environments/{silent}/snapshot-size"), 503, "agent_offline")
    plane.agent.inventory = None


def change_store(plane, sql, *values):
    with store.opened(plane.state) as db:
        db.execute(sql, values)


def test_sizes_of_an_agent_that_is_away_carry_a_warning_for_a_day(plane):
    agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", "leaving"))
    environment = plane._environment("leaving", "development", "shop_leaving", agent=agent)
    url = f"{plane.url}/api/environments/{environment}/snapshot-size"
    database = {"name": "shop_leaving", "owner": "odoo", "sizeBytes": 10, "isOdoo": True}
    agent.inventory = {"hostname": "x", "clusters": [{"name": "m", "host": "x", "port": 1, "databases": [database]}], "disks": []}
    agent.heartbeat()
    answer = plane.owner.session.get(url, timeout=10)
    assert (answer.status_code, answer.headers.get("Warning")) == (200, None)
    with contextlib.suppress(requests.Timeout):
        agent.call("assignments", {"instanceId": agent.instance_id, "waitMs": 20_000, "freeSlots": 1}, timeout=0.5)
    agent.session.close()
    assert processes.wait_until(lambda: "Warning" in plane.owner.session.get(url, timeout=10).headers, 10)
    answer = plane.owner.session.get(url, timeout=10)
    assert answer.json()["totalSizeBytes"] == 10 and answer.headers["Warning"].startswith("110 ")
    change_store(plane, "UPDATE agents SET seen_at = seen_at - 86400000 WHERE id = ?", agent.agent_id)
    refused(lambda: plane.owner.get(f"/environments/{environment}/snapshot-size"), 503, "agent_offline")


def test_what_is_over_is_removed_by_the_sweep(plane):
    snapshot = made(plane)["id"]
    change_store(plane, "UPDATE snapshots SET expires_at = 1 WHERE id = ?", snapshot)
    assignment = plane.agent.take(30_000, kind="delete_snapshot")
    assert assignment["order"]["snapshotId"] == snapshot
    plane.agent.finish(assignment)
    refused(lambda: shown(plane, snapshot), 404, "not_found")
    entry = next(row for row in plane.owner.get("/audit-logs", limit=100)["entries"] if row["objectId"] == snapshot)
    assert (entry["action"], entry["actor"]) == ("snapshot.expire", "system")


def test_lists_page_and_filter(plane):
    first, second = made(plane)["id"], made(plane, plane.staging)["id"]
    page = plane.owner.get(base_path(plane), limit=1)
    assert (page["limit"], page["offset"], [row["id"] for row in page["snapshots"]]) == (1, 0, [first]) and page["total"] > 1
    whole = f"/projects/{plane.project}/snapshots"
    assert [row["id"] for row in plane.owner.get(whole)["snapshots"]][:2] == [second, first], "newest first"
    assert {row["environmentType"] for row in plane.owner.get(whole, environmentType="staging")["snapshots"]} == {"staging"}
    assert {row["status"] for row in plane.owner.get(whole, status="failed")["snapshots"]} <= {"failed"}
    assert plane.owner.get(whole, environmentType="development") == {"snapshots": [], "total": 0}
    refused(lambda: plane.owner.get(whole, environmentType="moon"), 400, "invalid_parameter")
    refused(lambda: plane.owner.get(whole, status="great"), 400, "invalid_parameter")
    assert len(plane.owner.get(whole, limit=1000)["snapshots"]) <= 100


def test_who_may_not_see_or_do_it(plane):
    snapshot = made(plane)["id"]
    path = f"{base_path(plane)}/{snapshot}"
    for one in (path, base_path(plane), f"/projects/{plane.project}/snapshots", settings_path(plane),
                f"/environments/{plane.production}/snapshot-size", f"/environments/{plane.production}/rollback-logs"):
        refused(lambda: plane.stranger.get(one), 404, "not_found")  # noqa: B023
    for call in (lambda who: who.post(base_path(plane)), lambda who: who.delete(path), lambda who: who.put(path + "/pin", {}),
                 lambda who: who.delete(path + "/pin"),
                 lambda who: who.post(f"/environments/{plane.production}/rollback", {"snapshotId": snapshot})):
        refused(lambda: call(plane.stranger), 404, "not_found")  # noqa: B023
        refused(lambda: call(plane.viewer), 403, "forbidden")  # noqa: B023
    refused(lambda: list(plane.stranger.events(path + "/progress")), 404, "not_found")
    refused(lambda: plane.owner.get(f"{base_path(plane, plane.staging)}/{snapshot}"), 404, "not_found")
    key = plane.api(plane.owner.post("/api-keys", {"name": "second", "mode": "rw", "projectId": plane.second_project})["key"])
    refused(lambda: key.get(path), 404, "not_found")
    refused(lambda: key.get("/operations", snapshotId=snapshot), 404, "not_found")
    actions = {row["action"] for row in plane.owner.get("/audit-logs", limit=100)["entries"] if row["objectId"] == snapshot}
    assert actions == {"snapshot.create"}


def test_the_same_idempotency_key_takes_one_snapshot(plane):
    key = {"headers": {"Idempotency-Key": str(uuid.uuid4())}}
    first = plane.owner.post(base_path(plane), {"label": "once"}, **key)
    assert plane.owner.post(base_path(plane), {"label": "once"}, **key) == first
    plane.owner.delete(f"{base_path(plane)}/{first['snapshotId']}")


def test_progress_streams_to_the_end(plane):
    snapshot = order(plane)
    names, seen = [], []

    def follow():
        for _, name, payload in plane.owner.events(f"{base_path(plane)}/{snapshot}/progress"):
            names.append(name)
            seen.append(payload)

    reader = threading.Thread(target=follow)
    reader.start()
    assignment = plane.agent.take(kind="snapshot")
    plane.agent.progress(assignment, 40, operation="snapshot")
    plane.agent.do_snapshot(assignment)
    reader.join(20)
    assert not reader.is_alive(), "the stream ends with the snapshot"
    assert set(names) == {"snapshot-progress"} and seen[-1]["done"] and seen[-1]["status"] == "completed"
    assert seen[-1]["percent"] == 100 and seen[-1]["operation"] == "snapshot"


def test_one_that_began_on_the_host_is_known(plane):
    snapshot, own = str(uuid.uuid4()), {"jobId": str(uuid.uuid4()), "fence": 0}
    place = {"organizationId": "", "projectId": "", "environmentId": "", "name": "x", "type": "", "cluster": "main", "database": "shop"}
    wanted = {"snapshotId": snapshot, "trigger": "manual", "label": "by hand", "environment": place, "destinations": [],
              "encryptFor": []}
    plane.agent.report(own, "declared", snapshot, declared={"kind": "snapshot", "order": wanted, "origin": "socket"})
    assert shown(plane, snapshot)["status"] == "running"
    plane.agent.do_snapshot(own, wanted | {"environment": {**place, "environmentId": plane.production}}, snapshot)
    row = shown(plane, snapshot)
    assert (row["status"], row["label"], row["performedBy"]) == ("completed", "by hand", "agent:db1"), row["recoveryEvidence"]
    gone = {"jobId": str(uuid.uuid4()), "fence": 0}
    plane.agent.report(gone, "declared", declared={"kind": "delete_snapshot", "order": {"deletionId": gone["jobId"],
                       "snapshotId": snapshot, "folder": "x", "destinations": []}, "origin": "socket"})
    plane.agent.finish(gone)
    refused(lambda: shown(plane, snapshot), 404, "not_found")


def test_the_plan_is_the_agents(plane):
    assert [step["name"] for step in snapshot_plan([])["steps"]][-1] == "catalog_commit"
    snapshot = order(plane)
    assert len(plane.owner.get(f"/operations/snapshot/{snapshot}/steps")["steps"]) == len(snapshot_plan([])["steps"])
    plane.owner.delete(f"{base_path(plane)}/{snapshot}")
