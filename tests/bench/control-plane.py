"""./dev bench control-plane: one control plane under the load of many hosts. Agents that wait (each keeps two connections and
heartbeats every 20 s), the time from a POST to the agent's receipt of the job, reports taken in a second, event streams, lists
over many backups, and GETs of one backup beside nginx with a static file of the same size in the same run."""

import contextlib
import glob
import os
import re
import select
import shutil
import sqlite3
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import options
import measure
import processes
import requests
from api import Api
from control import Control
from fake_agent import FakeAgent, backup_plan

REPORTING, BATCH, SECONDS = 32, 10, 10
DISPATCHES = 300


class Tool:
    """load-tool beside us; it says when it is ready, and ends with its input."""

    def __init__(self, folder, *words):
        self.process = subprocess.Popen([f"{folder}/load-tool", *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ready(self):
        line = self.process.stdout.readline()
        if line.strip() != "ready":
            raise SystemExit(f"load-tool said {line!r}")
        return self

    def line(self, seconds):
        """The next line, or None. One line comes at a time: nothing waits in the buffer."""
        readable, _, _ = select.select([self.process.stdout], [], [], seconds)
        return self.process.stdout.readline().split() if readable else None

    def end(self):
        out, _ = self.process.communicate(timeout=60)
        if self.process.returncode:
            raise SystemExit("load-tool failed")
        return out.split()


class Plane:
    def __init__(self, folder, work):
        self.bin, self.state = os.path.abspath(folder), os.path.join(work, "control-plane")
        shutil.rmtree(self.state, ignore_errors=True)
        self.control = Control(f"{self.bin}/backstay-control", self.state, dict(os.environ))
        self.control.run("init")
        file = os.path.join(self.state, "control.toml")
        with open(file) as settings:
            text = settings.read()
        for name, value in (("reads_per_minute", 0), ("writes_per_minute", 0), ("streams_per_credential", 100_000),
                            ("connections", 100_000)):
            text = re.sub(rf"(?m)^{name} = \d+", f"{name} = {value}", text)
        with open(file, "w") as settings:
            settings.write(text)
        self.running = None

    def start(self):
        listen = os.path.join(self.state, "listen")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(listen)
        self.running = processes.begin([f"{self.bin}/backstay-control", "serve", "--state", self.state, "--listen", "127.0.0.1:0"],
                                       self.state + "/log")
        if not processes.wait_until(lambda: os.path.exists(listen), 60):
            raise SystemExit(f"the control plane does not listen; see {self.state}/log")
        with open(listen) as file:
            self.port = int(file.read().strip().rpartition(":")[2])
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def stop(self):
        processes.end(*self.running)

    @property
    def pid(self):
        return self.running[0]

    def register(self):
        self.control.made("org", "create", "--slug", "bench", "--name", "Bench")
        self.project = self.control.made("project", "create", "--org", "bench", "--name", "Shop")["id"]
        self.control.made("destination", "create", "--org", "bench", "--name", "here", "--type", "local", "--config",
                          '{"path": "/var/backups/odoo"}', "--default", "--skip-test")
        self.token = self.control.token("bench", "owner")
        self.owner = Api(self.url + "/api", self.token)

    def enrolled(self, count):
        """So many agents; their (instance, credential, id)."""
        def enrol(number):
            token = owner.post("/enroll-tokens", {"name": f"host{number}"})["token"]
            answer = session.post(self.url + "/agent/v1/enroll", json={
                "token": token, "hostname": f"host{number}", "agentVersion": "load", "protocolVersion": 1}, timeout=30).json()
            return f"00000000-0000-4000-8000-{number:012d}", answer["credential"], answer["agentId"]
        owner, session = Api(self.url + "/api", self.token), requests.Session()
        session.trust_env = False
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(enrol, range(count)))

    def environment(self, agent_id, name):
        return self.owner.post(f"/projects/{self.project}/environments", {"name": name, "type": "staging", "agentId": agent_id,
                                                                          "database": name})["id"]


def quantiles(ms):
    ms = sorted(ms)
    return statistics.median(ms), ms[int(0.99 * (len(ms) - 1))]


def verdict(text, good):
    print(f"{text}  {'met' if good else 'MISSED'}")


def idle_and_dispatch(plane, agents, count, work):
    """Of the first `count` agents."""
    file = os.path.join(work, "agents")
    with open(file, "w") as out:
        out.writelines(f"{instance} {credential}\n" for instance, credential, _ in agents[:count])
    before = measure.resident_memory(plane.pid)
    tool = Tool(plane.bin, "agents", "127.0.0.1", plane.port, file).ready()
    cpu, begun = measure.tree_cpu_seconds(plane.pid), time.monotonic()
    time.sleep(30)  # more than a heartbeat's and a poll's time
    cpu = (measure.tree_cpu_seconds(plane.pid) - cpu) / (time.monotonic() - begun)
    memory = measure.resident_memory(plane.pid)
    verdict(f"{count:>6} waiting agents: {memory / 2**20:.0f} MiB, {(memory - before) / count / 1024:.1f} KiB each, {100 * cpu:.1f} % of a core"
            f"   (aim 200 MB at 10,000)", memory <= 200e6)
    took = []
    for number in range(DISPATCHES):
        environment = plane.environments[number % len(plane.environments)]
        begun = time.time()
        job = plane.owner.post(f"/environments/{environment}/backups", {"type": "db"})["backupId"]
        line = tool.line(30)
        if line is None or line[0] != job:
            raise SystemExit(f"job {job} was not handed out; heard {line}")
        took.append(int(line[1]) / 1000 - begun * 1000)
        processes.wait_until(lambda: plane.owner.get(f"/backups/{job}")["status"] == "cancelled", 30, 0.005)
    tool.end()
    middle, worst = quantiles(took)
    verdict(f"{count:>6} waiting agents: a job is received {middle:.1f} ms after its POST, p99 {worst:.1f} ms   (aim 50)", worst <= 50)


def running_job(plane, agent, environment):
    """A job of this agent that has begun: (agent that holds it, assignment)."""
    instance, credential, identity = agent
    fake = FakeAgent(plane.url, credential, identity)
    fake.instance_id = instance
    fake.heartbeat()
    plane.owner.post(f"/environments/{environment}/backups", {"type": "db"})
    assignment = fake.take(kind="backup")
    fake.report(assignment, "planned", plan=backup_plan("db", [one["id"] for one in assignment["order"]["destinations"]]))
    return fake, assignment


def reports(plane, agents, work):
    file = os.path.join(work, "jobs")
    with open(file, "w") as out:
        for agent, environment in zip(agents[:REPORTING], plane.environments):
            fake, assignment = running_job(plane, agent, environment)
            out.write(f"{fake.instance_id} {fake.credential} {assignment['jobId']} {assignment['fence']}\n")
    cpu = measure.tree_cpu_seconds(plane.pid)
    taken, seconds, middle, worst = map(float, Tool(plane.bin, "reports", "127.0.0.1", plane.port, file, SECONDS, BATCH).end())
    cpu = measure.tree_cpu_seconds(plane.pid) - cpu
    verdict(f"{REPORTING} jobs report: {taken / seconds:.0f} reports/s in batches of {BATCH}, a batch takes {middle:.1f} ms, p99 {worst:.1f} ms, "
            f"{1e6 * cpu / taken:.0f} µs of CPU each   (aim 3,000/s)", taken / seconds >= 3000)


def streams(plane, agents, count):
    fake, assignment = running_job(plane, agents[REPORTING], plane.environments[REPORTING])
    tool = Tool(plane.bin, "streams", "127.0.0.1", plane.port, f"/api/backups/{assignment['jobId']}/progress", plane.token, count).ready()
    sent = 20
    for percent in range(1, sent + 1):
        fake.progress(assignment, percent)
        time.sleep(0.5)
    time.sleep(2)
    events, middle, worst = tool.end()
    print(f"{count} event streams of one job: {sent} reports, {events} events, {middle} ms after the report, p99 {worst} ms")
    fake.finish(assignment, "cancelled")


def fill(plane, rows):
    """Copies of one backup and its operation, over the years before it."""
    fake, assignment = running_job(plane, plane.agents[len(plane.environments) - 1], plane.environments[-1])
    fake.seq[(assignment["jobId"], assignment["fence"])] = 2
    fake.do_backup(assignment)
    backup = assignment["jobId"]
    plane.stop()
    with contextlib.closing(sqlite3.connect(plane.state + "/control.db")) as db:
        db.execute("PRAGMA synchronous = OFF")
        for table in ("operations", "backups"):
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            made = {"id": "printf('%08x-0000-4000-8000-%012x', n.i, n.i)", "created_at": "o.created_at - n.i * 60000",
                    "completed_at": "o.completed_at - n.i * 60000", "environment_id": "e.id", "next_check_at": "NULL"}
            values = ", ".join(made.get(name, f"o.{name}") for name in columns)
            environments = "(SELECT id, row_number() OVER (ORDER BY id) - 1 AS at FROM environments)"
            db.execute(f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO {table} ({', '.join(columns)}) "
                       f"SELECT {values} FROM n JOIN {table} o ON o.id = ? JOIN {environments} e ON e.at = n.i % {len(plane.environments)}", (backup,))
            db.commit()
    plane.start()
    plane.owner = Api(plane.url + "/api", plane.token)
    return backup


def wrk(url, token=None, connections=4, seconds=6):
    """(requests in a second, p99 in ms)"""
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *(["-H", f"Authorization: Bearer {token}"] if token else []), url]
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(f"{url}: {out}")
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    scale = {"us": 0.001, "ms": 1, "s": 1000}[found[2]]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), float(found[1]) * scale


