"""/api/public/v1 with real API keys, and agents that the tests play."""

import contract
import pytest
import requests
from contract import refused

ITEM = {"id", "environment_id", "status", "backup_type", "database_size", "filestore_size", "total_size", "compressed_size",
        "started_at", "completed_at", "duration_seconds", "expires_at", "is_verified", "verified_at", "notes", "created_at"}


@pytest.fixture(scope="module")
def keys(plane):
    made = plane.control.made

    def public(*words):
        key = made("key", "create", "--org", "acme", "--name", "public", *words)["key"]
        return contract.CheckedApi(plane.contract, plane.url + "/api", key), key

    return {"ro": public("--mode", "ro"), "rw": public("--mode", "rw"),
            "project": public("--mode", "ro", "--project", plane.project),
            "second": public("--mode", "ro", "--project", plane.second_project)}


def listed(api, environment, **query):
    return api.get(f"/public/v1/environments/{environment}/backups", **query)


def test_backups_are_listed_in_the_words_of_that_api(plane, keys):
    api = keys["ro"][0]
    made = plane.made_backup(label="before the audit")
    plane.owner.post(f"/backups/{plane.order(type='db')}/cancel")
    answer = listed(api, plane.production)
    assert set(answer) == {"items", "total", "page", "page_size", "total_pages"}
    assert (answer["total"], answer["page"], answer["page_size"], answer["total_pages"]) == (2, 1, 20, 1)
    cancelled, item = answer["items"]
    assert ITEM <= set(item)
    assert (cancelled["status"], cancelled["is_verified"], cancelled["total_size"]) == ("cancelled", False, None)
    assert (item["id"], item["environment_id"], item["status"]) == (made["id"], plane.production, "completed")
    assert (item["backup_type"], item["notes"], item["error_message"]) == ("manual", "before the audit", None)
    assert item["is_verified"] is True and item["verified_at"] == made["verifiedAt"]
    assert item["total_size"] == item["database_size"] + item["filestore_size"]
    assert item["compressed_size"] == made["sizeBytes"] and isinstance(item["duration_seconds"], int)
    assert item["expires_at"][:10] > item["created_at"][:10]
    assert api.get(f"/public/v1/backups/{made['id']}") == item


def test_what_is_partial_is_completed_or_failed(plane, keys):
    api = keys["ro"][0]
    backup = plane.made_backup(plane.staging, destinationIds=[plane.local, plane.shared], failing=(plane.shared,))
    assert backup["status"] == "partial"
    assert api.get(f"/public/v1/backups/{backup['id']}")["status"] == "completed"
    assert listed(api, plane.staging, status="completed")["total"] == 1
    assert listed(api, plane.staging, status="failed")["total"] == 0


def test_snapshots_before_a_deployment_are_among_them_and_others_are_not(plane, keys):
    api = keys["ro"][0]
    for trigger in ("pre_deploy", "manual"):
        plane.owner.post(f"/environments/{plane.far}/snapshots", {"trigger": trigger})
        plane.far_agent.do_snapshot(plane.far_agent.take(kind="snapshot"))
    (item,) = listed(api, plane.far)["items"]
    assert (item["backup_type"], item["status"], item["is_verified"]) == ("pre_deploy", "completed", True)
    assert item["expires_at"] is not None
    assert listed(api, plane.far, backup_type="manual")["total"] == 0
    assert listed(api, plane.far, backup_type="pre_deploy", is_verified="true")["total"] == 1


def test_pages_and_filters_are_checked(plane, keys):
    api = keys["ro"][0]
    for _ in range(3):
        plane.owner.post(f"/backups/{plane.order(plane.elsewhere)}/cancel")
    pages = [listed(api, plane.elsewhere, page=page, page_size=2) for page in (1, 2, 3)]
    assert [len(page["items"]) for page in pages] == [2, 1, 0]
    assert {page["total"] for page in pages} == {3} and {page["total_pages"] for page in pages} == {2}
    created = [item["created_at"] for page in pages for item in page["items"]]
    assert created == sorted(created, reverse=True)
    for name, value in (("status", "partial"), ("backup_type", "db"), ("page", 0), ("page_size", 0), ("page_size", 101),
                        ("page", "9" * 30), ("is_verified", "maybe")):
        refused(lambda name=name, value=value: listed(api, plane.elsewhere, **{name: value}), 422, "validation_error", name)
    for name, value in (("page", "two"), ("page_size", "1.5"), ("page", "")):
        refused(lambda name=name, value=value: listed(api, plane.elsewhere, **{name: value}), 400, "invalid_parameter")
    refused(lambda: api.get("/public/v1/backups/none"), 400, "invalid_id")


def test_only_keys_are_admitted_and_only_to_what_is_theirs(plane, keys):
    backup = plane.owner.get(f"/environments/{plane.production}/backups")["backups"][0]["id"]
    refused(lambda: listed(plane.owner, plane.production), 401, "invalid_key_format")
    refused(lambda: listed(plane.api("bks_ro_unknown"), plane.production), 401, "invalid_key")
    bare = requests.get(f"{plane.url}/api/public/v1/backups/{backup}", timeout=30)
    assert (bare.status_code, bare.json()["error"]) == (401, "missing_auth")
    for name in ("ro", "rw", "project"):
        assert keys[name][0].get(f"/public/v1/backups/{backup}")["id"] == backup
    refused(lambda: keys["second"][0].get(f"/public/v1/backups/{backup}"), 404, "not_found")
    refused(lambda: listed(keys["second"][0], plane.production), 404, "not_found")
    other = plane.control.made("key", "create", "--org", "other", "--name", "theirs", "--mode", "rw")["key"]
    refused(lambda: plane.api(other).get(f"/public/v1/backups/{backup}"), 404, "not_found")
    refused(lambda: listed(plane.api(other), plane.production), 404, "not_found")
    sent = requests.get(f"{plane.url}/api/public/v1/backups/{backup}", headers={"X-API-Key": keys["ro"][1]}, timeout=30)
    assert sent.status_code == 200


def test_limits_are_told_and_kept(plane):
    key = plane.control.made("key", "create", "--org", "acme", "--name", "busy", "--mode", "ro")["key"]
    url = f"{plane.url}/api/public/v1/environments/{plane.production}/backups"
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {key}"
        answers = [session.get(url, timeout=30) for _ in range(121)]
    first, last = answers[0], answers[-1]
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"], first.headers["X-RateLimit-Window"]) == (
        "120", "119", "60")
    assert last.status_code == 429 and last.json()["error"] == "rate_limit_exceeded"
    assert int(last.headers["Retry-After"]) == last.json()["retry_after"] >= 1
    assert last.headers["X-RateLimit-Remaining"] == "0"
