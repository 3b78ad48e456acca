"""The REST contract as a script sees it: JSON in, JSON out, and event streams."""

import json
import time

import requests


class Refused(Exception):
    """An answer of 400 and above."""

    def __init__(self, answer):
        self.status = answer.status_code
        try:
            self.body = answer.json()
        except ValueError:
            self.body = {"error": "not_json", "message": answer.text[:300]}
        super().__init__(f"{answer.request.method} {answer.url}: {self.status} {self.body}")


class Api:
    """One credential. Environment proxies are not used: labs live on this host."""

    def __init__(self, url, token, headers=None):
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"Authorization": f"Bearer {token}", **(headers or {})})

    def call(self, method, path, body=None, **options):
        answer = self.session.request(method, self.url + path, json=body, timeout=30, **options)
        if answer.status_code >= 400:
            raise Refused(answer)
        return answer.json() if answer.content else None

    def get(self, path, **query):
        return self.call("GET", path, params=query)

    def post(self, path, body=None, **options):
        return self.call("POST", path, body, **options)

    def put(self, path, body=None):
        return self.call("PUT", path, body)

    def delete(self, path):
        return self.call("DELETE", path)

    def events(self, path, last_id=None):
        """Yields (id, event, data) of a stream until the server closes it."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": str(last_id)} if last_id else {})}
        with self.session.get(self.url + path, headers=headers, stream=True, timeout=(10, 60)) as answer:
            if answer.status_code >= 400:
                raise Refused(answer)
            fields = {}
            for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
                if line == "":
                    if "data" in fields:
                        yield fields.get("id"), fields.get("event"), json.loads(fields["data"])
                    fields = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")

    def follow(self, path, seen=lambda payload: None, seconds=600):
        """Reads a progress stream to its end, taking it up again when it breaks; answers the last payload."""
        deadline, last_id, last = time.monotonic() + seconds, None, None
        while time.monotonic() < deadline:
            try:
                for last_id, _, last in self.events(path, last_id):
                    seen(last)
                    if last.get("done"):
                        return last
            except requests.RequestException:
                pass
            except Refused as refusal:
                if refusal.status != 503:
                    raise
            time.sleep(0.1)
        raise TimeoutError(f"{path} did not end within {seconds} s; last: {last}")


TERMINAL = ("completed", "partial", "failed", "cancelled")


def until_terminal(read, seconds=300):
    """Polls read() until its status is terminal; answers it."""
    deadline = time.monotonic() + seconds
    while True:
        row = read()
        if row["status"] in TERMINAL:
            return row
        if time.monotonic() > deadline:
            raise TimeoutError(f"still {row['status']} after {seconds} s: {row}")
        time.sleep(0.1)
