"""Administration, credentials and limits of a running control plane, as programs outside meet them."""

import base64
import concurrent.futures
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
import uuid

import processes
import pytest
import requests
from conftest import PRESET, new_folder
from contract import Contract
from control import Control

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = str(ROOT / "build" / PRESET / "bin" / "backstay-control")
NOBODY = str(uuid.UUID(int=0))


CONTRACT = Contract()


def plain(path):
    """The path as the document writes it: below /api, without a query."""
    return path.removeprefix("/api").partition("?")[0]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(secret, claims, algorithm="HS256"):
    head = b64(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    body = b64(json.dumps(claims).encode())
    mac = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{b64(mac)}"


class Server:
    """backstay-control serve on a state folder of its own; `settings` are lines for the end of control.toml."""

    def __init__(self, folder):
        self.state = str(folder / "state")
        self.logfile = folder / "control.log"
        self.env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(folder)}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.control = Control(PROGRAM, self.state, self.env)
        self.control.init("--listen", "127.0.0.1:0")
        self.running = None
        self.scheme = "http"
        self.session = requests.Session()
        self.session.trust_env = False

    def set(self, section, **values):
        path = pathlib.Path(self.state, "control.toml")
        lines, here, wanted = [], "", dict(values)
        for line in path.read_text().splitlines():
            if line.startswith("["):
                here = line.split("]")[0][1:]
            key = line.split("=")[0].strip()
            if here == section and key in wanted:
                line = f"{key} = {json.dumps(wanted.pop(key))}"
            lines.append(line)
        assert not wanted, wanted
        path.write_text("\n".join(lines) + "\n")

    def start(self):
        listen = pathlib.Path(self.state, "listen")
        listen.unlink(missing_ok=True)
        self.running = processes.begin([PROGRAM, "serve", "--state", self.state], str(self.logfile), self.env)
        up = processes.wait_until(lambda: listen.exists() or not processes.alive(self.running[0]), 30)
        assert up and listen.exists(), self.log()
        self.address = listen.read_text().strip()
        self.url = f"{self.scheme}://{self.address}"
        return self

    def stop(self):
        if self.running:
            processes.end(*self.running)
        self.running = None

    def log(self):
        return self.logfile.read_text() if self.logfile.exists() else ""

    def call(self, method, path, credential=None, body=None, **options):
        headers = options.pop("headers", {})
        if credential:
            headers = {"Authorization": f"Bearer {credential}", **headers}
        answer = self.session.request(method, self.url + path, json=body, headers=headers, timeout=30, **options)
        # Paths, media types and sizes that no document describes aside, every answer is as docs/openapi.json says.
        if path.startswith("/api/") and CONTRACT.operation(method, plain(path)) and answer.status_code not in (405, 413, 415):
            CONTRACT.check(method, plain(path), answer.status_code, answer.json() if answer.content else None)
        return answer

    def secret(self):
        return pathlib.Path(self.state, "jwt.key").read_text().strip().encode()


def server_in(folder):
    server = Server(folder)
    for slug in ("acme", "other"):
        server.control.made("org", "create", "--slug", slug, "--name", slug.title())
    return server


