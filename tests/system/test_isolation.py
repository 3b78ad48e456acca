"""Every operation of the OpenAPI document asked by everybody who may not: the right refusal, nothing of the organization's in
any answer, nothing changed. The bodies are such that a hole would let them work."""

import json
import re
import time
import uuid

import pytest
import requests
from api import Refused
from contract import Contract
from fake_agent import FakeAgent
from test_admin_api import jwt
from test_projects_apart import secret_of
import store

CONTRACT = Contract()
OPERATIONS = [(method.upper(), path, operation) for path, item in CONTRACT.document["paths"].items()
              for method, operation in item.items() if operation.get("security") != []]
READING = "GET"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Whoever only reads is not to read raw data of customers, nor who else may come in.
NOT_FOR_READERS = {"/enroll-tokens", "/api-keys", "/audit-logs", "/webhook-endpoints", "/webhook-endpoints/{id}",
                   "/webhook-endpoints/{id}/deliveries", "/alert-recipients", "/alert-recipients/{id}", "/alert-recipients/{id}/deliveries",
                   "/storage/destinations/{destId}/download", "/backups/{backupId}/download"}


class Things:
    """One of everything in the organization, for the paths and bodies of calls."""

    def __init__(self, plane):
        plane.agent.heartbeat()
        plane.far_agent.heartbeat()
        owner = plane.owner
        self.organization = owner.get("/organizations")["organizations"][0]["id"]
        backup = plane.made_backup(failing=[plane.shared], destinationIds=[plane.local, plane.shared])["id"]
        alert = owner.get("/backup-alerts")["alerts"][0]["id"]
        restore = owner.post(f"/backups/{backup}/restore", {"targetType": "other", "targetEnvironmentId": plane.staging,
                                                            "createSafetyBackup": False})["restoreLogId"]
        plane.agent.do_restore(plane.agent.take(kind="restore"))
        snapshot = owner.post(f"/environments/{plane.production}/snapshots", {"deploymentId": "d-secret"})["snapshotId"]
        plane.agent.do_snapshot(plane.agent.take(kind="snapshot"))
        rollback = owner.post(f"/environments/{plane.production}/rollback", {"snapshotId": snapshot})["deploymentId"]
        plane.agent.do_rollback(plane.agent.take(kind="rollback"))
        waiting = plane.order()
        webhook = owner.post("/webhook-endpoints", {"url": "https://93.184.215.14/ours", "active": False})["id"]
        key = owner.post("/api-keys", {"name": "ours", "mode": "ro"})["id"]
        enrolling = owner.post("/enroll-tokens", {"name": "ours"})["id"]
        self.plane, self.alert = plane, alert
        self.names = {"environmentId": plane.production, "projectId": plane.project, "backupId": backup, "snapshotId": snapshot,
                      "restoreId": restore, "deploymentId": rollback, "type": "backup", "operationId": waiting, "destId": plane.local}
        self.ids = {"backup-alerts": alert, "webhook-endpoints": webhook, "webhook-deliveries": str(uuid.uuid4()),
                    "alert-recipients": str(uuid.uuid4()), "organizations": self.organization, "projects": plane.project,
                    "environments": plane.production, "agents": plane.agent.agent_id, "enroll-tokens": enrolling, "api-keys": key,
                    "backup-destinations": plane.local}
        self.bodies = {
            "POST /backups/{backupId}/restore": {"targetType": "other", "targetEnvironmentId": plane.staging,
                                                 "createSafetyBackup": False},
            "POST /backups/{backupId}/copy": {"destinationIds": [plane.shared]},
            "POST /environments/{environmentId}/rollback": {"snapshotId": snapshot},
            "PUT /environments/{environmentId}/snapshots/{snapshotId}/pin": {"label": "stolen"},
            "PUT /environments/{environmentId}/backup-schedule": {"enabled": True, "dbFrequency": "daily"},
            "PUT /environments/{environmentId}/drills": {"everyDays": 30},
            "PUT /environments/{environmentId}/snapshot-settings": {"maxPinned": 1},
            "PUT /retention-policy": {"retainDaily": 30},
            "POST /webhook-endpoints": {"url": "https://93.184.215.14/stolen", "active": False},
            "POST /alert-recipients": {"email": "thief@example.com"},
            "POST /organizations": {"slug": "thieves", "name": "Thieves"},
            "POST /projects": {"name": "Stolen"},
            "POST /projects/{projectId}/environments": {"name": "stolen", "type": "development", "agentId": plane.agent.agent_id,
                                                        "database": "shop"},
            "POST /api-keys": {"name": "stolen", "mode": "rw", "projectId": plane.project},
            "POST /backup-destinations": {"name": "stolen", "destinationType": "local", "config": {"path": "/var/b"},
                                          "agentId": plane.agent.agent_id, "skipTest": True},
        }
        self.known = set(UUID.findall(json.dumps(self.rows())))
        self.words = ("very-secret-word", "d-secret", "93.184.215.14/ours", "shop_staging", "owner@acme")  # none that a UUID may hold

    def path(self, template):
        names = {**self.names, "id": self.ids.get(template.split("/")[1])}
        path = re.sub(r"\{(\w+)\}", lambda found: names[found[1]], template)
        return path + "?path=uploads/ours" if template.rpartition("/")[2] in ("download", "upload", "files") else path

    def body(self, method, template):
        if method in ("PUT", "PATCH") and template.endswith("{id}"):
            return {"webhook-endpoints": {"description": "stolen"},
                    "alert-recipients": {"email": "thief@example.com"}}.get(template.split("/")[1], {"name": "stolen"})
        return self.bodies.get(f"{method} {template}", {})

    def rows(self):
        """What the store holds of the organization; not who asked, and not what time changes."""
        volatile = {"seen_at", "last_used_at", "updated_at", "next_check_at"}
        found = {}
        with store.opened(self.plane.state) as db:
            for table, columns in store.tables(db).items():
                if "organization_id" not in columns or table in ("audit", "audit_counts", "alert_counts", "idempotency"):
                    continue
                kept = sorted(columns - volatile)
                rows = db.execute(f"SELECT {', '.join(kept)} FROM {table} WHERE organization_id = ?", (self.organization,)).fetchall()
                if table == "alerts":
                    rows = [row for row in rows if row["id"] == self.alert]  # others come by themselves
                found[table] = sorted(repr(tuple(row)) for row in rows)
        return found


