"""The control plane's own backup: made beside the running server, put back after its state folder is gone as
docs/disaster-drill.md says, and what agents and people meet afterwards."""

import json
import pathlib
import re
import shutil
import urllib.request

import list_counts
import odoo_data
import pytest
from api import until_terminal
from conftest import PRESET, end_plane, new_folder
from control_plane import ControlPlane
from document import Document, run_script
from fake_agent import FakeAgent, Refusal
from processes import wait_until

DOCUMENT = Document("disaster-drill.md")


@pytest.fixture
def plane():
    """One for each test: its state folder goes."""
    one = ControlPlane(new_folder(), PRESET)
    try:
        yield one.up()
    finally:
        end_plane(one)


def back_up(plane, *options):
    plane.control.run("backup", "--output", str(plane.folder / "own.backup"), *options)
    return str(plane.folder / "own.backup")


def lose_and_restore(plane, backup):
    plane.kill()
    shutil.rmtree(plane.state)
    code, told = run_script(None, DOCUMENT.settings("lost-setup", STATE=plane.state, CONTROL_BACKUP=backup) + DOCUMENT.blocks("lost"))
    assert code == 0, told
    plane.start()
    return told


def test_agents_and_people_go_on_after_the_state_folder_is_gone(plane):
    before = plane.made_backup()["id"]
    queued = plane.order()
    told_key = plane.control.key("acme", "ro")
    backup = back_up(plane)
    assert pathlib.Path(backup).stat().st_mode & 0o077 == 0

    # What happens after the backup is not known afterwards.
    plane.agent.do_backup(plane.agent.take(kind="backup"))
    assert plane.owner.get(f"/backups/{queued}")["status"] == "completed"
    later = plane.order()
    running = plane.agent.take(kind="backup")
    lost_key = plane.control.key("acme", "ro")

    told = lose_and_restore(plane, backup)
    assert "1 ordered backups or snapshots forgotten" in told and "not known" in told

    known = {one["id"] for one in plane.owner.get(f"/environments/{plane.production}/backups", limit=100)["backups"]}
    assert before in known and not known & {queued, later}
    assert plane.api(told_key).get("/backup-destinations")
    with pytest.raises(Exception, match="401"):
        plane.api(lost_key).get("/backup-destinations")

    # The agent comes back with the credential it has; what it holds is no longer wanted, and nothing is done twice.
    assert [one["jobId"] for one in plane.agent.heartbeat()["lost"]] == [running["jobId"]]
    assert plane.agent.send([plane.agent.made(running, "planned", plan=None)])[0]["refused"]
    plane.agent.held.clear()
    assert plane.agent.poll(0)["assignments"] == []

    # Nothing is removed by itself until somebody has looked.
    release = DOCUMENT.settings("lost-setup", STATE=plane.state, CONTROL_BACKUP=backup) + DOCUMENT.blocks("release")
    assert "nothing is removed by itself until" in told
    for word in ("released", "nothing held"):
        code, said = run_script(None, release)
        assert code == 0 and said.startswith(word), said

    # Old backups can be restored, new ones made.
    plane.owner.post(f"/backups/{before}/restore", {"targetType": "other", "targetEnvironmentId": plane.staging})
    plane.agent.take(kind="restore")
    assert plane.made_backup(plane.elsewhere)["status"] == "completed"
    assert any(row["action"] == "control_plane.restore" for row in plane.owner.get("/audit-logs", limit=100)["entries"])
    plane.stop()
    assert list_counts.check(plane.state) > 5


def test_a_restore_of_odoo_that_waited_is_never_begun_by_a_restored_control_plane(plane):
    before = plane.made_backup()["id"]
    restore = plane.owner.post(f"/backups/{before}/restore", {"targetType": "other", "targetEnvironmentId": plane.staging})["restoreLogId"]
    backup = back_up(plane)
    assert "1 restores, rollbacks or undos ended as failed" in lose_and_restore(plane, backup)
    plane.agent.heartbeat()
    assert plane.agent.poll(0)["assignments"] == []
    ended = plane.owner.get("/restores/" + restore)
    assert ended["status"] == "failed" and "earlier state" in ended["errorMessage"]


