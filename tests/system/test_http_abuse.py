"""What nobody sends by mistake, sent to a running control plane: every answer is an error of the contract, and it goes on."""

import json
import pathlib
import socket
import time

import processes
import pytest

CORPUS = sorted((pathlib.Path(__file__).parent.parent / "corpus" / "http").glob("*.http"))
ERROR_WORDS = {"error", "message", "detail"}


def connect(plane):
    return socket.create_connection(("127.0.0.1", plane.port), timeout=20)


def read_to_end(peer):
    text = b""
    try:
        while piece := peer.recv(65536):
            text += piece
    except ConnectionResetError:
        pass
    return text


def get(path, *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", "Connection: close", *fields, "", ""]).encode()


def ask(plane, raw):
    with connect(plane) as peer:
        try:
            peer.sendall(raw)
            peer.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it refused before all was sent
        return read_to_end(peer)


def check_alive(plane):
    assert ask(plane, get("/healthz")).startswith(b"HTTP/1.1 200 ")


def check_error(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = {line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
    assert b"x-request-id" in fields and b"application/json" in head, head
    said = json.loads(body)
    assert {"error", "message"} <= set(said) <= ERROR_WORDS, said


@pytest.mark.parametrize("sample", [path for path in CORPUS if not path.name.startswith("200")], ids=lambda path: path.stem)
def test_a_malformed_request_is_refused_in_the_words_of_the_contract(plane, sample):
    answer = ask(plane, sample.read_bytes())
    assert answer.startswith(b"HTTP/1.1 " + sample.name[:3].encode() + b" "), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, "one answer, then the end"
    check_error(answer)


def test_paths_that_climb_find_nothing(plane):
    for path in ("/api/../healthz", "/api/%2e%2e/healthz", "/api/environments/%2e%2e%2f%2e%2e%2fetc/backups",
                 "/api/environments/..%5c..%5cetc/backups", "//healthz", "/api/environments/" + "a" * 4000 + "/backups"):
        answer = ask(plane, get(path))
        assert answer[9:12] in (b"400", b"401", b"404"), (path, answer[:200])
        check_error(answer)


def test_many_slow_peers_keep_nobody_else_waiting(plane):
    slow = []
    try:
        for _ in range(300):
            slow.append(connect(plane))
            slow[-1].sendall(b"GET /api/projects HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        began = time.monotonic()
        for _ in range(20):
            check_alive(plane)
        assert time.monotonic() - began < 10
        # Ten seconds are allowed for a head; each is then told so.
        answers = [read_to_end(peer) for peer in slow]
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers), answers[0][:200]
        check_error(answers[0])
    finally:
        for peer in slow:
            peer.close()


def test_peers_that_vanish_in_the_middle_leave_nothing_behind(plane):
    def files():
        return len(list(pathlib.Path(f"/proc/{plane.running[0]}/fd").iterdir()))

    before = files()
    for sample in CORPUS:
        raw = sample.read_bytes()
        for part in (1, len(raw) // 2, len(raw) - 1):
            with connect(plane) as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not a goodbye
                try:
                    peer.sendall(raw[:part])
                except OSError:
                    pass
    check_alive(plane)
    assert processes.wait_until(lambda: files() <= before + 2, 20), (before, files())
