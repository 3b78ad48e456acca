"""The storage browser with real programs: a folder on the agent's host, and a bucket."""

import hashlib
import os
import shutil
import time
import urllib.parse

import pytest
import requests
from api import until_terminal
from conftest import end, made_lab, new_folder
from contract import CheckedApi, Contract, refused
from processes import wait_until
from s3_server import S3

NASTY = ["", "/", "/etc/passwd", "..", "../x", "a/../../b", "a//b", "./a", "a\\b", "a\nb", "a\x00b", "%2e%2e/x", "a%2fb", "x" * 1025]
OLD = time.time() - 40 * 86400


class Browser:
    def __init__(self, lab, kind="DESTINATION_ID"):
        self.lab, self.id = lab, lab.env[kind]
        self.api = CheckedApi(Contract(), lab.env["API_URL"], lab.env["TOKEN"])
        self.base = f"/storage/destinations/{self.id}"

    def entries(self, prefix=""):
        files, cursor = [], None
        while True:
            page = self.api.get(self.base + "/browse", prefix=prefix, **({"cursor": cursor} if cursor else {}))
            files += page["files"]
            cursor = page["nextToken"]
            assert page["truncated"] == (cursor is not None)
            if cursor is None:
                return files

    def raw(self, method, path, **options):
        session = requests.Session()
        session.trust_env = False
        options.setdefault("headers", {}).setdefault("Authorization", f"Bearer {self.lab.env['TOKEN']}")
        return session.request(method, self.lab.env["API_URL"] + path, timeout=60, **options)

    def download(self, path, **headers):
        return self.raw("GET", self.base + "/download", params={"path": path}, headers=headers)

    def upload(self, path, content, **more):
        return self.raw("POST", self.base + "/upload", params={"path": path}, files={"file": ("x", content)}, **more)

    def analytics(self):
        return self.api.get(self.base + "/analytics")["analytics"]

    def scan(self, what="scan", body=None):
        before = self.analytics()
        self.api.post(f"{self.base}/{what}", body)
        assert wait_until(lambda: self.analytics() not in (None, before), 60), self.lab.log_tail("control", 30)
        return self.analytics()


def backed_up(lab, kind="DESTINATION_ID"):
    api = lab.api()
    answer = api.post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups", {"type": "full", "destinationIds": [lab.env[kind]]})
    return until_terminal(lambda: api.get(f"/backups/{answer['backupId']}"))


@pytest.fixture(scope="module")
def s3_of_both():
    place = new_folder()
    one = S3(str(place / "s3"))
    yield one
    one("down")
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def both(s3_of_both):
    """A lab with a folder and a bucket."""
    found = made_lab(s3=s3_of_both.env)
    yield found
    end(found)


@pytest.fixture(params=["DESTINATION_ID", "S3_DESTINATION_ID"])
def browser(both, request):
    return Browser(both, request.param)


@pytest.fixture(scope="module")
def backups(both):
    return {kind: backed_up(both, kind) for kind in ("DESTINATION_ID", "S3_DESTINATION_ID")}


def backup_in(browser, backups):
    return next(one for one in backups.values() if browser.id in one["remotePaths"])


