"""Points in time over the REST contract: what the agent says of its archive, and what may be asked for."""

import uuid

import pytest
import seeds
from contract import refused
import store

COVERAGE = {
    "baseBackups": [{"backupId": "string", "timestamp": "string"}], "earliestRecoverable": "string",
    "gaps": [{"end": "string", "start": "string"}], "latestRecoverable": "string", "walRanges": [{"end": "string", "start": "string"}],
}
ARCHIVE = "v1/acme/clusters/7300000000000000001"


def archive(base, cluster="main", destinations=(), **members):
    span = [{"start": "2026-11-01T10:00:00Z", "end": "2026-11-02T10:00:00Z"},
            {"start": "2026-11-02T12:00:00Z", "end": "2026-11-03T10:00:00Z"}]
    return {"cluster": cluster, "systemId": "7300000000000000001", "archive": ARCHIVE, "destinationIds": list(destinations),
            "archiving": {"enabled": True, "status": "ok", "lastArchivedAt": "2026-11-03T10:00:01.000Z", "failedCount": 0,
                          "lastArchivedSegment": "000000010000000000000009", "lagSeconds": None, "spoolBytes": 0,
                          "backlogBytes": 0, "secondsToFull": None},
            "baseBackups": [{"backupId": base, "timestamp": span[0]["start"]}],
            "earliestRecoverable": span[0]["start"], "latestRecoverable": span[1]["end"], "walRanges": span,
            "gaps": [{"start": span[0]["end"], "end": span[1]["start"]}], **members}


def base_plan(destination):
    names = ["preflight", "base_backup", "wal_continuity", "artifact_checksums", "manifest_write", "remote_upload", "remote_verify",
             "catalog_commit"]
    return {"operation": "backup", "steps": [{"name": name, "required": True, "weight": 10} for name in names],
            "requiredProofs": ["wal:continuous"], "destinationIds": [destination], "artifacts": ["manifest"]}


def make_base(plane):
    """A base backup as the agent makes and declares it by itself."""
    backup, job = str(uuid.uuid4()), str(uuid.uuid4())
    own = {"jobId": job, "fence": 0}
    order = {"backupId": backup, "trigger": "scheduled", "reason": "wal_enabled", "createdAt": "2026-11-01T09:00:00Z",
             "organizationId": "", "cluster": "main", "destinations": [], "encryptFor": [], "retentionDays": 0, "timeoutMs": 1}
    plane.agent.report(own, "declared", backup, declared={"kind": "base_backup", "order": order, "origin": "socket"})
    plan = base_plan(plane.local)
    plane.agent.report(own, "planned", backup, plan=plan)
    folder = f"{ARCHIVE}/base/{backup}"
    for step in plan["steps"]:
        if step["name"] == "remote_upload":
            plane.agent.copy(own, plane.local, "manifest", folder, operation=backup)
        plane.agent.step(own, step["name"], operation=backup,
                         proofs=["wal:continuous"] if step["name"] == "wal_continuity" else [])
    plane.agent.finish(own, operation=backup, folder=folder, sizeBytes=40)
    return backup


@pytest.fixture(scope="module")
def base(plane):
    assert coverage(plane) == {"baseBackups": [], "earliestRecoverable": None, "latestRecoverable": None, "walRanges": [], "gaps": [],
                               "archiving": {"enabled": False, "status": "off", "lastArchivedAt": None, "lastArchivedSegment": None,
                                             "failedCount": 0, "lagSeconds": None, "spoolBytes": 0, "backlogBytes": 0, "archiveTimeoutSeconds": None, "retentionDays": None,
                                             "secondsToFull": None, "reportedAt": None}}
    plane.agent.heartbeat()
    made = make_base(plane)
    plane.agent.wal = [archive(made)]
    plane.agent.heartbeat()
    return made


@pytest.fixture(scope="module")
def backup(plane, base):
    return plane.made_backup()


def coverage(plane, environment=None):
    return plane.owner.get(f"/environments/{environment or plane.production}/pitr-coverage")


