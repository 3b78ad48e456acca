"""Backups that customers' scripts take away: URLs, and the ZIP for Odoo, with real programs."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import urllib.parse
import zipfile

import processes
import pytest
import requests
from api import until_terminal
from conftest import end, made_lab, new_folder
from contract import CheckedApi, Contract, refused
from s3_server import S3


@pytest.fixture(scope="module")
def both():
    """A lab with a folder and a bucket."""
    place = new_folder()
    s3 = S3(str(place / "s3"))
    found = made_lab(s3=s3.env)
    yield found
    end(found)
    s3("down")
    shutil.rmtree(place, ignore_errors=True)


def backed_up(lab, kind="DESTINATION_ID", **body):
    api = lab.api()
    answer = api.post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups", {"destinationIds": [lab.env[kind]], **body})
    return until_terminal(lambda: api.get(f"/backups/{answer['backupId']}"))


@pytest.fixture(scope="module")
def local(both):
    return backed_up(both)


@pytest.fixture(scope="module")
def remote(both):
    return backed_up(both, "S3_DESTINATION_ID")


def public(lab, key="API_KEY_RO"):
    return CheckedApi(Contract(), lab.env["API_URL"], lab.env[key])


def fetch(url, **headers):
    parts = urllib.parse.urlsplit(url)
    if parts.hostname.endswith(".localhost"):  # the bucket's name, which Python does not resolve; its signature needs it
        url, headers = parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl(), {**headers, "Host": parts.netloc}
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, headers=headers, timeout=120)


def checked(answer, url, backup, artifact):
    content = fetch(url)
    assert content.status_code == 200, content.text[:300]
    assert "sha256:" + hashlib.sha256(content.content).hexdigest() == backup["recoveryEvidence"]["artifactChecksums"][artifact]
    return content


@pytest.mark.parametrize("where", ["local", "remote"])
def test_urls_give_the_artifacts_without_a_credential(both, where, request):
    backup = request.getfixturevalue(where)
    answer = public(both).get(f"/public/v1/backups/{backup['id']}/download", expires_in=300)
    assert answer["backup_id"] == backup["id"] and answer["expires_in"] == 300
    assert answer["use_streaming"] is (where == "local")
    for member, artifact in (("database_url", "db"), ("filestore_url", "filestore")):
        checked(answer, answer[member], backup, artifact)
    manifest = fetch(answer["manifest_url"]).json()
    assert manifest["backupId"] == backup["id"]
    part = fetch(answer["database_url"], Range="bytes=4-7")
    assert part.status_code == 206 and len(part.content) == 4
    assert public(both).get(f"/public/v1/backups/{backup['id']}/download")["expires_in"] == 3600


def test_our_own_urls_cannot_be_altered(both, local):
    url = public(both).get(f"/public/v1/backups/{local['id']}/download")["database_url"]
    token = url.rpartition("/")[2]
    for other in (token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), "A" + token[1:], token + "A", token.partition(".")[0]):
        assert fetch(url.replace(token, other)).status_code == 404


def test_lives_and_formats_are_checked(both, local):
    api, path = public(both), f"/public/v1/backups/{local['id']}/download"
    for seconds in (0, 299, 86401):
        refused(lambda seconds=seconds: api.get(path, expires_in=seconds), 422, "validation_error", "expires_in")
    refused(lambda: api.get(path, expires_in="soon"), 400, "invalid_parameter")
    refused(lambda: api.get(path, format="rar"), 422, "validation_error", "format")
    assert api.get(path, expires_in=86400)["expires_in"] == 86400


def test_only_what_is_completed_and_ones_own(both, local):
    waiting = both.api().post(f"/environments/{both.env['ENV_STAGING_ID']}/backups", {"type": "db"})["backupId"]
    both.api().post(f"/backups/{waiting}/cancel")
    ended = until_terminal(lambda: both.api().get(f"/backups/{waiting}"))
    if ended["status"] != "completed":
        for query in ({}, {"format": "odoo_zip"}):
            refused(lambda query=query: public(both).get(f"/public/v1/backups/{waiting}/download", **query), 400,
                    "backup_not_completed")
    path = f"/backups/{local['id']}/download"
    stranger = CheckedApi(Contract(), both.env["API_URL"], both.env["OTHER_ORG_TOKEN"])
    for query in ({}, {"format": "odoo_zip"}):
        refused(lambda query=query: stranger.get(path, **query), 404, "not_found")
        refused(lambda query=query: CheckedApi(Contract(), both.env["API_URL"], both.env["VIEWER_TOKEN"]).get(path, **query), 403,
                "forbidden")
        refused(lambda query=query: CheckedApi(Contract(), both.env["API_URL"], both.env["TOKEN"]).get("/public/v1" + path, **query),
                401, "invalid_key_format")


def zip_of(lab, backup, file, base="/public/v1", credential="API_KEY_RO"):
    with requests.Session() as session:
        session.trust_env = False
        with session.get(f"{lab.env['API_URL']}{base}/backups/{backup['id']}/download?format=odoo_zip", stream=True, timeout=120,
                         headers={"Authorization": f"Bearer {lab.env[credential]}"}) as answer:
            assert answer.status_code == 200, answer.text[:500]
            assert answer.headers["Content-Type"] == "application/zip" and ".zip" in answer.headers["Content-Disposition"]
            with open(file, "wb") as out:
                for piece in answer.iter_content(1 << 16):
                    out.write(piece)
    return file


@pytest.mark.parametrize("where", ["local", "remote"])
def test_the_zip_for_odoo_is_made_by_the_agent(both, where, request, tmp_path):
    file = zip_of(both, request.getfixturevalue(where), tmp_path / "odoo.zip")
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[:2] == ["dump.sql", "manifest.json"]
        assert json.loads(archive.read("manifest.json"))["db_name"] == both.env["DB_PRODUCTION"]
        for name in names[2:]:
            assert hashlib.sha1(archive.read(name)).hexdigest() == name[-40:]
    assert len(names) > 20


def test_owners_get_it_under_api_too(both, local, tmp_path):
    zip_of(both, local, tmp_path / "odoo.zip", base="", credential="TOKEN")


def test_a_backup_of_the_database_only(both, tmp_path):
    backup = backed_up(both, type="db")
    answer = public(both).get(f"/public/v1/backups/{backup['id']}/download")
    assert answer["filestore_url"] is None
    with zipfile.ZipFile(zip_of(both, backup, tmp_path / "db.zip")) as archive:
        assert archive.namelist() == ["dump.sql", "manifest.json"]


def metric(lab, name):
    with requests.Session() as session:
        session.trust_env = False
        lines = session.get(lab.env["METRICS_URL"], timeout=60).text.splitlines()
    return [float(line.split()[-1]) for line in lines if line.split()[0] == name]


def test_clients_that_go_in_the_middle_leave_nothing(both, local, tmp_path):
    """Three at once are one too many, unless another has ended by then."""
    url = f"{both.env['API_URL']}/public/v1/backups/{local['id']}/download?format=odoo_zip"
    with requests.Session() as session:
        session.trust_env = False
        answers = [session.get(url, stream=True, timeout=120, headers={"Authorization": f"Bearer {both.env['API_KEY_RO']}"}) for _ in range(3)]
        assert {answer.status_code for answer in answers} <= {200, 429}
        for answer in answers:
            if answer.status_code == 429:
                assert answer.json()["error"] == "too_many_transfers" and int(answer.headers["Retry-After"]) > 0
            else:
                answer.raw.read(1000)
            answer.close()
    assert processes.wait_until(lambda: metric(both, "backstay_transfers") == [0] and metric(both, "backstay_transfer_threads_busy") == [0], 60)
    scratch = pathlib.Path(both.env["AGENT_STATE"]) / "scratch"
    assert processes.wait_until(lambda: not list(scratch.glob("export-*")), 60)
    zip_of(both, local, tmp_path / "again.zip")


def test_without_its_agent_there_is_no_zip(both, remote):
    """Last: the agent stays away."""
    pid = int(both.env["AGENT_PID"])
    os.kill(pid, signal.SIGTERM)
    assert processes.wait_until(lambda: not processes.alive(pid), 30)
    refused(lambda: public(both).get(f"/public/v1/backups/{remote['id']}/download", format="odoo_zip"), 503, "agent_offline")
    assert fetch(public(both).get(f"/public/v1/backups/{remote['id']}/download")["manifest_url"]).status_code == 200
