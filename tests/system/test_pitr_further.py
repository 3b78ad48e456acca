"""Restores to a moment when things are less simple: another timeline, files around the moment, death in the middle."""

import json
import os
import subprocess
import time

import odoo_compare
import odoo_data
import pytest
from archived_cluster import ArchivedCluster, Writer, ledger, moment_of
from processes import wait_until
from test_pitr import expected, leftovers

KILLS = 5


@pytest.fixture
def cluster(folder):
    one = ArchivedCluster(folder)
    odoo_data.create(one.pg, "shop")
    yield one
    one.pg.forget()


def write(cluster, seconds, database="shop"):
    with Writer(cluster.pg, database) as writer:
        time.sleep(seconds)  # how much is written is what the time is for
    return writer


def test_moments_on_both_sides_of_a_promotion(cluster):
    with Writer(cluster.pg, "shop"):
        cluster.base_backup()
        time.sleep(2)
    cluster.archive_all()
    before = cluster.latest()
    cluster.promote()
    assert wait_until(lambda: cluster.pg.psql("postgres", "SELECT pg_is_in_recovery()") == "f", 30)
    assert cluster.pg.psql("postgres", "SELECT pg_walfile_name(pg_current_wal_lsn())").startswith("00000002")
    shop = write(cluster, 2)
    cluster.archive_all()
    archive = cluster.show()
    assert archive["timeline"] == 2 and archive["gaps"] == [] and len(archive["ranges"]) == 1, archive
    commits = shop.commits()
    after = commits[-len(commits) // 8][1]
    assert after > before
    for number, moment in enumerate((before, after)):
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        cluster.restore(moment, f"side_{number}", "--scope", "db")
        assert ledger(cluster.pg, f"side_{number}") == expected(commits, moment)


def test_files_come_from_both_sides_of_the_moment(cluster):
    files = cluster.path("files", "odoo")
    odoo_data.Made("moment", partners=20, messages=50, files=20).load(cluster.pg, "odoo", files)
    early = odoo_data.add_attachment(cluster.pg, "odoo", files, "early", b"there before and gone later")
    cluster.full_backup("odoo", files)
    cluster.base_backup()
    middle = odoo_data.add_attachment(cluster.pg, "odoo", files, "middle", b"made between backup and moment")
    moment = moment_of(cluster.pg.psql("postgres", "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "
                                       "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"))
    time.sleep(0.01)  # what follows is later than the moment
    cluster.pg.psql("odoo", "DELETE FROM ir_attachment WHERE name = 'early'")
    os.unlink(os.path.join(files, early))
    late = odoo_data.add_attachment(cluster.pg, "odoo", files, "late", b"made after the moment")
    cluster.full_backup("odoo", files)
    os.unlink(os.path.join(files, middle))  # only the second backup has it now
    cluster.archive_all()
    target = cluster.path("files", "then")
    done = cluster.restore(moment, "then", "--filestore", target, of="odoo")
    evidence = json.loads(done.stdout)["recoveryEvidence"]
    assert evidence["status"] == "green", evidence["whyNotGreen"]
    names = cluster.pg.psql("then", "SELECT name FROM ir_attachment WHERE name IN ('early', 'middle', 'late') ORDER BY 1").split()
    assert names == ["early", "middle"]
    assert os.path.exists(os.path.join(target, early)) and os.path.exists(os.path.join(target, middle))
    assert odoo_compare.damaged(cluster.pg, "then", target) == []
    assert late  # surplus in the folder does no harm


def servers_in(folder):
    """Processes whose working folder lies below one."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            where = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        if where.startswith(folder):
            found.append(int(pid))
    return found


def test_killed_at_any_moment_it_leaves_nothing(cluster):
    with Writer(cluster.pg, "shop") as shop:
        cluster.base_backup()
        time.sleep(3)
    cluster.archive_all()
    commits = shop.commits()
    moment = moment_of(cluster.show()["earliestRecoverable"])
    began = time.monotonic()
    cluster.restore(moment, "whole", "--scope", "db")
    seconds = time.monotonic() - began
    for number in range(KILLS):
        restore = subprocess.Popen(cluster.command(*cluster.restore_words(moment, "again", "--scope", "db")),
                                   env=cluster.env(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds * (number + 0.5) / KILLS)  # the moment itself is what is tested
        restore.kill()
        restore.wait()
        if "again" in cluster.databases():  # then it was done already
            assert ledger(cluster.pg, "again") == expected(commits, moment)
        cluster.restore(moment, "again", "--scope", "db")  # sweeps first
        assert ledger(cluster.pg, "again") == expected(commits, moment)
        assert leftovers(cluster) == [], number
        assert not [name for name in cluster.databases() if "__" in name]
        for place in (cluster.path("t"), cluster.path("alone")):
            assert wait_until(lambda: servers_in(place) == [], 10), (number, place)  # noqa: B023
        cluster.pg.psql("postgres", "DROP DATABASE again")
