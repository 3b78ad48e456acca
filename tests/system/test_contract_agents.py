"""The agent's side of the control plane: identity, order of reports, absence, restarts of either side."""

import socket
import threading
import time
import uuid

import processes
import pytest
import requests
from fake_agent import FakeAgent, Refusal, stamp


def refused(call, status, code):
    with pytest.raises(Refusal) as caught:
        call()
    assert (caught.value.status, caught.value.body["error"]) == (status, code), caught.value.body


def test_an_enrolment_token_works_once(plane):
    token = plane.control.enroll_token("acme", "db3")
    agent = FakeAgent.enrolled(plane.url, token)
    assert agent.heartbeat()["inventoryWanted"]
    refused(lambda: FakeAgent.enrolled(plane.url, token), 401, "invalid_token")
    refused(lambda: FakeAgent.enrolled(plane.url, "nonsense"), 401, "invalid_token")
    agent.inventory = {"hostname": "db3", "clusters": [], "disks": []}
    agent.heartbeat()
    agent.inventory = None
    assert not agent.heartbeat()["inventoryWanted"]


def test_only_an_agents_credential_opens_its_side(plane):
    for credential in (None, "bks_agent_" + "A" * 43, plane.control.token("acme", "owner"), plane.control.key("acme", "rw")):
        with pytest.raises(Refusal) as caught:
            FakeAgent(plane.url, credential).heartbeat()
        assert caught.value.status in (401, 403), caught.value.body
    plain = plane.api(plane.agent.credential)
    with pytest.raises(Exception, match="401"):
        plain.get(f"/environments/{plane.production}/backups")


def test_work_waits_for_an_agent_that_is_away(plane):
    backup = plane.order()
    assert plane.owner.get(f"/backups/{backup}")["status"] == "pending"
    assignment = plane.agent.take(kind="backup")
    assert (assignment["jobId"], assignment["fence"], assignment["attempt"]) == (backup, 1, 1)
    plane.agent.do_backup(assignment)
    assert plane.owner.get(f"/backups/{backup}")["status"] == "completed"


def test_a_long_poll_answers_as_soon_as_there_is_work(plane):
    found = []
    waiting = threading.Thread(target=lambda: found.append((plane.agent.poll(20_000), time.monotonic())))
    waiting.start()
    time.sleep(0.3)  # let the poll be parked; an earlier order would be answered just as well
    ordered = time.monotonic()
    backup = plane.order()
    waiting.join(15)
    answer, answered = found[0]
    assert [one["jobId"] for one in answer["assignments"]] == [backup] and answered - ordered < 3
    assignment = answer["assignments"][0]
    plane.agent.report(assignment, "accepted")
    plane.agent.do_backup(assignment)


def test_an_idle_poll_ends_in_time_with_nothing(plane):
    began = time.monotonic()
    answer = plane.agent.poll(1_500)
    assert answer == {"assignments": [], "cancel": [], "storage": []} and 1 <= time.monotonic() - began < 6


def test_an_offer_that_was_lost_on_the_way_is_made_again(plane):
    backup = plane.order()
    first = plane.agent.poll(5_000)["assignments"][0]
    again = plane.agent.poll(12_000)["assignments"][0]
    assert (again["jobId"], again["fence"]) == (first["jobId"], first["fence"]) == (backup, 1)
    plane.agent.report(again, "accepted")
    plane.agent.do_backup(again)


def test_reports_are_taken_once_in_order_and_only_under_their_number(plane):
    backup = plane.order()
    agent, assignment = plane.agent, plane.agent.take(kind="backup")
    one, two, three = (agent.made(assignment, "progress", progress=None) for _ in range(3))
    ack = agent.send([one, three])[0]
    assert (ack["seq"], ack["refused"]) == (one["seq"], False), "a hole: only up to it"
    assert agent.send([one, two, three])[0]["seq"] == three["seq"]
    assert agent.send([one])[0]["seq"] == three["seq"], "a repetition is acknowledged and changes nothing"
    assert agent.send([{**one, "fence": 0}])[0]["refused"] and agent.send([{**one, "fence": 7}])[0]["refused"]
    assert agent.send([{**one, "jobId": str(uuid.uuid4())}])[0]["refused"]
    plane.far_agent.heartbeat()
    assert plane.far_agent.send([{**one, "seq": three["seq"] + 1}])[0]["refused"], "another agent's job"
    agent.do_backup(assignment)
    assert plane.owner.get(f"/backups/{backup}")["status"] == "completed"
    late = agent.made(assignment, "progress", progress=None)
    assert agent.send([late])[0]["refused"], "nothing follows the end"


