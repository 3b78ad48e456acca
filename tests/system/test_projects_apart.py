"""Who is limited to one project sees what that project needs of its organization, and nothing else."""

import time
import uuid

import pytest
from contract import refused
from fake_agent import simple_plan, stamp
from test_admin_api import jwt


def secret_of(plane):
    with open(f"{plane.state}/jwt.key") as file:
        return file.read().strip().encode()


@pytest.fixture(scope="module")
def second(plane):
    """An API key of the second project, whose one environment is on the first agent."""
    made = plane.owner.post("/api-keys", {"name": "second", "mode": "rw", "projectId": plane.second_project})
    return plane.api(made["key"])


@pytest.fixture(scope="module")
def second_admin(plane):
    """A person whose token is limited to the second project, whatever the role says."""
    organization = plane.owner.get("/organizations")["organizations"][0]["id"]
    now = int(time.time())
    return plane.api(jwt(secret_of(plane), {"sub": "u2", "org": organization, "role": "owner", "project": plane.second_project,
                                            "aud": "backstay", "iat": now, "exp": now + 600}))


def test_agents_are_those_that_have_its_environments(plane, second):
    databases = [{"name": name, "owner": "odoo", "sizeBytes": 1, "isOdoo": True} for name in ("shop", "second")]
    plane.agent.inventory = {"hostname": "db1", "clusters": [{"name": "main", "host": "/run", "port": 5432, "databases": databases}],
                             "disks": [{"path": "/srv", "role": "scratch", "freeBytes": 1, "totalBytes": 2}]}
    plane.agent.heartbeat()
    listed = second.get("/agents")
    assert ([row["id"] for row in listed["agents"]], listed["total"]) == ([plane.agent.agent_id], 1)
    refused(lambda: second.get(f"/agents/{plane.far_agent.agent_id}"), 404, "not_found")
    inventory = second.get(f"/agents/{plane.agent.agent_id}")["inventory"]
    assert [base["name"] for cluster in inventory["clusters"] for base in cluster["databases"]] == ["second"]
    assert inventory["disks"] == []
    whole = plane.owner.get(f"/agents/{plane.agent.agent_id}")["inventory"]
    assert len(whole["clusters"][0]["databases"]) == 2 and whole["disks"]


def test_destinations_are_the_usual_one_and_those_that_hold_its_backups(plane, second):
    assert [row["id"] for row in second.get("/backup-destinations")["destinations"]] == [plane.local]
    refused(lambda: second.get(f"/backup-destinations/{plane.shared}"), 404, "not_found")
    wanted = {"type": "db", "destinationIds": [plane.shared]}
    refused(lambda: second.post(f"/environments/{plane.elsewhere}/backups", wanted), 422, "destination_not_found")
    plane.made_backup(plane.elsewhere, **wanted)
    listed = second.get("/backup-destinations")
    assert ({row["id"] for row in listed["destinations"]}, listed["total"]) == ({plane.local, plane.shared}, 2)
    assert second.get(f"/backup-destinations/{plane.shared}")["name"] == "bucket"


def test_keys_and_the_audit_trail_are_its_own(plane, second_admin):
    ours = plane.owner.post("/api-keys", {"name": "ours", "mode": "ro", "projectId": plane.second_project})
    whole = plane.owner.post("/api-keys", {"name": "whole", "mode": "rw"})
    theirs = plane.owner.post("/api-keys", {"name": "theirs", "mode": "ro", "projectId": plane.project})
    ids = {row["id"] for row in second_admin.get("/api-keys", limit=100)["keys"]}
    assert ours["id"] in ids and not ids & {whole["id"], theirs["id"]}
    refused(lambda: second_admin.delete(f"/api-keys/{theirs['id']}"), 404, "not_found")
    refused(lambda: second_admin.delete(f"/api-keys/{whole['id']}"), 404, "not_found")
    backup, foreign = plane.made_backup(plane.elsewhere, type="db")["id"], plane.made_backup(type="db")["id"]
    entries = second_admin.get("/audit-logs", limit=100)
    objects = {row["objectId"] for row in entries["entries"]}
    assert {backup, ours["id"], plane.elsewhere} <= objects and entries["total"] == len(entries["entries"])
    assert not objects & {foreign, whole["id"], theirs["id"], plane.production, plane.agent.agent_id, plane.shared}
    second_admin.delete(f"/api-keys/{ours['id']}")


