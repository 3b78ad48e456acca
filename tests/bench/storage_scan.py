#!/usr/bin/python3
"""./dev bench storage_scan: a scan of a bucket with a million names: its time, the control plane's memory, and how long another
request takes meanwhile.

  storage_scan.py --bin DIR [--objects 1000000]

Fails when the control plane takes more than 128 MiB, or another request more than a second.
"""

import argparse
import http.server
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse

import requests

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))

import processes  # noqa: E402
from control import Control  # noqa: E402
from measure import peak_memory  # noqa: E402

PAGE = 1000
MIB = 2**20


class ManyNames(http.server.BaseHTTPRequestHandler):
    """ListObjectsV2 over names that are made up as they are asked for."""

    protocol_version = "HTTP/1.1"
    objects = 0

    def log_message(self, *_):
        pass

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        first = int(query.get("continuation-token", ["0"])[0])
        last = min(first + PAGE, self.objects)
        found = "".join(f"<Contents><Key>v1/o/p/e/backups/2026/01/01/{n // 4:08}/file-{n % 4}</Key><Size>1000</Size><ETag>0</ETag>"
                        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>" for n in range(first, last))
        more = f"<NextContinuationToken>{last}</NextContinuationToken>" if last < self.objects else ""
        body = f"<ListBucketResult><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{found}</ListBucketResult>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def begin(options, folder):
    program = os.path.join(options.bin, "backstay-control")
    state = os.path.join(folder, "state")
    control = Control(program, state, {"PATH": os.environ["PATH"], "HOME": folder})
    control.run("init")
    settings = os.path.join(state, "control.toml")
    with open(settings) as file:
        text = file.read().replace("allow_private_destinations = false", "allow_private_destinations = true")
    with open(settings, "w") as file:
        file.write(text)
    listen = os.path.join(state, "listen")
    running = processes.begin([program, "serve", "--state", state, "--listen", "127.0.0.1:0"], os.path.join(folder, "log"), control.env)
    assert processes.wait_until(lambda: os.path.exists(listen), 30)
    with open(listen) as file:
        return control, running, "http://" + file.read().strip() + "/api"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--objects", type=int, default=1_000_000)
    options = parser.parse_args()
    ManyNames.objects = options.objects
    store = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ManyNames)
    threading.Thread(target=store.serve_forever, daemon=True).start()
    folder = tempfile.mkdtemp(prefix="backstay-bench-")
    control, running, url = begin(options, folder)
    try:
        control.made("org", "create", "--slug", "acme", "--name", "Acme")
        config = ('{"endpoint": "http://127.0.0.1:%d", "bucket": "b-1", "accessKeyId": "a", "secretAccessKey": "very-secret-word"}'
                  % store.server_address[1])
        one = control.made("destination", "create", "--org", "acme", "--name", "b", "--type", "s3_compatible", "--config", config, "--skip-test")
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = "Bearer " + control.token("acme", "owner")
        base, waits, began = f"{url}/storage/destinations/{one['id']}", [], time.monotonic()
        assert session.post(base + "/scan").status_code == 202
        while True:
            at = time.monotonic()
            found = session.get(base + "/analytics").json()["analytics"]
            waits.append(time.monotonic() - at)
            at = time.monotonic()
            assert session.post(url + "/projects", json={"name": f"p{len(waits)}"}).status_code in (201, 429)
            waits.append(time.monotonic() - at)
            if found:
                break
            time.sleep(0.25)
        took, memory = time.monotonic() - began, peak_memory(running[0])
        assert found["totalFiles"] == options.objects and found["status"] == "ok", found["error"]
        waits.sort()
        print(f"{options.objects} objects in {took:.1f} s; peak memory {memory / MIB:.0f} MiB; other requests: median "
              f"{statistics.median(waits) * 1000:.1f} ms, slowest {waits[-1] * 1000:.0f} ms of {len(waits)}")
        if memory > 128 * MIB or waits[-1] > 1:
            sys.exit("the control plane takes too much memory or time")
    finally:
        processes.end(*running)
        store.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
