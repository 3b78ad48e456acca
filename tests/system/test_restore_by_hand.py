"""docs/restore-by-hand.md is no story: its commands are taken out of it and run, on backups that the agent's own code made, and
what they restore is compared with the source."""

import os
import subprocess

import odoo_compare
import odoo_data
import pytest
from archived_cluster import ArchivedCluster, Writer, ledger, moment_of
from conftest import new_folder
from document import BIN, Document, run_script
from postgres import Postgres
from processes import wait_until

DOCUMENT = Document("restore-by-hand.md")
blocks, settings, run = DOCUMENT.blocks, DOCUMENT.settings, run_script


@pytest.fixture(scope="module")
def source():
    folder = new_folder()
    pg = Postgres(str(folder / "pg")).start()
    odoo_data.Made("by hand").load(pg, "source", str(folder / "source"))
    yield pg, folder
    pg.forget()


def back_up(pg, folder, destination, *options):
    """A backup by the agent's own code; answers its folder."""
    (folder / destination).mkdir()
    done = subprocess.run([BIN / "jobs-tool", "backup", pg.socket, pg.port, pg.bin, "source", folder / "source",
                           folder / destination, folder / "state", *options], text=True, stdout=subprocess.PIPE, check=True)
    return folder / destination / done.stdout.strip()


def restored(pg, folder, backup, name):
    names = settings(BACKUP=backup, DATABASE=name, OWNER=odoo_data.OWNER, FILESTORE=folder / name, WORK=folder / f"work-{name}")
    code, output = run(pg, names + blocks())
    assert code == 0, output
    return odoo_compare.compare(pg, "source", name, str(folder / "source"), str(folder / name), neutralized=False)


def test_the_documents_commands_restore_everything(source):
    pg, folder = source
    result = restored(pg, folder, back_up(pg, folder, "plain"), "by_hand")
    assert result.equal, result.wrong
    code, output = run(pg, "DATABASE=by_hand\n" + blocks("copy"))
    assert code == 0, output
    uuid = "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"
    assert pg.psql("by_hand", uuid) != pg.psql("source", uuid)


def test_the_documents_commands_restore_a_parallel_dump(source):
    pg, folder = source
    backup = back_up(pg, folder, "parallel", "--parallel")
    assert (backup / "database.tar.zst").exists()
    result = restored(pg, folder, backup, "by_hand_parallel")
    assert result.equal, result.wrong


def test_the_check_of_the_document_finds_one_changed_byte(source):
    pg, folder = source
    backup = back_up(pg, folder, "damaged")
    archive = backup / "filestore.tar.zst"
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    names = settings(BACKUP=backup, DATABASE="never", OWNER=odoo_data.OWNER, FILESTORE=folder / "never", WORK=folder / "work")
    code, output = run(pg, names + blocks())
    assert code == 1
    assert "filestore.tar.zst: DAMAGED" in output
    assert pg.psql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'never'") == "0"


def test_the_documents_commands_bring_a_moment_back(folder):
    cluster = ArchivedCluster(folder)
    try:
        odoo_data.create(cluster.pg, "shop")
        with Writer(cluster.pg, "shop") as shop:
            base = cluster.base_backup()
            wait_until(lambda: len(ledger(cluster.pg, "shop")) > 1500, 60, 0.1)
        cluster.archive_all()
        earliest = moment_of(cluster.show()["earliestRecoverable"])
        commits = shop.commits()
        later = [at for _, at in commits if at > earliest]
        moment = later[len(later) // 2]
        (folder / "recovery").mkdir()
        (folder / "recovery").chmod(0o777)
        (folder / "sockets").mkdir()
        (folder / "sockets").chmod(0o777)
        names = settings("moment-setup", CLUSTER=cluster.archive, BASE=os.path.join(cluster.store, base), MOMENT=f"'{moment}'",
                         TIMELINE="1", SOURCE="shop", RECOVERY=folder / "recovery" / "here", SOCKETS=folder / "sockets")
        subprocess.run(["chmod", "-R", "a+rX", cluster.store], check=True)
        code, output = run(cluster.pg, names + blocks("moment"), user="postgres")
        assert code == 0, output
        dump = folder / "recovery" / "here" / "dump"
        code, output = run(cluster.pg, f"createdb by_hand; pg_restore --exit-on-error --no-owner -d by_hand {dump}")
        assert code == 0, output
        assert ledger(cluster.pg, "by_hand") == [n for n, at in commits if at <= moment]
    finally:
        cluster.pg.forget()


def test_the_documents_commands_decrypt_first(source):
    pg, folder = source
    key = folder / "key"
    subprocess.run([BIN / "backstay", "key", "generate", key], check=True, stdout=subprocess.DEVNULL)
    backup = back_up(pg, folder, "encrypted", "--key", key)
    assert (backup / "database.dump.zst.enc").exists()
    code, output = run(pg, f"BACKUP={backup}\nKEY_FILE={key}\n" + blocks("encrypted"))
    assert code == 0, output
    # The digests of the manifest are those of the encrypted files, which lie beside.
    names = settings(BACKUP=backup, DATABASE="by_hand_decrypted", OWNER=odoo_data.OWNER, FILESTORE=folder / "decrypted",
                     WORK=folder / "work")
    code, output = run(pg, names + blocks().replace("for file in *.zst; do", "for file in *.enc; do"))
    assert code == 0, output
    result = odoo_compare.compare(pg, "source", "by_hand_decrypted", str(folder / "source"), str(folder / "decrypted"),
                                  neutralized=False)
    assert result.equal, result.wrong
