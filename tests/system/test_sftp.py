"""Backups on an SFTP server, by the agent alone and ordered by a control plane; what is told of its secrets."""

import os

import pytest
from api import Refused, until_terminal
from conftest import PRESET
from local_agent import DATABASE, LocalAgent
from processes import wait_until
from sftp_server import Sftp


@pytest.fixture
def sftp(folder):
    server = Sftp(str(folder / "sftp"))
    yield server
    server("down")


@pytest.fixture
def agent(folder, sftp):
    one = LocalAgent(folder / "agent", PRESET)
    os.makedirs(one.folder)
    one.prepare()
    with open(one.path("agent.toml"), "a") as file:
        file.write("\n" + sftp.section("fileserver", one.path("fileserver.secret")))
    yield one.start()
    print("--- agent.log\n" + one.log()[-6000:])
    one.end()


def refused(act, status, code):
    with pytest.raises(Refused) as answer:
        act()
    assert (answer.value.status, answer.value.body["error"]) == (status, code), answer.value
    return answer.value.body


def test_the_agent_alone_backs_up_verifies_and_restores(agent, sftp):
    count = "SELECT count(*) FROM mail_message"
    before = agent.pg.psql(DATABASE, count)
    done = agent.json("backup", DATABASE, "--to", "fileserver")
    evidence = done["operations"][0]["recoveryEvidence"]
    assert evidence["status"] == "green", evidence["whyNotGreen"]
    backup = done["job"]["operationId"]
    stored = sftp.stored()
    assert stored and all(backup in name for name in stored) and any(name.endswith("manifest.json") for name in stored)
    assert agent.json("verify", backup)["job"]["status"] == "completed"

    agent.pg.psql(DATABASE, "DELETE FROM mail_message")
    assert agent.json("restore", backup)["job"]["status"] == "completed"
    assert agent.pg.psql(DATABASE, count) == before

    agent.run("delete", backup, check=0)
    assert not [name for name in sftp.stored() if backup in name]
    assert sftp.env["SFTP_PASSWORD"] not in agent.log()


def test_a_server_that_is_not_the_pinned_one_gets_nothing(agent, sftp):
    # Each of the two destinations.
    assert agent.run("check").stdout.count("a small object was written") == 2
    sftp("rehost")
    assert wait_until(lambda: "not the pinned one" in agent.run("check").stdout, 20, 0.5), agent.run("check").stdout
    assert agent.run("check").stdout.count("a small object was written") == 1
    assert not sftp.stored()


@pytest.fixture
def lab(make_lab):
    return make_lab()


def added(lab, config, kind="sftp"):
    return lab.api().post("/backup-destinations", {"name": "files", "destinationType": kind, "config": config})


def test_a_control_plane_tests_the_server_keeps_its_secrets_and_orders_backups(lab, sftp):
    api = lab.api()
    for member, value, words in (("privateKey", sftp.read("SFTP_KEY_RSA"), "RSA"), ("hostKey", "", "required"),
                                 ("hostKey", "ssh-rsa AAAAB3NzaC1yc2E", "RSA"), ("password", "x", "either")):
        answer = refused(lambda: added(lab, sftp.config(**{member: value})), 422, "invalid_config")
        assert words in str(answer), answer
    wrong = refused(lambda: added(lab, sftp.config(hostKey="SHA256:" + "A" * 43)), 422, "connection_test_failed")
    assert "host key" in wrong["message"], wrong
    stranger = refused(lambda: added(lab, sftp.config(privateKey=sftp.read("SFTP_KEY_STRANGER"))), 422, "connection_test_failed")
    assert "refuses these credentials" in stranger["message"], stranger
    for kind in ("gdrive", "onedrive"):
        refused(lambda: added(lab, {"refreshToken": "x"}, kind), 422, "destination_type_unsupported")

    made = added(lab, sftp.config())
    shown = api.get(f"/backup-destinations/{made['id']}")
    assert (shown["testStatus"], shown["config"]["privateKey"]) == ("passed", "********"), shown
    assert shown["config"]["hostKey"] == sftp.env["SFTP_HOST_KEY"]
    assert sftp.stored() == [], "the test leaves nothing"

    order = api.post(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups", {"type": "full", "destinationIds": [made["id"]]})
    backup = until_terminal(lambda: api.get(f"/backups/{order['backupId']}"))
    assert backup["status"] == "completed", backup["recoveryEvidence"]["whyNotGreen"]
    assert [name for name in sftp.stored() if backup["id"] in name]

    ordered = api.post(f"/backups/{backup['id']}/restore",
                       {"targetType": "other", "targetEnvironmentId": lab.env["ENV_STAGING_ID"]})
    assert api.follow(f"/backups/{backup['id']}/restore/progress", seconds=240)["status"] == "completed"
    assert api.get(f"/restores/{ordered['restoreLogId']}")["recoveryEvidence"]["status"] == "green"

    secret = sftp.read("SFTP_KEY").splitlines()[2]
    assert secret not in lab.log_tail("control", 10_000) + lab.log_tail("agent", 10_000)
    for folder, _, names in os.walk(lab.path("control")):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                assert secret.encode() not in file.read(), name
