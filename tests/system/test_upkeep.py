"""What the control plane does by itself as time goes by; time is moved in its store while it is down."""


import list_counts
import processes
import pytest
from conftest import PRESET, new_folder
from contract import refused
from control_plane import ControlPlane
import store

DAY = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def plane():
    one = ControlPlane(new_folder(), PRESET)
    one.up()
    yield one
    one.stop()
    assert list_counts.check(one.state) > 0
    print(f"--- control.log\n{one.log()}")


def age(plane, days):
    """Everything in the store happened so many days earlier."""
    with store.opened(plane.state) as db:
        on_audit = " ON audit" if store.SERVER else ""
        db.execute(f"DROP TRIGGER IF EXISTS audit_is_not_changed{on_audit}")
        for table, column in (("audit", "at"), ("operations", "completed_at"), ("backups", "deleted_at"), ("enroll_tokens", "used_at")):
            db.execute(f"UPDATE {table} SET {column} = {column} - ?", (days * DAY,))


def rows(plane, table):
    with store.opened(plane.state) as db:
        return db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def test_old_history_goes_by_itself_and_what_exists_stays(plane):
    kept, gone = plane.made_backup(type="db")["id"], plane.made_backup(type="db")["id"]
    plane.owner.delete(f"/backups/{gone}")
    plane.agent.finish(plane.agent.take(kind="delete"))
    steps = plane.owner.get(f"/operations/backup/{kept}/steps")
    assert plane.owner.get(f"/operations/backup/{gone}/steps")["total"] == steps["total"] > 5
    plane.stop()
    age(plane, 100)
    plane.start()
    assert processes.wait_until(lambda: "purgedAt" in plane.owner.get(f"/operations/backup/{gone}/steps"), 30)
    assert plane.owner.get(f"/operations/backup/{gone}/steps")["steps"] == []
    assert plane.owner.get(f"/operations/backup/{gone}")["status"] == "completed"
    ends = [payload for _, _, payload in plane.owner.events(f"/operations/backup/{gone}/progress")]
    assert len(ends) == 1 and ends[0]["done"], "how it ended is still told"
    assert plane.owner.get(f"/operations/backup/{kept}/steps") == steps
    assert rows(plane, "enroll_tokens") == 0 and rows(plane, "audit") > 0
    plane.stop()
    age(plane, 400)
    plane.start()
    assert processes.wait_until(lambda: rows(plane, "operations") == 1, 30)
    refused(lambda: plane.owner.get(f"/operations/backup/{gone}"), 404, "not_found")
    row = plane.owner.get(f"/backups/{kept}")
    assert (row["status"], row["recoveryEvidence"]["status"]) == ("completed", "green")
    assert plane.owner.get(f"/operations/backup/{kept}/steps") == steps
