"""WAL archiving with a real PostgreSQL whose archive_command is the real program: what is acknowledged is safe, what is
not safe is not acknowledged, whatever breaks."""

import filecmp
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time

import processes
import pytest
from wal_agent import WalAgent

PRESET = os.environ.get("BACKSTAY_PRESET", "dev")
SEGMENT = 16 << 20


@pytest.fixture
def make_agent(folder):
    made = []

    def make(name="one", start=True, **options):
        (folder / name).mkdir()
        (folder / name).chmod(0o755)
        agent = WalAgent(folder / name, PRESET, **options)
        made.append(agent)
        agent.pg.start()
        return agent.start() if start else agent

    yield make
    for agent in made:
        print(f"--- agent.log of {agent.folder}\n" + agent.log()[-5000:])
        agent.end()


def in_pg_wal(agent, name):
    return os.path.join(agent.pg.data, "pg_wal", name)


def query(agent, sql):
    with sqlite3.connect(f"file:{agent.state}/agent.db?mode=ro", uri=True) as database:
        return database.execute(sql).fetchall()


def data_folder(agent, name):
    """Something like a data directory of the same cluster, for pushes by hand."""
    folder = agent.path(name)
    os.makedirs(os.path.join(folder, "global"))
    os.makedirs(os.path.join(folder, "pg_wal", "archive_status"))
    shutil.copy(os.path.join(agent.pg.data, "global", "pg_control"), os.path.join(folder, "global"))
    return folder


def test_segments_come_back_as_they_were_and_are_stored_once(make_agent):
    agent = make_agent(settings=["wal_keep_size = 1GB"])
    names = [agent.switch() for _ in range(4)]
    agent.waits_for(names[-1])
    assert agent.failed() == 0
    for name in names:
        got = agent.path("got")
        assert agent.fetch(name, got).returncode == 0
        assert filecmp.cmp(got, in_pg_wal(agent, name), shallow=False)
        assert os.stat(got).st_mode & 0o777 == 0o600
    # Ordinary tools read it, too.
    plain = subprocess.run(["zstd", "-dc", agent.object_of(names[0])], check=True, stdout=subprocess.PIPE).stdout
    assert plain == open(in_pg_wal(agent, names[0]), "rb").read()
    before = os.stat(agent.object_of(names[1]))
    assert agent.push(f"pg_wal/{names[1]}").returncode == 0
    agent.kill()
    agent.start()
    assert agent.push(f"pg_wal/{names[1]}").returncode == 0
    after = os.stat(agent.object_of(names[1]))
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    rows = query(agent, "SELECT number, last_commit FROM wal_segments ORDER BY number")
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1)) and all(row[1] for row in rows)