def test_destinations_keep_their_credentials_only_with_the_keys(plane):
    backup = back_up(plane, "--without-keys")
    secrets = pathlib.Path(plane.state, "secrets.key").read_text()
    tokens = pathlib.Path(plane.state, "jwt.key").read_text()
    plane.kill()
    shutil.rmtree(plane.state)
    told = plane.control.run("restore", "--from", backup)
    assert "secrets.key" in told and "jwt.key" in told
    with pytest.raises(RuntimeError, match="secrets.key"):
        plane.start()
    for name, text in (("secrets.key", secrets), ("jwt.key", tokens)):
        path = pathlib.Path(plane.state, name)
        path.write_text(text)
        path.chmod(0o600)
    plane.start()
    assert plane.owner.get(f"/backup-destinations/{plane.shared}")["id"] == plane.shared


def test_the_server_makes_its_daily_backup_by_itself(plane):
    def made():
        return list(pathlib.Path(plane.state, "backups").glob("backstay-control-*.backup"))

    def told():
        with urllib.request.urlopen(plane.url + "/metrics", timeout=30) as answer:
            found = re.search(r"^backstay_control_backup_timestamp_seconds (\S+)$", answer.read().decode(), re.M)
        return float(found.group(1))

    assert wait_until(made, 60), plane.log()
    assert wait_until(lambda: told() > 1e9, 60), plane.log()


def test_an_agent_that_enrolled_since_must_enrol_again(plane):
    backup = back_up(plane)
    token = plane.control.enroll_token("acme", "db3")
    late = FakeAgent.enrolled(plane.url, token)
    lose_and_restore(plane, backup)
    with pytest.raises(Refusal) as refused:
        late.heartbeat()
    assert refused.value.status == 401


def test_agents_tell_a_restored_control_plane_what_they_made_since(make_lab):
    lab = make_lab(production=odoo_data.Made("told again", partners=20, messages=20, files=10))
    api, environment = lab.api(), f"/environments/{lab.env['ENV_PRODUCTION_ID']}"

    def made():
        order = api.post(f"{environment}/backups", {"type": "full"})["backupId"]
        backup = until_terminal(lambda: api.get(f"/backups/{order}"))
        assert backup["status"] == "completed", backup["recoveryEvidence"]
        return backup

    def known():
        return {one["id"]: one for one in api.get(f"{environment}/backups", limit=100)["backups"]}

    before = made()
    own = lab.path("own.backup")
    lab.control.run("backup", "--output", own)
    later = made()
    lab.backstay("backup", "odoo_production", "--type", "db")
    by_hand = {one["backupId"] for one in json.loads(lab.backstay("backups", "--json").stdout)["backups"] if one["scope"] == "db"}

    lab.end("control")
    shutil.rmtree(lab.path("control"))
    code, told = run_script(None, DOCUMENT.settings("lost-setup", STATE=lab.path("control"), CONTROL_BACKUP=own) + DOCUMENT.blocks("lost"))
    assert code == 0, told
    lab.start_control(listen=lab.address)
    assert before["id"] in known() and later["id"] not in known()
    assert wait_until(lambda: api.get(f"/agents/{lab.env['AGENT_ID']}")["status"] == "online", 60)

    since = re.search(r"report-again --since (\S+)", told).group(1)
    for _ in range(2):  # the second time nothing changes
        code, told = run_script(None, DOCUMENT.settings("again-setup", SINCE=since) +
                                DOCUMENT.blocks("again").replace("backstay ", f"backstay --socket {lab.env['AGENT_SOCKET']} "))
        assert code == 0 and "told of again" in told, told
        assert wait_until(lambda: later["id"] in known() and known()[later["id"]]["status"] == "completed", 60)
        assert wait_until(lambda: json.loads(lab.backstay("status", "--json").stdout)["controlPlane"]["unsentReports"] == 0, 60)
    after = api.get(f"/backups/{later['id']}")
    assert after["recoveryEvidence"]["status"] == "green"
    assert after["remotePaths"] == later["remotePaths"]
    assert by_hand and by_hand <= set(known())

    api.post(f"/backups/{later['id']}/restore", {"targetType": "other", "targetEnvironmentId": lab.env["ENV_STAGING_ID"]})
    assert api.follow(f"/backups/{later['id']}/restore/progress", seconds=120)["status"] == "completed"
