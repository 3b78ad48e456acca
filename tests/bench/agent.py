"""The real agent for benchmarks: the daemon beside a private PostgreSQL, ordered through its socket as an admin does."""

import json
import os
import shutil
import subprocess
import time


class Agent:
    """The real daemon with a local destination, ordered through its socket."""

    def __init__(self, bin_folder, pg, database, filestore, work):
        self.bin, self.database = bin_folder, database
        self.folder = os.path.join(work, "agent")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(os.path.join(self.folder, "store"))
        self.socket = os.path.join(pg.socket, "agent.sock")
        self.config = os.path.join(self.folder, "agent.toml")
        with open(self.config, "w") as out:
            out.write(f"""
state_dir = "{self.folder}/state"
socket = "{self.socket}"
local_roots = ["{self.folder}/store"]
[[cluster]]
name = "main"
host = "{pg.socket}"
port = 5432
user = "{pg.user}"
[[odoo]]
database = "{database}"
filestore = "{filestore}"
[[destination]]
id = "11111111-1111-4111-8111-111111111111"
name = "store"
type = "local"
path = "{self.folder}/store"
min_free_bytes = 0
[limits]
nice = 0
idle_io = false
""")

    def __enter__(self):
        log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen([os.path.join(self.bin, "backstay-agent"), "--config", self.config],
                                        stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while subprocess.run(self.command("status"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"the agent does not answer; see {self.folder}/log")
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def command(self, *words):
        return [os.path.join(self.bin, "backstay"), "--socket", self.socket, *words]

    def backup(self):
        return self.command("backup", self.database, "--type", "full", "--wait")

    def last_status(self):
        jobs = json.loads(subprocess.run(self.command("jobs", "--json"), check=True, stdout=subprocess.PIPE).stdout)
        return jobs["jobs"][0]["status"]
