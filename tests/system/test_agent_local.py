"""The agent alone: no control plane anywhere. The real daemon, a real PostgreSQL, the real socket and command line."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import processes
import pytest
from local_agent import DATABASE, LocalAgent

SLOW = {"rate_bytes_per_sec": 60_000}  # the data then takes half a minute


@pytest.fixture
def make_agent(folder):
    made = []

    def make(start=True, **options):
        agent = LocalAgent(folder, os.environ.get("BACKSTAY_PRESET", "dev"), **options).prepare()
        made.append(agent)
        return agent.start() if start else agent

    yield make
    for agent in made:
        print("--- agent.log\n" + agent.log()[-6000:])
        agent.end()


def partners(agent, database=DATABASE):
    return int(agent.pg.psql(database, "SELECT count(*) FROM res_partner"))


def begin_slow_backup(agent):
    """A backup that is writing when this returns; answers its job's id."""
    job = agent.json("backup", DATABASE, "--no-wait")["jobId"]

    def at_work():
        detail = agent.json("job", job)
        return any(step["name"] == "filestore_archive" and step["status"] == "running"
                   for operation in detail["operations"] for step in operation["steps"])

    assert processes.wait_until(at_work, 20), agent.json("job", job)
    return job


def test_backs_up_restores_and_goes_back_with_no_control_plane(make_agent):
    agent = make_agent(second=True)
    before = partners(agent)
    done = agent.json("backup", DATABASE)
    backup = done["job"]["operationId"]
    evidence = done["operations"][0]["recoveryEvidence"]
    assert evidence["status"] == "green" and evidence["canWriteCleanSuccess"], evidence
    assert agent.stored() == agent.stored(agent.path("store2")) and any(name.endswith("manifest.json") for name in agent.stored())
    assert agent.json("verify", backup)["job"]["status"] == "completed"

    agent.pg.psql(DATABASE, "DELETE FROM mail_message; INSERT INTO res_partner (name) VALUES ('after the backup')")
    restored = agent.json("restore", backup[:8])
    assert restored["job"]["status"] == "completed"
    assert partners(agent) == before
    inner = restored["operations"][1]  # the safety backup, an operation of its own
    listed = [row["backupId"] for row in agent.json("backups", DATABASE)["backups"]]
    assert listed == [inner["operationId"], backup]

    undone = agent.json("undo", restored["job"]["jobId"][:8])
    assert undone["job"]["status"] == "completed"
    assert partners(agent) == before + 1
    assert agent.json("undo", restored["job"]["operationId"], check=1)["job"]["status"] == "failed"

    agent.run("delete", backup, check=0)
    assert not any(backup in name for name in agent.stored() + agent.stored(agent.path("store2")))
    assert backup not in [row["backupId"] for row in agent.json("backups")["backups"]]


def test_restores_into_another_database_neutralized(make_agent):
    agent = make_agent()
    backup = agent.json("backup", DATABASE)["job"]["operationId"]
    other = agent.path("filestore", "copy")
    restored = agent.json("restore", backup, "--database", "copy", "--filestore", other)
    assert restored["job"]["status"] == "completed", restored
    assert partners(agent, "copy") == partners(agent)
    assert agent.pg.psql("copy", "SELECT value FROM ir_config_parameter WHERE key = 'database.is_neutralized'").lower() == "true"
    uuids = [agent.pg.psql(name, "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'") for name in (DATABASE, "copy")]
    assert uuids[0] != uuids[1]
    assert sum(len(names) for _, _, names in os.walk(other)) > 0


def test_a_destination_that_failed_is_repaired_by_a_copy(make_agent):
    agent = make_agent(second=True)
    broken = agent.path("store2")
    os.rmdir(broken)
    with open(broken, "w"):
        pass  # a file where the folder should be
    partial = agent.json("backup", DATABASE, check=3)
    assert partial["job"]["status"] == "partial"
    assert partial["operations"][0]["recoveryEvidence"]["status"] == "amber"
    backup = partial["job"]["operationId"]
    assert agent.json("backups")["backups"][0]["destinationIds"] == ["disk"]
    os.remove(broken)
    os.mkdir(broken)
    assert agent.json("copy", backup)["job"]["status"] == "completed"
    row = agent.json("backups")["backups"][0]
    assert row["destinationIds"] == ["disk", "second"] and row["status"] == "completed"
    assert agent.stored(broken) == agent.stored()


