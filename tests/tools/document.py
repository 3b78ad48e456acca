"""A document whose commands are run: shell blocks marked `sh WORD`, and the names that they use."""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / os.environ.get("BACKSTAY_PRESET", "dev") / "bin"


class Document:
    def __init__(self, name):
        self.text = (ROOT / "docs" / name).read_text()

    def blocks(self, word=""):
        """The shell blocks marked `sh word`, joined."""
        found = re.findall(rf"^```sh{' ' + word if word else ''}\n(.*?)^```$", self.text, re.M | re.S)
        assert found, f"the document has no block `sh {word}`"
        return "\n".join(found)

    def settings(self, block="setup", **values):
        """The document's own list of names, with a test's values."""
        names = re.findall(r"^(\w+)=", self.blocks(block), re.M)
        assert sorted(names) == sorted(values), "the document's names and the test's must be the same"
        return "".join(f"{name}={value}\n" for name, value in values.items())


def run_script(pg, script, user=None):
    """As an administrator would paste it, with our programs and PostgreSQL's (if any) in the path: (exit code, output)."""
    env = {**pg.env(), "PATH": f"{BIN}:{pg.bin}:{os.environ['PATH']}"} if pg else {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    prefix = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user and os.geteuid() == 0 else []
    done = subprocess.run([*prefix, "bash", "-e", "-u", "-o", "pipefail", "-c", script], env=env, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout
