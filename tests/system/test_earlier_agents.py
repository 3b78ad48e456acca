"""Agents of earlier releases are understood: what they said is recorded, and said again."""

import glob
import json
import os
import uuid

import pytest
from fake_agent import FakeAgent, Refusal, stamp

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RECORDED = sorted(glob.glob(os.path.join(ROOT, "tests", "data", "protocol", "agent-*.json")))


@pytest.mark.parametrize("path", RECORDED, ids=os.path.basename)
def test_what_an_earlier_agent_says_is_understood(plane, path):
    with open(path) as file:
        said = json.load(file)
    agent = FakeAgent(plane.url)
    token = plane.control.enroll_token("acme", "erp-" + uuid.uuid4().hex[:6])
    answer = agent.call("enroll", {"token": token, **said["enroll"]})
    agent.credential, agent.agent_id = answer["credential"], answer["agentId"]
    beat = agent.call("heartbeat", {"instanceId": agent.instance_id, "sentAt": stamp(), **said["heartbeat"]})
    assert beat["intervalMs"] > 0 and beat["lost"] == [] and not beat["inventoryWanted"]
    # A backup that it made while the control plane was away: declared, told step by step, finished.
    last = said["reports"][-1]
    for first in range(0, len(said["reports"]), 20):
        acks = agent.send(said["reports"][first:first + 20])
        assert [(ack["refused"], ack["rejected"]) for ack in acks] == [(False, [])], acks
    assert (acks[0]["jobId"], acks[0]["seq"]) == (last["jobId"], last["seq"])
    row = plane.owner.get(f"/backups/{last['operationId']}")
    assert row["status"] == "completed" and row["recoveryEvidence"]["status"] == "green", row


def test_an_order_reaches_an_agent_of_the_first_release_in_words_that_it_knows(plane):
    backup = plane.order()
    assignment = plane.agent.take(kind="backup")
    assert {"jobId", "fence", "attempt", "kind", "leaseMs", "order"} <= set(assignment)
    assert {"backupId", "scope", "trigger", "createdAt", "environment", "destinations", "encryptFor", "timeoutMs"} <= set(assignment["order"])
    plane.agent.do_backup(assignment)
    assert plane.owner.get(f"/backups/{backup}")["status"] == "completed"


@pytest.mark.parametrize("version, mend", [(0, "upgrade the agent"), (99, "upgrade the control plane")])
def test_a_version_that_is_not_spoken_is_refused_with_what_to_do(plane, version, mend):
    token = plane.control.enroll_token("acme", "odd-" + uuid.uuid4().hex[:6])
    odd = FakeAgent(plane.url)
    with pytest.raises(Refusal) as refused:
        odd.call("enroll", {"token": token, "hostname": "odd", "agentVersion": "9", "protocolVersion": version})
    assert refused.value.status == 422 and refused.value.body["error"] == "protocol_unsupported" and mend in json.dumps(refused.value.body)
    with pytest.raises(Refusal) as refused:
        plane.agent.heartbeat(protocolVersion=version)
    assert refused.value.status == 422 and mend in json.dumps(refused.value.body)
    # The token is not used up, nor is the agent held for another one.
    FakeAgent.enrolled(plane.url, token)
    plane.agent.heartbeat()
