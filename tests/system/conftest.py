"""What whole-system tests share: folders that every account may enter, and labs (tests/tools/lab.py).

`lab` is one lab for a whole module, with our own Odoo data; `make_lab(...)` makes one for a single test."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools"))

import list_counts  # noqa: E402
import odoo_data  # noqa: E402
from control_plane import ControlPlane  # noqa: E402
from lab import Lab  # noqa: E402
from s3_server import S3  # noqa: E402

PRESET = os.environ.get("BACKSTAY_PRESET", "dev")


def new_folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="backstay-test-", dir="/tmp"))
    path.chmod(0o755)
    return path


@pytest.fixture
def folder():
    """A folder of its own; pytest's tmp_path lies where PostgreSQL's account may not enter."""
    path = new_folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


def end(lab):
    for name in ("control", "agent"):
        print(f"--- {name}.log of the lab\n{lab.log_tail(name, 60)}")
    lab.down()
    lab.purge()


def made_lab(**options):
    options.setdefault("production", odoo_data.Made("production"))
    options.setdefault("s3", {})
    return Lab(str(new_folder()), PRESET, **options).up()


@pytest.fixture(scope="module")
def lab():
    found = made_lab()
    yield found
    end(found)


@pytest.fixture
def make_lab():
    """make_lab(**options of Lab) → a lab that is up; ended with the test."""
    made = []

    def make(**options):
        made.append(made_lab(**options))
        return made[-1]

    yield make
    for one in made:
        end(one)


def end_plane(one):
    one.stop()
    if (one.folder / "control.log").exists():
        print(f"--- control.log\n{one.log()}")
    shutil.rmtree(one.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def plane():
    """A control plane whose agents the test plays itself (tests/tools/fake_agent.py)."""
    one = ControlPlane(new_folder(), PRESET)
    try:
        one.up()
        yield one
        one.stop()
        list_counts.check(one.state)  # whatever a module's tests did
    finally:
        end_plane(one)


@pytest.fixture(scope="module")
def s3():
    path = new_folder()
    server = S3(str(path / "s3"))
    yield server
    server("down")
    shutil.rmtree(path, ignore_errors=True)
