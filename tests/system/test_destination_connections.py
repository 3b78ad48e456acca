"""Connection tests of destinations: what two people change at once, where the control plane connects to, and what it tells."""

import json
import socket
import subprocess
import threading
import uuid

import pytest
from conftest import new_folder
from test_admin_api import PROGRAM, refused, server_in
from tiny_s3 import TinyS3


@pytest.fixture(scope="module")
def server():
    one = server_in(new_folder())
    one.set("", allow_private_destinations=True)
    one.start()
    one.owner = one.control.token("acme", "owner")
    yield one
    one.stop()


@pytest.fixture
def bucket():
    one = TinyS3()
    yield one
    one.close()


def made(server, config, **more):
    body = {"name": f"d {uuid.uuid4()}", "destinationType": "s3_compatible", "config": config, **more}
    return server.call("POST", "/api/backup-destinations", server.owner, body)


def test_two_changes_at_once_are_both_kept(server, bucket):
    path = "/api/backup-destinations/" + made(server, bucket.config(), skipTest=True).json()["id"]
    answers = []
    bucket.gate.clear()
    slow = threading.Thread(target=lambda: answers.append(
        server.call("PATCH", path, server.owner, {"config": bucket.config(prefix="kept")})))
    slow.start()
    assert bucket.reached.wait(20), server.log()
    name = f"renamed {uuid.uuid4()}"
    assert server.call("PATCH", path, server.owner, {"name": name, "encrypt": True}).status_code == 200
    bucket.gate.set()
    slow.join(30)
    assert answers[0].status_code == 200, answers[0].text
    shown = server.call("GET", path, server.owner).json()
    assert (shown["name"], shown["encrypt"], shown["config"]["prefix"], shown["testStatus"]) == (name, True, "kept", "passed")
    assert answers[0].json() == shown


def test_a_configuration_that_changed_during_its_test_is_tested_again(server, bucket):
    path = "/api/backup-destinations/" + made(server, bucket.config(), skipTest=True).json()["id"]
    answers = []
    bucket.gate.clear()
    slow = threading.Thread(target=lambda: answers.append(server.call("POST", path + "/test", server.owner)))
    slow.start()
    assert bucket.reached.wait(20)
    changed = server.call("PATCH", path, server.owner, {"config": bucket.config(prefix="other"), "skipTest": True})
    assert changed.status_code == 200
    bucket.gate.set()
    slow.join(30)
    refused(answers[0], 409, "destination_changed")
    assert server.call("GET", path, server.owner).json()["testStatus"] == "untested", "nobody looked at this configuration"
    assert server.call("POST", path + "/test", server.owner).json()["testStatus"] == "passed"


# ---- where the control plane connects to, and what it tells

FORBIDDEN = "connections to this address are not allowed"


@pytest.fixture(scope="module")
def closed_server():
    """As installed: loopback and private networks are out of reach."""
    one = server_in(new_folder()).start()
    one.owner = one.control.token("acme", "owner")
    yield one
    one.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_nothing_inside_is_reached_in_whatever_spelling(closed_server, bucket, host):
    answer = refused(made(closed_server, bucket.config(host)), 422, "connection_test_failed")
    assert answer["message"].startswith(FORBIDDEN), answer
    saved = made(closed_server, bucket.config(host), skipTest=True).json()
    tested = closed_server.call("POST", f"/api/backup-destinations/{saved['id']}/test", closed_server.owner).json()
    assert tested["testStatus"] == "failed" and tested["testMessage"].startswith(FORBIDDEN)
    assert bucket.requests == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "224.0.0.1", "0.0.0.0", "[fd00:ec2::254]"])
def test_link_local_and_the_like_are_refused_whatever_is_configured(server, host):
    config = {"endpoint": f"http://{host}:80", "bucket": "b-1", "accessKeyId": "a", "secretAccessKey": "s"}
    assert refused(made(server, config), 422, "connection_test_failed")["message"].startswith(FORBIDDEN)


def test_the_administrators_command_obeys_too_and_says_what_to_do(closed_server, bucket):
    done = subprocess.run([PROGRAM, "destination", "create", "--state", closed_server.state, "--org", "acme", "--name", "x",
                           "--type", "s3_compatible", "--config", json.dumps(bucket.config())],
                          env=closed_server.env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "allow_private_destinations" in done.stderr and "--skip-test" in done.stderr, done.stderr


@pytest.mark.parametrize("status, body, words", [
    (403, b"<Error><Code>AccessDenied</Code><Message>inner words</Message></Error>", "refuses these credentials"),
    (404, b"inner words", "no such bucket"),
    (500, b"inner words", "cannot be reached"),
    (301, b"<html>inner words</html>", "do not fit"),
    (418, b"inner words", "no S3"),
    (200, b"inner words", "no S3"),
])
def test_words_of_the_other_side_are_never_told(server, status, body, words):
    other = TinyS3((status, body))
    try:
        answer = made(server, other.config())
        text = refused(answer, 422, "connection_test_failed")["message"]
        assert words in text and "inner" not in answer.text and str(status) not in text, answer.text
        saved = made(server, other.config(), skipTest=True).json()
        tested = server.call("POST", f"/api/backup-destinations/{saved['id']}/test", server.owner)
        assert words in tested.json()["testMessage"] and "inner" not in tested.text
    finally:
        other.close()


def test_what_speaks_another_protocol_is_not_quoted(server):
    listener = socket.create_server(("127.0.0.1", 0))

    def greet():
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            one.sendall(b"SSH-2.0-inner_words\r\n")
            one.close()

    threading.Thread(target=greet, daemon=True).start()
    config = {"endpoint": f"http://127.0.0.1:{listener.getsockname()[1]}", "bucket": "b-1", "accessKeyId": "a", "secretAccessKey": "s"}
    answer = refused(made(server, config), 422, "connection_test_failed")
    assert answer["message"] == "what answers at the endpoint is no S3 that we understand", answer
    listener.close()
