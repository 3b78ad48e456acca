"""Restores to a moment with nothing but a destination: real base backups, real WAL, real recoveries. A writer notes what it
committed and when; what is restored must hold exactly the commits up to the moment."""

import datetime
import json
import os
import random
import re
import struct
import subprocess
import time

import odoo_data
import pytest
from archived_cluster import ArchivedCluster, Writer, ledger, moment_of, text_of
from conftest import new_folder
from processes import wait_until

TARGETS = 5


@pytest.fixture(scope="module")
def written():
    """A cluster with two databases that are written to before, during and after a base backup."""
    cluster = ArchivedCluster(new_folder(), settings=["autovacuum = off"])  # nothing commits but the test
    odoo_data.Made("pitr", partners=50, messages=100, files=10).load(cluster.pg, "shop", cluster.path("files", "shop"))
    odoo_data.create(cluster.pg, "other")
    shop, other = Writer(cluster.pg, "shop"), Writer(cluster.pg, "other", pause=0.001, weight=8000)
    with shop, other:
        time.sleep(1)  # writing goes on before the base backup
        base = cluster.base_backup()
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            time.sleep(1)  # and after it, over several segments
    cluster.archive_all()
    # The last that the archive tells is a rollback, later than every commit.
    cluster.pg.psql("postgres", "BEGIN; SELECT txid_current(); ROLLBACK")
    cluster.archive_segment()
    yield cluster, shop, base
    cluster.pg.forget()


def test_a_base_backup_is_a_folder_of_standard_files(written):
    cluster, _, base = written
    names = sorted(os.listdir(os.path.join(cluster.store, base)))
    assert names == ["backup_manifest.zst", "base.tar.zst", "manifest.json"]
    with open(os.path.join(cluster.store, base, "manifest.json")) as file:
        manifest = json.load(file)
    assert manifest["scope"] == "base" and manifest["base"]["databases"] == ["other", "postgres", "shop"]
    assert manifest["postgres"]["systemId"] == cluster.system_id


def test_the_archive_is_shown_whole(written):
    cluster, shop, _ = written
    archive = cluster.show()
    assert archive["faults"] == [] and archive["gaps"] == []
    assert len(archive["bases"]) == 1 and len(archive["runs"]) == 1 and len(archive["ranges"]) == 1
    assert moment_of(archive["earliestRecoverable"]) > shop.commits()[0][1]
    assert moment_of(archive["latestRecoverable"]) >= shop.commits()[-1][1].replace(microsecond=0)


def expected(commits, moment):
    return [n for n, at in commits if at <= moment]


@pytest.mark.parametrize("number", range(TARGETS))
def test_random_moments_hold_exactly_the_commits_up_to_them(written, number):
    cluster, shop, _ = written
    archive = cluster.show()
    first, last = moment_of(archive["earliestRecoverable"]), moment_of(archive["latestRecoverable"])
    share = random.Random(number).random() if number else 0.0
    moment = first + (last - first) * share
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    commits = shop.commits()
    done = cluster.restore(moment, f"past_{number}", "--scope", "db")
    evidence = json.loads(done.stdout)["recoveryEvidence"]
    assert evidence["status"] == "green", evidence["whyNotGreen"]
    assert ledger(cluster.pg, f"past_{number}") == expected(commits, moment)
    assert 0 < len(expected(commits, moment)) <= len(commits)


def test_the_very_last_moment_is_reached_too(written):
    """No commit follows it: PostgreSQL alone would end with "recovery ended before configured recovery target was reached"."""
    cluster, shop, _ = written
    cluster.restore(cluster.show()["latestRecoverable"], "at_the_end", "--scope", "db")
    assert ledger(cluster.pg, "at_the_end") == [n for n, _ in shop.commits()]


