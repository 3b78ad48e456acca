"""One organization that asks for more than the control plane can give makes itself wait, not the others."""

import http.client
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


def test_a_flood_of_one_organization_does_not_hold_up_another(plane):
    copied_a_hundred_times(plane, plane.made_backup(type="db")["id"])
    quiet_one = plane.stranger
    quiet_one.get("/projects")
    with Flood(plane, plane.control.token("acme", "viewer")) as flood:
        flood.settle()
        quiet = statistics.median(timed(lambda: quiet_one.get("/projects")) for _ in range(CALLS))
        noisy = statistics.median(flood.took)
    # In one line for all, both would wait for the same calls: those of all the others.
    assert quiet < noisy / 4, f"the quiet organization waits {quiet:.3f} s, the noisy one {noisy:.3f} s"
