"""A control plane with years behind it: neither what it does by itself nor what it is asked for looks at all rows of a table that
grows with them. PostgreSQL writes down how it ran each statement; whatever it read from end to end is named."""

import pathlib
import re
import time
import uuid

import pytest
import requests
from conftest import PRESET, new_folder
from processes import wait_until
from replicas import Replicas
from test_isolation import OPERATIONS, READING, Things
import store

ROWS = 50_000
ENDED = "o.completed_at IS NOT NULL"
ELSEWHERE = "(SELECT id FROM environments WHERE name = 'elsewhere')"
OF_OTHERS = {"organization_id": "(SELECT id FROM organizations WHERE slug = 'other')", "environment_id": ELSEWHERE,
             "source_environment_id": ELSEWHERE, "target_environment_id": ELSEWHERE,
             "project_id": "(SELECT id FROM projects WHERE name = 'Second')", "agent_id": "(SELECT id FROM agents WHERE name = 'db2')"}
# Table: (what makes a row of it another one, which rows are history).
GROWING = {
    "operations": ({"id": "made.id"}, ENDED),
    "jobs": ({"id": "made.id", "operation_id": "made.id", "backup_id": "made.id"}, "o.state = 'finished'"),
    "backups": ({"id": "made.id", "status": "'completed'"}, "true"),
    "snapshots": ({"id": "made.id"}, ENDED),
    "restores": ({"id": "made.id", "backup_id": "made.id"}, ENDED),
    "rollbacks": ({"id": "made.id", "snapshot_id": "made.id", "safety_snapshot_id": "made.id"}, ENDED),
    "copies": ({"backup_id": "made.id"}, "true"),
    "steps": ({"operation_id": "made.id"}, "true"),
    "progress_events": ({"operation_id": "made.id"}, "true"),
    "alerts": ({"id": "made.id", "subject": "made.id", "resolved_at": "o.created_at"}, "true"),
    "audit": ({"id": "1000000 + made.number"}, "true"),
    "schedule_runs": ({"environment_id": "made.id"}, "true"),
}


def multiply(db, columns, table):
    """Of the first such row, as somebody else's."""
    other, history = GROWING[table]
    values = {**OF_OTHERS, **other}
    names = sorted(columns[table])
    chosen = ", ".join(values[name] if name in values and name in columns[table] else f"o.{name}" for name in names)
    made = db.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {chosen} FROM (SELECT * FROM {table} o WHERE {history} LIMIT 1) o, "
               f"(SELECT number, lpad(number::text, 8, '0') || '-0000-4000-8000-000000000000' AS id FROM generate_series(1, {ROWS}) number) made")
    assert made.rowcount == ROWS, f"{table} has no row to be multiplied"


@pytest.fixture(scope="module")
def replicas():
    made = Replicas(new_folder(), PRESET, count=1, settings=[
        "session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0", "auto_explain.log_nested_statements = on"])
    yield made
    made.end()


@pytest.fixture(scope="module")
def history(replicas):
    """Things of an organization, among the history of others; the control plane starts after it."""
    plane = replicas.first
    things = Things(plane)
    plane.stop()
    with store.opened(plane.state) as db:
        db.execute("INSERT INTO schedule_runs (environment_id, scope, due_at, outcome, backup_id, message, decided_at) VALUES "
                   "('e', 'db', 1, 'missed', NULL, '', ?)", (int(time.time() * 1000),))
        columns = store.tables(db)
        for table in GROWING:
            multiply(db, columns, table)
    replicas.ask("VACUUM ANALYZE")
    return things


def told(log, since):
    """Statements, each with the plan that the server made."""
    return log.read_text(errors="replace")[since:].split("Query Text: ")[1:]


def scans(statement):
    """Whether it read a growing table from end to end."""
    return bool(set(re.findall(r"Seq Scan on (\w+)", statement)) & set(GROWING))


def test_nothing_looks_at_all_of_it(replicas, history):
    plane = replicas.first
    log = pathlib.Path(replicas.pg.folder, "log")
    since = len(log.read_text(errors="replace"))
    plane.start()
    token, key = plane.control.token("acme", "owner"), plane.control.key("acme", "rw")
    requests.get(f"{plane.url}/metrics", timeout=30).raise_for_status()
    for method, template, _ in OPERATIONS:
        if method == READING and not template.endswith(("/progress", "/events", "/stream")):
            bearer = key if template.startswith("/public/") else token
            answer = requests.get(f"{plane.url}/api{history.path(template)}", headers={"Authorization": f"Bearer {bearer}"}, timeout=30)
            assert answer.status_code not in (401, 403, 429, 500), (template, answer.text)
    plane.agent.heartbeat()
    plane.agent.do_backup(plane.agent.take(kind="backup"))  # waits since before
    looked_through = "FROM (SELECT id, completed_at, steps_purged_at FROM operations"
    # The first purge comes behind the first sweeps.
    assert wait_until(lambda: any(looked_through in one for one in told(log, since)), 60, 1), "the purge is not in the server's log"
    found = sorted({one for one in told(log, since) if scans(one)})
    assert not found, "\n".join(found)