def test_survives_being_killed_in_the_middle_of_a_backup(make_agent):
    agent = make_agent(limits=SLOW)
    job = begin_slow_backup(agent)
    agent.kill()
    agent.write_config(limits={"rate_bytes_per_sec": 0})
    agent.start()
    assert processes.wait_until(lambda: agent.json("job", job)["job"]["state"] != "running", 30)
    ended = agent.json("job", job)
    assert ended["job"]["state"] == "interrupted" and ended["job"]["reason"] == "agent_restarted"
    steps = {step["name"]: step for step in ended["operations"][0]["steps"]}
    assert steps["filestore_archive"]["status"] == "failed"
    assert ended["operations"][0]["recoveryEvidence"]["status"] == "red"
    assert agent.stored() == []  # no half object, no temporary file
    assert agent.json("backups")["backups"] == []
    assert agent.databases() == ["postgres", DATABASE]
    assert agent.json("backup", DATABASE)["job"]["status"] == "completed"


def test_limits_change_what_runs(make_agent):
    agent = make_agent(limits={"rate_bytes_per_sec": 10_000})  # minutes
    job = begin_slow_backup(agent)
    assert agent.json("limits")["rateBytesPerSec"] == 10_000
    began = time.monotonic()
    assert agent.json("limits", "--rate", "1GB")["rateBytesPerSec"] == 1_000_000_000
    assert agent.run("watch", job).returncode == 0
    assert time.monotonic() - began < 30


def test_a_cancelled_job_leaves_nothing(make_agent):
    agent = make_agent(limits=SLOW)
    job = begin_slow_backup(agent)
    waiting = agent.json("backup", DATABASE, "--no-wait")["jobId"]  # the same database: it waits
    agent.run("cancel", waiting, check=0)
    agent.run("cancel", job, check=0)
    assert agent.run("watch", job).returncode == 1
    assert {row["jobId"]: row["state"] for row in agent.json("jobs")["jobs"]} == {job: "cancelled", waiting: "cancelled"}
    assert agent.json("job", job)["job"]["reason"] == "cancelled"
    assert agent.stored() == []
    assert agent.run("cancel", job).returncode == 1


def test_stops_gracefully_and_interrupts_what_takes_too_long(make_agent):
    agent = make_agent(limits=SLOW)
    job = begin_slow_backup(agent)
    agent.process.send_signal(signal.SIGTERM)
    agent.process.send_signal(signal.SIGTERM)  # the second one ends the grace
    assert agent.process.wait(30) == 0
    assert not os.path.exists(agent.socket)
    agent.start()
    assert agent.json("job", job)["job"]["state"] == "interrupted"
    assert agent.stored() == []
    assert agent.stop() == 0