def test_the_other_databases_go_on_undisturbed(written):
    cluster, shop, _ = written
    moment = shop.commits()[len(shop.commits()) // 2 + 1][1]
    with Writer(cluster.pg, "other") as other:
        before = len(ledger(cluster.pg, "other"))
        cluster.restore(max(moment, moment_of(cluster.show()["earliestRecoverable"])), "beside", "--scope", "db")
    assert other.failed is None
    assert len(ledger(cluster.pg, "other")) > before


def test_moments_outside_are_refused_with_the_nearest_ones(written):
    cluster, _, _ = written
    archive = cluster.show()
    before = cluster.databases()
    early = moment_of(archive["earliestRecoverable"]) - datetime.timedelta(hours=1)
    done = cluster.restore(early, "never", "--scope", "db", check=1)
    evidence = json.loads(done.stdout)["recoveryEvidence"]
    assert evidence["reason"] == "pitr_target_unreachable" and evidence["blockingSteps"] == ["validate_target"]
    assert archive["earliestRecoverable"] in done.stderr
    late = moment_of(archive["latestRecoverable"]) + datetime.timedelta(hours=1)
    done = cluster.restore(late, "never", "--scope", "db", check=1)
    nearest = moment_of(re.search(r"the nearest moment before is (\S+)", done.stderr)[1])
    # What was written lately may still be on its way into the archive.
    assert moment_of(archive["latestRecoverable"]) <= nearest <= moment_of(cluster.show()["latestRecoverable"])
    done = cluster.restore("yesterday", "never", "--scope", "db", check=2)
    assert "is no moment" in done.stderr
    assert cluster.databases() == before


def test_a_moment_without_zone_is_read_as_utc_and_said_to_be(written):
    cluster, _, _ = written
    done = cluster.restore("2001-01-01 00:00", "never", "--scope", "db", check=1)
    assert "is read as UTC: 2001-01-01T00:00:00Z" in done.stderr


def test_a_missing_segment_in_the_middle_is_a_gap_refused_before_anything_is_touched(written):
    cluster, _, _ = written
    archive = cluster.show()
    segments = cluster.segments()
    lost = segments[-4]
    os.rename(lost, lost + ".away")
    try:
        gap = cluster.show()
        assert len(gap["gaps"]) == 1, gap
        inside = moment_of(gap["gaps"][0]["start"]) + (moment_of(gap["gaps"][0]["end"]) - moment_of(gap["gaps"][0]["start"])) / 2
        done = cluster.restore(inside, "never", "--scope", "db", check=1)
        evidence = json.loads(done.stdout)["recoveryEvidence"]
        assert evidence["reason"] == "wal_gap" and evidence["blockingSteps"] == ["validate_target"]
        assert gap["latestRecoverable"] in done.stderr
        # What lies before the gap is reached as before.
        cluster.restore(gap["latestRecoverable"], "before_the_gap", "--scope", "db")
    finally:
        os.rename(lost + ".away", lost)
    # It has grown since: restores are written into the cluster too.
    whole = cluster.show()
    assert whole["gaps"] == [] and whole["earliestRecoverable"] == archive["earliestRecoverable"]
    assert whole["latestRecoverable"] >= archive["latestRecoverable"]


def test_a_damaged_segment_ends_the_recovery_and_never_passes_for_the_end_of_wal(written):
    cluster, _, _ = written
    archive = cluster.show()
    victim = cluster.segments()[-3]
    with open(victim, "rb") as file:
        good = file.read()
    damaged = bytearray(good)
    damaged[len(damaged) // 2] ^= 1
    before = cluster.databases()
    with open(victim, "wb") as file:
        file.write(damaged)
    try:
        done = cluster.restore(archive["latestRecoverable"], "never", "--scope", "db", check=1)
    finally:
        with open(victim, "wb") as file:
            file.write(good)
    assert os.path.basename(victim)[:24] in done.stderr, done.stderr
    assert cluster.databases() == before
    assert leftovers(cluster) == []


def test_wal_that_no_server_can_read_never_passes_for_the_end_of_wal(written):
    """Damaged before it was archived: the archive's own checks find nothing, and PostgreSQL takes it for the end."""
    cluster, _, _ = written
    archive = cluster.show()
    victim = cluster.segments()[-3]
    content = bytearray(subprocess.run(["zstd", "-dcq", victim], check=True, stdout=subprocess.PIPE).stdout)
    for i in range(48, 112):  # its first record
        content[i] ^= 0xFF
    with open(victim, "rb") as file:
        good = file.read()
    before = cluster.databases()
    cluster.repack(victim, content)
    try:
        done = cluster.restore(archive["latestRecoverable"], "never", "--scope", "db", check=1)
    finally:
        with open(victim, "wb") as file:
            file.write(good)
    # PostgreSQL says so itself when WAL that came meanwhile has made the moment one before the end.
    assert "the recovery ended at" in done.stderr or "recovery ended before configured" in done.stderr, done.stderr
    assert cluster.databases() == before


def description_of(stored):
    """What a stored segment says of itself, in a frame that zstd skips."""
    magic, size = struct.unpack("<II", stored[:8])
    assert magic & 0xFFFFFFF0 == 0x184D2A50
    return json.loads(stored[8:8 + size])


def description(segment):
    with open(segment, "rb") as file:
        return description_of(file.read(4096))


def test_wal_that_ends_before_its_last_commit_never_passes_for_the_end(written):
    """As above, inside of the very last segment: its description tells where its last commit ends."""
    cluster, _, _ = written
    cluster.pg.psql("other", "CREATE TABLE tail (n int)")
    cluster.archive_segment()
    cluster.pg.psql("other", "".join(f"INSERT INTO tail VALUES ({n});" for n in range(20)))
    cluster.archive_segment()
    victim, end = next((one, description(one)["commitsEnd"]) for one in reversed(cluster.segments()) if description(one)["commitsEnd"])
    last = int(end.split("/")[1], 16) % (16 << 20)
    content = bytearray(subprocess.run(["zstd", "-dcq", victim], check=True, stdout=subprocess.PIPE).stdout)
    assert any(content[last - 24:last]) and last > 1000
    for i in range(last - 200, last - 100):  # some of the last records
        content[i] ^= 0xFF
    with open(victim, "rb") as file:
        good = file.read()
    moment, before = cluster.show()["latestRecoverable"], cluster.databases()
    cluster.repack(victim, content)
    # The damage was there when it was described: a description by hand says what it ought to hold.
    with open(victim, "rb") as file:
        packed = file.read()
    size = struct.unpack("<II", packed[:8])[1]
    told = json.loads(packed[8:8 + size])
    told.update({key: description_of(good)[key] for key in ("commitsEnd", "lastCommit", "firstCommit")})
    text = json.dumps(told).encode()
    with open(victim, "wb") as file:
        file.write(packed[:4] + struct.pack("<I", len(text)) + text + packed[8 + size:])
    try:
        done = cluster.restore(moment, "never", "--scope", "db", of="other", check=1)
        assert "the recovery ended at" in done.stderr and end in done.stderr, done.stderr
    finally:
        with open(victim, "wb") as file:
            file.write(good)
    assert cluster.databases() == before
    cluster.restore(moment, "tail", "--scope", "db", of="other")
    assert len(cluster.pg.psql("tail", "SELECT n FROM tail").split()) == 20


def leftovers(cluster):
    scratch = cluster.path("alone", "scratch")
    names = os.listdir(scratch) if os.path.isdir(scratch) else []
    return names + os.listdir(cluster.path("t"))


def test_nothing_is_left_of_all_this(written):
    cluster, _, _ = written
    assert wait_until(lambda: leftovers(cluster) == [], 10), leftovers(cluster)
    assert not [name for name in cluster.databases() if "__" in name]
