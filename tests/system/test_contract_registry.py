"""The registry over REST, each answer held against the OpenAPI document: organizations, projects, environments, agents,
keys, destinations. What they refuse and why is tested beside them; here it is their shape."""

import requests
from contract import refused
from fake_agent import FakeAgent


def test_projects_and_environments(plane):
    project = plane.owner.post("/projects", {"name": "Shapes", "description": "of answers"})
    assert project["id"] in [row["id"] for row in plane.owner.get("/projects", limit=100)["projects"]]
    assert plane.owner.get(f"/projects/{project['id']}")["name"] == "Shapes"
    assert plane.owner.put(f"/projects/{project['id']}", {"name": "Forms"})["name"] == "Forms"
    wanted = {"name": "dev", "type": "development", "agentId": plane.agent.agent_id, "database": "forms", "filestore": "/srv/forms"}
    environment = plane.owner.post(f"/projects/{project['id']}/environments", wanted)
    path = f"/environments/{environment['id']}"
    assert plane.owner.get(f"/projects/{project['id']}/environments")["total"] == 1
    assert plane.owner.get(path)["environmentType"] == "development"
    assert plane.owner.call("PATCH", path, {"database": "forms2"})["database"] == "forms2"
    refused(lambda: plane.owner.put(path, {"type": "production"}), 422, "immutable_type")
    refused(lambda: plane.stranger.get(path), 404, "not_found")
    plane.owner.delete(path)
    plane.owner.delete(f"/projects/{project['id']}")
    refused(lambda: plane.owner.get(path), 404, "not_found")


def test_agents_and_their_tokens(plane):
    token = plane.owner.post("/enroll-tokens", {"name": "db9", "ttlSeconds": 600})
    assert token["token"] and token["status"] == "open"
    agent = FakeAgent.enrolled(plane.url, token["token"])
    agent.inventory = {"hostname": "db9", "clusters": [], "disks": []}
    agent.heartbeat()
    shown = plane.owner.get(f"/agents/{agent.agent_id}")
    assert (shown["name"], shown["status"], shown["inventory"]["hostname"]) == ("db9", "online", "db9")
    assert plane.owner.put(f"/agents/{agent.agent_id}", {"name": "db10"})["name"] == "db10"
    assert plane.owner.get("/agents", limit=100)["total"] >= 3
    assert token["id"] in [row["id"] for row in plane.owner.get("/enroll-tokens", limit=100)["tokens"]]
    plane.owner.delete(f"/agents/{agent.agent_id}")
    spare = plane.owner.post("/enroll-tokens")
    plane.owner.delete(f"/enroll-tokens/{spare['id']}")


def test_keys(plane):
    made = plane.owner.post("/api-keys", {"name": "reader", "mode": "ro", "projectId": plane.project})
    reader = plane.api(made["key"])
    assert reader.get(f"/projects/{plane.project}/backups")["total"] >= 0
    refused(lambda: reader.get(f"/environments/{plane.elsewhere}/backups"), 404, "not_found")
    refused(lambda: reader.post(f"/environments/{plane.production}/backups", {}), 403, "read_only_key")
    assert made["id"] in [row["id"] for row in plane.owner.get("/api-keys", limit=100)["keys"]]
    plane.owner.delete(f"/api-keys/{made['id']}")
    refused(lambda: reader.get(f"/projects/{plane.project}/backups"), 401, "invalid_key")


def test_a_key_of_one_project_sees_only_its_backups(plane):
    backup = plane.made_backup(type="db")["id"]
    other = plane.api(plane.owner.post("/api-keys", {"name": "second", "mode": "rw", "projectId": plane.second_project})["key"])
    refused(lambda: other.get(f"/backups/{backup}"), 404, "not_found")
    refused(lambda: other.delete(f"/backups/{backup}"), 404, "not_found")
    refused(lambda: other.get(f"/operations/backup/{backup}/steps"), 404, "not_found")
    refused(lambda: other.get("/operations"), 403, "forbidden")
    refused(lambda: list(other.events(f"/backups/{backup}/progress")), 404, "not_found")


def test_destinations_hide_their_secrets_and_are_tested_by_their_agent(plane):
    made = plane.owner.post("/backup-destinations", {"name": "disk", "destinationType": "local", "config": {"path": "/var/b"},
                                                     "agentId": plane.agent.agent_id})
    assert made["testStatus"] == "pending"
    assignment = plane.agent.take(kind="test_destination")
    assert assignment["order"]["destination"]["config"]["path"] == "/var/b"
    plane.agent.finish(assignment)
    path = f"/backup-destinations/{made['id']}"
    assert plane.owner.get(path)["testStatus"] == "passed"
    plane.owner.post(path + "/test")
    plane.agent.finish(plane.agent.take(kind="test_destination"), "failed", reason="destination_full", errorMessage="no space left")
    shown = plane.owner.get(path)
    assert (shown["testStatus"], shown["testMessage"]) == ("failed", "no space left")
    bucket = plane.owner.get(f"/backup-destinations/{plane.shared}")
    assert bucket["config"]["secretAccessKey"] == "********"
    assert "very-secret-word" not in str(plane.owner.get("/backup-destinations", limit=100))
    assert plane.owner.put(path, {"name": "disk two"})["name"] == "disk two"
    plane.owner.delete(path)


def test_organizations_and_the_rest(plane):
    listed = plane.owner.get("/organizations")["organizations"]
    mine = next(row for row in listed if row["slug"] == "acme")
    assert plane.owner.get(f"/organizations/{mine['id']}")["name"] == "Acme"
    assert plane.owner.put(f"/organizations/{mine['id']}", {"name": "Acme Ltd"})["name"] == "Acme Ltd"
    actions = [row["action"] for row in plane.owner.get("/audit-logs", limit=100)["entries"]]
    assert "organization.update" in actions
    short = plane.viewer.get("/stream-token")["token"]
    backup = plane.made_backup(type="db")["id"]
    answer = requests.get(f"{plane.url}/api/backups/{backup}/progress", params={"access_token": short}, timeout=10)
    assert answer.status_code == 200 and '"done":true' in answer.text