def put_stray(browser, s3, name, content=b"stray", old=False):
    if browser.id == browser.lab.env["DESTINATION_ID"]:
        file = os.path.join(browser.lab.path("backups"), name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb") as out:
            out.write(content)
        owner = os.stat(browser.lab.path("backups"))
        for path in (file, os.path.dirname(file)):
            os.chown(path, owner.st_uid, owner.st_gid)
        if old:
            os.utime(file, (OLD, OLD))
    else:
        s3.client.put_object(Bucket="backups", Key=name, Body=content)


def test_one_level_is_joined_with_what_is_known(browser, backups):
    backup = backup_in(browser, backups)
    folder = backup["remotePaths"][browser.id]
    at = ""
    for segment in folder.split("/"):
        here = {entry["name"]: entry for entry in browser.entries(at)}
        assert here[segment]["isDir"] is True and here[segment]["path"] == at + segment + "/", here
        at += segment + "/"
    files = {entry["name"]: entry for entry in browser.entries(at)}
    assert {entry["kind"] for entry in files.values()} >= {"manifest", "db", "filestore", "config"}
    for entry in files.values():
        assert (entry["backupId"], entry["environmentId"]) == (backup["id"], backup["environmentId"])
        assert entry["linked"] is True and entry["orphan"] is False and entry["sizeBytes"] > 0


def test_ten_thousand_names_come_in_pages(both):
    browser = Browser(both)
    place = os.path.join(both.path("backups"), "many")
    os.makedirs(os.path.join(place, "a-folder"))
    for i in range(10_000):
        open(os.path.join(place, f"f{i:05}"), "w").close()
    open(os.path.join(place, "a-folder", "x"), "w").close()
    first = browser.api.get(browser.base + "/browse", prefix="many")
    assert len(first["files"]) == 1000 and first["files"][0]["isDir"] is True
    names = [entry["name"] for entry in browser.entries("many/")]
    assert len(names) == len(set(names)) == 10_001
    refused(lambda: browser.api.get(browser.base + "/browse", prefix="many", cursor="AAAA"), 400, "invalid_parameter")
    shutil.rmtree(place)


def test_content_comes_whole_in_ranges_and_by_link(browser, backups):
    backup = backup_in(browser, backups)
    path = backup["remotePaths"][browser.id] + "/" + backup["recoveryEvidence"]["artifactPaths"]["db"]
    digest = backup["recoveryEvidence"]["artifactChecksums"]["db"].removeprefix("sha256:")
    link = browser.download(path, Accept="application/json").json()
    assert link["expiresIn"] == 900
    if browser.id == browser.lab.env["S3_DESTINATION_ID"]:
        assert "X-Amz-Signature" in link["url"]
        return
    whole = browser.download(path)
    assert hashlib.sha256(whole.content).hexdigest() == digest
    assert "attachment" in whole.headers["Content-Disposition"] and whole.headers["ETag"]
    part = browser.download(path, Range="bytes=5-14")
    assert (part.status_code, part.content) == (206, whole.content[5:15])
    session = requests.Session()
    session.trust_env = False
    assert hashlib.sha256(session.get(link["url"]).content).hexdigest() == digest
    assert session.get(link["url"], headers={"Range": "bytes=-3"}).content == whole.content[-3:]
    head = session.head(link["url"])
    assert head.headers["Content-Length"] == str(len(whole.content)) and head.headers["ETag"] == whole.headers["ETag"]
    assert session.get(link["url"], headers={"If-None-Match": head.headers["ETag"]}).status_code == 304
    assert session.get(link["url"], headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416
    altered = link["url"][:-1] + ("A" if link["url"][-1] != "A" else "B")
    assert session.get(altered).status_code == 404
    assert browser.download("no/such/file").status_code == 404
    assert link["url"].rpartition("/")[2] not in browser.lab.log_tail("control", 1000), "a link is a secret"


def test_nasty_paths_go_nowhere(browser):
    for path in NASTY:
        quoted = urllib.parse.quote(path, safe="")
        for method, what in (("GET", "download"), ("DELETE", "files"), ("POST", "upload")):
            more = {"files": {"file": ("x", b"evil")}} if method == "POST" else {}
            answer = browser.raw(method, f"{browser.base}/{what}?path={quoted}", **more)
            assert answer.status_code in (400, 404), f"{method} {path!r}: {answer.status_code} {answer.text}"
        if path:
            assert browser.raw("GET", f"{browser.base}/browse?prefix={quoted}").status_code == 400, path
    assert browser.raw("DELETE", browser.base + "/files", json={"path": "../x"}).status_code == 400
    assert browser.raw("DELETE", browser.base + "/files").status_code == 400


def test_uploads_are_stored_once_and_never_where_agents_write(browser):
    content = os.urandom(300_000) + b"\r\n--x"
    stored = browser.upload("uploads/a b.bin", content)
    assert stored.status_code == 200, stored.text
    assert stored.json()["sizeBytes"] == len(content) and stored.json()["sha256"] == hashlib.sha256(content).hexdigest()
    assert browser.upload("uploads/a b.bin", content).json()["error"] == "already_exists"
    for path in ("backups/x", "wal/x", "base/x", "snapshots/x", f"v1/{browser.lab.env['ORG_ID']}/p/e/backups/x"):
        assert browser.upload(path, b"forged").json()["error"] == "reserved_path", path
    plain = browser.raw("POST", browser.base + "/upload?path=uploads/y", data=b"xyz")
    assert (plain.status_code, plain.json()["error"]) == (415, "unsupported_media_type")
    none = browser.raw("POST", browser.base + "/upload?path=uploads/y", files={"other": ("x", b"x")})
    assert (none.status_code, none.json()["error"]) == (400, "file_required")
    entry = next(one for one in browser.entries("uploads/") if one["name"] == "a b.bin")
    assert entry["sizeBytes"] == len(content) and entry["linked"] is False
    got = browser.download("uploads/a b.bin")
    if got.headers["Content-Type"] == "application/json":
        url = got.json()["url"]
        session = requests.Session()
        session.trust_env = False
        # Names below localhost are not resolved here; the signature is over the host's name.
        got = session.get(url.replace("s3.localhost", "127.0.0.1"), headers={"Host": urllib.parse.urlsplit(url).netloc})
    assert got.content == content
    assert browser.api.call("DELETE", browser.base + "/files", params={"path": "uploads/a b.bin"})["message"]
    assert browser.download("uploads/a b.bin").status_code == 404
    assert browser.raw("DELETE", browser.base + "/files?path=uploads/a%20b.bin").status_code == 404


def test_what_a_backup_needs_goes_only_by_force(both):
    backup = backed_up(both)
    browser = Browser(both)
    path = backup["remotePaths"][browser.id] + "/" + backup["recoveryEvidence"]["artifactPaths"]["filestore"]
    quoted = urllib.parse.quote(path, safe="")
    assert browser.raw("DELETE", f"{browser.base}/files?path={quoted}").json()["error"] == "file_referenced"
    gone = browser.raw("DELETE", f"{browser.base}/files?path={quoted}&force=true", json={"path": "something/else"})
    assert gone.status_code == 200, gone.text
    shown = both.api().get(f"/backups/{backup['id']}")["recoveryEvidence"]
    assert shown["remoteCopyState"] == "missing" and shown["reason"] == "remote_missing", shown


def test_a_scan_counts_and_a_clean_up_takes_old_orphans(both, s3_of_both):
    browser = Browser(both)
    put_stray(browser, s3_of_both, "stray/old.bin", old=True)
    put_stray(browser, s3_of_both, "stray/new.bin")
    found = browser.scan()
    assert found["status"] == "ok" and found["totalFiles"] >= 6 and found["linkedFiles"] >= 4
    assert {"stray/old.bin", "stray/new.bin"} <= {one["path"] for one in found["orphans"]}
    assert both.env["ENV_PRODUCTION_ID"] in [one["environmentId"] for one in found["byEnvironment"]]
    summary = browser.api.get(f"/projects/{both.env['PROJECT_ID']}/storage")
    assert summary["totalSizeBytes"] > 0 and summary["backupCount"] >= 1
    refused(lambda: browser.api.post(browser.base + "/cleanup-orphans", {"retention_days": 0}), 422, "out_of_range")
    after = browser.scan("cleanup-orphans", {"retention_days": 30})
    assert after["orphanFiles"] == found["orphanFiles"] - 1
    names = [one["name"] for one in browser.entries("stray/")]
    assert names == ["new.bin"]
    alerts = both.api().get("/backup-alerts")["alerts"]
    assert "orphans_removed" in [one["type"] for one in alerts]


def test_records_without_files_lose_that_copy_unless_too_many(both):
    browser = Browser(both)
    made = [backed_up(both) for _ in range(5)]
    root = both.path("backups")

    def hide(backup):
        folder = os.path.join(root, backup["remotePaths"][browser.id])
        os.rename(folder, folder + ".hidden")
        return folder

    hidden = [hide(one) for one in made]
    suspicious = browser.scan("scan-cleanup")
    assert suspicious["staleRecords"] >= 5 and suspicious["error"]
    assert "scan_suspicious" in [one["type"] for one in both.api().get("/backup-alerts")["alerts"]]
    for backup in made:
        assert both.api().get(f"/backups/{backup['id']}")["remotePaths"], "nothing was dropped"
    for folder in hidden[1:]:
        os.rename(folder + ".hidden", folder)
    cleaned = browser.scan("scan-cleanup")
    assert cleaned["error"] is None and made[0]["id"] in [one.get("backupId") for one in cleaned["stale"]]
    assert browser.raw("GET", f"/backups/{made[0]['id']}").status_code == 404, "its last copy was there"
    assert both.api().get(f"/backups/{made[1]['id']}")["remotePaths"]


def test_rights_and_other_organizations(both):
    browser = Browser(both)
    calls = [("GET", "browse"), ("GET", "analytics"), ("GET", "download?path=x"), ("DELETE", "files?path=x"), ("POST", "scan"),
             ("POST", "scan-cleanup"), ("POST", "cleanup-orphans"), ("POST", "upload?path=uploads/x")]
    for method, what in calls:
        stranger = {"Authorization": f"Bearer {both.env['OTHER_ORG_TOKEN']}"}
        more = {"files": {"file": ("x", b"x")}} if what.startswith("upload") else {}
        assert browser.raw(method, f"{browser.base}/{what}", headers=stranger, **more).status_code == 404, what
        viewer = {"Authorization": f"Bearer {both.env['VIEWER_TOKEN']}"}
        allowed = what in ("browse", "analytics")
        answer = browser.raw(method, f"{browser.base}/{what}", headers=viewer, **more)
        assert (answer.status_code == 403) != allowed, what


def test_an_agent_that_is_away_is_told(make_lab):
    lab = make_lab()
    browser = Browser(lab)
    assert browser.entries() is not None
    lab.stop_agent()
    answer = browser.raw("GET", browser.base + "/browse")
    assert (answer.status_code, answer.json()["error"]) == (503, "agent_offline")
