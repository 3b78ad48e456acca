"""Several control planes on one PostgreSQL behind a balancer without memory: what one does the others know, what dies is taken
over, and under load nothing is lost and nothing is done twice."""

import os
import signal
import statistics
import subprocess
import threading
import time
import uuid
from collections import Counter

import list_counts
import pytest
import requests
import settings
from api import Api, Refused
from conftest import PRESET, new_folder
from fake_agent import FakeAgent, Refusal
from processes import wait_until
from replicas import Replicas

TAKEOVER_SECONDS = 10


@pytest.fixture(scope="module")
def two():
    one = Replicas(new_folder(), PRESET)
    yield one
    one.end()


@pytest.fixture
def some():
    """Replicas of a test's own, which it may kill."""
    made = []

    def make(**options):
        made.append(Replicas(new_folder(), PRESET, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


def at(replica, agent):
    """The same process of an agent, speaking to this replica."""
    there = FakeAgent(replica.url, agent.credential, agent.agent_id)
    there.instance_id, there.held, there.seq = agent.instance_id, agent.held, agent.seq
    return there


def in_background(work):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(work()), daemon=True)
    thread.start()
    return thread, answers


def test_a_job_posted_at_one_replica_reaches_the_agent_that_waits_at_another(two):
    here, there = two.all
    agent = at(there, two.first.agent)
    agent.heartbeat()
    took = []
    for _ in range(7):
        thread, answers = in_background(lambda: (agent.poll(20_000), time.monotonic()))
        time.sleep(0.3)  # it waits
        began = time.monotonic()
        here.order(type="db")
        thread.join(10)
        assert answers, "the agent waits for ever"
        answer, at_last = answers[0]
        assert len(answer["assignments"]) == 1, answer
        took.append(at_last - began)
        agent.report(answer["assignments"][0], "accepted")
        agent.do_backup(answer["assignments"][0])
    # Without the bell it is found by a question that is asked each second.
    assert statistics.median(took) < 0.45, took


def test_a_stream_at_one_replica_tells_what_is_reported_to_another(two):
    here, there = two.all
    agent = at(here, two.first.agent)
    agent.heartbeat()
    backup = here.order(type="db")
    job = agent.take(kind="backup")
    seen = []
    token = there.control.token("acme", "owner")
    stream = Api(there.url + "/api", token)
    path = f"/operations/backup/{backup}/progress"
    thread, last = in_background(lambda: stream.follow(path, lambda payload: seen.append((time.monotonic(), payload))))
    assert wait_until(lambda: seen, 10)
    took = []
    for percent in (20, 40, 60, 80):
        began, before = time.monotonic(), len(seen)
        agent.progress(job, percent)
        assert wait_until(lambda count=before: len(seen) > count, 10), "nothing came"
        took.append(seen[-1][0] - began)
    agent.do_backup(job)
    thread.join(10)
    assert last and last[0]["status"] == "completed", last
    # Without the bell a stream looks every five seconds.
    assert max(took) < 4, took


def test_a_key_used_at_two_replicas_at_the_same_time_makes_one_backup(two):
    token = two.first.control.token("acme", "owner")
    for _ in range(5):
        key, answers = str(uuid.uuid4()), []
        start = threading.Barrier(4)

        def post(replica, key=key, answers=answers, start=start):
            start.wait()
            answer = requests.post(f"{replica.url}/api/environments/{two.first.staging}/backups", json={"type": "db"}, timeout=30,
                                   headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key})
            answers.append((answer.status_code, answer.json()))

        threads = [threading.Thread(target=post, args=(replica,)) for replica in two.all * 2]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        made = {body["backupId"] for status, body in answers if status < 300}
        assert len(made) == 1, answers
        assert all(status < 300 or (status, body["error"]) == (409, "idempotency_in_flight") for status, body in answers), answers
        Api(two.first.url + "/api", token).post(f"/backups/{made.pop()}/cancel")


