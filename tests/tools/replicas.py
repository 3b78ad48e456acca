"""Several control planes on one PostgreSQL, the first of them with the organizations of control_plane.py."""

import os
import pathlib
import shutil
import subprocess

import processes
import settings
from balancer import Balancer
from control_plane import ControlPlane
from postgres import Postgres


class Replica(ControlPlane):
    def __init__(self, folder, preset, store, like=None, wrapper=(), host="127.0.0.1"):
        super().__init__(folder, preset)
        self.folder.mkdir(parents=True)
        self.store, self.like, self.wrapper, self.host = store, like, list(wrapper), host
        self.control.run("init")
        self._change_limits()
        # The first of a minute must not meet what a test before it took.
        settings.change(self.state, store=store, reads_per_minute=6000, writes_per_minute=6000, folder="")
        if like:
            for key in ("jwt.key", "secrets.key"):
                shutil.copy(os.path.join(like.state, key), os.path.join(self.state, key))

    def up(self):
        self.start()
        if not self.like:
            self._register()
        return self

    def start(self):
        listen = pathlib.Path(self.state, "listen")
        listen.unlink(missing_ok=True)
        argv = [*self.wrapper, self.program, "serve", "--state", self.state, "--listen", f"{self.host}:{self.port}"]
        self.running = processes.begin(argv, str(self.folder / "control.log"), self.env)
        if not processes.wait_until(lambda: listen.exists() or not processes.alive(self.running[0]), 60) or not listen.exists():
            raise RuntimeError("the replica does not listen:\n" + self.log())
        self.port = int(listen.read_text().strip().rpartition(":")[2])
        self.url = f"http://{self.host}:{self.port}"

    def signal(self, number):
        os.kill(self.running[0], number)

    def leads(self):
        """As its own log tells it: the last word counts."""
        lines = [line for line in (self.folder / "control.log").read_text().splitlines() if "leading" in line]
        return bool(lines) and "not leading" not in lines[-1]


class Replicas:
    def __init__(self, folder, preset, count=2, settings=()):
        self.folder, self.preset = pathlib.Path(folder), preset
        self.pg = Postgres(str(self.folder / "pg"), ["max_connections = 200", "shared_buffers = 64MB", *settings], durable=True)
        self.pg.start()
        self.store = f"postgresql://postgres@:{self.pg.port}/postgres?host={self.pg.socket}"
        self.all = []
        for _ in range(count):
            self.add()
        self.first = self.all[0]
        self.balancer = Balancer([one.port for one in self.all])

    def add(self, **options):
        like = self.all[0] if self.all else None
        one = Replica(self.folder / f"r{len(self.all)}", self.preset, options.pop("store", self.store), like, **options)
        self.all.append(one)
        return one.up()

    def leader(self, among=None):
        found = [one for one in (among or self.all) if one.running and one.leads()]
        return found[0] if found else None

    def ask(self, sql):
        done = subprocess.run([os.path.join(self.pg.bin, "psql"), "-XAtq", "-h", self.pg.socket, "-p", self.pg.port, "-U", "postgres",
                               "-c", sql], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        return done.stdout.strip()

    def end(self):
        self.balancer.close()
        for one in self.all:
            if one.running:
                one.kill()
            print(f"--- {one.folder.name}/control.log\n{one.log()}")
        self.pg.forget()
        shutil.rmtree(self.folder, ignore_errors=True)