def test_is_small_and_quiet_when_idle(make_agent):
    agent = make_agent()

    def rss_kib():
        with open(f"/proc/{agent.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))

    def cpu_ticks():
        with open(f"/proc/{agent.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    assert processes.wait_until(lambda: rss_kib() <= 16 * 1024, 5), rss_kib()
    agent.json("backup", DATABASE)
    assert processes.wait_until(lambda: rss_kib() <= 16 * 1024, 5), rss_kib()
    before = cpu_ticks()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:  # idle is a span of time: there is nothing to wait for
        time.sleep(0.5)
    assert cpu_ticks() - before <= 1
    assert rss_kib() <= 16 * 1024


def test_one_state_has_one_agent_and_a_stale_socket_is_replaced(make_agent):
    agent = make_agent()
    second = subprocess.run([os.path.join(agent.bin, "backstay-agent"), "--config", agent.path("agent.toml")], text=True,
                            stderr=subprocess.PIPE, timeout=30)
    assert second.returncode == 1 and "another agent" in second.stderr
    assert agent.run("status").returncode == 0
    agent.kill()
    assert os.path.exists(agent.socket)
    agent.start()
    mode = os.stat(agent.socket).st_mode & 0o777
    assert mode == 0o660


def test_reads_its_configuration_again(make_agent):
    agent = make_agent()
    agent.second = True
    agent.write_config()
    agent.process.send_signal(signal.SIGHUP)
    assert processes.wait_until(lambda: agent.json("status")["destinations"] == ["disk", "second"], 10)
    agent.write_config(extra="colour = 5")
    agent.process.send_signal(signal.SIGHUP)
    assert processes.wait_until(lambda: "configuration not taken" in agent.log(), 10)
    assert agent.json("status")["destinations"] == ["disk", "second"]
    checked = subprocess.run([os.path.join(agent.bin, "backstay-agent"), "--config", agent.path("agent.toml"), "--check-config"],
                             text=True, stderr=subprocess.PIPE)
    assert checked.returncode == 2 and "colour: is not known here" in checked.stderr


def test_check_says_what_would_fail(make_agent):
    agent = make_agent()
    answer = agent.json("check", DATABASE, check=3)  # no odoo.conf: a warning
    assert {line["result"] for line in answer["checks"]} == {"ok", "warning"}
    agent.pg.psql("postgres", "ALTER ROLE backstay NOSUPERUSER")
    os.rename(agent.filestore, agent.filestore + ".gone")
    shutil.rmtree(agent.store)
    with open(agent.store, "w"):
        pass
    failed = {(line["subject"], line["name"]) for line in agent.json("check", check=1)["checks"] if line["result"] == "failed"}
    assert {("database shop", "read rights"), ("database shop", "filestore")} <= failed
    assert any(subject == "destination disk" for subject, _ in failed)
    agent.pg.stop()
    lines = agent.json("check", check=1)["checks"]
    assert any(line["subject"] == "cluster main" and line["result"] == "failed" for line in lines)


def test_encrypted_artifacts_are_decrypted_by_hand(make_agent):
    agent = make_agent(start=False)
    key = agent.path("backup.key")
    agent.run("key", "generate", key, check=0)
    assert os.stat(key).st_mode & 0o777 == 0o600
    assert agent.run("key", "generate", key).returncode == 1  # never overwritten
    agent.write_config(extra=f'encryption_key_file = "{key}"')
    with open(agent.path("agent.toml")) as file:
        text = file.read().replace('id = "disk"\n', 'id = "disk"\nencrypt = true\n')
    with open(agent.path("agent.toml"), "w") as file:
        file.write(text)
    agent.start()
    backup = agent.json("backup", DATABASE)["job"]
    assert backup["status"] == "completed"
    folder = os.path.join(agent.store, backup["folder"])
    stored = [name for name in os.listdir(folder) if name.startswith("filestore.tar.zst")]
    assert stored == ["filestore.tar.zst.enc"]
    plain = agent.path("plain.tar.zst")
    agent.run("decrypt", "--key", key, os.path.join(folder, stored[0]), plain, check=0)
    members = subprocess.run(["tar", "--zstd", "-tf", plain], check=True, text=True, stdout=subprocess.PIPE).stdout
    assert len(members.splitlines()) >= 60
    with open(os.path.join(folder, stored[0]), "rb") as file:
        cut = file.read()[:-10]
    with open(agent.path("cut.enc"), "wb") as file:
        file.write(cut)
    assert agent.run("decrypt", "--key", key, agent.path("cut.enc"), agent.path("cut")).returncode == 1
    assert not os.path.exists(agent.path("cut"))
    assert agent.json("restore", backup["operationId"], "--no-safety-backup")["job"]["status"] == "completed"


def test_answers_bad_requests_with_words_and_lives(make_agent):
    agent = make_agent()
    cases = [
        ("GET", "/v1/nothing", None, 404),
        ("PUT", "/v1/backups", {}, 405),
        ("GET", "/v1/jobs/zz", None, 404),
        ("GET", "/v1/jobs?limit=0", None, 400),
        ("GET", "/v1/jobs?limit=many", None, 400),
        ("POST", "/v1/backups", {}, 400),
        ("POST", "/v1/backups", {"database": 5}, 400),
        ("POST", "/v1/backups", {"database": "../etc"}, 400),
        ("POST", "/v1/backups", {"database": "shop", "colour": "red"}, 400),
        ("POST", "/v1/backups", {"database": "shop", "type": "half"}, 400),
        ("POST", "/v1/backups", {"database": "shop", "destinations": ["nowhere"]}, 400),
        ("POST", "/v1/backups", {"database": "shop", "cluster": "nowhere"}, 400),
        ("POST", "/v1/restores", {"backup": "zz"}, 404),
        ("POST", "/v1/restores", {"backup": ""}, 404),
        ("POST", "/v1/verifications", {}, 400),
        ("POST", "/v1/undos", {"restore": "zz"}, 404),
        ("DELETE", "/v1/backups/zz", None, 404),
        ("POST", "/v1/jobs/zz/cancel", None, 404),
        ("PUT", "/v1/limits", {"nice": 99}, 400),
        ("PUT", "/v1/limits", {"rateBytesPerSec": -1}, 400),
    ]
    for method, path, body, expected in cases:
        status, answer = agent.call(method, path, body)
        assert status == expected, (method, path, body, answer)
        assert answer["code"] and answer["message"], answer
    for raw in (b"{", b"[]", b"\xff\xfe", b'{"database":"shop","database":"shop"}', b"[" * 100):
        status, answer = agent.call("POST", "/v1/backups", raw=raw)
        assert status == 400 and answer["message"], raw
    assert agent.call("POST", "/v1/backups", raw=b'"' + b"x" * (2 << 20) + b'"')[0] == 413
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(10)
        plain.connect(agent.socket)
        plain.sendall(b"NONSENSE\r\n\r\n")
        assert b"400" in plain.recv(1000)
    assert agent.json("jobs")["jobs"] == []
    assert agent.run("status").returncode == 0


def test_exit_codes_mean_something(make_agent):
    agent = make_agent()
    assert agent.run("job", "zz").returncode == 5
    assert agent.run("backup").returncode == 2
    assert agent.run("backup", DATABASE, "--type", "half").returncode == 2
    assert agent.run("backup", "no_such_database").returncode == 1
    failed = agent.json("jobs")["jobs"][0]
    assert failed["status"] == "failed" and failed["reason"] == "db_not_found"
    assert agent.run("--help").returncode == 0
    assert "completed" in agent.run("backup", DATABASE, check=0).stdout
    for words in (["status"], ["jobs"], ["backups"], ["limits"], ["inventory"]):
        assert agent.run(*words, check=0).stdout.strip()
    found = agent.json("inventory")["clusters"][0]["databases"]
    odoo = next(row for row in found if row["name"] == DATABASE)
    assert odoo["isOdoo"] and odoo["odooVersion"] == "17.0" and odoo["filestore"] == agent.filestore
    agent.stop()
    gone = agent.run("--json", "status")
    assert gone.returncode == 4 and json.loads(gone.stdout)["code"] == "unavailable"


def test_progress_arrives_as_events(make_agent):
    agent = make_agent(limits={"rate_bytes_per_sec": 400_000})
    job = agent.json("backup", DATABASE, "--no-wait")["jobId"]
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(60)
        stream.connect(agent.socket)
        stream.sendall(f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n".encode())
        text = b""
        while b"event: end" not in text or not text.endswith(b"\r\n\r\n"):
            piece = stream.recv(65536)
            if not piece:
                break
            text += piece
    percents = [float(found) for found in re.findall(rb'"percent":([0-9.Ee+-]+)', text.partition(b"event: end")[0])]
    assert len(percents) >= 3 and percents == sorted(percents)
    assert b'"status":"completed"' in text.rpartition(b"event: end")[2]
