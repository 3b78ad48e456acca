"""What is asked of agents through two replicas on one PostgreSQL, behind a balancer that keeps nobody at one of them: the
user's request, the agent's poll and its answer meet wherever they come."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import threading
import time
import zipfile

import odoo_data
import processes
import pytest
import requests
import settings
import urllib3
from api import Api, until_terminal
from balancer import Balancer
from conftest import PRESET, end, new_folder
from lab import Lab

MB = 1 << 20


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Replicas(Lab):
    """A lab whose control plane is two processes on the lab's PostgreSQL; everybody speaks to their balancer."""

    def _settle(self):
        super()._settle()
        self.pg.psql("postgres", "CREATE DATABASE control")
        settings.change(self.path("control"), store=f"postgresql://postgres@:{self.pg.port}/control?host={self.pg.socket}")

    def start_control(self, listen="127.0.0.1:0"):
        shutil.copytree(self.path("control"), self.path("second"))
        self.ports = {"control": free_port(), "second": free_port()}
        for name, port in self.ports.items():
            settings.change(self.path(name), listen=f"127.0.0.1:{port}", address=f"http://127.0.0.1:{port}")
            self.start_replica(name)
        self.balancer = Balancer(self.ports.values())
        self.address = f"127.0.0.1:{self.balancer.port}"
        self.env.update(API_URL=f"http://{self.address}/api", PUBLIC_API_URL=f"http://{self.address}/api/public/v1",
                        METRICS_URL=f"http://{self.address}/metrics", CONTROL_PID="", CONTROL_STATE=self.path("control"))
        self._keep()

    def start_replica(self, name):
        listening = self.path(name, "listen")
        if os.path.exists(listening):
            os.remove(listening)
        pid = self.begin(name, os.path.join(self.bin, "backstay-control"), "serve", "--state", self.path(name))
        self._await(name, "the control plane listens", lambda: os.path.exists(listening) or not processes.alive(pid))
        assert os.path.exists(listening), self.log_tail(name)

    def pid(self, name):
        return self.running[name][0]

    def down(self):
        super().down()
        if hasattr(self, "balancer"):
            self.balancer.close()

    # ---- asking one replica, or the balancer

    def ask(self, method, path, at=None, **options):
        """A connection of its own for each, so that the balancer has a choice."""
        url = f"http://127.0.0.1:{self.ports[at]}/api" if at else self.env["API_URL"]
        headers = {"Authorization": f"Bearer {self.env['TOKEN']}", "Connection": "close"}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, url + self.base + path, headers=headers, timeout=60, **options)

    @property
    def base(self):
        return f"/storage/destinations/{self.env['DESTINATION_ID']}"

    def names(self, prefix="", at=None):
        names, cursor = [], None
        while True:
            page = self.ask("GET", "/browse", at, params={"prefix": prefix, **({"cursor": cursor} if cursor else {})})
            assert page.status_code == 200, page.text + self.log_tail("control") + self.log_tail("second")
            names += [entry["name"] for entry in page.json()["files"]]
            cursor = page.json()["nextToken"]
            if not cursor:
                return names

    def waiting(self):
        return self.pg.psql("control", "SELECT state, count(*) FROM storage_requests GROUP BY state")

    def put(self, name, content):
        with open(self.path("backups", name), "wb") as file:
            file.write(content)


@pytest.fixture(scope="module")
def two():
    found = Replicas(str(new_folder()), PRESET, production=odoo_data.Made("production"), s3={},
                     settings=["max_connections = 200"]).up()
    yield found
    print("--- second.log\n" + found.log_tail("second", 60))
    end(found)


def test_both_show_what_lies_there(two):
    two.put("seen", b"x")
    for at in ("control", "second", None) * 4:
        began = time.monotonic()
        assert "seen" in two.names(at=at)
        assert time.monotonic() - began < 5, "neither a poll nor an answer waits for a time limit"
    assert processes.wait_until(lambda: two.waiting() == "", 10), two.waiting()


def test_pages_go_on_at_the_other_replica(two):
    os.mkdir(two.path("backups", "many"))
    for i in range(2500):
        open(two.path("backups", "many", f"f{i:04}"), "w").close()
    assert len(set(two.names("many/"))) == 2500
    shutil.rmtree(two.path("backups", "many"))


def peak_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) // 1024


def downloaded(two, path, at=None):
    digest, size = hashlib.sha256(), 0
    url = f"http://127.0.0.1:{two.ports[at]}/api" if at else two.env["API_URL"]
    with requests.Session() as session:
        session.trust_env = False
        with session.get(url + two.base + "/download", params={"path": path}, stream=True, timeout=60,
                         headers={"Authorization": f"Bearer {two.env['TOKEN']}"}) as answer:
            assert answer.status_code == 200, answer.text
            for piece in answer.iter_content(MB):
                digest.update(piece)
                size += len(piece)
    return digest.hexdigest(), size


def test_content_passes_in_bounded_memory(two):
    block = os.urandom(MB)
    digest = hashlib.sha256()
    with open(two.path("backups", "large"), "wb") as file:
        for _ in range(200):
            digest.update(block)
            file.write(block)
    before = {name: peak_mb(two.pid(name)) for name in two.ports}
    for at in ("control", "second", None):
        assert downloaded(two, "large", at) == (digest.hexdigest(), 200 * MB)
    for name, was in before.items():
        assert peak_mb(two.pid(name)) - was < 60, f"{name} gathers what it passes on"


