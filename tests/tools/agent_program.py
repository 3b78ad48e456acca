"""The agent as a program of its own: started, stopped and killed, and asked over its socket."""

import json
import os
import subprocess

import processes

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


class AgentProgram:
    """A base: whoever derives sets `pg` (what it backs up) and `socket`, and writes agent.toml below the folder."""

    def __init__(self, folder, preset="dev"):
        self.folder = str(folder)
        self.bin = os.path.join(ROOT, "build", preset, "bin")
        self.state, self.store = self.path("state"), self.path("store")
        self.wrapper = []  # a command that runs the agent
        self.pg = self.socket = self.process = None

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def answers(self):
        return self.run("status").returncode == 0

    def start(self, wait=True):
        log = open(self.path("agent.log"), "ab")
        self.process = subprocess.Popen([*self.wrapper, os.path.join(self.bin, "backstay-agent"), "--config", self.path("agent.toml")],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait and not processes.wait_until(self.answers, 30):
            raise AssertionError("the agent does not answer:\n" + self.log())
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; answers the exit code."""
        self.process.terminate()
        return self.process.wait(60)

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()
        self.pg.forget()

    def log(self):
        with open(self.path("agent.log"), errors="replace") as file:
            return file.read()

    def run(self, *words, check=None, **options):
        """Runs `backstay`; with `check` the exit code must be that."""
        done = subprocess.run([os.path.join(self.bin, "backstay"), "--socket", self.socket, *words], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        if check is not None and done.returncode != check:
            raise AssertionError(f"backstay {' '.join(words)} left with {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()}")
        return done

    def json(self, *words, check=0):
        return json.loads(self.run("--json", *words, check=check).stdout)