@pytest.fixture(scope="module")
def server():
    folder = new_folder()
    one = server_in(folder)
    one.set("", allow_private_destinations=True)
    one.set("limits", writes_per_minute=100000, reads_per_minute=100000, refusals_per_minute=100000)
    one.start()
    one.owner, one.viewer = one.control.token("acme", "owner"), one.control.token("acme", "viewer")
    one.developer, one.admin = one.control.token("acme", "developer"), one.control.token("acme", "admin")
    one.stranger = one.control.token("other", "owner")
    one.read_key, one.write_key = one.control.key("acme", "ro"), one.control.key("acme", "rw")
    one.org = next(item["id"] for item in one.control.listed("org", "list") if item["slug"] == "acme")
    enrolled = one.call("POST", "/agent/v1/enroll", body={
        "token": one.control.enroll_token("acme", "db1"), "hostname": "db1", "agentVersion": "0.1", "protocolVersion": 1})
    assert enrolled.status_code == 200, enrolled.text
    one.agent, one.agent_credential = enrolled.json()["agentId"], enrolled.json()["credential"]
    one.project = one.control.made("project", "create", "--org", "acme", "--name", "Shop")["id"]
    one.environment = one.control.made(
        "environment", "create", "--org", "acme", "--project", one.project, "--name", "prod", "--type", "production",
        "--agent", one.agent, "--database", "shop")["id"]
    one.destination = one.control.made(
        "destination", "create", "--org", "acme", "--name", "bucket", "--type", "s3_compatible", "--skip-test", "--config",
        json.dumps({"endpoint": "http://127.0.0.1:9", "bucket": "b-1", "accessKeyId": "a", "secretAccessKey": "very-secret-word"}))["id"]
    yield one
    one.stop()
    print(one.log()[-4000:])
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_server(folder):
    """A server that the test configures and starts itself."""
    one = server_in(folder)
    yield one
    one.stop()
    print(one.log()[-4000:])


def refused(answer, status, code):
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["error"] == code, body
    assert body["message"] and set(body) <= {"error", "message", "detail", "retry_after"}
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Content-Type"] == "application/json"
    return body


# ---- who may do what

READS = ["/api/projects", "/api/projects/{project}", "/api/projects/{project}/environments", "/api/environments/{environment}",
         "/api/agents", "/api/agents/{agent}", "/api/backup-destinations", "/api/backup-destinations/{destination}",
         "/api/environments/{environment}/backups", "/api/projects/{project}/backups"]


def filled(server, path):
    return path.format(project=server.project, environment=server.environment, agent=server.agent, destination=server.destination)


@pytest.mark.parametrize("path", READS)
def test_members_read_and_strangers_find_nothing(server, path):
    path = filled(server, path)
    for credential in (server.owner, server.admin, server.developer, server.viewer, server.read_key, server.write_key):
        assert server.call("GET", path, credential).status_code == 200, path
    refused(server.call("GET", path), 401, "missing_auth")
    refused(server.call("GET", path, server.agent_credential), 401, "invalid_auth")
    answer = server.call("GET", path, server.stranger)
    if path.count("-") > 3:  # it names something of acme's
        refused(answer, 404, "not_found")
    else:
        assert answer.json()["total"] == 0
    refused(server.call("GET", path, server.owner, headers={"X-Org-Slug": "other"}), 404, "not_found")


WRITES = [("POST", "/api/projects", {"name": "New"}, {"owner", "admin", "developer", "write_key"}),
          ("PATCH", "/api/projects/{project}", {"description": "d"}, {"owner", "admin", "developer", "write_key"}),
          ("PATCH", "/api/environments/{environment}", {"description": "d"}, {"owner", "admin", "developer", "write_key"}),
          ("PATCH", "/api/agents/{agent}", {"name": "db1"}, {"owner", "admin", "write_key"}),
          ("POST", "/api/enroll-tokens", {}, {"owner", "admin", "write_key"}),
          ("PATCH", "/api/backup-destinations/{destination}", {"isDefault": True}, {"owner", "admin", "write_key"}),
          ("POST", "/api/api-keys", {"name": "k", "mode": "ro"}, {"owner", "admin"}),
          ("PATCH", "/api/organizations/{org}", {"name": "Acme"}, {"owner"})]


@pytest.mark.parametrize("method,path,body,allowed", WRITES, ids=lambda value: value if isinstance(value, str) else "")
def test_every_role_changes_only_what_it_may(server, method, path, body, allowed):
    path = filled(server, path.replace("{org}", server.org))
    for name in ("owner", "admin", "developer", "viewer", "write_key", "read_key"):
        if method == "POST" and "name" in body and "mode" not in body:
            body = {"name": f"New {uuid.uuid4()}"}
        answer = server.call(method, path, getattr(server, name), body)
        if name in allowed:
            assert answer.status_code in (200, 201), (name, answer.text)
        else:
            refused(answer, 403, "read_only_key" if name == "read_key" else "forbidden")
    refused(server.call(method, path, None, body), 401, "missing_auth")