def restore(plane, backup, moment, **body):
    return plane.owner.post(f"/backups/{backup}/restore", {"pitrTimestamp": moment, **body})


def test_coverage_is_what_the_agent_says_for_every_environment_of_the_cluster(plane, base):
    shown = coverage(plane)
    seeds.fits(COVERAGE, shown)
    assert shown["baseBackups"] == [{"backupId": base, "timestamp": "2026-11-01T10:00:00Z"}]
    assert (shown["earliestRecoverable"], shown["latestRecoverable"]) == ("2026-11-01T10:00:00Z", "2026-11-03T10:00:00Z")
    assert len(shown["walRanges"]) == 2 and len(shown["gaps"]) == 1
    assert shown["archiving"]["status"] == "ok" and shown["archiving"]["reportedAt"]
    assert coverage(plane, plane.staging)["baseBackups"] == shown["baseBackups"]
    assert coverage(plane, plane.far)["baseBackups"] == [], "another host's cluster"
    plane.agent.wal = None
    plane.agent.heartbeat()
    assert coverage(plane) == shown, "a heartbeat without news changes nothing"
    refused(lambda: plane.stranger.get(f"/environments/{plane.production}/pitr-coverage"), 404, "not_found")


def test_a_base_backup_is_a_backup_that_can_be_looked_up_but_not_deleted(plane, base):
    row = plane.owner.get(f"/backups/{base}")
    assert (row["backupType"], row["status"], row["environmentId"]) == ("base", "completed", plane.production), row
    assert row["recoveryEvidence"]["status"] == "green", row["recoveryEvidence"]
    assert base in [one["id"] for one in plane.owner.get(f"/environments/{plane.production}/backups", type="base")["backups"]]
    refused(lambda: plane.owner.delete(f"/backups/{base}"), 409, "backup_in_use")
    refused(lambda: plane.owner.post(f"/backups/{base}/restore", {}), 422, "pitr_required", "pitrTimestamp")
    refused(lambda: plane.owner.post(f"/environments/{plane.production}/backups", {"type": "base"}), 422, "invalid_type")


@pytest.mark.parametrize("moment, code, nearest", [
    ("2026-10-31T10:00:00Z", "pitr_out_of_window", {"nearestAfter": "2026-11-01T10:00:00Z"}),
    ("2026-11-03T10:00:00.001Z", "pitr_out_of_window", {"nearestBefore": "2026-11-03T10:00:00Z"}),
    ("2026-11-02T13:00:00+02:00", "pitr_in_gap",
     {"nearestBefore": "2026-11-02T10:00:00Z", "nearestAfter": "2026-11-02T12:00:00Z"}),
])
def test_a_moment_that_cannot_be_reached_is_refused_with_the_nearest_ones(plane, backup, moment, code, nearest):
    body = refused(lambda: restore(plane, backup["id"], moment), 422, code, "pitrTimestamp")
    assert {one["field"]: one["message"] for one in body["detail"] if one["field"] != "pitrTimestamp"} == nearest


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-01 12:00", "2026-11-01T12:00:00", ""])
def test_a_moment_without_an_offset_is_none(plane, backup, moment):
    refused(lambda: restore(plane, backup["id"], moment), 400, "validation_error", "pitrTimestamp")


def test_files_alone_have_no_moment(plane, backup):
    refused(lambda: restore(plane, backup["id"], "2026-11-01T12:00:00Z", scope="filestore"), 422, "invalid_scope", "scope")


def test_where_no_wal_is_archived_no_moment_can_be_asked_for(plane, backup):
    plane.far_agent.heartbeat()
    far = plane.order(plane.far, destinationIds=[plane.shared])
    assignment = plane.far_agent.take(kind="backup")
    plane.far_agent.do_backup(assignment)
    refused(lambda: restore(plane, far, "2026-11-01T12:00:00Z"), 422, "pitr_out_of_window", "pitrTimestamp")


