"""./dev bench control-plane: one control plane under the load of many hosts, on SQLite, PostgreSQL or both. Agents that wait
(each keeps two connections and heartbeats every 20 s), the time from a POST to the agent's receipt of the job, reports taken
in a second, event streams, lists over many backups, GETs of one backup beside nginx with a static file of the same size in the
same run, and what one organization feels of another's flood."""

import os
import resource
import shutil
import statistics
import subprocess
import time

import options
import measure
import processes
import requests
from fake_agent import FakeAgent, backup_plan
from load_plane import Plane, Postgres, Tool
from nginx import Nginx, wrk, wrk_begun

REPORTING, BATCH, SECONDS = 32, 10, 10
DISPATCHES = 200
STEP_MS = 5000


def quantiles(ms):
    ms = sorted(ms)
    return statistics.median(ms), ms[int(0.99 * (len(ms) - 1))]


def verdict(text, good):
    print(f"{text}  {'met' if good else 'MISSED'}", flush=True)


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
    """Copies of one backup, its operation, its job and what the audit trail says of it, over the weeks before it: retention has
    nothing to do."""
    fake, assignment = running_job(plane, plane.agents[len(plane.environments) - 1], plane.environments[-1])
    fake.seq[(assignment["jobId"], assignment["fence"])] = 2
    fake.do_backup(assignment)
    backup = assignment["jobId"]
    before = store_size(plane)
    with plane.rows() as store:
        series = f"generate_series(1::bigint, {rows}) AS n(i)" if store.postgres else "n"
        numbers = "" if store.postgres else f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "
        identity = ("lpad(to_hex(n.i), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n.i), 12, '0')" if store.postgres
                    else "printf('%08x-0000-4000-8000-%012x', n.i, n.i)")
        for table in ("operations", "backups", "jobs"):
            columns = store.columns(table)
            made = {"id": identity, "created_at": f"o.created_at - n.i * {STEP_MS}", "completed_at": f"o.completed_at - n.i * {STEP_MS}",
                    "environment_id": "e.id", "next_check_at": "NULL", "backup_id": identity, "operation_id": identity,
                    "job_id": identity}
            values = ", ".join(made.get(name, f"o.{name}") for name in columns)
            environments = ("(SELECT id, row_number() OVER (ORDER BY id) - 1 AS at FROM environments WHERE project_id = "
                            f"'{plane.project}') e")
            store.run(f"{numbers}INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {series} JOIN {table} o ON o.id = ? "
                      f"JOIN {environments} ON e.at = n.i % {len(plane.environments)}", backup)
        columns = store.columns("audit")[1:]
        values = ", ".join(f"a.at - n.i * {STEP_MS}" if name == "at" else f"a.{name}" for name in columns)
        store.run(f"{numbers}INSERT INTO audit ({', '.join(columns)}) SELECT {values} FROM {series} JOIN audit a ON a.object_id = ?", backup)
    print(f"{rows} backups, their operations, jobs and lines of the audit trail: {(store_size(plane) - before) / rows:.0f} bytes of the store each")
    return backup


def store_size(plane):
    if plane.postgres:
        return int(subprocess.run(["psql", "-XAtc", "SELECT pg_database_size(current_database())", plane.postgres.url], check=True,
                                  capture_output=True, text=True).stdout)
    return os.path.getsize(plane.state + "/control.db")


def lists(plane, rows):
    environment = plane.environments[0]
    paths = (f"/environments/{environment}/backups?limit=50", f"/environments/{environment}/backups?limit=50&offset=5000",
             f"/projects/{plane.project}/backups?limit=50", f"/projects/{plane.project}/backups?limit=50&status=failed",
             "/operations?limit=50", "/operations?limit=50&type=backup", f"/operations?limit=50&environmentId={environment}",
             "/audit-logs?limit=50", "/audit-logs?limit=50&action=backup", "/backup-alerts?limit=50", f"/projects/{plane.project}/environments")
    for path in paths:
        rate, worst = wrk(plane.url + "/api" + path, plane.token, connections=2, seconds=4)
        verdict(f"{rows} backups: GET {path.replace(environment, '…').replace(plane.project, '…')}: {rate:.0f}/s, p99 {worst:.1f} ms   (aim 20)",
                worst <= 20)


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


def quiet_calls(plane, seconds):
    """Milliseconds of one call after the other of the quiet organization."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        plane.quiet.get(f"/projects/{plane.quiet_project}/backups")
        took.append(1000 * (time.monotonic() - begun))
    return quantiles(took)


def noisy_tenant(plane):
    """One organization asks for its longest lists on many connections; another one works."""
    plane.quiet.get(f"/projects/{plane.quiet_project}/backups")
    alone, alone_worst = quiet_calls(plane, 4)
    flood = wrk_begun(f"{plane.url}/api/projects/{plane.project}/backups?limit=100", plane.token, 200, 8)
    time.sleep(2)
    beside, beside_worst = quiet_calls(plane, 5)
    flood.communicate()
    print(f"a call of a quiet organization takes {alone:.1f} ms, p99 {alone_worst:.1f} ms; while another floods from 200 connections "
          f"{beside:.1f} ms, p99 {beside_worst:.1f} ms")


def all_parts(arguments, plane):
    for count in arguments.agents:
        idle_and_dispatch(plane, plane.agents, count, arguments.work)
    backup = fill(plane, arguments.rows)
    lists(plane, arguments.rows)
    print("the dispatch again, with all that behind it:", flush=True)
    for count in arguments.agents[:1]:
        idle_and_dispatch(plane, plane.agents, count, arguments.work)
    reports(plane, plane.agents, arguments.work)
    streams(plane, plane.agents, arguments.streams)
    noisy_tenant(plane)
    beside_nginx(plane, backup, arguments.work)


def measured(arguments, postgres):
    plane = Plane(arguments.bin, arguments.work, postgres).start()
    try:
        plane.register()
        plane.agents = plane.enrolled(max(*arguments.agents, REPORTING + 2) if arguments.agents else REPORTING + 2)
        plane.environments = [plane.environment(agent[2], f"env{number}") for number, agent in enumerate(plane.agents[:REPORTING + 2])]
        if arguments.only == "lists":
            fill(plane, arguments.rows)
            lists(plane, arguments.rows)
        else:
            all_parts(arguments, plane)
    finally:
        plane.stop()
        shutil.rmtree(plane.state, ignore_errors=True)


def allow_files(count):
    """For us, the control plane and the load generator: each connection takes one in both."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
        except (OSError, ValueError):
            raise SystemExit(f"{count} open files are needed, {most} are allowed: ulimit -Hn") from None


def main():
    parse = options.parser()
    parse.add_argument("--store", choices=("sqlite", "postgres", "both"), default="both")
    parse.add_argument("--agents", type=lambda text: [int(word) for word in text.split(",") if word], default=[1_000, 10_000])
    parse.add_argument("--rows", type=int, default=1_000_000)
    parse.add_argument("--streams", type=int, default=1_000)
    parse.add_argument("--only", choices=("lists",))
    arguments = options.parsed(parse)
    allow_files(2 * max(arguments.agents, default=0) + 200)
    if arguments.store in ("sqlite", "both"):
        print("# SQLite", flush=True)
        measured(arguments, None)
    if arguments.store in ("postgres", "both"):
        print("# PostgreSQL", flush=True)
        postgres = Postgres(arguments.work)
        try:
            measured(arguments, postgres)
        finally:
            postgres.down()


if __name__ == "__main__":
    main()