def test_tokens_that_are_not_genuine_are_refused(server):
    now = int(time.time())
    good = {"sub": "u", "org": server.org, "role": "owner", "aud": "backstay", "exp": now + 60}
    secret = server.secret()
    assert server.call("GET", "/api/projects", jwt(secret, good)).status_code == 200
    head, body, mac = jwt(secret, good).split(".")
    none = b64(b'{"alg":"none","typ":"JWT"}')
    bad = [jwt(b"x" * 40, good), jwt(secret, good, "HS512"), jwt(secret, good, "RS256"), f"{none}.{body}.", f"{none}.{body}.{mac}",
           f"{head}.{body}", f"{head}.{body}.{mac[:-2]}", "x", "a.b.c", jwt(secret, {**good, "aud": "elsewhere"}),
           jwt(secret, {k: v for k, v in good.items() if k != "exp"}), jwt(secret, {**good, "nbf": now + 600}),
           jwt(secret, {**good, "typ": "refresh"}), jwt(secret, {**good, "role": "root"}), jwt(secret, {**good, "sub": 5})]
    for token in bad:
        refused(server.call("GET", "/api/projects", token), 401, "invalid_token")
    refused(server.call("GET", "/api/projects", jwt(secret, {**good, "exp": now - 120})), 401, "token_expired")
    refused(server.call("GET", "/api/projects", "bks_ro_" + "A" * 43), 401, "invalid_key")
    refused(server.call("GET", "/api/projects", headers={"Authorization": "Basic eDp5"}), 401, "invalid_auth")
    assert server.call("GET", "/api/projects").headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_key_ends_at_once(server):
    made = server.call("POST", "/api/api-keys", server.owner, {"name": "short", "mode": "rw", "projectId": server.project}).json()
    key = made["key"]
    assert made["scope"] == "project" and made["prefix"] == key[:15]
    assert server.call("GET", f"/api/projects/{server.project}", key).status_code == 200
    refused(server.call("POST", "/api/projects", key, {"name": "x"}), 403, "forbidden")
    refused(server.call("POST", "/api/backup-destinations", key, {}), 403, "forbidden")
    second = server.call("POST", "/api/projects", server.owner, {"name": f"P {uuid.uuid4()}"}).json()["id"]
    refused(server.call("GET", f"/api/projects/{second}", key), 404, "not_found")
    assert [item["id"] for item in server.call("GET", "/api/projects", key).json()["projects"]] == [server.project]
    listed = server.call("GET", "/api/api-keys", server.owner)
    assert key not in listed.text and made["id"] in listed.text
    used = processes.wait_until(lambda: next(
        item for item in server.call("GET", "/api/api-keys", server.owner).json()["keys"] if item["id"] == made["id"])["lastUsedAt"], 10)
    assert used
    assert server.call("DELETE", f"/api/api-keys/{made['id']}", server.owner).status_code == 200
    refused(server.call("GET", f"/api/projects/{server.project}", key), 401, "invalid_key")
    refused(server.call("DELETE", f"/api/api-keys/{made['id']}", server.owner), 404, "not_found")


def test_nobody_makes_a_key_that_may_do_more_than_they(server):
    """A token narrowed by permissions or to a project hands on no more than it has."""
    claims = {"sub": "u", "org": server.org, "role": "owner", "aud": "backstay", "exp": int(time.time()) + 60}
    narrow = jwt(server.secret(), {**claims, "perms": ["manage:keys", "view:backups"]})
    made = server.call("POST", "/api/api-keys", narrow, {"name": "wide", "mode": "rw"})
    assert made.status_code == 201
    refused(server.call("POST", "/api/projects", made.json()["key"], {"name": "x"}), 403, "forbidden")
    second = server.call("POST", "/api/projects", server.owner, {"name": f"P {uuid.uuid4()}"}).json()["id"]
    inside = jwt(server.secret(), {**claims, "project": server.project})
    made = server.call("POST", "/api/api-keys", inside, {"name": "inside", "mode": "rw"}).json()
    assert made["projectId"] == server.project
    refused(server.call("POST", "/api/api-keys", inside, {"name": "other", "mode": "ro", "projectId": second}), 422,
            "project_not_found")


