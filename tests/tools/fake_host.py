"""An agent that only answers what is asked about a folder of its host; the folder is in memory."""

import hashlib
import threading
import time

import requests
from fake_agent import FakeAgent, Refusal, stamp


def ask(session, method, url, seconds=60, **options):
    """Asks again while the agent's poll is late: on a busy machine it may be."""
    deadline = time.monotonic() + seconds
    while True:
        answer = session.request(method, url, timeout=60, **options)
        if answer.status_code != 503 or answer.json()["error"] != "agent_offline" or time.monotonic() > deadline:
            return answer


class FakeHost(threading.Thread):
    """`failing[action]` is what it answers instead: {"code": …, "reason": …, "message": …}."""

    def __init__(self, url, token):
        super().__init__(daemon=True)
        self.agent = FakeAgent.enrolled(url, token)
        self.files, self.failing = {}, {}
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            try:
                asked = self.agent.call("assignments", {"instanceId": self.agent.instance_id, "waitMs": 1000, "freeSlots": 0,
                                                        "storageVersion": 1})
                for request in asked["storage"]:
                    self.do(request)
            except (Refusal, requests.RequestException):  # asked again, as a real one does
                self.over.wait(0.2)

    def stop(self):
        self.over.set()
        self.join(30)

    def do(self, request):
        url, key = f"{self.agent.url}/agent/v1/storage/{request['requestId']}", request["key"]
        headers = {"Authorization": f"Bearer {self.agent.credential}"}
        failure = self.failing.get(request["action"])
        if failure is None and request["action"] in ("stat", "read") and key not in self.files:
            failure = {"code": "not_found", "reason": "remote_missing", "message": "no such file"}
        if failure is not None:
            answer = {"failure": failure}
        elif request["action"] == "read":
            content = self.files[key][request["first"]:]
            content = content[:request["count"]] if request["count"] else content
            self.agent.session.post(url, data=content, headers={**headers, "Content-Type": "application/octet-stream"}, timeout=60)
            return
        elif request["action"] == "write":
            self.files[key] = self.agent.session.get(url, headers=headers, timeout=60).content
            answer = {"object": self.shown(key)}
        elif request["action"] == "remove":
            self.files.pop(key, None)
            answer = {}
        elif request["action"] == "list":
            answer = {"objects": [self.shown(name) for name in sorted(self.files) if name.startswith(request["prefix"])]}
        else:
            answer = {"object": self.shown(key)}
        self.agent.session.post(url, json=answer, headers=headers, timeout=60)

    def shown(self, key):
        return {"key": key, "sizeBytes": len(self.files[key]), "modifiedAt": stamp(), "etag": hashlib.sha256(self.files[key]).hexdigest()}
