"""What the agent does with its archive by itself: after dropped WAL it takes a new base backup, and what is older than the
retention goes from every destination."""

import datetime
import glob
import json
import os

import processes
import pytest
from archived_cluster import moment_of, text_of
from wal_agent import WalAgent

PRESET = os.environ.get("BACKSTAY_PRESET", "dev")
MEGABYTE = 1 << 20


@pytest.fixture
def make_agent(folder):
    made = []

    def make(**options):
        made.append(WalAgent(folder, PRESET, segments_mb=1, **options))
        made[-1].pg.start()
        return made[-1].start()

    yield make
    for agent in made:
        print(agent.log()[-5000:])
        agent.end()


def told(agent, *words):
    done = agent.run("--json", *words)
    assert done.returncode in (0, 3), done.stdout + done.stderr  # 3: it has gaps
    return json.loads(done.stdout)


def archive(agent):
    found = told(agent, "wal-show")["archives"]
    return found[0] if found else {"bases": [], "ranges": [], "gaps": []}


def bases(agent):
    return [job for job in told(agent, "jobs")["jobs"] if job["kind"] == "base_backup"]


def test_dropped_wal_is_a_gap_that_a_new_base_backup_ends(make_agent):
    agent = make_agent(wal=f'on_overflow = "drop"\noverflow_bytes = {2 * MEGABYTE}')
    agent.waits_for(agent.switch())
    assert processes.wait_until(lambda: len(archive(agent)["bases"]) == 1, 90, 0.2), agent.log()
    agent.waits_for(agent.switch())
    # Rows follow acknowledgements by a moment.
    assert processes.wait_until(lambda: len(archive(agent)["ranges"]) == 1, 30, 0.2), archive(agent)
    assert archive(agent)["gaps"] == []
    agent.lose_store()
    names = [agent.switch() for _ in range(6)]
    assert processes.wait_until(lambda: agent.last_archived() >= names[2], 60), agent.log()
    agent.bring_store()
    # PostgreSQL goes on as if nothing had happened; the agent knows better.
    agent.waits_for(agent.switch(), 90)
    assert processes.wait_until(lambda: len(archive(agent)["bases"]) == 2, 90, 0.2), (bases(agent), agent.log())
    assert [job["status"] for job in bases(agent)] == ["completed", "completed"]
    assert '"reason":"gap"' in agent.log() or "reason=gap" in agent.log(), agent.log()
    agent.waits_for(agent.switch())
    assert processes.wait_until(lambda: len(archive(agent)["ranges"]) == 2, 30, 0.2), archive(agent)
    after = archive(agent)
    assert len(after["gaps"]) == 1, after
    assert after["gaps"][0] == {"start": after["ranges"][0]["end"], "end": after["ranges"][1]["start"]}
    (gap,) = after["gaps"]
    inside = moment_of(gap["start"]) + (moment_of(gap["end"]) - moment_of(gap["start"])) / 2
    refused = agent.run("restore", "--at", text_of(inside), "--of", "postgres", "--database", "then", "--scope", "db", "--no-safety-backup")
    assert refused.returncode == 1 and gap["start"] in refused.stdout + refused.stderr, refused.stdout + refused.stderr


def manifests(store):
    return {json.load(open(path))["backupId"]: path for path in glob.glob(os.path.join(store, "v1/*/clusters/*/base/*/manifest.json"))}


def age(stores, backup, days):
    """Makes a base backup look older than it is, wherever it lies."""
    for store in stores:
        path = manifests(store)[backup]
        with open(path) as file:
            manifest = json.load(file)
        for key in ("startedAt", "endedAt"):
            manifest["base"][key] = text_of(moment_of(manifest["base"][key]) - datetime.timedelta(days=days))
        with open(path, "w") as file:
            json.dump(manifest, file)


def test_what_is_older_than_the_retention_goes_from_every_destination(make_agent, folder):
    stores = [str(folder / "store"), str(folder / "second")]
    agent = make_agent(wal="retention_days = 1",
                       destinations=WalAgent.local("disk", stores[0]) + WalAgent.local("second", stores[1]))
    agent.waits_for(agent.switch())
    assert processes.wait_until(lambda: len(archive(agent)["bases"]) == 1, 90, 0.2), agent.log()
    for count in (2, 3):
        for _ in range(3):
            agent.waits_for(agent.switch())
        assert agent.run("base-backup").returncode == 0, agent.log()
        assert len(archive(agent)["bases"]) == count
    everything = archive(agent)
    first, second, third = [base["backupId"] for base in everything["bases"]]
    age(stores, first, 3)
    age(stores, second, 2)
    assert processes.wait_until(lambda: agent.archived(stores[0]) == agent.archived(stores[1]), 30)
    kept = agent.archived(stores[0])
    assert agent.run("base-backup").returncode == 0, agent.log()
    start = {base["backupId"]: int(base["startLsn"].split("/")[1], 16) // MEGABYTE for base in everything["bases"]}
    for store in stores:
        fourth = set(manifests(store)) - {second, third}
        assert len(fourth) == 1 and first not in fourth, "the second is older than the window, and its beginning"
        left = [int(name[8:16], 16) * 4096 + int(name[16:24], 16) for name in agent.archived(store) if len(name) == 24]
        assert min(left) == start[second] and start[second] > min(int(name[16:24], 16) for name in kept if len(name) == 24)
        assert not glob.glob(os.path.join(store, f"v1/*/clusters/*/base/{first}/*"))
    shown = archive(agent)
    assert [base["backupId"] for base in shown["bases"]][:2] == [second, third] and len(shown["bases"]) == 3
    assert shown["gaps"] == []
    # What is kept still recovers.
    moment = shown["latestRecoverable"]
    done = agent.run("restore", "--at", moment, "--of", "postgres", "--database", "then", "--scope", "db", "--no-neutralize", "--keep-uuid",
                     "--no-safety-backup")
    assert done.returncode == 0, done.stdout + done.stderr + agent.log()
    assert int(agent.pg.psql("then", "SELECT count(*) FROM filler")) > 5