def test_a_report_that_is_not_understood_is_rejected_alone(plane):
    backup, agent = plane.order(), plane.agent
    assignment = agent.take(kind="backup")
    good, bad, after = agent.made(assignment, "progress", progress=None), agent.made(assignment, "step", step={"name": 5}), agent.made(assignment, "dance")
    ack = agent.send([good, bad, after])[0]
    assert (ack["seq"], ack["refused"]) == (after["seq"], False)
    assert [(one["seq"], one["code"]) for one in ack["rejected"]] == [(bad["seq"], "not_understood"), (after["seq"], "not_understood")]
    assert "step" in ack["rejected"][0]["message"] and "kind" in ack["rejected"][1]["message"]
    again = agent.send([bad])[0]
    assert (again["seq"], again["rejected"]) == (after["seq"], []), "it has been dealt with"
    agent.do_backup(assignment)
    assert plane.owner.get(f"/backups/{backup}")["status"] == "completed"


def test_an_end_that_is_not_understood_fails_the_job_at_once(plane):
    backup, agent = plane.order(), plane.agent
    assignment = agent.take(kind="backup")
    ack = agent.send([agent.made(assignment, "finished", finished={"outcome": "splendid"})])[0]
    assert [one["code"] for one in ack["rejected"]] == ["not_understood"]
    agent.held.pop(backup)
    row = plane.owner.get(f"/backups/{backup}")
    assert (row["status"], row["recoveryEvidence"]["reason"]) == ("failed", "internal_error")


def test_two_agents_with_one_identity(plane):
    plane.agent.heartbeat()
    twin = plane.agent.twin()
    refused(twin.heartbeat, 409, "duplicate_agent")
    refused(lambda: twin.poll(), 409, "duplicate_agent")
    assert plane.agent.heartbeat()["lost"] == []


def test_an_agent_that_was_restarted_takes_over_at_once(plane):
    agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", "db4"))
    agent.heartbeat()
    with pytest.raises(Exception, match="[Tt]imed out"):
        agent.call("assignments", {"instanceId": agent.instance_id, "waitMs": 20_000, "freeSlots": 1}, timeout=0.7)
    agent.session.close()  # the process is gone, and so is its connection
    successor = agent.twin()
    deadline = time.monotonic() + 10
    while True:
        try:
            successor.heartbeat()
            return
        except Refusal:
            assert time.monotonic() < deadline, "the successor is still taken for a twin"
            time.sleep(0.1)


def parked(plane, agent, instance=None, wait_ms=30_000):
    """A long poll on a connection of its own, once the control plane has parked it."""
    text = f'{{"instanceId":"{instance or agent.instance_id}","waitMs":{wait_ms},"freeSlots":1}}'
    before = waiting(plane)
    one = socket.create_connection(("127.0.0.1", plane.port), 30)
    one.sendall((f"POST /agent/v1/assignments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {agent.credential}\r\n"
                 f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}").encode())
    return one, before


def waiting(plane):
    text = requests.get(f"{plane.url}/metrics", timeout=10).text
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("backstay_waiting_requests ")))


def lines_of(answer):
    """The head, line by line, then the body."""
    length = 0
    for line in answer:
        yield line
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line == b"\r\n":
            break
    yield answer.read(length)


def test_a_new_poll_takes_the_place_of_the_old_one_and_its_hang_up_means_nothing(plane):
    agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", "db5"))
    agent.heartbeat()
    old, before = parked(plane, agent)
    assert processes.wait_until(lambda: waiting(plane) == before + 1, 10)
    new, _ = parked(plane, agent)
    old.settimeout(10)
    with old.makefile("rb") as answer:  # head and body may arrive one after the other
        assert any(line.startswith(b'{"assignments":[],"cancel":[],"storage":[]}') for line in lines_of(answer)), "answered at once"
    assert processes.wait_until(lambda: waiting(plane) == before + 1, 10), "one poll of one process"
    old.close()
    for _ in range(5):  # time for the hang-up to be noticed
        refused(agent.twin().heartbeat, 409, "duplicate_agent")
        time.sleep(0.1)
    new.close()
    successor = agent.twin()
    assert processes.wait_until(lambda: is_taken(successor), 10), "now the process is gone"