@pytest.fixture(scope="module")
def things(plane):
    return Things(plane)


@pytest.fixture(scope="module")
def callers(plane, things):
    """Name: headers."""
    now = int(time.time())
    other = {"sub": "x", "role": "owner", "aud": "backstay", "iat": now - 7200, "exp": now + 600}

    def bearer(token, **more):
        return {"Authorization": f"Bearer {token}", **more}

    def signed(secret=secret_of(plane), **claims):
        return bearer(jwt(secret, {**other, "org": things.organization, **claims}))
    stranger = plane.control.token("other", "owner")
    gone = plane.owner.post("/api-keys", {"name": "gone", "mode": "rw"})
    plane.owner.delete(f"/api-keys/{gone['id']}")
    return {
        "nobody": {},
        "nonsense": bearer("nonsense"),
        "expired": signed(exp=now - 3600),
        "forged": signed(secret=b"0" * 32),
        "unsigned": bearer(jwt(b"", {**other, "org": things.organization}, "none").rpartition(".")[0] + "."),
        "an agent": bearer(plane.agent.credential),
        "a revoked key": bearer(gone["key"]),
        "a stranger": bearer(stranger),
        "a stranger who names the organization": bearer(stranger, **{"X-Org-Slug": "acme"}),
        "a stranger's key": bearer(plane.control.key("other", "rw")),
        "the second project": bearer(plane.owner.post("/api-keys", {"name": "second", "mode": "rw",
                                                                    "projectId": plane.second_project})["key"]),
        "a viewer": bearer(plane.control.token("acme", "viewer")),
        "a reading key": bearer(plane.control.key("acme", "ro")),
    }


def ask(things, headers, method, template):
    """(status, body); of an event stream that was let in, only its status."""
    content = {} if method == READING else {"json": things.body(method, template)}
    if template.endswith("/upload"):
        content = {"files": {"file": ("ours", b"stolen")}}
    with requests.request(method, things.plane.url + "/api" + things.path(template), headers=headers, stream=True, timeout=60,
                          allow_redirects=False, **content) as answer:
        text = "" if answer.headers.get("Content-Type", "").startswith("text/event-stream") else answer.text
        return answer.status_code, text


