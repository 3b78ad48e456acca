"""docs/disaster-drill.md is no story: its commands are taken out of it and run, on a bare PostgreSQL with nothing but a destination and
what an administrator has in the safe."""

import http.server
import os
import re
import shutil
import subprocess
import threading

import odoo_compare
import odoo_data
import pytest
from api import until_terminal
from archived_cluster import ArchivedCluster, Writer, ledger, moment_of, text_of
from conftest import new_folder
from lab import ORG, PRODUCTION
from document import BIN, Document, run_script
from postgres import Postgres
from processes import wait_until
from sftp_server import Sftp

DOCUMENT = Document("disaster-drill.md")


class StandIn(http.server.ThreadingHTTPServer):
    """For Odoo, which is not here: answers 200 as long as `holds`."""

    daemon_threads = True

    def __init__(self, holds):
        self.holds = holds
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/web/health"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.server.holds() else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass


@pytest.fixture
def lost():
    """What is left of a host: its destination, the key in the safe; and, for the comparison, what it was like."""
    folder = new_folder()
    cluster = ArchivedCluster(folder / "old")
    odoo_data.Made("drill", partners=50, messages=200, files=30).load(cluster.pg, "shop", str(folder / "files"))
    subprocess.run([BIN / "backstay", "key", "generate", folder / "artifacts.key"], check=True, stdout=subprocess.DEVNULL)
    cluster.tool("backup", "--key", folder / "artifacts.key", database="shop", filestore=str(folder / "files"))
    yield folder, cluster
    cluster.pg.forget()
    shutil.rmtree(folder, ignore_errors=True)


def bare(folder):
    """A machine with PostgreSQL and the programs, as after `apt-get install`."""
    pg = Postgres(str(folder / "new")).start()
    assert "odoo" not in pg.psql("postgres", "SELECT rolname FROM pg_roles").split()
    return pg


def names(folder, pg, store):
    place = folder / "machine"
    place.mkdir(exist_ok=True)
    return DOCUMENT.settings(AS_POSTGRES="", DESTINATION=store, KEY_FILE=folder / "artifacts.key", CONFIG=place / "agent.toml", SOCKETS=pg.socket,
                             SERVER_PORT=pg.port, STATE=place / "state", DATABASE="shop", OWNER=odoo_data.OWNER, FILESTORE=place / "filestore",
                             ODOO_CONF=place / "odoo", WORK=place / "work")


def lists(pg):
    """Columns, indexes, constraints and their kin."""
    return {what: pg.psql("shop", sql) for what, sql in odoo_compare.LISTS.items()}


def drill(pg, script):
    code, output = run_script(pg, script)
    assert code == 0, output
    return output


def test_a_bare_machine_becomes_the_host_with_what_lies_in_the_safe(lost):
    folder, cluster = lost
    before, described = odoo_compare.fingerprints(cluster.pg, "shop"), lists(cluster.pg)
    cluster.pg.crash()
    pg = bare(folder)
    try:
        setup = names(folder, pg, cluster.store)
        place = folder / "machine"
        listed = drill(pg, setup + DOCUMENT.blocks("host"))
        found = re.search(r"^(\S{36})\s+shop\s+full ", listed, re.M)
        assert found, listed
        setup += DOCUMENT.settings("choice", BACKUP=found.group(1))
        told = drill(pg, setup + "".join(map(DOCUMENT.blocks, ("restore", "configuration", "checks"))))
        assert ": green" in told
        assert odoo_compare.fingerprints(pg, "shop") == before and lists(pg) == described
        assert not odoo_compare.damaged(pg, "shop", str(place / "filestore"))
        assert os.listdir(place / "odoo") == ["modules.json"]
        whole = StandIn(lambda: int(pg.psql("shop", "SELECT count(*) FROM res_users")) > 0 and os.listdir(place / "filestore"))
        drill(pg, f"HEALTH_URL={whole.url}\n" + DOCUMENT.blocks("health"))
        if os.geteuid() == 0:
            pg.psql("postgres", "DROP ROLE root")  # owns nothing of what was restored
        whole.shutdown()
        whole.server_close()
    finally:
        pg.forget()


def test_the_last_moment_comes_back_too(lost):
    folder, cluster = lost
    with Writer(cluster.pg, "shop") as shop:
        cluster.base_backup()
        wait_until(lambda: len(ledger(cluster.pg, "shop")) > 200, 60, 0.1)
    cluster.archive_all()
    earliest = moment_of(cluster.show()["earliestRecoverable"])
    later = [at for _, at in shop.commits() if at > earliest]
    moment = moment_of(text_of(later[len(later) // 2]))
    expected = [n for n, at in shop.commits() if at <= moment]
    cluster.pg.crash()
    pg = bare(folder)
    try:
        setup = names(folder, pg, cluster.store)
        drill(pg, setup + DOCUMENT.blocks("host"))
        assert ": green" in drill(pg, setup + f"MOMENT={text_of(moment)}\n" + DOCUMENT.blocks("moment"))
        assert ledger(pg, "shop") == expected
        assert not odoo_compare.damaged(pg, "shop", str(folder / "machine" / "filestore"))
    finally:
        pg.forget()


def test_with_the_control_plane_a_new_host_takes_the_place_of_the_old_one(make_lab):
    lab, sftp = make_lab(production=odoo_data.Made("drill", partners=50, messages=200, files=30)), Sftp(str(new_folder() / "sftp"))
    try:
        api, env = lab.api(), lab.env
        safe = api.post("/backup-destinations", {"name": "safe", "destinationType": "sftp", "config": sftp.config()})["id"]
        path = f"/environments/{env['ENV_PRODUCTION_ID']}/backups"
        backup = api.post(path, {"type": "full", "destinationIds": [safe]})["backupId"]
        assert until_terminal(lambda: api.get(f"/backups/{backup}"))["status"] == "completed"
        before = odoo_compare.fingerprints(lab.pg, PRODUCTION)

        lab.kill_agent()
        lab.pg.psql("postgres", f'DROP DATABASE "{PRODUCTION}"')
        for gone in (lab.filestore(PRODUCTION), env["AGENT_STATE"]):
            shutil.rmtree(gone)
        lab._configure_agent("agent")
        new = lab._enroll_one(ORG, "agent", f"http://{lab.address}")
        new = next(one["id"] for one in api.get("/agents")["agents"] if one["id"] != env["AGENT_ID"]) if new == env["AGENT_ID"] else new
        env["AGENT_ID"] = new
        lab.start_agent()

        setup = DOCUMENT.settings("control-setup", API_URL=env["API_URL"], TOKEN=env["TOKEN"], ENVIRONMENT=env["ENV_PRODUCTION_ID"],
                                  BACKUP=backup, AGENT=new)
        drill(lab.pg, setup + DOCUMENT.blocks("control-restore"))
        assert api.follow(f"/backups/{backup}/restore/progress", seconds=120)["status"] == "completed"
        assert odoo_compare.fingerprints(lab.pg, PRODUCTION) == before
        assert not odoo_compare.damaged(lab.pg, PRODUCTION, lab.filestore(PRODUCTION))
        again = api.post(path, {"type": "full", "destinationIds": [safe]})["backupId"]
        assert until_terminal(lambda: api.get(f"/backups/{again}"))["status"] == "completed"
    finally:
        sftp("down")