def test_limits_hold_for_all_replicas_together(some):
    both = some(count=1)
    both.first.stop()
    settings.change(both.first.state, reads_per_minute=100)
    both.first.start()
    both.add().stop()
    second = both.all[1]
    settings.change(second.state, reads_per_minute=100)
    second.start()
    token = both.first.control.token("acme", "viewer")
    answers = Counter()
    for i in range(200):
        replica = both.all[i % 2]
        answers[requests.get(f"{replica.url}/api/projects", headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code] += 1
    assert set(answers) == {200, 429}, answers
    assert 100 <= answers[200] <= 130, answers


def test_a_replica_with_another_key_does_not_start(two):
    other = two.folder / "stranger"
    other.mkdir()
    state = str(other / "control")
    program = two.first.program
    subprocess.run([program, "init", "--state", state], check=True, env=two.first.env)
    done = subprocess.run([program, "serve", "--state", state, "--listen", "127.0.0.1:0", "--store", two.store], env=two.first.env,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode != 0
    assert "is not the key of the other replicas" in done.stderr, done.stderr


def taken_over(all_of, leader):
    others = [one for one in all_of.all if one is not leader]
    began = time.monotonic()
    assert wait_until(lambda: all_of.leader(others), 2 * TAKEOVER_SECONDS), "nobody took over"
    took = time.monotonic() - began
    assert took <= TAKEOVER_SECONDS, took
    return all_of.leader(others)


def test_another_replica_leads_when_the_leader_dies_or_stands_still(some):
    three = some(count=3)
    assert wait_until(three.leader, 10)
    leader = three.leader()
    listed = three.first.control.listed("replicas")
    assert len(listed) == 3 and sum(one["leads"] for one in listed) == 1, listed
    since = three.ask("SELECT listening_since FROM upkeep")
    leader.kill()
    second = taken_over(three, leader)
    second.signal(signal.SIGSTOP)
    third = taken_over(three, second)
    assert third is not leader
    second.signal(signal.SIGCONT)
    assert wait_until(lambda: not second.leads(), 10), "two lead"
    assert third.leads()
    assert three.ask("SELECT listening_since FROM upkeep") == since, "somebody listened all the time"


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")
def test_another_replica_leads_when_the_network_of_the_leader_is_cut(some):
    name, net = f"bs{os.getpid() % 100000}", f"10.231.{os.getpid() % 250}"
    link = [("ip", "netns", "add", name), ("ip", "link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name),
            ("ip", "addr", "add", f"{net}.1/30", "dev", f"{name}a"), ("ip", "link", "set", f"{name}a", "up"),
            ("ip", "-n", name, "addr", "add", f"{net}.2/30", "dev", f"{name}b"), ("ip", "-n", name, "link", "set", f"{name}b", "up"),
            ("ip", "-n", name, "link", "set", "lo", "up")]
    try:
        for words in link:
            subprocess.run(words, check=True)
        all_of = some(count=1, settings=[f"listen_addresses = '{net}.1'"])
        with open(os.path.join(all_of.pg.data, "pg_hba.conf"), "a") as file:
            file.write(f"host all all {net}.2/32 trust\n")
        all_of.ask("SELECT pg_reload_conf()")
        far = all_of.add(store=f"postgresql://postgres@{net}.1:{all_of.pg.port}/postgres", wrapper=["ip", "netns", "exec", name],
                         host=f"{net}.2")
        all_of.first.stop()
        assert wait_until(far.leads, 15)
        all_of.first.start()
        subprocess.run(["ip", "link", "set", f"{name}a", "down"], check=True)
        taken_over(all_of, far)
        assert wait_until(lambda: not far.leads(), 20), "two lead"
        subprocess.run(["ip", "link", "set", f"{name}a", "up"], check=True)
        assert wait_until(lambda: requests.get(f"{far.url}/healthz", timeout=5).status_code == 200, 20)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


class Worker(threading.Thread):
    """An agent that goes on whatever happens: it sends again what was not answered, under the same number."""

    def __init__(self, agent, url, stop):
        super().__init__(daemon=True)
        self.agent, self.over = agent, stop
        agent.url = url
        self.given = []
        self.done = set()
        self.faults = []

    def run(self):
        while not self.over.is_set():
            try:
                self.insist(self.agent.heartbeat)
                for job in self.insist(lambda: self.agent.poll(2_000))["assignments"]:
                    self.given.append((job["jobId"], job["fence"], self.agent.instance_id))
                    self.work(job)
            except Exception as error:  # noqa: BLE001  the test shows it
                self.faults.append(repr(error))
                return

    def work(self, job):
        key = (job["jobId"], job["fence"])
        if key in self.done:
            return  # offered again before our acceptance was heard
        self.done.add(key)
        for report in ("accepted", "progress", "finished"):
            made = self.made(job, report)
            self.insist(lambda made=made: self.agent.send([made]))
        self.agent.held.pop(job["jobId"], None)

    def made(self, job, kind):
        if kind == "progress":
            return self.agent.made(job, kind, progress={
                "operation": "backup", "id": job["jobId"], "environmentId": None, "status": "running", "step": "db_dump",
                "stepStatus": "running", "stepIndex": 2, "stepCount": 11, "percent": 50, "bytesDone": 50, "bytesTotal": 100,
                "rateBytesPerSec": 1, "message": "dumping", "at": "2026-01-01T00:00:00.000Z", "done": False, "error": None})
        if kind == "finished":
            return self.agent.made(job, kind, finished={
                "outcome": "failed", "reason": "internal_error", "errorMessage": "as the test wants", "transient": False,
                "reverted": False, "notes": [], "folder": None, "sizeBytes": 0, "databaseBytes": 0, "filestoreBytes": 0,
                "safetyBackupId": None, "manifest": None})
        return self.agent.made(job, kind)

    def insist(self, call):
        while True:
            try:
                return call()
            except requests.RequestException:
                time.sleep(0.2)
            except Refusal as refusal:
                if refusal.status < 500:
                    raise
                time.sleep(0.2)
            if self.over.is_set():
                raise TimeoutError("still unanswered at the end")


class Poster(threading.Thread):
    """Orders backups one after the other, each under a key of its own, again until it is answered."""

    def __init__(self, url, token, environments, stop):
        super().__init__(daemon=True)
        self.api, self.environments, self.over = Api(url + "/api", token), environments, stop
        self.accepted = {}
        self.refused = Counter()

    def run(self):
        while not self.over.is_set():
            for environment in self.environments:
                key = str(uuid.uuid4())
                while not self.over.is_set():
                    try:
                        answer = self.api.post(f"/environments/{environment}/backups", {"type": "db"}, headers={"Idempotency-Key": key})
                        self.accepted[key] = answer["backupId"]
                        break
                    except requests.RequestException:
                        time.sleep(0.1)
                    except Refused as refusal:
                        self.refused[refusal.body["error"]] += 1
                        if refusal.status < 500 and refusal.body["error"] != "idempotency_in_flight":
                            break
                        time.sleep(0.1)
            time.sleep(0.05)


def test_under_load_nothing_is_lost_when_a_replica_and_postgresql_die(some):
    three = some(count=3)
    plane, url = three.first, three.balancer.url
    over, stopped = threading.Event(), threading.Event()
    workers = [Worker(agent, url, over) for agent in (plane.agent, plane.far_agent)]
    token = plane.control.token("acme", "owner")
    posters = [Poster(url, token, environments, stopped)
               for environments in ([plane.production, plane.staging], [plane.far, plane.elsewhere])]
    for one in workers + posters:
        one.start()
    assert wait_until(lambda: all(len(one.accepted) > 2 for one in posters), 15)
    followed = next(iter(posters[0].accepted.values()))
    last = Api(url + "/api", token).follow(f"/operations/backup/{followed}/progress", seconds=60)
    assert last["done"]
    victim = three.all[1]
    victim.kill()
    time.sleep(1.5)
    victim.start()
    streams = []
    newest = list(posters[1].accepted.values())[-1]
    thread, streams = in_background(lambda: Api(url + "/api", token).follow(f"/operations/backup/{newest}/progress", seconds=60))
    before = [len(one.accepted) for one in posters]
    three.pg.crash()
    time.sleep(1)
    three.pg.start()
    assert wait_until(lambda: all(len(one.accepted) > count + 2 for one, count in zip(posters, before)), 30), \
        f"no posts after PostgreSQL came back: {before}, {[one.refused for one in posters]}"
    stopped.set()
    for one in posters:
        one.join(30)
    api = Api(plane.url + "/api", token)
    made = [backup for one in posters for backup in one.accepted.values()]
    assert len(made) == len(set(made)), "two keys made one backup"
    for backup in made:
        assert wait_until(lambda one=backup: api.get(f"/backups/{one}")["status"] == "failed", 60), api.get(f"/backups/{backup}")
    thread.join(30)
    assert streams and streams[0]["done"], "the stream did not come back"
    over.set()
    for one in workers:
        one.join(30)
        assert not one.faults, one.faults
    # Each order once, also those whose answer was lost on the way; each fence to one process.
    rows = int(three.ask("SELECT count(*) FROM backups"))
    posted = len(made)
    assert rows == posted, (rows, posted)
    fences = {}
    for job, fence, instance in (item for one in workers for item in one.given):
        assert fences.setdefault((job, fence), instance) == instance
    assert three.ask("SELECT count(*) FROM jobs WHERE attempt > 1") == "0"
    assert three.ask("SELECT count(*) FROM jobs j WHERE seq <> 3") == "0", "a report was taken twice, or lost"
    for one in three.all:
        one.stop()
    assert list_counts.check(plane.state) > posted