def lists(plane, rows):
    environment = plane.environments[0]
    paths = (f"/environments/{environment}/backups?limit=50", f"/environments/{environment}/backups?limit=50&offset=5000",
             f"/projects/{plane.project}/backups?limit=50", "/operations?limit=50", "/operations?limit=50&kind=backup&status=completed",
             f"/operations?limit=50&environmentId={environment}", "/audit-logs?limit=50", f"/projects/{plane.project}/environments")
    for path in paths:
        rate, worst = wrk(plane.url + "/api" + path, plane.token, connections=2)
        verdict(f"{rows} backups: GET {path.replace(environment, '…').replace(plane.project, '…')}: {rate:.0f}/s, p99 {worst:.1f} ms   (aim 20)",
                worst <= 20)


class Nginx:
    """Debian's, unpacked and not installed: installing starts it."""

    def __init__(self, work, content):
        self.folder = os.path.join(work, "nginx")
        os.makedirs(self.folder + "/root", exist_ok=True)
        os.chmod(self.folder, 0o755)
        with open(self.folder + "/root/backup.json", "wb") as file:
            file.write(content)
        if not os.path.exists(self.folder + "/usr/sbin/nginx"):
            subprocess.run(["apt-get", "-qq", "download", "nginx"], cwd=self.folder, check=True, stderr=subprocess.DEVNULL)
            subprocess.run(["dpkg-deb", "-x", *glob.glob(self.folder + "/nginx_*.deb"), self.folder], check=True)
        self.port = 18_480
        with open(self.folder + "/nginx.conf", "w") as conf:
            conf.write(f"""
daemon off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log; user root;
events {{ worker_connections 1024; }}
http {{ client_body_temp_path {self.folder}; proxy_temp_path {self.folder}; fastcgi_temp_path {self.folder}; uwsgi_temp_path {self.folder};
scgi_temp_path {self.folder}; access_log off; sendfile on; keepalive_requests 100000000; default_type application/json;
server {{ listen 127.0.0.1:{self.port}; root {self.folder}/root; }} }}
""")

    def __enter__(self):
        self.running = processes.begin([self.folder + "/usr/sbin/nginx", "-p", self.folder, "-c", self.folder + "/nginx.conf"], self.folder + "/log")
        self.url = f"http://127.0.0.1:{self.port}/backup.json"

        def answers():
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(self.url, timeout=5).ok
        if not processes.wait_until(answers, 20):
            raise SystemExit(f"nginx does not answer; see {self.folder}/log")
        with open(f"/proc/{self.running[0]}/task/{self.running[0]}/children") as children:
            self.worker = int(children.read().split()[0])
        return self

    def __exit__(self, *_):
        processes.end(*self.running)


