"""backstay-control migrate-store: an installation made through REST goes to PostgreSQL and back, is whole or not at all wherever the
move is killed, and is refused where it would do harm. And the control plane's own backup on PostgreSQL."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import time

import list_counts
import pytest
import store
from conftest import PRESET, end_plane, new_folder
from control_plane import ControlPlane
from postgres import Postgres


@pytest.fixture(autouse=True)
def begin_on_sqlite(monkeypatch):
    """Whatever store the other tests run on."""
    monkeypatch.setattr(store, "SERVER", None)


@pytest.fixture(scope="module")
def pg():
    folder = new_folder()
    server = Postgres(folder / "pg").start()
    yield server
    server.forget()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(pg):
    """Of an empty database."""
    name = f"store{time.monotonic_ns()}"
    pg.psql("postgres", f"CREATE DATABASE {name}")
    return f"postgresql://{pg.user}@:{pg.port}/{name}?host={pg.socket}"


@pytest.fixture
def plane(begin_on_sqlite):
    one = ControlPlane(new_folder(), PRESET)
    try:
        one.up()
        one.made_backup()
        yield one
    finally:
        end_plane(one)


def name_of(url):
    return re.search(r"/(\w+)\?host=", url)[1]


def call(plane, *words):
    return subprocess.run([plane.program, *words, "--state", plane.state], env=plane.env, text=True, capture_output=True, timeout=120)


def moved(plane, to, *options):
    done = call(plane, "migrate-store", "--to", to, "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def tables_of(pg, url):
    return pg.psql(name_of(url), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")


def change(pg, url, sql):
    pg.psql(name_of(url), sql)


def test_an_installation_goes_to_postgresql_and_back(plane, pg, url):
    backups = plane.owner.get(f"/environments/{plane.production}/backups")["backups"]
    told = call(plane, "migrate-store", "--to", url)
    assert told.returncode == 1 and "stop the server" in told.stderr and tables_of(pg, url) == "0"

    plane.stop()
    settings = pathlib.Path(plane.state, "control.toml")
    before, source = settings.read_text(), pathlib.Path(plane.state, "control.db").read_bytes()
    answer = moved(plane, url)
    assert all(table["same"] for table in answer["tables"]) and not answer["wasThere"]
    assert {table["table"]: table["rows"] for table in answer["tables"]}["backups"] == 1
    assert pathlib.Path(plane.state, "control.db").read_bytes() == source
    assert pathlib.Path(answer["keptSettings"]).read_text() == before
    changed = settings.read_text()
    assert url in changed and changed.count("#") == before.count("#") and settings.stat().st_mode & 0o077 == 0

    plane.start()
    assert plane.owner.get(f"/environments/{plane.production}/backups")["backups"] == backups
    later = plane.made_backup()["id"]
    assert list_counts.check(plane.state) > 5
    told = call(plane, "migrate-store", "--to", f"sqlite:{plane.folder}/back.db")
    assert told.returncode == 1 and "stop the server" in told.stderr

    plane.stop()
    answer = moved(plane, f"sqlite:{plane.folder}/back.db")
    assert all(table["same"] for table in answer["tables"])
    plane.start()
    assert plane.owner.get(f"/backups/{later}")["status"] == "completed"
    plane.made_backup()
    plane.stop()
    assert list_counts.check(plane.state) > 5


def test_a_move_that_ended_before_the_settings_is_taken_up_and_any_other_target_is_refused(plane, pg, url):
    plane.stop()
    settings = pathlib.Path(plane.state, "control.toml")
    before = settings.read_text()
    assert moved(plane, url, "--keep-settings")["keptSettings"] is None and settings.read_text() == before
    assert moved(plane, url, "--keep-settings")["wasThere"]

    change(pg, url, "UPDATE organizations SET name = name || '!' WHERE slug = 'acme'")
    told = call(plane, "migrate-store", "--to", url)
    assert told.returncode == 1 and "organizations" in told.stderr and "an installation of its own" in told.stderr
    assert settings.read_text() == before
    assert [line.split()[0] for line in told.stdout.splitlines() if " NO " in line] == ["organizations"]

    change(pg, url, "UPDATE organizations SET name = rtrim(name, '!') WHERE slug = 'acme'")
    assert moved(plane, url)["wasThere"] and url in settings.read_text()


def test_a_target_that_is_not_fit_is_refused_in_words(plane, pg, url):
    plane.stop()
    change(pg, url, "CREATE TABLE alerts (x int)")
    told = call(plane, "migrate-store", "--to", url)
    assert told.returncode == 1 and "a table alerts already" in told.stderr
    pg.psql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0; CREATE ROLE poor LOGIN; CREATE DATABASE rich")
    latin = f"postgresql://{pg.user}@:{pg.port}/latin?host={pg.socket}"
    told = call(plane, "migrate-store", "--to", latin)
    assert told.returncode == 2 and "encoded in LATIN1" in told.stderr
    pg.psql("rich", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    told = call(plane, "migrate-store", "--to", f"postgresql://poor@:{pg.port}/rich?host={pg.socket}")
    assert told.returncode == 1 and "GRANT CREATE ON SCHEMA public TO poor" in told.stderr
    told = call(plane, "migrate-store", "--to", "mysql://x")
    assert told.returncode == 2


def test_a_move_killed_at_any_moment_leaves_nothing_or_all(plane, pg, url):
    plane.stop()
    began = time.monotonic()
    probe = url.replace("/store", "/probe")
    pg.psql("postgres", f"CREATE DATABASE {name_of(probe)}")
    moved(plane, probe, "--keep-settings")
    whole = time.monotonic() - began
    steps = 10
    for step in range(steps):
        process = subprocess.Popen([plane.program, "migrate-store", "--to", url, "--keep-settings", "--state", plane.state],
                                   env=plane.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole * step / steps)
        process.send_signal(signal.SIGKILL)
        process.wait()
        # Its session may still be ending.
        told = call(plane, "migrate-store", "--to", url, "--keep-settings", "--json")
        assert told.returncode == 0, told.stderr
        assert all(table["same"] for table in json.loads(told.stdout)["tables"])
        name = name_of(url)
        pg.psql("postgres", f"DROP DATABASE {name} WITH (FORCE)")
        pg.psql("postgres", f"CREATE DATABASE {name}")
        assert not list(pathlib.Path(plane.state).glob("*.moving*"))


def test_a_server_that_crashes_in_the_middle_of_a_move_is_told_of_and_the_move_made_again(plane, pg, url):
    plane.stop()
    settings = pathlib.Path(plane.state, "control.toml")
    before = settings.read_text()
    pg.psql("postgres", f"CREATE DATABASE {name_of(url)}_probe")
    began = time.monotonic()
    moved(plane, url.replace(name_of(url), name_of(url) + "_probe"), "--keep-settings")
    whole = time.monotonic() - began
    for share in (0.3, 0.5, 0.7):
        process = subprocess.Popen([plane.program, "migrate-store", "--to", url, "--keep-settings", "--state", plane.state],
                                   env=plane.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(whole * share)
        pg.crash()
        said = process.communicate(timeout=60)[1]
        pg.start()
        # It may have been through already.
        assert process.returncode == 0 or "server" in said, said
        assert settings.read_text() == before
        assert all(table["same"] for table in moved(plane, url, "--keep-settings")["tables"])
        pg.psql("postgres", f"DROP DATABASE {name_of(url)} WITH (FORCE)")
        pg.psql("postgres", f"CREATE DATABASE {name_of(url)}")


def test_a_backup_of_one_on_postgresql_goes_back_to_either_store(plane, pg, url):
    plane.stop()
    moved(plane, url)
    plane.start()
    known = plane.made_backup()["id"]
    backup = str(plane.folder / "own.backup")
    plane.control.run("backup", "--output", backup)
    plane.stop()
    shutil.rmtree(plane.state)
    told = call(plane, "restore", "--from", backup)
    assert told.returncode == 0, told.stderr
    plane.start()
    assert plane.owner.get(f"/backups/{known}")["status"] == "completed"

    plane.stop()
    shutil.rmtree(plane.state)
    told = call(plane, "restore", "--from", backup, "--store", url)
    assert told.returncode == 1 and "already" in told.stderr and not pathlib.Path(plane.state).exists()
    change(pg, url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    told = call(plane, "restore", "--from", backup, "--store", url)
    assert told.returncode == 0, told.stderr
    plane.start()
    assert plane.owner.get(f"/backups/{known}")["status"] == "completed"
    assert url in pathlib.Path(plane.state, "control.toml").read_text()


def test_init_makes_an_installation_on_postgresql_but_not_on_another_one(folder, pg, url):
    plane = ControlPlane(folder, PRESET)
    assert call(plane, "init", "--store", url).returncode == 0
    assert not pathlib.Path(plane.state, "control.db").exists()
    plane.control.run("org", "create", "--slug", "acme", "--name", "Acme")
    plane.start()
    plane.stop()
    plane.state += "2"
    told = call(plane, "init", "--store", url)
    assert told.returncode == 1 and "holds an installation already" in told.stderr


def test_a_password_in_the_settings_is_shown_nowhere(folder, pg, url):
    plane = ControlPlane(folder, PRESET)
    secret = url.replace(f"{pg.user}@", f"{pg.user}:swordfish@")
    assert call(plane, "init", "--store", secret).returncode == 0
    plane.start()
    plane.control.run("backup", "--without-keys", "--output", str(folder / "own.backup"))
    plane.stop()
    assert b"swordfish" not in (folder / "own.backup").read_bytes()
    assert "swordfish" not in plane.log()
    told = call(plane, "migrate-store", "--to", f"sqlite:{folder}/back.db")
    assert told.returncode == 0 and "swordfish" not in told.stdout + told.stderr
    settings = pathlib.Path(plane.state, "control.toml")
    settings.write_text(settings.read_text().replace("store = ", f'store = "{secret}" # '))
    settings.chmod(0o644)
    told = call(plane, "org", "list")
    assert told.returncode == 1 and "swordfish" not in told.stderr
