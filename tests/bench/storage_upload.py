#!/usr/bin/python3
"""./dev bench storage_upload: a file through the control plane into a real S3 store, and the control plane's memory meanwhile.

  storage_upload.py --bin DIR [--gib 5]

Fails when the control plane takes more than 64 MiB beyond what it had before, or answers another digest.
"""

import argparse
import hashlib
import http.client
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))

import processes  # noqa: E402
from measure import peak_memory, resident_memory  # noqa: E402
from s3_server import S3  # noqa: E402
from storage_scan import begin  # noqa: E402

PIECE = 2**20
MIB = 2**20


def send(url, token, destination, pieces):
    """Streams the form; answers (status, answer, digest of what was sent)."""
    head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    tail = b"\r\n--B--\r\n"
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=300)
    connection.putrequest("POST", f"/api/storage/destinations/{destination}/upload?path=uploads/large.bin")
    for name, value in (("Authorization", f"Bearer {token}"), ("Content-Type", "multipart/form-data; boundary=B"),
                        ("Content-Length", str(len(head) + pieces * PIECE + len(tail)))):
        connection.putheader(name, value)
    connection.endheaders()
    noise, digest = os.urandom(PIECE), hashlib.sha256()
    connection.send(head)
    for number in range(pieces):
        piece = number.to_bytes(8, "big") + noise[8:]
        digest.update(piece)
        connection.send(piece)
    connection.send(tail)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read()), digest.hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--gib", type=float, default=5)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="backstay-bench-")
    s3 = S3(os.path.join(folder, "s3"))
    control, running, url = begin(options, folder)
    try:
        control.made("org", "create", "--slug", "acme", "--name", "Acme")
        config = json.dumps({"endpoint": s3.env["S3_ENDPOINT"], "bucket": "backups", "region": s3.env["S3_REGION"],
                             "accessKeyId": s3.env["S3_ACCESS_KEY"], "secretAccessKey": s3.env["S3_SECRET_KEY"]})
        one = control.made("destination", "create", "--org", "acme", "--name", "b", "--type", "s3_compatible", "--config", config, "--skip-test")
        before, pieces, began = resident_memory(running[0]), round(options.gib * 1024), time.monotonic()
        # A file may have 5 GiB, not one byte more.
        status, answer, digest = send(url, control.token("acme", "owner"), one["id"], pieces)
        took, peak = time.monotonic() - began, peak_memory(running[0])
        assert status == 200 and answer["sha256"] == digest and answer["sizeBytes"] == pieces * PIECE, answer
        print(f"{pieces} MiB in {took:.1f} s ({pieces / took:.0f} MiB/s); memory {before / MIB:.0f} MiB before, peak {peak / MIB:.0f} MiB")
        if peak - before > 64 * MIB:
            sys.exit("the control plane takes more than 64 MiB for an upload")
    finally:
        processes.end(*running)
        s3("down")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
