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
    #one.set("", allow_private_destinations=True)
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