def test_only_a_missing_file_is_the_end_of_wal(make_agent):
    agent = make_agent(settings=["wal_keep_size = 1GB"])
    name = agent.switch()
    agent.waits_for(name)
    target = agent.path("got")
    missing = agent.fetch("0000000100000000000000FE", target)
    assert missing.returncode == 1 and missing.stderr == "" and not os.path.exists(target)
    stored = agent.object_of(name)
    content = bytearray(open(stored, "rb").read())
    content[len(content) // 2] ^= 0x40
    open(stored, "wb").write(content)
    damaged = agent.fetch(name, target)
    assert damaged.returncode > 125 and damaged.stderr and not os.path.exists(target)
    os.rename(agent.store, agent.store + ".away")
    gone = agent.fetch("0000000100000000000000FE", target)
    assert gone.returncode > 125, "a destination that is away says nothing about what it holds"
    if os.path.isdir(agent.store):
        shutil.rmtree(agent.store)
    os.rename(agent.store + ".away", agent.store)
    agent.kill()
    down = agent.fetch(name, target)
    assert down.returncode > 125 and len(down.stderr.splitlines()) == 1
    assert not os.path.exists(target) and not os.path.exists(target + ".backstay")


def test_without_an_agent_postgresql_keeps_its_wal(make_agent):
    agent = make_agent()
    first = agent.switch()
    agent.waits_for(first)
    agent.kill()
    kept = [agent.switch() for _ in range(3)]
    assert processes.wait_until(lambda: agent.failed() > 0, 30)
    started = time.monotonic()
    refused = agent.push(f"pg_wal/{kept[0]}")
    assert refused.returncode == 1 and time.monotonic() - started < 10, "nothing may hold up PostgreSQL"
    assert len(refused.stderr.splitlines()) == 1 and "no agent answers" in refused.stderr
    assert all(os.path.exists(in_pg_wal(agent, name)) for name in kept) and agent.last_archived() == first
    agent.start()
    agent.waits_for(kept[-1], 90)


def test_other_content_under_a_known_name_is_refused_for_ever(make_agent):
    agent = make_agent(settings=["wal_keep_size = 1GB"])
    name = agent.switch()
    agent.waits_for(name)
    before = open(agent.object_of(name), "rb").read()
    clone = data_folder(agent, "clone")
    content = bytearray(open(in_pg_wal(agent, name), "rb").read())
    content[100_000] ^= 1
    open(os.path.join(clone, "pg_wal", name), "wb").write(content)
    for _ in range(2):
        refused = agent.push(f"pg_wal/{name}", cwd=clone)
        assert refused.returncode == 1 and "other content" in refused.stderr
    agent.kill()
    agent.start()
    refused = agent.push(f"pg_wal/{name}", cwd=clone)
    assert refused.returncode == 1 and "other content" in refused.stderr
    assert open(agent.object_of(name), "rb").read() == before
    assert agent.push(f"pg_wal/{name}").returncode == 0


def test_wal_of_another_cluster_or_another_place_is_refused(make_agent):
    agent = make_agent(settings=["wal_keep_size = 1GB"])
    other = make_agent("two", settings=["wal_keep_size = 1GB"])
    # Copies of one template would be one cluster: pg_resetwal gives this one an identity of its own.
    name = agent.switch()
    agent.waits_for(name)
    stranger = data_folder(agent, "stranger")
    content = bytearray(open(in_pg_wal(agent, name), "rb").read())
    content[24:32] = (12345).to_bytes(8, "little")
    open(os.path.join(stranger, "pg_wal", name), "wb").write(content)
    refused = agent.push(f"pg_wal/{name}", cwd=stranger)
    assert refused.returncode == 1 and "is of cluster 12345" in refused.stderr
    control = bytearray(open(os.path.join(stranger, "global", "pg_control"), "rb").read())
    control[:8] = (12345).to_bytes(8, "little")
    open(os.path.join(stranger, "global", "pg_control"), "wb").write(control)
    refused = agent.push(f"pg_wal/{name}", cwd=stranger)
    assert refused.returncode == 1 and "none of those whose WAL is archived here" in refused.stderr
    moved = data_folder(agent, "moved")
    shutil.copy(in_pg_wal(agent, name), os.path.join(moved, "pg_wal", "0000000100000000000000AA"))
    refused = agent.push("pg_wal/0000000100000000000000AA", cwd=moved)
    assert refused.returncode == 1 and "its content is of another segment" in refused.stderr
    for bad in ("RECOVERYXLOG", "000000010000000000000001.bak"):
        open(os.path.join(moved, "pg_wal", bad), "w").write("x")
        assert agent.push(f"pg_wal/{bad}", cwd=moved).returncode == 1
    assert agent.archived() == sorted({*agent.archived()} - {"0000000100000000000000AA"})
    assert other.failed() == 0


def test_history_label_and_partial_files_have_rules_of_their_own(make_agent):
    agent = make_agent(settings=["wal_keep_size = 1GB"])
    name = agent.switch()
    agent.waits_for(name)
    folder = data_folder(agent, "promoted")

    def put(file, content):
        with open(os.path.join(folder, "pg_wal", file), "wb") as out:
            out.write(content)
        return agent.push(f"pg_wal/{file}", cwd=folder).returncode

    assert put("00000002.history", b"1\t0/2000000\tno recovery target specified\n") == 0
    assert put("00000002.history", b"1\t0/2000000\tno recovery target specified\n") == 0
    assert put("00000002.history", b"1\t0/3000000\tno recovery target specified\n") == 1
    assert put(f"{name}.00000028.backup", b"START WAL LOCATION: 0/1000028\n") == 0
    whole = bytearray(open(in_pg_wal(agent, name), "rb").read())
    assert put(f"{name}.partial", whole) == 0
    whole[200_000] ^= 1
    assert put(f"{name}.partial", whole) == 0, "two promotions may leave different ones"
    assert len([found for found in agent.archived() if ".partial-" in found]) == 2
    assert agent.fetch("00000002.history", agent.path("got")).returncode == 0
    assert open(agent.path("got")).read().startswith("1\t0/2000000")
    assert processes.wait_until(lambda: query(agent, "SELECT timeline FROM wal_histories") == [(2,)], 10)


def test_a_destination_that_is_down_or_full_keeps_wal_where_it_is(make_agent):
    agent = make_agent()
    first = agent.switch()
    agent.waits_for(first)
    agent.lose_store()
    waiting = agent.switch()
    assert processes.wait_until(lambda: agent.failed() > 0, 60)
    assert agent.last_archived() == first and os.path.exists(in_pg_wal(agent, waiting))
    agent.bring_store()
    agent.waits_for(waiting, 90)
    # Full by its own limit: more is to stay free than there is.
    agent.kill()
    agent.destinations = agent.destinations.replace("min_free_bytes = 0", f"min_free_bytes = {1 << 60}")
    agent.start()
    waiting = agent.switch()
    refused = agent.push(f"pg_wal/{waiting}")
    assert refused.returncode == 1 and "bytes are free" in refused.stderr
    agent.kill()
    agent.destinations = agent.destinations.replace(f"min_free_bytes = {1 << 60}", "min_free_bytes = 0")
    agent.start()
    agent.waits_for(waiting, 90)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_loses_nothing(make_agent, folder):
    disk = folder / "one" / "disk"
    agent = make_agent(start=False, destinations=WalAgent.local("disk", disk))
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    try:
        agent.start()
        first = agent.switch()
        agent.waits_for(first, store=str(disk))
        with open(disk / "ballast", "wb", buffering=0) as ballast, pytest.raises(OSError):
            while True:
                ballast.write(b"x" * 4096)
        waiting = agent.switch()
        assert processes.wait_until(lambda: agent.failed() > 0, 60)
        assert agent.last_archived() == first
        os.unlink(disk / "ballast")
        agent.waits_for(waiting, 90, store=str(disk))
        assert agent.fetch(waiting, agent.path("got")).returncode == 0
    finally:
        agent.kill()
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_destination_gets_later_what_it_lacked(make_agent, folder, s3):
    secret = str(folder / "secret")
    agent = make_agent(destinations=WalAgent.local("disk", str(folder / "one" / "store")) + WalAgent.s3("bucket", s3, secret))
    first = agent.switch()
    agent.waits_for(first)

    def in_bucket():
        found = s3.client.list_objects_v2(Bucket="backups").get("Contents", [])
        return {item["Key"].rsplit("/", 1)[1].split(".zst")[0] for item in found}

    assert processes.wait_until(lambda: first in in_bucket(), 30)
    s3("pause")
    try:
        names = [agent.switch() for _ in range(3)]
        agent.waits_for(names[-1], 60)
        assert agent.failed() == 0
        assert processes.wait_until(lambda: query(agent, "SELECT count(*) FROM wal_lacking")[0][0] >= 1, 60)
    finally:
        s3("resume")
    assert processes.wait_until(lambda: set(names) <= in_bucket(), 90), agent.log()
    assert processes.wait_until(lambda: query(agent, "SELECT count(*) FROM wal_lacking")[0][0] == 0, 30)


def test_a_spool_acknowledges_while_the_destination_is_away(make_agent):
    agent = make_agent(wal='ack = "spool"')
    first = agent.switch()
    agent.waits_for(first)
    agent.lose_store()
    names = [agent.switch() for _ in range(3)]
    assert processes.wait_until(lambda: agent.last_archived() == names[-1], 30), agent.log()
    spool = [name for _, _, files in os.walk(os.path.join(agent.state, "wal-spool")) for name in files]
    assert len(spool) == 3, spool
    agent.kill()
    agent.bring_store()
    agent.start()
    agent.waits_for(names[-1], 30)
    assert processes.wait_until(lambda: not [files for _, _, files in os.walk(os.path.join(agent.state, "wal-spool")) if files], 20)
    got = agent.path("got")
    assert agent.fetch(names[1], got).returncode == 0
    # Noted as archived once a destination has them, in order and without a hole. The first base backup may add more behind them.
    last = int(names[-1][-8:], 16)
    numbers = lambda: [row[0] for row in query(agent, f"SELECT number FROM wal_segments WHERE number <= {last} ORDER BY number")]  # noqa: E731
    assert processes.wait_until(lambda: numbers() and numbers() == list(range(numbers()[0], last + 1)), 60), numbers()


def test_a_full_spool_waits_for_the_destination(make_agent):
    agent = make_agent(wal='ack = "spool"\nspool_max_bytes = 10')
    first = agent.switch()
    agent.waits_for(first)
    agent.lose_store()
    agent.switch()
    assert processes.wait_until(lambda: agent.failed() > 0, 60)
    assert agent.last_archived() == first


def test_wal_is_dropped_only_by_agreement_and_leaves_a_gap(make_agent):
    agent = make_agent(wal=f'on_overflow = "drop"\noverflow_bytes = {2 * SEGMENT}')
    first = agent.switch()
    agent.waits_for(first)
    agent.lose_store()
    names = [agent.switch() for _ in range(5)]
    assert processes.wait_until(lambda: agent.last_archived() >= names[1], 60), agent.log()
    gaps = query(agent, "SELECT start_lsn, end_lsn, reason FROM wal_gaps")
    assert len(gaps) == 1 and gaps[0][2] == "dropped" and gaps[0][0] == int(names[0][-8:], 16) * SEGMENT
    dropped = {int(name[-8:], 16) for name in names if gaps[0][0] <= int(name[-8:], 16) * SEGMENT < gaps[0][1]}
    assert dropped and not dropped & {row[0] for row in query(agent, "SELECT number FROM wal_segments")}
    agent.bring_store()
    agent.waits_for(agent.switch(), 90)


def test_an_encrypted_archive_is_read_with_its_key_alone(make_agent, folder):
    key = str(folder / "key")
    subprocess.run([os.path.join(os.path.dirname(__file__), "..", "..", "build", PRESET, "bin", "backstay"), "key", "generate", key],
                   check=True, stdout=subprocess.DEVNULL)
    agent = make_agent(top=f'encryption_key_file = "{key}"', settings=["wal_keep_size = 1GB"],
                       destinations=WalAgent.local("disk", str(folder / "one" / "store")) + "encrypt = true\n")
    name = agent.switch()
    agent.waits_for(name)
    stored = agent.object_of(name)
    assert stored.endswith(".zst.enc") and b"blake2b" not in open(stored, "rb").read()
    assert agent.fetch(name, agent.path("got")).returncode == 0
    assert filecmp.cmp(agent.path("got"), in_pg_wal(agent, name), shallow=False)
    packed = subprocess.run([f"{agent.bin}/backstay", "decrypt", "--key", key, stored, "-"], stdout=subprocess.PIPE)
    assert packed.returncode == 0
    plain = subprocess.run(["zstd", "-dc"], input=packed.stdout, check=True, stdout=subprocess.PIPE).stdout
    assert plain == open(in_pg_wal(agent, name), "rb").read()
    agent.kill()
    agent.start()
    assert agent.push(f"pg_wal/{name}").returncode == 0, "another nonce is not another content"


def test_setup_shows_what_is_missing_and_makes_it(make_agent):
    agent = make_agent()
    shown = agent.run("--json", "setup-wal")
    settings = {line["name"]: line for line in json.loads(shown.stdout)["settings"]}
    assert shown.returncode == 3 and not settings["archive_timeout"]["good"] and settings["archive_mode"]["good"]
    assert agent.pg.psql("postgres", "SHOW archive_timeout") == "0"
    assert agent.run("setup-wal", "--apply").returncode == 0
    assert agent.pg.psql("postgres", "SHOW archive_timeout") == "1min"
    assert agent.pg.psql("postgres", "SHOW archive_command").endswith("%p")
    agent.waits_for(agent.switch())
    assert agent.failed() == 0 and agent.run("setup-wal").returncode == 0


def test_status_shows_the_backlog_and_what_is_wrong(make_agent):
    agent = make_agent()
    agent.waits_for(agent.switch())

    def wal():
        return json.loads(agent.run("--json", "status").stdout)["wal"][0]

    good = wal()
    assert good["state"] == "ok" and good["backlogBytes"] == 0 and good["alerts"] == []
    agent.lose_store()
    for _ in range(3):
        agent.switch()
    assert processes.wait_until(lambda: wal()["state"] == "failing" and wal()["backlogBytes"] >= 2 * SEGMENT, 60), wal()
    bad = wal()
    assert bad["lagSeconds"] is not None and bad["destinations"][0]["down"]
    assert any("archiving fails" in alert for alert in bad["alerts"])
    text = agent.run("status").stdout
    assert "WAL of main: failing" in text and "waiting:" in text
    agent.bring_store()
    assert processes.wait_until(lambda: wal()["state"] == "ok" and wal()["backlogBytes"] == 0, 90), wal()


def recover(agent, base, name="recovered"):
    """Brings a copy of the base up to the end of the archive; answers the server's folder."""
    folder = agent.path(name)
    shutil.copytree(base, folder, symlinks=True)
    with open(os.path.join(folder, "postgresql.auto.conf"), "a") as conf:
        conf.write(f"archive_mode = off\nrestore_command = '{agent.bin}/backstay wal-fetch --socket {agent.wal_socket} %f %p'\n"
                   f"unix_socket_directories = '{agent.folder}'\nport = 6543\nrecovery_target_timeline = 'latest'\n")
    open(os.path.join(folder, "recovery.signal"), "w").close()
    as_postgres = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if as_postgres:
        subprocess.run(["chown", "-R", "postgres:", folder, agent.folder], check=True)
    subprocess.run(["chmod", "700", folder], check=True)
    subprocess.run([*as_postgres, f"{agent.pg.bin}/pg_ctl", "-D", folder, "-l", folder + ".log", "-w", "-t", "300", "-s", "start"],
                   check=True, stdin=subprocess.DEVNULL)
    assert processes.wait_until(lambda: ask(agent, "SELECT pg_is_in_recovery()") == "f", 300)
    return folder, [*as_postgres, f"{agent.pg.bin}/pg_ctl", "-D", folder, "-m", "immediate", "-s", "stop"]


def ask(agent, sql):
    done = subprocess.run([f"{agent.pg.bin}/psql", "-X", "-A", "-t", "-q", "-h", agent.folder, "-p", "6543", "-U", "postgres", "-d",
                           "postgres", "-c", sql], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.strip()


def test_a_thousand_segments_outlive_killed_agents_and_a_server_that_loses_its_wal_at_once(make_agent, folder):
    """The server's copy of a segment goes the moment it is acknowledged: what was acknowledged too early is lost, and seen."""
    agent = make_agent(segments_mb=1)
    script = agent.path("archive.sh")
    with open(script, "w") as out:
        out.write(f'#!/bin/sh\n{agent.hook} "$1" || exit $?\necho "$2" >>{agent.pg.folder}/acknowledged\nrm "$1"\n')
    os.chmod(script, 0o755)
    subprocess.run(["chmod", "777", agent.pg.folder], check=True)
    agent.pg.psql("postgres", "CREATE TABLE log (n bigserial PRIMARY KEY, body text)")
    base = str(agent.path("base"))
    subprocess.run([f"{agent.pg.bin}/pg_basebackup", "-D", base, "-Xnone", "-cfast", "--no-sync"], env=agent.pg.env(), check=True,
                   stderr=subprocess.DEVNULL)
    agent.pg.psql("postgres", f"ALTER SYSTEM SET archive_command = '{script} %p %f'; ")
    agent.pg.psql("postgres", "SELECT pg_reload_conf()")
    stop = threading.Event()

    def reaper():
        agent.kill()
        # However fast the machine is: at least this one is felt.
        processes.wait_until(lambda: agent.failed() > 0, 60)
        agent.start()
        while not stop.wait(2):
            agent.lose_store()
            stop.wait(0.5)
            agent.bring_store()
            if stop.wait(2):
                return
            agent.kill()
            agent.start()

    killer = threading.Thread(target=reaper)
    killer.start()
    try:
        # No checkpoint meanwhile: recovery of the server itself would need what is gone.
        rows = "INSERT INTO log (body) SELECT repeat('x', 100) FROM generate_series(1, 20); SELECT pg_switch_wal();"
        for _ in range(20):
            agent.pg.psql("postgres", rows * 50)
        last = agent.pg.psql("postgres", "INSERT INTO log (body) VALUES ('last'); SELECT pg_walfile_name(pg_switch_wal())")
    finally:
        stop.set()
        killer.join()

    def archived_all():
        # After three failures the archiver pauses for a minute, unless another segment comes.
        agent.pg.psql("postgres", "SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_switch_wal()")
        return agent.last_archived() >= last

    assert processes.wait_until(archived_all, 300, 1), agent.log()
    acknowledged = open(os.path.join(agent.pg.folder, "acknowledged")).read().split()
    assert len(set(acknowledged)) >= 1000
    assert agent.failed() > 0, "nothing was in the way of it"
    count = agent.pg.psql("postgres", "SELECT count(*), max(n) FROM log")
    agent.pg.crash()
    _, end = recover(agent, base)
    try:
        assert ask(agent, "SELECT count(*), max(n) FROM log") == count
        assert ask(agent, "SELECT body FROM log ORDER BY n DESC LIMIT 1") == "last"
    finally:
        subprocess.run(end, check=True)


def test_killed_servers_and_agents_under_load_leave_a_whole_archive(make_agent):
    agent = make_agent(settings=["max_wal_size = 64MB", "checkpoint_timeout = 30s"], durable=False)
    agent.pg.psql("postgres", "CREATE TABLE log (n bigserial PRIMARY KEY, body text)")
    base = str(agent.path("base"))
    subprocess.run([f"{agent.pg.bin}/pg_basebackup", "-D", base, "-Xnone", "-cfast", "--no-sync"], env=agent.pg.env(), check=True,
                   stderr=subprocess.DEVNULL)
    rows = "INSERT INTO log (body) SELECT md5(g::text) || repeat('y', 200) FROM generate_series(1, 20000) g"
    for turn in range(4):
        for _ in range(4):
            agent.pg.psql("postgres", rows)
        agent.kill()
        agent.pg.psql("postgres", rows)
        if turn % 2 == 1:
            agent.pg.psql("postgres", "CHECKPOINT")
            agent.pg.crash()
            agent.pg.start()
        agent.start()
    agent.pg.psql("postgres", "INSERT INTO log (body) VALUES ('last')")
    last = agent.pg.psql("postgres", "SELECT pg_walfile_name(pg_switch_wal())")
    agent.waits_for(last, 120)
    count = agent.pg.psql("postgres", "SELECT count(*) FROM log")
    agent.pg.stop()
    _, end = recover(agent, base)
    try:
        assert ask(agent, "SELECT count(*) FROM log") == count
    finally:
        subprocess.run(end, check=True)