def is_taken(agent):
    try:
        return agent.heartbeat() is not None
    except Refusal:
        return False


def test_the_hang_up_of_an_old_poll_before_its_answer_does_not_end_the_process(plane):
    agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", "db6"))
    agent.heartbeat()
    before = waiting(plane)
    for _ in range(10):  # both orders of arrival happen: the hang-up and the new poll race
        old, _ = parked(plane, agent)
        assert processes.wait_until(lambda: waiting(plane) == before + 1, 10)
        new, _ = parked(plane, agent)
        old.close()
        assert processes.wait_until(lambda: waiting(plane) == before + 1, 10)
        refused(agent.twin().heartbeat, 409, "duplicate_agent")
        new.close()
        assert processes.wait_until(lambda: waiting(plane) == before, 10)
        assert processes.wait_until(lambda: is_taken(agent), 10)


def test_polls_of_one_agent_are_bounded(plane):
    agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", "db7"))
    before, polls = waiting(plane), []
    for number in range(12):  # as if one process after the other began on that host
        polls.append(parked(plane, agent, f"host.{number}")[0])
        assert processes.wait_until(lambda: waiting(plane) == before + min(number + 1, 4), 10), waiting(plane)
    polls[0].settimeout(10)
    assert b"200 OK" in polls[0].recv(4096)
    for poll in polls:
        poll.close()
    assert processes.wait_until(lambda: waiting(plane) == before, 10)


def test_a_long_host_name_is_cut_between_characters(plane):
    for name, kept in (("é" * 200, "é" * 50), ("x" + "é" * 200, "x" + "é" * 49), ("a\u0007b", "agent")):
        agent = FakeAgent.enrolled(plane.url, plane.control.enroll_token("acme", ""), name)
        shown = plane.owner.get(f"/agents/{agent.agent_id}")
        assert shown["name"] == kept and shown["hostname"] == (name if len(name) < 100 else name[:126 + (name[0] == "x")]), shown
        plane.owner.delete(f"/agents/{agent.agent_id}")


def test_a_clock_that_jumps_does_no_harm(plane):
    backup = plane.order()
    assignment = plane.agent.take(kind="backup")
    for skew in (3 * 3600, -30 * 86400):
        plane.agent.skew = skew
        answer = plane.agent.heartbeat()
        assert answer["lost"] == [] and answer["serverTime"][:10] == stamp()[:10]
        plane.agent.progress(assignment, 5)
    plane.agent.skew = 0
    plane.agent.do_backup(assignment)
    row = plane.owner.get(f"/backups/{backup}")
    assert row["status"] == "completed" and row["createdAt"] <= row["startedAt"] <= row["completedAt"]


def test_a_control_plane_restarted_in_the_middle_forgets_nothing(plane):
    backup = plane.order()
    agent, assignment = plane.agent, plane.agent.take(kind="backup")
    agent.testify_backup(assignment, until="remote_upload")
    plane.kill()
    plane.start()
    assert agent.heartbeat()["lost"] == []
    row = plane.owner.get(f"/backups/{backup}")
    assert row["status"] == "running" and "remote_upload" in row["recoveryEvidence"]["missingSteps"]
    agent.do_backup(assignment)
    assert plane.owner.get(f"/backups/{backup}")["status"] == "completed"


def test_a_follower_outlives_a_restart_of_the_control_plane(plane):
    backup = plane.order()
    assignment = plane.agent.take(kind="backup")
    seen, last = [], []
    follower = threading.Thread(
        target=lambda: last.append(plane.viewer.follow(f"/backups/{backup}/progress", seen.append, seconds=60)))
    follower.start()
    plane.agent.progress(assignment, 20)
    assert processes.wait_until(lambda: seen, 15)
    plane.stop()  # as a package upgrade does: streams end, followers come back with Last-Event-ID
    plane.start()
    plane.agent.do_backup(assignment)
    follower.join(30)
    assert last and last[0]["done"] and last[0]["status"] == "completed"
    assert [payload["percent"] for payload in seen] == sorted(payload["percent"] for payload in seen)


