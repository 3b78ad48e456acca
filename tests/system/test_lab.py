"""Labs: what ./dev up promises to other programs (lab.env), and that ./dev down leaves nothing."""

import os
import stat

import pytest
import requests
from api import Refused
from lab import KEYS, Lab
from processes import alive, wait_until


def read_env(folder):
    with open(os.path.join(folder, "lab.env")) as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)


def test_lab_env_holds_every_key_and_what_it_names_answers(lab):
    env = read_env(lab.folder)
    assert list(env) == KEYS
    assert all(env[key] for key in KEYS if key != "S3_DESTINATION_ID")
    assert stat.S_IMODE(os.stat(lab.path("lab.env")).st_mode) == 0o600
    assert requests.get(env["METRICS_URL"], timeout=10).status_code == 200
    assert env["API_URL"].endswith("/api") and env["PUBLIC_API_URL"] == env["API_URL"] + "/public/v1"
    for key in ("AGENT_PID", "CONTROL_PID"):
        assert alive(int(env[key]))
    for program in ("backstay", "backstay-agent", "backstay-control"):
        assert os.access(os.path.join(env["BIN"], program), os.X_OK)
    for database, filestore in ((env["DB_PRODUCTION"], env["FILESTORE_PRODUCTION"]), (env["DB_STAGING"], env["FILESTORE_STAGING"])):
        assert int(lab.pg.psql(database, "SELECT count(*) FROM ir_attachment")) > 0
        assert os.listdir(filestore)


def test_tokens_and_keys_of_a_lab_may_do_what_they_are_for(lab):
    env = lab.env
    path = f"/environments/{env['ENV_PRODUCTION_ID']}/backups"
    for credential in ("TOKEN", "VIEWER_TOKEN", "API_KEY_RO", "API_KEY_RW"):
        assert lab.api(env[credential]).get(path)["backups"] == []
    for credential, status in (("VIEWER_TOKEN", 403), ("API_KEY_RO", 403), ("OTHER_ORG_TOKEN", 404)):
        with pytest.raises(Refused) as refused:
            lab.api(env[credential]).post(path, {"type": "db"})
        assert refused.value.status == status, credential
    assert lab.api(env["OTHER_ORG_TOKEN"]).get(f"/environments/{env['OTHER_ENV_ID']}/backups")["total"] == 0
    with pytest.raises(Refused) as refused:
        lab.api().get(f"/environments/{env['OTHER_ENV_ID']}/backups")
    assert refused.value.status == 404


def test_down_ends_exactly_what_up_began(make_lab):
    lab = make_lab()
    other = make_lab()
    pids = [int(lab.env["AGENT_PID"]), int(lab.env["CONTROL_PID"]), lab.pg.pid]
    Lab.found(lab.folder).down()
    assert wait_until(lambda: not any(alive(pid) for pid in pids), 20)
    assert alive(int(other.env["AGENT_PID"])) and alive(int(other.env["CONTROL_PID"]))
    assert other.api().get("/organizations") is not None
    assert not os.path.exists(lab.path("lab.json"))


def test_a_lab_without_agent_has_it_enrolled(make_lab):
    lab = make_lab(agent=False)
    assert read_env(lab.folder)["AGENT_PID"] == ""
    assert lab.api().get(f"/agents/{lab.env['AGENT_ID']}")["status"] == "never_seen"
    lab.start_agent()
    assert lab.api().get(f"/agents/{lab.env['AGENT_ID']}")["status"] == "online"


def test_a_lab_keeps_its_control_plane_where_it_is_told(make_lab, folder):
    lab = make_lab(agent=False, control_store=f"sqlite:{folder}/elsewhere.db")
    assert os.path.exists(folder / "elsewhere.db")
    assert lab.api().get(f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups")["total"] == 0
