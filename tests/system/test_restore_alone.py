"""`backstay restore --from`: no daemon, no control plane, no configuration; a destination and a PostgreSQL."""

import json
import os
import pathlib
import subprocess

import odoo_compare
import odoo_data
import pytest
from conftest import new_folder
from postgres import Postgres

BIN = pathlib.Path(__file__).resolve().parents[2] / "build" / os.environ.get("BACKSTAY_PRESET", "dev") / "bin"


@pytest.fixture(scope="module")
def place():
    folder = new_folder()
    pg = Postgres(str(folder / "pg")).start()
    odoo_data.Made("alone").load(pg, "source", str(folder / "source"))
    (folder / "store").mkdir()
    subprocess.run([BIN / "backstay", "key", "generate", folder / "key"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([BIN / "jobs-tool", "backup", pg.socket, pg.port, pg.bin, "source", folder / "source", folder / "store",
                    folder / "state", "--key", folder / "key"], check=True, stdout=subprocess.DEVNULL)
    (folder / "agent.toml").write_text(f"""
state_dir = "{folder}/alone"
[[cluster]]
name = "main"
host = "{pg.socket}"
port = {pg.port}
user = "postgres"
""")
    yield pg, folder
    pg.forget()


def backstay(place, *words):
    pg, folder = place
    done = subprocess.run([BIN / "backstay", *words], env=pg.env(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr


def restore(place, *words):
    folder = place[1]
    return backstay(place, "--json", "restore", *words, "--from", str(folder / "store"), "--config", str(folder / "agent.toml"),
                    "--key", str(folder / "key"))


def test_backups_are_found_restored_and_put_back(place):
    pg, folder = place
    code, output, error = restore(place)
    assert code == 0, error
    (backup,) = json.loads(output)["backups"]
    assert backup["database"] == "source"

    odoo_data.staging().load(pg, "old", str(folder / "old"))
    before = odoo_compare.fingerprints(pg, "old")
    code, output, error = restore(place, backup["backupId"][:10], "--database", "old", "--filestore", str(folder / "old"),
                                  "--no-neutralize", "--keep-uuid")
    assert code == 0, output + error
    answer = json.loads(output)
    assert answer["recoveryEvidence"]["status"] == "green"
    result = odoo_compare.compare(pg, "source", "old", str(folder / "source"), str(folder / "old"), neutralized=False)
    assert result.equal, result.wrong

    code, output, error = backstay(place, "undo", answer["restoreId"], "--alone", "--config", str(folder / "agent.toml"))
    assert code == 0, output + error
    assert odoo_compare.fingerprints(pg, "old") == before
    assert not odoo_compare.damaged(pg, "old", str(folder / "old"))


def test_a_copy_is_neutral_and_has_its_own_identity(place):
    pg, folder = place
    code, output, error = restore(place, "latest", "--database", "copy", "--filestore", str(folder / "copy"))
    assert code == 0, output + error
    uuid = "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"
    assert pg.psql("copy", uuid) != pg.psql("source", uuid)
    assert pg.psql("copy", "SELECT value FROM ir_config_parameter WHERE key = 'database.is_neutralized'") == "true"
    assert pg.psql("copy", "SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host <> 'invalid'") == "0"


def test_the_operator_may_name_the_folder_in_any_way(place):
    """No local_roots allow it: they bind the daemon, not whoever runs this command."""
    folder = place[1]
    described = folder / "destination.json"
    described.write_text(json.dumps({"id": "", "name": "", "type": "local", "config": {"path": str(folder / "store")}}))
    described.chmod(0o600)
    config = folder / "named.toml"
    config.write_text((folder / "agent.toml").read_text()
                      + f'[[destination]]\nid = "disk"\ntype = "local"\npath = "{folder}/store"\nmin_free_bytes = 0\n')
    for words in (["--from", str(described), "--config", str(folder / "agent.toml")], ["--from", "disk", "--config", str(config)]):
        code, output, error = backstay(place, "--json", "restore", *words)
        assert code == 0, error
        assert [backup["database"] for backup in json.loads(output)["backups"]] == ["source"]


@pytest.mark.parametrize("words, status", [
    (["nosuch", "--database", "never"], 5),
    (["latest", "--database", "postgres"], 1),
])
def test_what_cannot_be_restored_is_refused(place, words, status):
    code, output, error = restore(place, *words)
    assert code == status, output + error
    assert "backstay: " in error


def test_the_key_is_needed(place):
    pg, folder = place
    code, output, error = backstay(place, "restore", "latest", "--from", str(folder / "store"), "--database", "never",
                                   "--filestore", str(folder / "never"), "--config", str(folder / "agent.toml"))
    assert code == 1
    assert "encrypted under key" in error
    assert pg.psql("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'never%'") == "0"
