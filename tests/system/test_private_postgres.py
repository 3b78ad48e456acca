"""The private PostgreSQL servers that everything else here stands on."""

import os

from postgres import Postgres
from processes import alive, wait_until


def test_a_cluster_comes_up_answers_survives_a_crash_and_leaves_nothing(folder):
    place = str(folder / "a-folder-whose-name-is-far-too-long-for-a-unix-socket" / "so-that-it-lies-elsewhere" / "pg")
    pg = Postgres(place, durable=True).start()
    assert not pg.socket.startswith(place)
    pg.psql("postgres", "CREATE TABLE kept (a int)")
    first = pg.pid
    pg.crash()
    again = Postgres(place).start()
    assert again.socket == pg.socket and again.pid != first
    assert again.psql("postgres", "SELECT count(*) FROM kept") == "0"
    again.forget()
    assert not os.path.exists(place) and not os.path.exists(pg.socket)
    assert wait_until(lambda: not alive(again.pid), 5)
