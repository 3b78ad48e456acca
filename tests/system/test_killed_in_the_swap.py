"""The agent is killed (SIGKILL) when a restore's new pair is live and nobody has proven it yet. Its next process proves it
and commits, or puts the previous pair back; the previous pair is not lost before."""

import os
import subprocess

import odoo_compare
import pytest
from local_agent import DATABASE, LocalAgent
from processes import wait_until

# A small service: runs while its file is there; held in its start while `hold` is there; refuses the restored pair while
# `strict` is there (the old one has a partner more).
SERVICE = """#!/bin/sh
cd {folder}
case $1 in
stop) rm -f running; exit 0;;
esac
touch starting
while test -e hold; do sleep 0.05; done
if test -e strict; then
  found=$({psql} -c "SELECT count(*) FROM res_partner WHERE name = 'after the backup'")
  test "$found" = 1 || exit 1
fi
touch running
"""


@pytest.fixture
def agent(folder):
    script = folder / "service"
    words = [f'{word}_command = ["/bin/sh", "{script}", "{word}"]' for word in ("start", "stop")]
    made = LocalAgent(folder, os.environ.get("BACKSTAY_PRESET", "dev"), odoo="\n".join(words)).prepare()
    psql = f"{made.pg.bin}/psql -XAt -h {made.pg.socket} -p {made.pg.port} -U postgres -d {DATABASE}"
    script.write_text(SERVICE.format(folder=folder, psql=psql))
    (folder / "running").touch()
    yield made.start()
    print("--- agent.log\n" + made.log()[-6000:])
    made.end()


def stored_pair(agent):
    return odoo_compare.fingerprints(agent.pg, DATABASE), odoo_compare.damaged(agent.pg, DATABASE, agent.filestore)


@pytest.mark.parametrize("keep", ["24", "0"])
@pytest.mark.parametrize("strict", [False, True])
def test_what_is_live_is_proven_or_put_back(agent, folder, strict, keep):
    backup = agent.json("backup", DATABASE)["job"]["operationId"]
    restored_pair = stored_pair(agent)
    agent.pg.psql(DATABASE, "INSERT INTO res_partner (name) VALUES ('after the backup')")
    old_pair = stored_pair(agent)
    (folder / "hold").touch()
    job = agent.json("restore", backup, "--no-safety-backup", "--keep-hours", keep, "--no-wait")["jobId"]
    assert wait_until(lambda: (folder / "starting").exists(), 60), agent.log()
    assert stored_pair(agent) == restored_pair, "the new pair is live"
    agent.kill()
    (folder / "hold").unlink()
    if strict:
        (folder / "strict").touch()
    agent.start()
    assert wait_until(lambda: agent.json("job", job)["job"]["status"] not in ("pending", "running"), 60), agent.log()
    ended = agent.json("job", job)
    assert wait_until((folder / "running").exists, 20), "Odoo runs"
    leftovers = [name for name in agent.databases() if "__" in name]
    if strict:
        assert ended["job"]["status"] == "reverted", ended
        assert stored_pair(agent) == old_pair
        assert leftovers == []
    else:
        evidence = ended["operations"][0]["recoveryEvidence"]
        assert (ended["job"]["status"], evidence["status"]) == ("completed", "green"), ended
        assert stored_pair(agent) == restored_pair
        assert len(leftovers) == (0 if keep == "0" else 1), leftovers
    if not strict and keep != "0":
        assert agent.json("undo", job)["job"]["status"] == "completed"
        assert stored_pair(agent) == old_pair