def test_the_order_says_where_the_moment_comes_from(plane, backup, base):
    answer = restore(plane, backup["id"], "2026-11-01T14:00:00+02:00", targetType="other", targetEnvironmentId=plane.staging,
                     createSafetyBackup=False)
    assignment = plane.agent.take(kind="restore")
    pitr = assignment["order"]["pitr"]
    assert (pitr["target"], pitr["archive"], pitr["systemId"]) == ("2026-11-01T12:00:00Z", ARCHIVE, "7300000000000000001")
    assert pitr["destinations"] == [], "the host that archives knows where"
    assert [one["backupId"] for one in pitr["filestores"]] == [backup["id"]]
    assert pitr["filestores"][0]["destinations"][0]["config"]["path"] == "/var/backups/odoo"
    assert assignment["order"]["source"]["database"] == "shop" and assignment["order"]["neutralize"]
    owed = plane.owner.get(f"/restores/{answer['restoreLogId']}")["recoveryEvidence"]["requiredSteps"]
    names = ["fetch_base", "fetch_wal", "replay_to_target", "extract_database", "restore_database"]
    assert [name for name in owed if name in names] == names
    plane.agent.do_restore(assignment)
    assert plane.owner.get(f"/restores/{answer['restoreLogId']}")["status"] == "completed"


def test_another_host_needs_an_archive_that_it_reaches(plane, backup, base):
    wanted = dict(targetType="other", targetEnvironmentId=plane.far, createSafetyBackup=False, scope="db")
    plane.far_agent.heartbeat()
    refused(lambda: restore(plane, backup["id"], "2026-11-01T12:00:00Z", **wanted), 422, "target_not_allowed", "targetEnvironmentId")
    plane.agent.wal = [archive(base, destinations=[plane.local, plane.shared])]
    plane.agent.heartbeat()
    restore(plane, backup["id"], "2026-11-01T12:00:00Z", **wanted)
    assignment = plane.far_agent.take(kind="restore")
    places = assignment["order"]["pitr"]["destinations"]
    assert [one["id"] for one in places] == [plane.shared] and places[0]["config"]["secretAccessKey"] == "very-secret-word"
    assert assignment["order"]["pitr"]["filestores"] == []
    plane.far_agent.do_restore(assignment)


def test_the_archive_of_a_neighbour_cluster_is_none_of_the_environments(plane, base):
    databases = [{"name": name, "sizeBytes": 1, "owner": "odoo", "isOdoo": True} for name in ("shop", "staging")]
    plane.agent.inventory = {"hostname": "db1", "disks": [], "clusters": [
        {"name": "main", "host": "/run", "port": 5432, "databases": databases},
        {"name": "neighbour", "host": "/run", "port": 5433, "databases": []}]}
    plane.agent.wal = [archive(base, cluster="neighbour")]
    plane.agent.heartbeat()
    assert coverage(plane)["walRanges"] == []
    plane.agent.wal = [archive(base)]
    plane.agent.heartbeat()
    assert len(coverage(plane)["walRanges"]) == 2
    plane.agent.inventory = None


def aged(plane, base, hours):
    """As if it had been made so much earlier."""
    with store.opened(plane.state) as database:
        database.execute("UPDATE backups SET completed_at = completed_at - ? WHERE id = ?", (hours * 3_600_000, base))


def test_a_base_backup_that_left_its_archive_is_no_longer_listed_until_it_is_back(plane, base):
    fresh = make_base(plane)
    aged(plane, base, 1)
    plane.agent.skew = 3600  # the agent's clock is ahead: what was made just now is not old for that
    plane.agent.wal = [archive(base, baseBackups=[])]
    plane.agent.heartbeat()
    plane.agent.skew = 0
    assert plane.owner.get(f"/backups/{fresh}")["status"] == "completed"
    refused(lambda: plane.owner.get(f"/backups/{base}"), 404, "not_found")
    # Its destination was away; now it is back.
    plane.agent.wal = [archive(base)]
    plane.agent.heartbeat()
    row = plane.owner.get(f"/backups/{base}")
    assert (row["status"], row["deletedAt"] if "deletedAt" in row else None) == ("completed", None), row
