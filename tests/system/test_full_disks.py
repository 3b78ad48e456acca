"""A disk that is full in mid-stream: the job fails and names the path, nothing half is left, the next job works. The disks
are small tmpfs in a mount namespace of the agent's own."""

import os

import pytest
from local_agent import DATABASE, LocalAgent
from processes import wait_until
import odoo_data

MB = 1 << 20


class OnSmallDisks(LocalAgent):
    """Mounts are the agent's alone: they are seen through its /proc/<pid>/root and go with it."""

    def __init__(self, folder, disks, **options):
        super().__init__(folder, os.environ.get("BACKSTAY_PRESET", "dev"), **options)
        mounts = " && ".join(f"mkdir -p {path} && mount -t tmpfs -o size={size} backstay-test {path}" for path, size in disks.items())
        as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        self.wrapper = ["unshare", "--mount", *as_root, "sh", "-c", f'{mounts} && exec "$@"', "sh"]

    def inside(self, path):
        return f"/proc/{self.process.pid}/root{path}"

    def files(self, path):
        return [os.path.join(base, name) for base, _, names in os.walk(self.inside(path)) for name in names]

    def fill(self, path):
        """Answers the file that takes all the space."""
        filler = os.path.join(self.inside(path), "filler")
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(MB))
            except OSError:
                pass
        return filler


@pytest.fixture
def make(folder):
    made = []

    def start(disks, extra="", **options):
        agent = OnSmallDisks(folder, {str(folder / name): size for name, size in disks.items()}, **options)
        made.append(agent)
        agent.prepare()
        agent.write_config(extra)
        return agent.start()

    yield start
    for agent in made:
        print("--- agent.log\n" + agent.log()[-6000:])
        agent.end()


def incompressible(agent, megabytes):
    for n in range(megabytes):
        odoo_data.add_attachment(agent.pg, DATABASE, agent.filestore, f"noise {n}", os.urandom(MB))


def failed_step(answer):
    (operation,) = answer["operations"]
    return next(step for step in operation["steps"] if step["status"] == "failed")


def test_the_local_destination(make, folder):
    agent = make({"store": "6m"})
    first = agent.json("backup", DATABASE)
    assert first["job"]["status"] == "completed", first
    held = sorted(agent.files(str(folder / "store")))
    incompressible(agent, 8)
    failed = agent.json("backup", DATABASE, check=1)
    assert failed["job"]["status"] == "failed"
    evidence = failed["operations"][0]["recoveryEvidence"]
    assert evidence["reason"] == "destination_full", evidence
    assert any(str(folder / "store") in why for why in evidence["whyNotGreen"]), evidence["whyNotGreen"]
    assert sorted(agent.files(str(folder / "store"))) == held, "nothing half is left, the good one stays"
    assert agent.files(os.path.join(agent.state, "scratch")) == []
    for attachment in agent.pg.psql(DATABASE, "DELETE FROM ir_attachment WHERE name LIKE 'noise%' RETURNING store_fname").split():
        if "/" in attachment:
            os.remove(os.path.join(agent.filestore, attachment))
    agent.json("delete", first["job"]["operationId"])
    again = agent.json("backup", DATABASE)
    assert again["job"]["status"] == "completed", again


def test_scratch(make, folder):
    scratch = str(folder / "scratch")
    agent = make({"scratch": "80m"}, extra=f'scratch_dir = "{scratch}"',
                 data=odoo_data.Made("local", partners=2000, messages=20000, files=5))
    backup = agent.json("backup", DATABASE)["job"]["operationId"]
    before = agent.pg.psql(DATABASE, "SELECT count(*) FROM mail_message")
    databases = agent.databases()
    agent.json("limits", "--rate", "300000")
    job = agent.json("restore", backup, "--no-safety-backup", "--no-wait")["jobId"]
    assert wait_until(lambda: any("/restore-" in path for path in agent.files(scratch)), 60), agent.log()
    filler = agent.fill(scratch)
    assert wait_until(lambda: agent.json("job", job)["job"]["status"] not in ("pending", "running"), 60), agent.log()
    failed = agent.json("job", job)
    os.remove(filler)
    assert failed["job"]["status"] == "failed", failed
    evidence = failed["operations"][0]["recoveryEvidence"]
    assert evidence["reason"] == "disk_space_low", evidence
    assert any(scratch in why for why in evidence["whyNotGreen"]), evidence["whyNotGreen"]
    assert agent.files(scratch) == [] and agent.databases() == databases
    assert agent.pg.psql(DATABASE, "SELECT count(*) FROM mail_message") == before
    agent.json("limits", "--rate", "0")
    again = agent.json("restore", backup, "--no-safety-backup")
    assert again["job"]["status"] == "completed", again