def test_an_organization_belongs_to_who_made_it(server):
    slug = f"new-{uuid.uuid4().hex[:8]}"
    refused(server.call("POST", "/api/organizations", server.viewer, {"slug": slug, "name": "New"}), 403, "forbidden")
    refused(server.call("POST", "/api/organizations", server.write_key, {"slug": slug, "name": "New"}), 403, "user_required")
    made = server.call("POST", "/api/organizations", server.owner, {"slug": slug, "name": "New"})
    assert made.status_code == 201
    there = server.call("POST", "/api/projects", server.owner, {"name": "P"}, headers={"X-Org-Slug": slug})
    assert there.status_code == 201 and there.json()["organizationId"] == made.json()["id"]
    refused(server.call("GET", "/api/projects", server.stranger, headers={"X-Org-Slug": slug}), 404, "not_found")
    assert {item["slug"] for item in server.call("GET", "/api/organizations", server.owner).json()["organizations"]} >= {"acme", slug}
    refused(server.call("POST", "/api/organizations", server.owner, {"slug": slug, "name": "New"}), 409, "slug_taken")
    refused(server.call("POST", "/api/organizations", server.owner, {"slug": "Bad Slug", "name": "New"}), 422, "invalid_slug")


# ---- what is sent

def test_malformed_requests_are_refused_by_name(server):
    call, owner = server.call, server.owner
    for path in ("/api/projects/x", "/api/environments/1", "/api/backup-destinations/%2e%2e", f"/api/agents/{NOBODY}x"):
        answer = call("GET", path, owner)
        assert answer.status_code in (400, 404), path
        assert answer.json()["error"] in ("invalid_id", "not_found", "bad_request"), answer.text
    refused(call("GET", f"/api/projects/{NOBODY}", owner), 404, "not_found")
    refused(call("GET", f"/api%2Fprojects/{server.project}", owner), 404, "not_found")
    refused(call("GET", "/api/nothing", owner), 404, "not_found")
    wrong = call("DELETE", "/api/projects", owner)
    refused(wrong, 405, "method_not_allowed")
    assert set(wrong.headers["Allow"].split(", ")) == {"GET", "POST"}
    for text in ("{", "[1,2", '{"name":"a"}x', '{"name":"a","name":"b"}', "\ufeff{}", '{"name":"\\ud800"}', "[" * 100):
        refused(call("POST", "/api/projects", owner, data=text.encode(), headers={"Content-Type": "application/json"}), 400, "invalid_json")
    body = refused(call("POST", f"/api/projects/{server.project}/environments", owner, {"name": 5, "wrong": 1}), 400, "validation_error")
    assert {item["field"] for item in body["detail"]} >= {"name", "type", "agentId", "database", "wrong"}
    for value in ("-1", "x", "1.5", "9" * 30):
        refused(call("GET", f"/api/projects?limit={value}", owner), 400, "invalid_parameter")
    refused(call("POST", "/api/projects", owner, data=b"<a/>", headers={"Content-Type": "text/xml"}), 415, "unsupported_media_type")
    refused(call("POST", "/api/projects", owner, {"name": ""}), 422, "invalid_name")
    refused(call("POST", "/api/projects", owner, {"name": "a\nb"}), 422, "invalid_name")
    assert call("GET", f"/api/projects/{server.project.upper()}", owner).status_code == 200


