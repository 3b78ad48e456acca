"""What whole-system tests share: folders that every account may enter, and labs (tests/tools/lab.py)."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools"))


@pytest.fixture
def folder():
    """A folder of its own; pytest's tmp_path lies where PostgreSQL's account may not enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="backstay-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)
