"""A Debian with a running systemd, fresh for each test, and the packages of build/packages."""

import glob
import os
import pathlib
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = pathlib.Path(os.environ.get("BACKSTAY_PACKAGES", ROOT / "build/packages"))
SCRIPT = str(ROOT / "tests/infra/debian_root.sh")


def package(name, kind="deb"):
    return glob.glob(f"{PACKAGES}/{name}[-_][0-9]*.{kind}")[0]


class Machine:
    def __init__(self, base):
        self.base = pathlib.Path(base)
        self.env = {**os.environ, "BASE": str(base)}

    def script(self, *words, check=True, given=None):
        done = subprocess.run([SCRIPT, *words], env=self.env, capture_output=True, text=True, input=given, timeout=1200)
        assert not check or done.returncode == 0, f"{' '.join(words)[:200]}: {done.stdout}{done.stderr}"
        return done

    def run(self, *words, check=True):
        return self.script("exec", *words, check=check)

    def text(self, *words):
        return self.run(*words).stdout.strip()

    def sh(self, line, check=True):
        return self.run("sh", "-c", line, check=check)

    def write(self, path, text):
        self.script("exec", "sh", "-c", f"mkdir -p $(dirname {path}) && cat >{path}", given=text)

    def put(self, *files):
        self.script("put", *map(str, files))

    def install(self, *files, options=()):
        self.put(*files)
        return self.run("dpkg", *options, "-i", *[f"/mnt/{pathlib.Path(file).name}" for file in files])

    def state(self, unit, *properties):
        shown = self.text("systemctl", "show", unit, *[f"-p{name}" for name in properties])
        return dict(line.split("=", 1) for line in shown.splitlines())

    def journal(self, unit):
        return self.text("journalctl", "--no-pager", "-o", "cat", "-u", unit)

    def wait(self, what, condition, seconds=90):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s for {what}\n" + self.text("journalctl", "--no-pager", "-n", "60")
            time.sleep(0.2)


@pytest.fixture(scope="session")
def system():
    """Made once and kept beside the build; what tests do in it is gone at its next boot."""
    machine = Machine(os.environ.get("BACKSTAY_PACKAGE_SYSTEM", ROOT / "build/package-system"))
    machine.script("build", "postgresql-15", package("backstay-agent"), package("backstay-control"))
    return machine


@pytest.fixture
def machine(system):
    system.script("down")
    system.script("boot")
    yield system
    system.script("down")