def everywhere(things, headers, check):
    """Asks for every operation; check(method, template, status, text) says what is wrong, or nothing."""
    before = things.rows()
    wrong = []
    for method, template, operation in OPERATIONS:
        status, text = ask(things, headers, method, template)
        if str(status) not in operation["responses"]:
            wrong.append((method, template, status, "not in the document", text[:200]))
        if fault := check(method, template, status, text):
            wrong.append((method, template, status, fault, text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    after = things.rows()
    assert {table: rows for table, rows in after.items() if rows != before[table]} == {}


def leaks(things, method, template, text):
    """What of the organization's an answer holds that its own request did not name."""
    sent = things.path(template) + json.dumps(things.body(method, template))
    if template == "/audit-logs":  # tells what was refused to the caller: all that it asked for
        sent = json.dumps([things.names, things.ids, things.bodies])
    return [one for one in [*things.known, *things.words] if one in text and one not in sent]


def is_for_keys(template, status, text):
    return template.startswith("/public/") and status == 401 and "invalid_key_format" in text


@pytest.mark.parametrize("who", ["nobody", "nonsense", "expired", "forged", "unsigned", "an agent", "a revoked key"])
def test_without_a_credential_that_counts_it_is_401(things, callers, who):
    def check(method, template, status, text):
        for_people = template == "/organizations" and who in ("an agent", "a revoked key")  # these are no people at first sight
        return "let in" if status != (403 if for_people else 401) else leaks(things, method, template, text)
    everywhere(things, callers[who], check)


@pytest.mark.parametrize("who", ["a stranger", "a stranger who names the organization", "a stranger's key"])
def test_another_organization_finds_nothing(things, callers, who):
    def check(method, template, status, text):
        if "{" in template and status not in (403, 404) and not is_for_keys(template, status, text):
            return "found"
        return leaks(things, method, template, text)
    everywhere(things, callers[who], check)


def test_another_project_finds_nothing_that_is_not_shared(things, callers):
    plane = things.plane
    shared = {things.organization, plane.agent.agent_id, plane.local, plane.second_project, plane.elsewhere}

    def check(method, template, status, text):
        ours = template.split("/")[1] in ("organizations", "agents", "backup-destinations") or template.endswith("/browse")
        if "{" in template and status not in (403, 404) and not (ours and method == READING):
            return "found"
        return set(leaks(things, method, template, text)) - shared - {"owner@acme"}
    everywhere(things, callers["the second project"], check)


@pytest.mark.parametrize("who", ["a viewer", "a reading key"])
def test_who_reads_changes_nothing(things, callers, who):
    def check(method, template, status, text):
        if method != READING:
            return "" if status == 403 else "let in"
        closed = template in NOT_FOR_READERS or (who == "a reading key" and template == "/organizations")
        if (status == 403) != closed or (status == 401 and not is_for_keys(template, status, text)):
            return "closed" if status in (401, 403) else "let in"
        return "very-secret-word" in text
    everywhere(things, callers[who], check)


def test_ids_of_another_organization_mean_nothing_in_ones_own_calls(things):
    """Paths and bodies of the stranger's own things that name what is not theirs."""
    plane, names = things.plane, things.names
    api = plane.stranger
    agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("other", "theirs"))
    agent.heartbeat()
    project = api.post("/projects", {"name": "Theirs"})["id"]
    own = {"name": "own", "type": "staging", "agentId": agent.agent_id, "database": "own"}
    environment = api.post(f"/projects/{project}/environments", own)["id"]
    destination = api.post("/backup-destinations", {"name": "own", "destinationType": "local", "config": {"path": "/var/b"},
                                                    "agentId": agent.agent_id, "skipTest": True})["id"]
    backup = api.post(f"/environments/{environment}/backups", {"type": "db", "destinationIds": [destination]})["backupId"]
    agent.do_backup(agent.take(kind="backup"))
    before = things.rows()
    of_it = f"/environments/{environment}"
    for method, path, body in (
            ("POST", f"/projects/{project}/environments", {**own, "name": "x", "agentId": plane.agent.agent_id}),
            ("PATCH", f"/environments/{environment}", {"agentId": plane.agent.agent_id}),
            ("POST", "/backup-destinations", {"name": "x", "destinationType": "local", "config": {"path": "/var/c"},
                                              "agentId": plane.agent.agent_id, "skipTest": True}),
            ("POST", "/api-keys", {"name": "x", "mode": "rw", "projectId": plane.project}),
            ("POST", of_it + "/backups", {"destinationIds": [plane.shared]}),
            ("PUT", of_it + "/backup-schedule", {"enabled": True, "dbFrequency": "daily", "destinationIds": [plane.shared]}),
            ("PUT", of_it + "/snapshot-settings", {"destinationIds": [plane.shared]}),
            ("POST", of_it + "/rollback", {"snapshotId": names["snapshotId"]}),
            ("GET", f"/operations?backupId={names['backupId']}", None),
            ("GET", f"{of_it}/snapshots/{names['snapshotId']}", None),
            ("DELETE", f"{of_it}/snapshots/{names['snapshotId']}", None),
            ("PUT", f"{of_it}/snapshots/{names['snapshotId']}/pin", {"label": "x"}),
            ("POST", f"/backups/{backup}/copy", {"destinationIds": [plane.shared]}),
            ("POST", f"/backups/{backup}/restore", {"targetType": "other", "targetEnvironmentId": plane.staging}),
            ("POST", f"/backups/{names['backupId']}/restore", {"targetType": "other", "targetEnvironmentId": environment})):
        with pytest.raises(Refused) as refusal:
            api.call(method, path, body)
        assert refusal.value.status in (404, 422), (method, path, str(refusal.value))
    assert things.rows() == before
