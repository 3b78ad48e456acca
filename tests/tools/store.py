"""The store behind a control plane under test, looked into and changed beside it: its SQLite file or, when the tests were
started by tests/tools/with-postgres, a database of its own on that server."""

import contextlib
import os
import re
import sqlite3
import uuid

import psycopg2
import psycopg2.extras
import settings

SERVER = os.environ.get("BACKSTAY_TEST_STORE")


def new_url():
    """Of an empty PostgreSQL database; None when the tests run on SQLite."""
    if not SERVER:
        return None
    name = f"store_{uuid.uuid4().hex}"
    with contextlib.closing(psycopg2.connect(SERVER)) as server:
        server.autocommit = True
        server.cursor().execute(f"CREATE DATABASE {name}")
    return re.sub(r"/[^/?]*\?", f"/{name}?", SERVER)


def place(state):
    """What control.toml names: a file's path, or a URL."""
    with open(os.path.join(state, "control.toml")) as file:
        named = re.search(r'(?m)^store = "(.*)"', file.read())[1]
    return named if named.startswith("postgresql:") else os.path.join(state, named)


def settle(state):
    """A new installation gets the store that these tests run on."""
    url = new_url()
    if url:
        settings.change(state, store=url)


class _Postgres:
    """As much of an sqlite3 connection as the tests use."""

    def __init__(self, connection):
        self.connection = connection

    def execute(self, sql, values=()):
        cursor = self.connection.cursor(cursor_factory=psycopg2.extras.DictCursor)
        cursor.execute(sql.replace("?", "%s"), values)
        return cursor


@contextlib.contextmanager
def opened(state):
    """`execute(sql, values)` with ? for each value; rows are read by position or name. Committed at the end."""
    named = place(state)
    if named.startswith("postgresql:"):
        with contextlib.closing(psycopg2.connect(named)) as connection, connection:
            yield _Postgres(connection)
        return
    with contextlib.closing(sqlite3.connect(named, timeout=60)) as connection, connection:
        connection.row_factory = sqlite3.Row
        yield connection


def tables(db):
    """Each table's columns."""
    if isinstance(db, _Postgres):
        rows = db.execute("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'").fetchall()
    else:
        rows = db.execute("SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'").fetchall()
    found = {}
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    return found
