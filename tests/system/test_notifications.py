"""Alerts leave the house: webhooks to a real HTTP server that checks their signature and refuses at will, mail to a real SMTP
server over STARTTLS with a login. The control plane's own agents are played by the test."""

import ipaddress
import json
import pathlib
import shutil
import socket
import subprocess
import uuid

import pytest
from conftest import PRESET, new_folder
from contract import refused
from control_plane import ControlPlane
from mail_receiver import Receiver as MailServer
from processes import wait_until
from webhook_receiver import Receiver as WebServer

SECRET = "a secret of customers"
MAIL = '\n[mail]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "starttls"\nfrom = "backups@example.com"\nusername = "backstay"\n' \
       'password_file = "mail.password"\nca_file = "{ca}"\n'


def made_certificate(folder):
    paths = [str(folder / name) for name in ("mail.pem", "mail.key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


@pytest.fixture(scope="module")
def open_plane():
    """A control plane that may call private addresses and has a mail server: (plane, mail server)."""
    folder = new_folder()
    plane = ControlPlane(folder, PRESET)
    plane.control.init()
    certificate, key = made_certificate(folder)
    server = MailServer(certificate, key, ("backstay", "mail-secret-word")).start()
    settings = pathlib.Path(plane.state, "control.toml")
    kept = settings.read_text().split("\n[mail]")[0].replace("allow_private_webhooks = false", "allow_private_webhooks = true")
    settings.write_text(kept + MAIL.format(port=server.port, ca=certificate))
    password = pathlib.Path(plane.state, "mail.password")
    password.write_text("mail-secret-word\n")
    password.chmod(0o600)
    try:
        plane.start()
        plane._register()
        yield plane, server
    finally:
        plane.stop()
        server.close()
        print(f"--- control.log\n{plane.log()}")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def hook(open_plane):
    """A receiver and its endpoint, which has taken its test event."""
    plane, _ = open_plane
    receiver = WebServer(SECRET)
    endpoint = plane.owner.post("/webhook-endpoints", {"url": receiver.url, "secret": SECRET, "events": ["backup.*"]})
    receiver.wait(lambda calls: len(calls) == 1)
    yield receiver, endpoint
    plane.owner.delete(f"/webhook-endpoints/{endpoint['id']}")
    receiver.close()


def means_this_host(name):
    try:
        return all(ipaddress.ip_address(found[4][0]).is_private for found in socket.getaddrinfo(name, 443))
    except (OSError, ValueError):
        return False


def fail_a_backup(plane):
    backup = plane.order()
    plane.agent.finish(plane.agent.take(kind="backup"), "failed", reason="disk_space_low", errorMessage="the disk is full")
    return backup


def deliveries(plane, endpoint):
    return plane.owner.get(f"/webhook-endpoints/{endpoint['id']}/deliveries")["deliveries"]


def until_status(plane, endpoint, status, number=0):
    wait_until(lambda: deliveries(plane, endpoint)[number]["status"] == status, 20)
    return deliveries(plane, endpoint)[number]


def test_a_new_endpoint_is_called_with_a_signed_test_event(open_plane, hook):
    plane, _ = open_plane
    receiver, endpoint = hook
    call = receiver.calls[0]
    assert call["signed"] and call["headers"]["X-Backstay-Event"] == "webhook.test"
    assert json.loads(call["body"])["organizationId"]
    assert endpoint["secret"] is True and "generatedSecret" not in endpoint
    delivery = until_status(plane, endpoint, "delivered")
    attempt, = delivery["attempts"]
    assert (attempt["attempt"], attempt["statusCode"], attempt["error"]) == (1, 200, None) and attempt["durationMs"] >= 0
    assert call["headers"]["X-Backstay-Delivery"] == delivery["id"]


def test_an_alert_is_told_and_that_it_is_over(open_plane, hook):
    plane, _ = open_plane
    receiver, _ = hook
    backup = fail_a_backup(plane)
    told = receiver.wait(lambda calls: len(calls) == 2)[-1]
    body = json.loads(told["body"])
    assert told["signed"] and body["event"] == told["headers"]["X-Backstay-Event"] == "backup.failed"
    assert body["action"] == "raised" and body["alert"]["backupId"] == backup and body["alert"]["environmentName"] == "prod"
    assert plane.owner.get(f"/backup-alerts/{body['alert']['id']}")["type"] == "backup_failed"
    plane.made_backup()
    over = json.loads(receiver.wait(lambda calls: len(calls) == 3)[-1]["body"])
    assert over["action"] == "resolved" and over["alert"]["resolvedAt"] and over["alert"]["id"] == body["alert"]["id"]


def test_a_refusal_waits_longer_and_a_replay_sends_it_at_once(open_plane, hook):
    plane, _ = open_plane
    receiver, endpoint = hook
    receiver.answers = [503]
    asked = plane.owner.post(f"/webhook-endpoints/{endpoint['id']}/test")
    receiver.wait(lambda calls: len(calls) == 2)
    wait_until(lambda: deliveries(plane, endpoint)[0]["attempts"], 20)
    waiting = deliveries(plane, endpoint)[0]
    assert (waiting["id"], waiting["status"]) == (asked["deliveryId"], "queued")
    assert waiting["attempts"][0]["statusCode"] == 503 and waiting["nextAttemptAt"] > waiting["createdAt"]
    calls = receiver.wait(lambda calls: len(calls) == 3)
    assert [call["headers"]["X-Backstay-Delivery"] for call in calls[1:]] == [asked["deliveryId"]] * 2
    delivered = until_status(plane, endpoint, "delivered")
    assert [attempt["statusCode"] for attempt in delivered["attempts"]] == [503, 200]
    plane.owner.post(f"/webhook-deliveries/{asked['deliveryId']}/replay")
    receiver.wait(lambda calls: len(calls) == 4)


def test_a_redirect_is_not_followed_and_gone_is_final(open_plane, hook):
    plane, _ = open_plane
    receiver, endpoint = hook
    receiver.answers = [410]
    plane.owner.post(f"/webhook-endpoints/{endpoint['id']}/test")
    gone = until_status(plane, endpoint, "failed")
    assert gone["attempts"][0]["statusCode"] == 410 and gone["nextAttemptAt"] is None
    receiver.answers = [302]
    plane.owner.post(f"/webhook-endpoints/{endpoint['id']}/test")
    wait_until(lambda: deliveries(plane, endpoint)[0]["attempts"], 20)
    assert "redirect" in deliveries(plane, endpoint)[0]["attempts"][0]["error"]
    assert all(call["path"] == "/hook" for call in receiver.calls)


def test_secrets_are_not_told_and_can_be_made_here(open_plane):
    plane, _ = open_plane
    made = plane.owner.post("/webhook-endpoints", {"url": "http://127.0.0.1:9/", "active": False})
    assert len(made["generatedSecret"]) >= 32 and made["secret"] is True
    path = f"/webhook-endpoints/{made['id']}"
    assert "generatedSecret" not in plane.owner.get(path)
    assert plane.owner.put(path, {"secret": SECRET, "description": "new"})["description"] == "new"
    for file in pathlib.Path(plane.state).glob("control.db*"):
        assert SECRET.encode() not in file.read_bytes() and made["generatedSecret"].encode() not in file.read_bytes()
    assert SECRET not in plane.log() and "mail-secret-word" not in plane.log()
    assert plane.owner.get("/webhook-endpoints", limit=1)["total"] >= 1
    plane.owner.delete(path)
    refused(lambda: plane.owner.get(path), 404, "not_found")


def test_what_an_endpoint_may_be(plane):
    def create(body, api=None):
        return lambda: (api or plane.owner).post("/webhook-endpoints", body)

    refused(create({"url": "http://hooks.example.com/"}), 422, "invalid_url", "url")
    refused(create({"url": "https://me:word@hooks.example.com/"}), 422, "invalid_url", "url")
    refused(create({}), 422, "invalid_url", "url")
    for host in ("127.0.0.1", "localhost", "[::1]", "10.1.2.3", "169.254.169.254", "[fd00::1]", "[::ffff:127.0.0.1]"):
        refused(create({"url": f"https://{host}/x"}), 422, "target_not_allowed", "url")
    refused(create({"url": "https://hooks.example.com/", "events": ["backup.exploded"]}), 422, "invalid_event", "events")
    refused(create({"url": "https://hooks.example.com/", "secret": "short"}), 422, "invalid_secret", "secret")
    refused(create({"url": "https://hooks.example.com/"}, plane.developer), 403, "forbidden")
    refused(lambda: plane.owner.post("/alert-recipients", {"email": "ops@example.com"}), 422, "mail_not_configured")
    refused(lambda: plane.owner.post(f"/webhook-deliveries/{uuid.uuid4()}/replay"), 404, "not_found")


def test_a_name_that_means_this_host_is_refused_when_it_is_connected_to(plane):
    receiver = WebServer(SECRET)
    # A name that does not look like this host and means it: what counts is the address that is connected to.
    names = [name for name in ("ip6-localhost", "ip6-loopback", "localhost4", socket.gethostname()) if means_this_host(name)]
    assert names, "no other name of this host is known here"
    port = receiver.url.rsplit(":", 1)[1].split("/")[0]
    endpoint = plane.owner.post("/webhook-endpoints", {"url": f"https://{names[0]}:{port}/hook", "secret": SECRET})
    delivery = until_status(plane, endpoint, "failed")
    assert "not allowed" in delivery["attempts"][0]["error"] and delivery["attempts"][0]["statusCode"] is None
    assert receiver.calls == []
    receiver.close()
    plane.owner.delete(f"/webhook-endpoints/{endpoint['id']}")


def test_alerts_come_by_mail_over_tls_with_a_login(open_plane):
    plane, server = open_plane
    recipient = plane.owner.post("/alert-recipients", {"email": "ops@example.com", "events": ["backup.failed"]})
    greeting = server.wait(lambda messages: len(messages) == 1)[0]
    assert greeting["tls"] and server.logins == 1
    assert (greeting["from"], greeting["to"]) == ("backups@example.com", ["ops@example.com"])
    server.refusals = ["451 later"]
    fail_a_backup(plane)
    told = server.wait(lambda messages: len(messages) == 2)[-1]["mail"]
    assert told["Subject"] == "[Backstay] critical: Backup of prod failed"
    assert "the disk is full" in told.get_content() and told["Auto-Submitted"] == "auto-generated"
    log = plane.owner.get(f"/alert-recipients/{recipient['id']}/deliveries")["deliveries"]
    assert len(log[0]["attempts"]) >= 1 and "451" in log[0]["attempts"][0]["error"]
    for address in ("ops@example.com\r\nBcc: thief@example.com", "a b@example.com", "nobody", "<x@y>", "x@y,z@w"):
        refused(lambda: plane.owner.post("/alert-recipients", {"email": address}), 422, "invalid_email", "email")
    plane.owner.delete(f"/alert-recipients/{recipient['id']}")
