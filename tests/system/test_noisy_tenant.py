"""One organization that asks for more than the control plane can give makes itself wait, not the others."""

import datetime
import http.client
import re
import statistics
import threading
import time

import store

CALLERS = 48
CALLS = 12


def timed(call):
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


class Flood:
    """Callers of one organization that ask for its longest list again and again, each on a connection of its own."""

    def __init__(self, plane, token):
        self.plane, self.took, self.over = plane, [], threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(token,)) for _ in range(CALLERS)]

    def _ask(self, token):
        connection = http.client.HTTPConnection("127.0.0.1", self.plane.port, timeout=60)
        path, headers = f"/api/projects/{self.plane.project}/backups?limit=100", {"Authorization": f"Bearer {token}"}

        def call():
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status

        while not self.over.is_set():
            self.took.append(timed(call))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def settle(self):
        """Until everybody waits in line."""
        deadline = time.monotonic() + 60
        while len(self.took) < 2 * CALLERS:
            assert time.monotonic() < deadline, "the flood is not answered"
            time.sleep(0.05)
        self.took.clear()


def copied_a_hundred_times(plane, backup):
    with store.opened(plane.state) as db:
        columns_of = store.tables(db)
        for table in ("backups", "operations"):
            columns = sorted(columns_of[table])
            row = dict(db.execute(f"SELECT * FROM {table} WHERE id = ?", (backup,)).fetchone())
            for number in range(1, 101):
                values = [f"00000000-0000-4000-8000-{number:012x}" if name == "id" else row[name] for name in columns]
                db.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", values)


REQUEST = re.compile(r"^(\S+) info request method=GET path=(\S+) status=200 ms=(\d+) ")


def requests_in(log):
    """(when it came, when it was answered, path), in the order of the answers. Of the server: this process is busy with the flood."""
    for line in log.splitlines():
        if found := REQUEST.match(line):
            answered = datetime.datetime.fromisoformat(found[1])
            yield answered - datetime.timedelta(milliseconds=int(found[3])), answered, found[2]


def test_a_flood_of_one_organization_does_not_hold_up_another(plane):
    copied_a_hundred_times(plane, plane.made_backup(type="db")["id"])
    plane.stranger.get("/projects")
    with Flood(plane, plane.control.token("acme", "viewer")) as flood:
        flood.settle()
        log = plane.folder / "control.log"
        since = len(log.read_text())
        for _ in range(CALLS):
            plane.stranger.get("/projects")
    answered, went_first = [], []
    for came, at, path in requests_in(log.read_text()[since:]):
        if path == "/api/projects":
            went_first.append(sum(1 for other in answered if other >= came))
        else:
            answered.append(at)
    assert len(went_first) == CALLS
    # In one line for all, the calls of all the others go first, however fast each is.
    assert statistics.median(went_first) < CALLERS / 4, went_first