def test_what_belongs_to_the_organization_is_not_changed(second_admin, plane):
    for method, path, body in (
            ("POST", "/backup-destinations", {"name": "x", "destinationType": "local", "config": {"path": "/var/b"}, "skipTest": True}),
            ("PATCH", f"/backup-destinations/{plane.local}", {"name": "mine"}), ("DELETE", f"/backup-destinations/{plane.local}", None),
            ("PATCH", f"/agents/{plane.agent.agent_id}", {"name": "mine"}), ("DELETE", f"/agents/{plane.far_agent.agent_id}", None),
            ("POST", "/enroll-tokens", {}), ("GET", "/enroll-tokens", None)):
        refused(lambda: second_admin.call(method, path, body), 403, "forbidden")  # noqa: B023


def declared_restore(plane, backup, target, database):
    """A restore that somebody began on the agent's host, into an environment of any project."""
    restore, job = str(uuid.uuid4()), str(uuid.uuid4())
    place = {"organizationId": "", "projectId": "", "environmentId": target, "name": "x", "type": "staging", "cluster": "main",
             "database": database}
    order = {"restoreId": restore, "backupId": backup, "folder": f"v1/x/{backup}", "destinations": [], "target": place,
             "source": {**place, "environmentId": plane.production, "database": "shop"}, "targetType": "other", "scope": "all"}
    own = {"jobId": job, "fence": 0}
    plane.agent.report(own, "declared", restore, declared={"kind": "restore", "order": order, "origin": "socket"})
    plane.agent.report(own, "planned", restore, plan=simple_plan("restore", ["swap_in"]))
    plane.agent.report(own, "finished", restore, finished={
        "outcome": "failed", "reason": "restore_failed", "errorMessage": f"secret words at {stamp()}", "transient": False,
        "reverted": False, "notes": [], "folder": None, "sizeBytes": 0, "databaseBytes": 0, "filestoreBytes": 0,
        "safetyBackupId": None, "manifest": None})
    return restore


def test_restores_into_another_project_are_not_told(plane):
    first = plane.api(plane.owner.post("/api-keys", {"name": "first", "mode": "rw", "projectId": plane.project})["key"])
    backup = plane.made_backup()["id"]
    inside = declared_restore(plane, backup, plane.staging, "shop_staging")
    outside = declared_restore(plane, backup, plane.elsewhere, "second")
    follow = lambda who, **query: [payload["id"] for _, _, payload in who.events(  # noqa: E731
        f"/backups/{backup}/restore/progress" + "".join(f"?{name}={value}" for name, value in query.items()))]
    assert follow(plane.owner) == [outside] and follow(plane.owner, restoreLogId=outside) == [outside]
    refused(lambda: follow(first, restoreLogId=outside), 404, "no_restore")
    assert follow(first) == [inside], "the latest one that it may see"
    refused(lambda: first.get(f"/restores/{outside}"), 404, "not_found")
    logs = first.get(f"/environments/{plane.production}/restore-logs", limit=100)
    assert outside not in [row["id"] for row in logs["restoreLogs"]] and logs["total"] == len(logs["restoreLogs"])
    assert outside in [row["id"] for row in plane.owner.get(f"/environments/{plane.production}/restore-logs")["restoreLogs"]]
    operations = first.get("/operations", backupId=backup)
    assert inside in [row["id"] for row in operations["operations"]]
    assert outside not in [row["id"] for row in operations["operations"]] and operations["total"] == len(operations["operations"])
