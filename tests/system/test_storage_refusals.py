"""What the storage browser refuses and why; the hosts are the tests' own."""

import base64
import hashlib
import hmac
import http.client
import json
import time

import pytest
import requests
from conftest import PRESET, end_plane, new_folder
from contract import CheckedApi, refused
from control_plane import ControlPlane
from fake_agent import FakeAgent
from fake_host import FakeHost, ask
from sftp_server import Sftp


@pytest.fixture(scope="module")
def open_plane():
    """A control plane that may connect to this very host."""
    one = ControlPlane(new_folder(), PRESET).up()
    one.stop()
    settings = f"{one.state}/control.toml"
    with open(settings) as file:
        text = file.read()
    with open(settings, "w") as file:
        file.write("allow_private_destinations = true\n" + text.replace("allow_private_destinations", "# allow_private_destinations"))
    one.start()
    yield one
    end_plane(one)


class Place:
    """A destination as its owner sees it."""

    def __init__(self, plane, destination):
        self.plane, self.id = plane, destination
        self.base = f"/storage/destinations/{destination}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = plane.owner.session.headers["Authorization"]

    def raw(self, method, what, **options):
        return ask(self.session, method, f"{self.plane.url}/api{self.base}/{what}", **options)

    def upload(self, path, content=b"content"):
        return self.raw("POST", "upload", params={"path": path}, files={"file": ("x", content)})

    def download(self, path, **headers):
        return self.raw("GET", "download", params={"path": path}, headers=headers)

    def remove(self, path):
        return self.raw("DELETE", "files", params={"path": path})


def said(answer):
    return answer.status_code, answer.json()["error"]


@pytest.fixture(scope="module")
def host(plane):
    one = FakeHost(plane.url, plane.control.enroll_token("acme", "files"))
    yield one
    one.stop()


@pytest.fixture(scope="module")
def place(plane, host):
    return Place(plane, plane._destination("of the host", "local", '{"path": "/srv/files"}', "--agent", host.agent.agent_id))


def test_a_full_destination_says_so(host, place):
    host.failing["write"] = {"code": "exhausted", "reason": "destination_full", "message": "No space left on device"}
    assert said(place.upload("uploads/big")) == (507, "storage_full")
    del host.failing["write"]
    assert place.upload("uploads/big").status_code == 200


def test_what_its_store_keeps_locked_stays(host, place):
    host.files["uploads/locked"] = b"x"
    host.failing["remove"] = {"code": "denied", "reason": "remote_immutable", "message": "locked until 2030"}
    assert said(place.remove("uploads/locked")) == (409, "object_locked")
    del host.failing["remove"]
    assert place.remove("uploads/locked").status_code == 200 and "uploads/locked" not in host.files


def test_more_than_five_gibibytes_are_not_begun(plane, place):
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=60)
    connection.putrequest("POST", f"/api{place.base}/upload?path=uploads/huge")
    for name, value in (("Authorization", place.session.headers["Authorization"]), ("Content-Length", str(6 << 30)),
                        ("Content-Type", "multipart/form-data; boundary=x")):
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413 and json.load(answer)["error"]
    connection.close()


def test_an_agent_that_knows_no_such_requests_is_outdated(plane):
    agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", "old"))
    destination = plane._destination("of an old agent", "local", '{"path": "/srv/old"}', "--agent", agent.agent_id)
    agent.poll()
    for what in ("browse", "download?path=x"):
        assert said(Place(plane, destination).raw("GET", what)) == (503, "agent_outdated"), what


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(plane, words):
    """A token as the installation itself would make it."""
    with open(f"{plane.state}/secrets.key") as file:
        key = hmac.digest(decoded(file.read().strip()), b"backstay derived key: stream tokens", hashlib.sha256)
    body = encoded(json.dumps(words).encode())
    return body + "." + encoded(hmac.digest(key, body.encode(), hashlib.sha256))


def test_links_are_for_one_file_and_one_time(plane, host, place):
    host.files.update({"uploads/a": b"letter a", "uploads/b": b"letter b"})
    url = place.download("uploads/a", Accept="application/json").json()["url"]
    base, token = url.rsplit("/", 1)

    def got(other):
        session = requests.Session()
        session.trust_env = False
        return ask(session, "GET", f"{base}/{other}")

    assert got(token).content == b"letter a"
    body, signature = token.split(".")
    words = json.loads(decoded(body))
    other_path = encoded(json.dumps({**words, "k": "uploads/b"}).encode())
    later = encoded(json.dumps({**words, "e": words["e"] + 1000}).encode())
    flipped = ("A" if token[9] != "A" else "B").join((token[:9], token[10:]))
    for other in (flipped, f"{other_path}.{signature}", f"{later}.{signature}", body):
        assert said(got(other)) == (404, "link_not_found"), other
    assert got(signed(plane, {**words, "k": "uploads/b"})).content == b"letter b", "the test signs as the program does"
    assert said(got(signed(plane, {**words, "e": int(time.time() * 1000) - 1}))) == (410, "link_expired")


def test_cursors_of_others_lead_nowhere(plane, place):
    owner = CheckedApi(plane.contract, plane.url + "/api", place.session.headers["Authorization"].split()[1])
    for cursor in ("AAAA", encoded(b"uploads/a"), "v1." + encoded(bytes(60))):
        refused(lambda cursor=cursor: owner.get(place.base + "/browse", cursor=cursor), 400, "invalid_parameter")


def test_a_file_server_is_browsed_read_and_cleared(open_plane, folder):
    server = Sftp(str(folder / "sftp"))
    try:
        made = open_plane.owner.post("/backup-destinations", {"name": "files", "destinationType": "sftp", "config": server.config()})
        place = Place(open_plane, made["id"])
        content = bytes(range(256)) * 1000
        assert place.upload("uploads/a b.bin", content).status_code == 200
        assert server.stored() == ["uploads/a b.bin"]
        entries = open_plane.owner.get(place.base + "/browse", prefix="uploads")["files"]
        assert [(one["name"], one["sizeBytes"], one["isDir"]) for one in entries] == [("a b.bin", len(content), False)]
        assert place.download("uploads/a b.bin").content == content
        part = place.download("uploads/a b.bin", Range="bytes=1000-1999")
        assert (part.status_code, part.content) == (206, content[1000:2000])
        link = place.download("uploads/a b.bin", Accept="application/json").json()["url"]
        assert place.session.get(link, headers={"Range": "bytes=-5"}, timeout=60).content == content[-5:]
        assert place.remove("uploads/a b.bin").status_code == 200 and server.stored() == []
        assert said(place.download("uploads/a b.bin")) == (404, "file_not_found")
    finally:
        server("down")