def test_uploads_arrive_whole(two):
    content = os.urandom(20 * MB)
    for number, at in enumerate(("control", "second", None)):
        stored = two.ask("POST", "/upload", at, params={"path": f"uploads/{number}"}, files={"file": ("x", content)})
        assert stored.status_code == 200, stored.text
        assert stored.json()["sha256"] == hashlib.sha256(content).hexdigest()
        with open(two.path("backups", "uploads", str(number)), "rb") as file:
            assert file.read() == content
        gone = two.ask("DELETE", "/files", at, params={"path": f"uploads/{number}"})
        assert gone.status_code in (200, 204), gone.text


def test_links_and_zips_are_given_by_each(two, tmp_path):
    api = two.api()
    made = api.post(f"/environments/{two.env['ENV_PRODUCTION_ID']}/backups", {"destinationIds": [two.env["DESTINATION_ID"]]})
    backup = until_terminal(lambda: api.get(f"/backups/{made['backupId']}"))
    assert backup["status"] == "completed"
    for at in two.ports:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"http://127.0.0.1:{two.ports[at]}/api/backups/{backup['id']}/download?format=odoo_zip", timeout=120,
                                 headers={"Authorization": f"Bearer {two.env['TOKEN']}"})
        assert answer.status_code == 200, answer.text[:300]
        file = tmp_path / f"{at}.zip"
        file.write_bytes(answer.content)
        with zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None and "dump.sql" in archive.namelist()
    urls = Api(two.env["API_URL"], two.env["API_KEY_RO"]).get(f"/public/v1/backups/{backup['id']}/download")
    for port in two.ports.values():
        with requests.Session() as session:
            session.trust_env = False
            url = urls["manifest_url"].replace(two.address, f"127.0.0.1:{port}")
            assert session.get(url, timeout=60).json()["backupId"] == backup["id"]


def test_scans_and_clean_ups_run_once(two):
    two.put("stray", b"stray")
    old = time.time() - 40 * 86400
    os.utime(two.path("backups", "stray"), (old, old))
    api = two.api()
    for what, body in (("scan", None), ("cleanup-orphans", {"retention_days": 30})):
        before = api.get(two.base + "/analytics")["analytics"]
        assert two.ask("POST", f"/{what}", json=body).status_code in (200, 202)
        assert processes.wait_until(lambda before=before: api.get(two.base + "/analytics")["analytics"] not in (None, before), 30)
    assert not os.path.exists(two.path("backups", "stray"))
    assert two.pg.psql("control", "SELECT count(DISTINCT replica_id) > 0, bool_and(state = 'finished') FROM storage_scans") == "t|t"


def test_a_replica_that_dies_takes_its_requests_with_it(two):
    """Its user sees the end, its agent goes on, and nothing of it stays. Another one's start ends no scan of one that lives."""
    got = []

    def read_slowly():
        with requests.Session() as session:
            session.trust_env = False
            with session.get(f"http://127.0.0.1:{two.ports['second']}/api{two.base}/download", params={"path": "large"}, stream=True,
                             timeout=60, headers={"Authorization": f"Bearer {two.env['TOKEN']}"}) as answer:
                got.append(len(answer.raw.read(MB)))
                killed.wait(60)
                rest = 0
                with contextlib.suppress(OSError, requests.RequestException, urllib3.exceptions.HTTPError):
                    while piece := answer.raw.read(MB):
                        rest += len(piece)
                got.append(rest)

    killed = threading.Event()
    reader = threading.Thread(target=read_slowly)
    reader.start()
    assert processes.wait_until(lambda: got, 60)
    two.pg.psql("control", "INSERT INTO storage_scans (id, organization_id, destination_id, kind, state, requested_by, created_at, replica_id) "
                           "SELECT 'of-the-dead', 'x', 'gone', 'scan', 'running', 'x', 0, replica_id FROM storage_requests LIMIT 1")
    os.kill(two.pid("second"), signal.SIGKILL)
    killed.set()
    reader.join(60)
    assert len(got) == 2 and sum(got) < 199 * MB, "it was not the whole, and that is seen"
    assert processes.wait_until(lambda: two.ask("GET", "/browse", "control").status_code == 200, 30), "its agent goes on"
    state = "SELECT state FROM storage_scans WHERE id = 'of-the-dead'"
    two.start_replica("second")
    assert two.pg.psql("control", state) == "running", "it may only be slow"
    for at in ("second", "control", None):
        assert "seen" in two.names(at=at)
    assert processes.wait_until(lambda: two.waiting() == "" and two.pg.psql("control", state) == "finished", 60), two.waiting()


def test_answers_find_a_replica_that_was_restarted(two):
    """The other one has passed answers on to it: the connections of that time are dead."""
    for _ in range(6):
        for _ in range(3):
            began = time.monotonic()
            assert "seen" in two.names(at="second")
            assert time.monotonic() - began < 5
        os.kill(two.pid("second"), signal.SIGKILL)
        two.start_replica("second")


def test_an_agent_that_is_away_is_told_of_soon(two):
    """Last: the agent stays away."""
    pid = int(two.env["AGENT_PID"])
    os.kill(pid, signal.SIGTERM)
    assert processes.wait_until(lambda: not processes.alive(pid), 30)
    began = time.monotonic()
    answer = two.ask("GET", "/browse")
    assert (answer.status_code, answer.json()["error"]) == (503, "agent_offline")
    assert 5 < time.monotonic() - began < 15
    assert two.waiting() == "", "an agent that comes back must not do it then"
