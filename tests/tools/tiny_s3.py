"""The smallest S3 that a connection test passes: one bucket in memory on loopback, which may be held at its first write,
or answer whatever a test wants to see not repeated."""

import http.server
import threading
import urllib.parse
from email.utils import formatdate
from xml.sax.saxutils import escape


class TinyS3(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, refusal=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects, self.refusal, self.requests = {}, refusal, []
        self.reached, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def config(self, host="127.0.0.1", **more):
        return {"endpoint": f"http://{host}:{self.port}", "bucket": "b-1", "accessKeyId": "a", "secretAccessKey": "very-secret-word", **more}

    def close(self):
        self.gate.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server, url = self.server, urllib.parse.urlsplit(self.path)
        server.requests.append(f"{self.command} {self.path}")
        server.reached.set()
        server.gate.wait(30)
        if "object-lock" in urllib.parse.parse_qs(url.query, keep_blank_values=True):
            return self.answer(404, b"<Error><Code>ObjectLockConfigurationNotFoundError</Code><Message>none</Message></Error>")
        if server.refusal:
            return self.answer(*server.refusal)
        key, query = urllib.parse.unquote(url.path).removeprefix("/b-1").lstrip("/"), urllib.parse.parse_qs(url.query)
        known = {"ETag": '"0"', "Last_Modified": formatdate(usegmt=True)}
        if self.command == "PUT":
            server.objects[key] = body
            return self.answer(200, **known)
        if self.command == "DELETE":
            server.objects.pop(key, None)
            return self.answer(204)
        if key in server.objects:
            return self.answer(200, server.objects[key], **known)
        if key:
            return self.answer(404)
        prefix = query.get("prefix", [""])[0]
        found = "".join(f"<Contents><Key>{escape(name)}</Key><Size>{len(value)}</Size><ETag>0</ETag>"
                        f"<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                        for name, value in server.objects.items() if name.startswith(prefix))
        return self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode())

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = handle_any