def test_a_stream_is_taken_up_behind_the_last_event_after_a_restart(plane):
    backup = plane.order()
    path, assignment = f"/backups/{backup}/progress", plane.agent.take(kind="backup")
    stream = plane.viewer.events(path)
    ids = []
    for percent in (10, 20, 30):
        plane.agent.progress(assignment, percent)
        while not ids or ids[-1][1] < percent:
            number, _, payload = next(stream)
            ids.append((int(number), payload["percent"]))
    seen = ids[-2][0]  # as if the last one had been lost on the way
    plane.kill()
    stream.close()
    plane.start()
    plane.agent.progress(assignment, 40)
    resumed = plane.viewer.events(path, last_id=seen)
    first, second = next(resumed), next(resumed)
    assert (int(first[0]), first[2]["percent"]) == ids[-1], "what came after it, from the store"
    assert (int(second[0]), second[2]["percent"]) == (ids[-1][0] + 1, 40), "no number twice, none left out"
    plane.agent.do_backup(assignment)
    rest = [int(number) for number, _, _ in resumed]
    assert rest == list(range(int(second[0]) + 1, int(second[0]) + 1 + len(rest))) and rest
    ahead = list(plane.viewer.events(path, last_id=rest[-1] + 1000))
    assert len(ahead) == 1 and ahead[0][2]["done"], "a number that we never gave: the present state"


def test_a_job_the_agent_began_by_itself_appears_in_the_history(plane):
    backup, job = str(uuid.uuid4()), str(uuid.uuid4())
    order = {"backupId": backup, "scope": "full", "trigger": "manual", "label": "from the host", "createdAt": stamp(),
             "environment": {"organizationId": "local", "projectId": "", "environmentId": "shop", "name": "shop", "type": "production",
                             "cluster": "main", "database": "shop"},
             "destinations": [{"id": plane.local, "name": "here", "type": "local", "config": {"path": "/secret/place"}}],
             "encryptFor": []}
    own = {"jobId": job, "fence": 0}
    plane.agent.report(own, "declared", backup, declared={"kind": "backup", "order": order, "origin": "socket"})
    assert plane.owner.get(f"/backups/{backup}")["status"] == "running"
    plane.agent.do_backup({**own, "order": order}, operation=backup)
    row = plane.owner.get(f"/backups/{backup}")
    assert (row["status"], row["environmentId"], row["label"]) == ("completed", plane.production, "from the host")
    assert row["performedBy"].startswith("agent:")


def test_a_rejected_job_ends_with_the_agents_reason(plane):
    backup = plane.order()
    assignment = plane.agent.poll(10_000)["assignments"][0]
    plane.agent.report(assignment, "rejected", reason="encryption_key_missing", message="this host has no key")
    row = plane.owner.get(f"/backups/{backup}")
    assert (row["status"], row["recoveryEvidence"]["reason"]) == ("failed", "encryption_key_missing")
    assert row["errorMessage"] == "this host has no key"


@pytest.mark.parametrize("message, body", [
    ("heartbeat", {"instanceId": 5}), ("assignments", {"waitMs": "long"}), ("reports", {"reports": {}}),
    ("reports", {"reports": [{"kind": "dance"}]}), ("enroll", {"token": None}),
])
def test_nonsense_is_refused_by_name(plane, message, body):
    with pytest.raises(Refusal) as caught:
        plane.agent.call(message, body)
    assert caught.value.status == 400 and caught.value.body["error"] == "validation_error"


def test_metrics_tell_of_jobs_and_backups(plane):
    backup = plane.order()
    text = requests.get(f"{plane.url}/metrics", timeout=10).text
    assert 'backstay_jobs{kind="backup",state="queued"} 1' in text
    assert 'backstay_backups{status="pending"} 1' in text and f'environment="{plane.production}"' in text
    plane.owner.post(f"/backups/{backup}/cancel")
