"""Who may read /metrics."""

import pathlib
import socket

import pytest
from conftest import new_folder
from test_admin_api import refused, server_in


@pytest.fixture
def own():
    one = server_in(new_folder())
    yield one
    one.stop()


def outside():
    """An address of this host other than loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return probe.getsockname()[0]


def from_outside(server):
    server.url = f"http://{outside()}:{server.address.rpartition(':')[2]}"
    return server


def test_as_installed_only_this_host_may(own):
    own.set("", listen="0.0.0.0:0")
    own.start()
    port = own.address.rpartition(":")[2]
    own.url = f"http://127.0.0.1:{port}"
    assert "backstay_agents" in own.call("GET", "/metrics").text
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        refused(own.call("GET", "/metrics", headers={header: "for=203.0.113.9"}), 403, "forbidden")
    from_outside(own)
    refused(own.call("GET", "/metrics"), 403, "forbidden")
    refused(own.call("GET", "/metrics", own.control.token("acme", "owner")), 403, "forbidden")
    assert own.call("GET", "/healthz").status_code == 200


def write_secret(own, text, mode=0o600):
    file = pathlib.Path(own.state, "metrics.key")
    file.write_text(text)
    file.chmod(mode)


def test_a_token_opens_them_from_anywhere(own):
    write_secret(own, "a-long-secret-for-prometheus\n")
    own.set("", listen="0.0.0.0:0", metrics_token_file="metrics.key")
    from_outside(own.start())
    assert "backstay_agents" in own.call("GET", "/metrics", "a-long-secret-for-prometheus").text
    for wrong in (None, "a-long-secret-for-prometheu", "x", own.control.token("acme", "owner")):
        answer = own.call("GET", "/metrics", wrong)
        refused(answer, 401, "missing_auth")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "a-long-secret" not in own.log()


def test_they_can_be_open(own):
    own.set("", listen="0.0.0.0:0", metrics="open")
    assert "backstay_agents" in from_outside(own.start()).call("GET", "/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).text


def test_an_empty_token_file_is_no_token(own):
    write_secret(own, "\n")
    own.set("", metrics_token_file="metrics.key")
    with pytest.raises(AssertionError, match="is empty"):
        own.start()


def test_a_token_file_that_others_can_read_is_refused(own):
    write_secret(own, "a-long-secret-for-prometheus\n", 0o644)
    own.set("", metrics_token_file="metrics.key")
    with pytest.raises(AssertionError, match="others could read"):
        own.start()
