"""backstay-control as an administrator's script uses it."""

import json
import subprocess

import store


def run(argv, env, check=True, seconds=120, **options):
    done = subprocess.run(argv, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=seconds, **options)
    if check and done.returncode != 0:
        shown = " ".join(argv[:4])
        raise SystemExit(f"{shown} … failed ({done.returncode}): {(done.stderr or done.stdout).strip()}")
    return done


class Control:
    """Commands on one state folder; a running server need not stop for them."""

    def __init__(self, program, state, env):
        self.program, self.state, self.env = program, state, env

    def run(self, *words):
        return run([self.program, *words, "--state", self.state], self.env).stdout

    def init(self, *words):
        """A new installation on the store that the tests run on."""
        done = self.run("init", *words)
        store.settle(self.state)
        return done

    def made(self, *words):
        """What a `create` made: its JSON object."""
        return json.loads(self.run(*words, "--json"))

    def listed(self, *words):
        answer = json.loads(self.run(*words, "--json"))
        return answer if isinstance(answer, list) else next(value for value in answer.values() if isinstance(value, list))

    def token(self, org, role, seconds=7 * 86400):
        return last_line(self.run("token", "--org", org, "--role", role, "--subject", f"{role}@{org}.example", "--ttl", str(seconds)))

    def key(self, org, mode):
        return last_line(self.run("key", "create", "--org", org, "--mode", mode, "--name", f"lab {mode}"))

    def enroll_token(self, org, name):
        return last_line(self.run("agent", "enroll-token", "--org", org, "--name", name))


def last_line(text):
    return text.strip().splitlines()[-1].split()[-1]