def test_an_oversized_body_is_refused_and_the_server_goes_on(server):
    big = json.dumps({"name": "x" * (2 << 20)}).encode()
    try:
        answer = server.call("POST", "/api/projects", server.owner, data=big, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413, answer.text
    except requests.ConnectionError:
        pass  # it closed before all of the body was taken, which is as good
    assert server.call("GET", "/healthz").status_code == 200


def test_every_answer_has_a_request_id_that_stands_in_the_log(server):
    mine = f"test-{uuid.uuid4()}"
    answer = server.call("GET", "/api/projects", server.owner, headers={"X-Request-Id": mine})
    assert answer.headers["X-Request-Id"] == mine
    strange = server.call("GET", "/api/projects", server.owner, headers={"X-Request-Id": "a b;c"})
    assert uuid.UUID(strange.headers["X-Request-Id"])
    assert processes.wait_until(lambda: mine in server.log(), 10)


def test_no_secret_is_logged_or_stored_in_the_clear(server):
    token = server.control.token("acme", "owner", 300)
    server.call("GET", f"/api/projects?access_token={token}")
    server.call("POST", "/api/backup-destinations", server.owner, {
        "name": f"d {uuid.uuid4()}", "destinationType": "s3", "skipTest": True,
        "config": {"bucket": "b-1", "region": "eu-west-1", "accessKeyId": "a", "secretAccessKey": "another-secret-word"}},
        headers={"Idempotency-Key": str(uuid.uuid4())})
    key = server.call("POST", "/api/api-keys", server.owner, {"name": "k", "mode": "rw"}, headers={"Idempotency-Key": str(uuid.uuid4())}).json()["key"]
    shown = server.call("GET", f"/api/backup-destinations/{server.destination}", server.owner).json()
    assert shown["config"]["secretAccessKey"] == "********"
    kept = b"".join(path.read_bytes() for path in pathlib.Path(server.state).glob("control.db*")) + server.log().encode()
    for secret in (token, key, server.read_key, server.agent_credential, "very-secret-word", "another-secret-word"):
        assert secret.encode() not in kept, secret


# ---- the same request twice

def test_an_idempotency_key_answers_once(server):
    key, name = str(uuid.uuid4()), f"P {uuid.uuid4()}"
    send = lambda body, credential=server.owner, **more: server.call(  # noqa: E731
        "POST", "/api/projects", credential, body, headers={"Idempotency-Key": key, **more})
    first, again = send({"name": name}), send({"name": name})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json() and again.headers["Idempotency-Replayed"] == "true"
    refused(send({"name": name + "x"}), 422, "idempotency_key_reused")
    assert send({"name": name + "y"}, server.write_key).status_code == 201, "another caller's key is another key"
    refused(server.call("POST", "/api/projects", server.owner, {"name": "z"}, headers={"Idempotency-Key": "ä b".encode()}), 400, "invalid_parameter")


def test_many_at_once_with_one_key_do_it_once(server):
    key, name = str(uuid.uuid4()), f"P {uuid.uuid4()}"

    def send(_):
        answer = requests.post(server.url + "/api/projects", json={"name": name}, timeout=30,
                               headers={"Authorization": f"Bearer {server.owner}", "Idempotency-Key": key})
        return answer.status_code, answer.json().get("id")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    made = {found for status, found in answers if status == 201}
    assert len(made) == 1 and {status for status, _ in answers} <= {201, 409}, answers


# ---- destinations

def test_a_destination_is_tested_before_it_is_saved(server):
    body = {"name": f"d {uuid.uuid4()}", "destinationType": "s3_compatible",
            "config": {"endpoint": "http://127.0.0.1:9", "bucket": "b-1", "accessKeyId": "a", "secretAccessKey": "s-e-c-r-e-t"}}
    answer = refused(server.call("POST", "/api/backup-destinations", server.owner, body), 422, "connection_test_failed")
    assert "s-e-c-r-e-t" not in answer["message"]
    made = server.call("POST", "/api/backup-destinations", server.owner, {**body, "skipTest": True})
    assert made.status_code == 201 and made.json()["testStatus"] == "untested"
    path = f"/api/backup-destinations/{made.json()['id']}"
    tested = server.call("POST", path + "/test", server.owner)
    assert tested.status_code == 200 and tested.json()["testStatus"] == "failed" and tested.json()["testMessage"]
    renamed = server.call("PUT", path, server.owner, {"name": body["name"] + "!", "config": tested.json()["config"]})
    assert renamed.status_code == 200 and renamed.json()["name"].endswith("!")
    refused(server.call("PUT", path, server.owner, {"destinationType": "local"}), 422, "immutable_type")
    refused(server.call("POST", "/api/backup-destinations", server.owner, {**body, "name": body["name"] + "!", "skipTest": True}), 409, "destination_exists")
    refused(server.call("POST", "/api/backup-destinations", server.owner, {**body, "destinationType": "gdrive"}), 422, "destination_type_unsupported")
    bad = refused(server.call("POST", "/api/backup-destinations", server.owner, {**body, "config": {"bucket": "b-1"}}), 422, "invalid_config")
    assert {item["field"] for item in bad["detail"]} >= {"config.accessKeyId", "config.secretAccessKey"}
    assert server.call("DELETE", path, server.owner).status_code == 200
    refused(server.call("GET", path, server.owner), 404, "not_found")


def test_a_local_destination_is_tested_by_its_agent(server):
    made = server.call("POST", "/api/backup-destinations", server.owner, {
        "name": f"disk {uuid.uuid4()}", "destinationType": "local", "agentId": server.agent, "config": {"path": "/var/backups/odoo"}})
    assert made.status_code == 201 and made.json()["testStatus"] == "pending", made.text
    work = server.call("POST", "/agent/v1/assignments", server.agent_credential, {"instanceId": "i1", "waitMs": 5000, "freeSlots": 1}).json()
    orders = [item["order"] for item in work["assignments"] if item["kind"] == "test_destination"]
    assert made.json()["id"] in [order["destination"]["id"] for order in orders]


# ---- limits

def test_a_credential_has_so_many_requests_a_minute(own_server):
    own_server.set("limits", reads_per_minute=5, writes_per_minute=2, public_reads_per_minute=3)
    server = own_server.start()
    token, other = server.control.token("acme", "owner"), server.control.token("acme", "viewer")
    for left in (4, 3, 2, 1, 0):
        answer = server.call("GET", "/api/projects", token)
        assert answer.status_code == 200
        assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"], answer.headers["X-RateLimit-Window"]) == ("5", str(left), "60")
    over = server.call("GET", "/api/projects", token)
    body = refused(over, 429, "rate_limit_exceeded")
    assert 1 <= body["retry_after"] <= 60 and over.headers["Retry-After"] == str(body["retry_after"])
    assert server.call("GET", "/api/projects", other).status_code == 200
    assert server.call("POST", "/api/projects", token, {"name": "one"}).status_code == 201
    assert server.call("GET", "/healthz").status_code == 200


def test_a_link_has_so_many_requests_a_minute_too(own_server):
    own_server.set("limits", public_reads_per_minute=3, refusals_per_minute=5)
    server = own_server.start()
    token = server.control.token("acme", "owner")
    assert server.call("GET", "/api/projects", token).status_code == 200
    assert [server.call("GET", "/api/storage/stream/none.of-ours").status_code for _ in range(3)] == [404] * 3
    refused(server.call("GET", "/api/storage/stream/none.of-ours"), 429, "rate_limit_exceeded")
    answers = [server.call("GET", f"/api/storage/stream/none.of-ours{number}").status_code for number in range(4)]
    assert answers == [404] * 2 + [429] * 2
    assert server.call("GET", "/api/projects", token).status_code == 200


def test_guessing_credentials_is_slowed_down_for_the_guesser_only(own_server):
    own_server.set("limits", refusals_per_minute=5)
    server = own_server.start()
    token = server.control.token("acme", "owner")
    assert server.call("GET", "/api/projects", token).status_code == 200
    answers = [server.call("GET", "/api/projects", "bks_rw_" + "A" * 42 + str(number)).status_code for number in range(7)]
    assert answers == [401] * 5 + [429] * 2
    assert server.call("GET", "/api/projects", token).status_code == 200


# ---- its life

def test_health_readiness_and_metrics_need_no_credential(server):
    for path in ("/healthz", "/health"):
        assert server.call("GET", path).json() == {"status": "ok"}
    for path in ("/readyz", "/ready"):
        assert server.call("GET", path).json() == {"status": "ready"}
    server.call("GET", f"/api/projects/{server.project}", server.owner)
    answer = server.call("GET", "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'backstay_http_requests_total{method="GET",route="/api/projects/{id}",status="200"}' in answer.text
    assert 'backstay_agents{state="alive"}' in answer.text
    assert server.project not in answer.text
    assert "backstay_http_connections" in answer.text


@pytest.mark.parametrize("parked", [True, False], ids=["parked", "arriving"])
def test_a_stop_lets_go_of_waiting_agents_and_ends_cleanly(own_server, parked):
    server = own_server.start()
    enrolled = server.call("POST", "/agent/v1/enroll", body={
        "token": server.control.enroll_token("acme", "db1"), "hostname": "db1", "agentVersion": "0.1", "protocolVersion": 1}).json()
    headers = {"Authorization": f"Bearer {enrolled['credential']}"}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        polls = [pool.submit(requests.post, server.url + "/agent/v1/assignments", timeout=60, headers=headers,
                             json={"instanceId": f"host.{number}", "waitMs": 50000, "freeSlots": 1}) for number in range(4)]
        if parked:
            seen = lambda: server.call("GET", "/metrics").text  # noqa: E731
            assert processes.wait_until(lambda: "backstay_waiting_requests 4" in seen(), 10), seen()
        begun = time.monotonic()
        os.kill(server.running[0], signal.SIGTERM)
        answers = []
        for one in polls:
            try:
                answers.append(one.result(30).status_code)
            except requests.ConnectionError:
                assert not parked  # it came when nobody listened any more
    assert set(answers) <= {200, 503}, answers
    assert processes.wait_until(lambda: not processes.alive(server.running[0]), 15), server.log()
    assert time.monotonic() - begun < 5
    assert "stopped" in server.log().splitlines()[-1]


def test_what_was_answered_survives_a_kill(own_server):
    server = own_server.start()
    token = server.control.token("acme", "owner")
    made = [server.call("POST", "/api/projects", token, {"name": f"P{number}"}).json()["id"] for number in range(5)]
    processes.end(*server.running, seconds=0)
    server.start()
    assert {item["id"] for item in server.call("GET", "/api/projects", token).json()["projects"]} == set(made)
    assert sqlite3.connect(f"{server.state}/control.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_two_servers_do_not_share_a_state_folder(own_server):
    own_server.start()
    second = subprocess.run([PROGRAM, "serve", "--state", own_server.state, "--listen", "127.0.0.1:0"], env=own_server.env,
                            capture_output=True, text=True, timeout=30)
    assert second.returncode == 1 and "state folder" in second.stderr, second.stderr
    assert own_server.call("GET", "/healthz").status_code == 200


def certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "tls.key"),
                    "-out", str(folder / "tls.crt")], check=True, capture_output=True)
    return (folder / "tls.crt").read_text()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_it_speaks_tls_and_reads_a_new_certificate_on_sighup(own_server, folder):
    first = certificate(folder, "first")
    own_server.set("tls", certificate_file=str(folder / "tls.crt"), key_file=str(folder / "tls.key"))
    own_server.scheme = "https"
    server = own_server.start()
    server.session.verify = str(folder / "tls.crt")
    assert server.call("GET", "/healthz").status_code == 200
    host, port = server.address.split(":")
    with pytest.raises((ssl.SSLError, OSError)):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.wrap_socket(socket.create_connection((host, int(port)), 10)).do_handshake()
    second = certificate(folder, "second")
    os.kill(server.running[0], signal.SIGHUP)
    shown = lambda: ssl.get_server_certificate((host, int(port)))  # noqa: E731
    assert first != second and processes.wait_until(lambda: shown().split() == second.split(), 10)


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_tokens_of_another_issuer_are_checked_with_its_public_key(own_server, folder, algorithm):
    key, public = str(folder / "private.pem"), str(folder / "public.pem")
    make = ["genpkey", "-algorithm", "ed25519"] if algorithm == "EdDSA" else ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    subprocess.run(["openssl", *make, "-out", key], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
    own_server.set("tokens", algorithm=algorithm, public_key_file=public, issuer="idp")
    server = own_server.start()
    org = server.control.listed("org", "list")[0]["id"]
    claims = {"sub": "u", "org": org, "role": "owner", "aud": "backstay", "iss": "idp", "exp": int(time.time()) + 60}

    def signed(claims):
        text = b64(json.dumps({"alg": algorithm}).encode()) + "." + b64(json.dumps(claims).encode())
        (folder / "text").write_text(text)
        how = ["pkeyutl", "-sign", "-rawin"] if algorithm == "EdDSA" else ["dgst", "-sha256", "-sign"]
        argv = ["openssl", *how, "-inkey", key, "-in", str(folder / "text")] if algorithm == "EdDSA" else ["openssl", *how, key, str(folder / "text")]
        return text + "." + b64(subprocess.run(argv, check=True, capture_output=True).stdout)

    assert server.call("GET", "/api/projects", signed(claims)).status_code == 200
    refused(server.call("GET", "/api/projects", signed({**claims, "iss": "other"})), 401, "invalid_token")
    refused(server.call("GET", "/api/projects", jwt(server.secret(), claims)), 401, "invalid_token")
    refused(server.call("GET", "/api/projects", jwt(pathlib.Path(public).read_bytes(), claims)), 401, "invalid_token")
    answer = subprocess.run([PROGRAM, "token", "--state", server.state, "--org", "acme"], env=server.env, capture_output=True, text=True)
    assert answer.returncode == 2 and algorithm in answer.stderr


# ---- the command line

def test_the_command_line_says_what_is_wrong(own_server):
    def run(*words):
        done = subprocess.run([PROGRAM, *words], env=own_server.env, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    state = own_server.state
    assert run("org", "create", "--state", state, "--slug", "acme", "--name", "Again")[0] == 1
    code, text = run("init", "--state", state)
    assert code == 1 and "hint: start it with" in text
    code, text = run("org", "list", "--state", state + "-none")
    assert code == 1 and "backstay-control init" in text
    code, text = run("project", "create", "--state", state, "--org", "nobody", "--name", "x")
    assert code == 1 and "no organization nobody" in text
    assert run("token", "--state", state, "--org", "acme", "--role", "king")[0] == 2
    assert run("destination", "create", "--state", state, "--org", "acme", "--name", "x", "--type", "local", "--config", "{")[0] == 2
    assert run("frobnicate")[0] == 2
    assert run("--help")[0] == 0 and run("serve", "--help")[0] == 0
    code, text = run("serve", "--state", state, "--listen", "nonsense")
    assert code == 2 and "HOST:PORT" in text
    code, text = run("serve", "--state", state, "--store", "mysql://localhost/x")
    assert code == 2 and "sqlite:PATH" in text
    (pathlib.Path(state) / "control.toml").write_text("listen = 5\nstore = 1\n")
    code, text = run("serve", "--state", state)
    assert code == 2 and "line 1: listen must be text" in text and "line 2: store must be text" in text


def test_the_command_line_shows_what_there_is(server):
    text = server.control.run("agent", "list", "--org", "acme")
    assert text.splitlines()[0].split() == ["ID", "STATUS", "LAST", "SEEN", "VERSION", "NAME"] and "db1" in text
    for words in (("org", "list"), ("project", "list", "--org", "acme"), ("destination", "list", "--org", "acme"),
                  ("environment", "list", "--org", "acme", "--project", server.project), ("key", "list", "--org", "acme")):
        assert server.control.listed(*words), words
    assert "very-secret-word" not in server.control.run("destination", "list", "--org", "acme", "--json")
