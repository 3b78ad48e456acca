"""A receiver of webhooks on a real socket: checks each signature as a customer would, keeps what it took, and answers as it is told to."""

import hashlib
import hmac
import http.server
import threading
import time


class Receiver:
    def __init__(self, secret):
        self.secret = secret
        self.calls, self.answers = [], []
        self.changed = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                receiver.take(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def signed(self, headers, body):
        signature = hmac.new(self.secret.encode(), headers["X-Backstay-Timestamp"].encode() + b"." + body, hashlib.sha256)
        fresh = abs(time.time() - int(headers["X-Backstay-Timestamp"])) < 60
        return fresh and hmac.compare_digest("sha256=" + signature.hexdigest(), headers["X-Backstay-Signature"])

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self.changed:
            answer = self.answers.pop(0) if self.answers else 200
            self.calls.append({"body": body, "headers": dict(handler.headers), "signed": self.signed(handler.headers, body),
                               "answer": answer, "path": handler.path})
            self.changed.notify_all()
        handler.send_response(answer)
        if 300 <= answer < 400:
            handler.send_header("Location", self.url + "/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def wait(self, enough, seconds=30):
        """Until enough(calls); answers the calls."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not enough(self.calls):
                left = deadline - time.monotonic()
                assert left > 0, f"only {self.calls}"
                self.changed.wait(left)
            return list(self.calls)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
