"""Agents of one organization that report at the same time share commits: who was answered is stored, whatever dies meanwhile,
and each report counts once."""

import json
import threading
import time
import uuid

import pytest
import requests
import store
from conftest import PRESET, new_folder
from control_plane import ControlPlane
from fake_agent import FakeAgent, Refusal
from processes import wait_until
from replicas import Replicas

AGENTS, BATCH = 12, 40


class OnPostgres:
    """What dies is the server of the store."""

    def __init__(self):
        self.replicas = Replicas(new_folder(), PRESET, count=1)
        self.plane = self.replicas.first

    def crash(self):
        self.replicas.pg.crash()
        self.replicas.pg.start()

    def end(self):
        self.replicas.end()


class OnSqlite:
    """What dies is the control plane."""

    def __init__(self):
        self.plane = ControlPlane(new_folder(), PRESET).up()

    def crash(self):
        self.plane.kill()
        self.plane.start()

    def end(self):
        self.plane.stop()
        print(self.plane.log())


def counted(plane, job):
    """The last report that was taken, and the last event that came of one."""
    with store.opened(plane.state) as db:
        found = db.execute("SELECT j.seq, o.event_id FROM jobs j JOIN operations o ON o.id = j.operation_id WHERE j.id = ?", (job,))
        return tuple(found.fetchone())


@pytest.fixture(params=[OnPostgres, OnSqlite])
def world(request):
    made = request.param()
    yield made
    made.end()


class Reporter(threading.Thread):
    """An agent that tells how far its backup is as fast as it is answered, and sends again what was not acknowledged."""

    def __init__(self, plane, over):
        super().__init__(daemon=True)
        self.agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", f"reporter {uuid.uuid4()}"))
        self.agent.heartbeat()
        environment = plane.owner.post(f"/projects/{plane.project}/environments", {
            "name": self.agent.agent_id, "type": "staging", "agentId": self.agent.agent_id, "database": self.agent.agent_id})["id"]
        plane.order(environment, type="db")
        self.assignment = self.agent.take(kind="backup")
        self.job, self.acked = self.assignment["jobId"], 1
        self.over, self.fault = over, None

    def run(self):
        percent = 0
        while not self.over.is_set():
            progress = [{"operation": "backup", "id": self.job, "status": "running", "percent": (percent := percent + 1) % 100,
                         "message": "dumping"} for _ in range(BATCH)]
            batch = [self.agent.made(self.assignment, "progress", progress=one) for one in progress]
            self.deliver(json.dumps({"instanceId": self.agent.instance_id, "reports": batch}), batch[-1]["seq"])

    def deliver(self, body, last):
        while self.acked < last:
            try:
                answer = self.agent.session.post(f"{self.agent.url}/agent/v1/reports", body, timeout=30,
                                                 headers={"Authorization": f"Bearer {self.agent.credential}"})
            except requests.RequestException:
                time.sleep(0.02)
                continue
            if answer.status_code == 503:
                time.sleep(0.02)
                continue
            ack = answer.json()["acks"][0] if answer.status_code == 200 else None
            # What it had before is there still: nothing that was acknowledged is missing.
            if not ack or ack["refused"] or ack["rejected"] or ack["seq"] != last:
                self.fault = (self.acked, last, answer.status_code, answer.text)
                self.over.set()
                return
            self.acked = last


def test_what_was_acknowledged_is_stored_once_whatever_dies(world):
    over = threading.Event()
    reporters = [Reporter(world.plane, over) for _ in range(AGENTS)]
    for one in reporters:
        one.start()
    for _ in range(4):
        before = [one.acked for one in reporters]
        assert wait_until(lambda count=before: over.is_set() or all(one.acked > seq + 2 * BATCH for one, seq in zip(reporters, count)), 60), \
            f"they do not get on: {before}, {[one.acked for one in reporters]}"
        world.crash()
    after = [one.acked for one in reporters]
    assert wait_until(lambda: over.is_set() or all(one.acked > seq + BATCH for one, seq in zip(reporters, after)), 60), "not after the last"
    over.set()
    for one in reporters:
        one.join(60)
    assert not any(one.fault for one in reporters), [one.fault for one in reporters if one.fault]
    for one in reporters:
        # An event each, behind the one of the order.
        assert counted(world.plane, one.job) == (one.acked, one.acked + 1), one.job