def beside_nginx(plane, backup, work):
    path = f"/api/backups/{backup}"
    body = requests.get(plane.url + path, headers={"Authorization": f"Bearer {plane.token}"}, timeout=30).content
    rates = {"ours": [], "nginx": []}
    with Nginx(work, body) as nginx:
        for _ in range(3):
            for name, pid, url, token in (("ours", plane.pid, plane.url + path, plane.token), ("nginx", nginx.worker, nginx.url, None)):
                cpu = measure.tree_cpu_seconds(pid)
                seconds = 5
                rate, _ = wrk(url, token, 8, seconds)
                rates[name].append(rate * seconds / (measure.tree_cpu_seconds(pid) - cpu))
    ours, theirs = (statistics.median(rates[name]) for name in ("ours", "nginx"))
    verdict(f"GET of a backup ({len(body)} bytes): {ours:.0f} requests for a second of a core; nginx with a file of that size {theirs:.0f}: "
            f"{ours / theirs:.2f} of its rate   (aim 0.25)", ours / theirs >= 0.25)


def main():
    parse = options.parser()
    parse.add_argument("--agents", type=int, nargs="*", default=[1_000, 10_000])
    parse.add_argument("--rows", type=int, default=1_000_000)
    parse.add_argument("--streams", type=int, default=1_000)
    arguments = options.parsed(parse)
    plane = Plane(arguments.bin, arguments.work).start()
    try:
        plane.register()
        plane.agents = plane.enrolled(max(*arguments.agents, REPORTING + 2) if arguments.agents else REPORTING + 2)
        plane.environments = [plane.environment(agent[2], f"env{number}") for number, agent in enumerate(plane.agents[:REPORTING + 2])]
        for count in arguments.agents:
            idle_and_dispatch(plane, plane.agents, count, arguments.work)
        reports(plane, plane.agents, arguments.work)
        streams(plane, plane.agents, arguments.streams)
        backup = fill(plane, arguments.rows)
        lists(plane, arguments.rows)
        beside_nginx(plane, backup, arguments.work)
    finally:
        plane.stop()
        shutil.rmtree(plane.state, ignore_errors=True)


if __name__ == "__main__":
    main()
