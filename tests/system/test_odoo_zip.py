"""`backstay export --odoo-zip` and `backstay import`: Odoo's own ZIPs, out and in, with no daemon."""

import hashlib
import json
import os
import pathlib
import stat
import subprocess
import zipfile

import odoo_compare
import odoo_data
import pytest
from conftest import new_folder
from postgres import Postgres

BIN = pathlib.Path(__file__).resolve().parents[2] / "build" / os.environ.get("BACKSTAY_PRESET", "dev") / "bin"
# odoo/service/db.py, dump_db_manifest
ODOO_KEYS = ["odoo_dump", "db_name", "version", "version_info", "major_version", "pg_version", "modules"]


class Place:
    def __init__(self):
        self.folder = new_folder()
        self.pg = Postgres(str(self.folder / "pg")).start()
        odoo_data.Made("zip").load(self.pg, "source", str(self.folder / "source"))
        self.store = self.folder / "store"
        self.config = self.folder / "agent.toml"
        self.config.write_text(f"""
state_dir = "{self.folder}/alone"
[[cluster]]
name = "main"
host = "{self.pg.socket}"
port = {self.pg.port}
user = "postgres"
""")

    def back_up(self, store, *options, filestore=None):
        store.mkdir()
        subprocess.run([BIN / "jobs-tool", "backup", self.pg.socket, str(self.pg.port), self.pg.bin, "source",
                        filestore or self.folder / "source", store, self.folder / "state", *options], check=True, stdout=subprocess.DEVNULL)

    def backstay(self, *words):
        done = subprocess.run([BIN / "backstay", "--json", *map(str, words), "--config", self.config], env=self.pg.env(),
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout, done.stderr

    def databases(self):
        return set(self.pg.psql("postgres", "SELECT datname FROM pg_database").split())


@pytest.fixture(scope="module")
def place():
    place = Place()
    place.back_up(place.store)
    yield place
    place.pg.forget()


@pytest.fixture(scope="module")
def exported(place):
    file = place.folder / "odoo.zip"
    code, output, error = place.backstay("export", "latest", "--odoo-zip", file, "--from", place.store)
    assert code == 0, output + error
    return file


def restore_as_odoo_does(place, file, database, folder):
    """odoo/service/db.py, restore_db; with ON_ERROR_STOP, which Odoo lacks: nothing may fail."""
    odoo_data.create(place.pg, database, ["pg_trgm", "unaccent"])
    with zipfile.ZipFile(file) as archive:
        files = [name for name in archive.namelist() if name.startswith("filestore/")]
        archive.extractall(folder, ["dump.sql", *files])
    done = subprocess.run([os.path.join(place.pg.bin, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-f",
                           os.path.join(folder, "dump.sql")], env={**place.pg.env(), "PGUSER": "odoo"}, text=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    return os.path.join(folder, "filestore")


def restored_by_us(place, store, database, *options):
    target = place.folder / database
    code, output, error = place.backstay("restore", "latest", "--from", store, "--database", database, "--filestore", target,
                                         "--no-neutralize", "--keep-uuid", *options)
    assert code == 0, output + error
    return str(target)


def test_odoo_restores_the_zip(place, exported):
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    filestore = restore_as_odoo_does(place, exported, "by_odoo", str(place.folder / "unzipped"))
    result = odoo_compare.compare(place.pg, "source", "by_odoo", str(place.folder / "source"), filestore, neutralized=False)
    assert result.equal, result.wrong


def test_the_zip_is_as_odoo_writes_it(place, exported):
    with zipfile.ZipFile(exported) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        for name in names[2:]:
            assert name.startswith("filestore/") and hashlib.sha1(archive.read(name)).hexdigest() == name[-40:]
        methods = {info.compress_type for info in archive.infolist()}
    assert names[:2] == ["dump.sql", "manifest.json"] and len(names) > 100
    assert zipfile.ZIP_DEFLATED in methods
    assert list(manifest) == ODOO_KEYS
    assert manifest["odoo_dump"] == "1" and manifest["db_name"] == "source"
    major = manifest["major_version"]
    assert manifest["version"].startswith(major) and manifest["version_info"][:2] == [int(part) for part in major.split(".")]
    assert manifest["version_info"][3] == "final" and all(isinstance(version, str) for version in manifest["modules"].values())


def test_without_what_odoo_prepares_no_index_is_lost(place, exported):
    """A superuser's plain psql into an empty database: unaccent() becomes immutable on the way."""
    place.pg.psql("postgres", "CREATE DATABASE bare TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'")
    with zipfile.ZipFile(exported) as archive:
        sql = place.folder / "bare.sql"
        sql.write_bytes(archive.read("dump.sql"))
    subprocess.run([os.path.join(place.pg.bin, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "bare", "-f", sql],
                   env=place.pg.env(), check=True, stdout=subprocess.DEVNULL)
    count = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'"
    assert place.pg.psql("bare", count) == place.pg.psql("source", count)


def test_it_can_be_a_stream_and_is_never_written_over_a_file(place, exported):
    streamed = subprocess.run([BIN / "backstay", "export", "latest", "--odoo-zip", "-", "--from", place.store, "--config",
                               place.config], env=place.pg.env(), check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout
    copy = place.folder / "streamed.zip"
    copy.write_bytes(streamed)
    with zipfile.ZipFile(copy) as one, zipfile.ZipFile(exported) as other:  # pg_restore puts a random key into each script
        assert [(info.filename, info.CRC) for info in one.infolist()[1:]] == [(info.filename, info.CRC) for info in other.infolist()[1:]]
        assert one.getinfo("dump.sql").file_size == other.getinfo("dump.sql").file_size
    kept = exported.read_bytes()
    code, output, _ = place.backstay("export", "latest", "--odoo-zip", exported, "--from", place.store)
    assert code == 1 and "exists already" in output
    assert exported.read_bytes() == kept


def test_a_parallel_dump_and_an_encrypted_one_become_the_same_zip(place, exported):
    key = place.folder / "key"
    subprocess.run([BIN / "backstay", "key", "generate", key], check=True, stdout=subprocess.DEVNULL)
    store, file = place.folder / "parallel", place.folder / "parallel.zip"
    place.back_up(store, "--key", key, "--parallel")
    code, output, _ = place.backstay("export", "latest", "--odoo-zip", file, "--from", store)
    assert code == 1 and "no key file" in output and not file.exists()
    code, output, error = place.backstay("export", "latest", "--odoo-zip", file, "--from", store, "--key", key)
    assert code == 0, output + error
    with zipfile.ZipFile(file) as one, zipfile.ZipFile(exported) as other:
        assert one.namelist() == other.namelist()
    assert not list(place.folder.glob("alone/scratch/*"))


def test_a_backup_of_the_database_only_becomes_a_zip_without_files(place):
    store, file = place.folder / "db-only", place.folder / "db-only.zip"
    place.back_up(store, filestore="-")
    code, output, error = place.backstay("export", "latest", "--odoo-zip", file, "--from", store)
    assert code == 0, output + error
    assert json.loads(output)["withoutFilestore"] is True
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["dump.sql", "manifest.json"]


def test_damage_leaves_no_zip(place):
    store, file = place.folder / "damaged", place.folder / "damaged.zip"
    place.back_up(store)
    (archive,) = store.glob("v1/*/*/*/backups/*/*/*/*/filestore.tar.zst")
    archive.chmod(0o600)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    code, output, _ = place.backstay("export", "latest", "--odoo-zip", file, "--from", store)
    assert code == 1 and "filestore" in output
    assert not list(place.folder.glob("damaged.zip*"))


def test_an_exported_zip_is_imported_and_restored(place, exported):
    store = place.folder / "imported"
    store.mkdir()
    before = place.databases()
    code, output, error = place.backstay("import", exported, "--to", store, "--owner", "odoo", "--label", "from the other host")
    assert code == 0, output + error
    evidence = json.loads(output)["recoveryEvidence"]
    assert evidence["status"] == "green" and evidence["canWriteCleanSuccess"] is True
    assert any(hashlib.sha256(exported.read_bytes()).hexdigest() in why for why in evidence["whyGreen"])
    assert place.databases() == before and not list(place.folder.glob("alone/scratch/*"))
    assert not list(place.folder.glob("alone/restores/*.json"))

    (manifest,) = store.glob("v1/local/alone/source/backups/*/*/*/*/manifest.json")
    told = json.loads(manifest.read_text())
    assert told["db_name"] == "source" and told["label"] == "from the other host" and told["scope"] == "full"
    filestore = restored_by_us(place, store, "again")
    result = odoo_compare.compare(place.pg, "source", "again", str(place.folder / "source"), filestore, neutralized=False)
    assert result.equal, result.wrong


def test_odoos_own_zip_is_imported(place):
    """Made as Odoo makes it: checklist/ and orphans in it, files deflated."""
    file, store = place.folder / "by-odoo.zip", place.folder / "from-odoo"
    store.mkdir()
    tool = pathlib.Path(__file__).resolve().parents[1] / "bench" / "odoo_zip.py"
    subprocess.run(["python3", tool, "source", place.folder / "source", file], check=True,
                   env={**place.pg.env(), "PATH": f"{place.pg.bin}:{os.environ['PATH']}"})
    code, output, _ = place.backstay("import", file, "--to", store)
    assert code == 2 and "--database" in output  # its manifest.json names none
    code, output, error = place.backstay("import", file, "--to", store, "--database", "renamed", "--owner", "odoo")
    assert code == 0, output + error
    filestore = restored_by_us(place, store, "third")
    result = odoo_compare.compare(place.pg, "source", "third", str(place.folder / "source"), filestore, neutralized=False)
    assert result.equal, result.wrong


def made_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


SQL = ("dump.sql", "SELECT 1;\n")
NAMED = ("manifest.json", json.dumps({"db_name": "evil"}))
SHA1 = hashlib.sha1(b"content").hexdigest()


def symlink(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


HOSTILE = {
    "no dump.sql": ([NAMED], "no dump.sql"),
    "two of them": ([SQL, SQL, NAMED], "twice"),
    "a name that climbs": ([SQL, NAMED, ("filestore/../../../etc/cron.d/x", "x")], "leads out"),
    "an absolute name": ([SQL, NAMED, ("/etc/passwd", "x")], "leads out"),
    "a backslash": ([SQL, NAMED, ("filestore\\..\\x", "x")], "leads out"),
    "a symbolic link": ([SQL, NAMED, (symlink("filestore/ab/" + SHA1), "/etc/passwd")], "no plain file"),
    "dump.sql as a link": ([(symlink("dump.sql"), "/etc/passwd"), NAMED], "no plain file"),
    "a wrong SHA-1": ([SQL, NAMED, (f"filestore/{SHA1[:2]}/{SHA1}", "another content")], "SHA-1"),
    "one file twice": ([SQL, NAMED, (f"filestore/{SHA1[:2]}/{SHA1}", "content"), (f"filestore/{SHA1[:2]}/{SHA1}", "content")], ""),
    "a bomb": ([SQL, NAMED, ("filestore/aa/bomb", bytes(400 << 20))], "no backup"),
    "SQL that fails": ([("dump.sql", "SELECT nothing FROM nowhere;\n"), NAMED], "nowhere"),
    "a command of psql": ([("dump.sql", "\\! touch {owned}\n"), NAMED], "cannot be loaded"),
    "a command after the dump's own end": ([("dump.sql", "\\unrestrict x\n\\! touch {owned}\n"), NAMED], "cannot be loaded"),
    "a name for a database": ([SQL, ("manifest.json", json.dumps({"db_name": "../../x"}))], "--database"),
    "a manifest of noise": ([SQL, ("manifest.json", "[1")], "manifest.json"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_hostile_is_refused_and_leaves_nothing(place, what):
    members, words = HOSTILE[what]
    owned = place.folder / "owned"
    members = [(name, content.replace("{owned}", str(owned)) if isinstance(content, str) else content) for name, content in members]
    file = made_zip(place.folder / "hostile.zip", members)
    store = place.folder / "untouched"
    store.mkdir(exist_ok=True)
    before = place.databases()
    code, output, error = place.backstay("import", file, "--to", store)
    assert code in (1, 2), output + error
    assert words in output + error, output + error
    assert place.databases() == before and not owned.exists()
    assert not list(store.rglob("*.zst")) and not list(store.rglob("manifest.json"))
    assert not list(place.folder.glob("alone/scratch/*"))


def test_what_is_no_zip_is_refused(place):
    for content in (b"", b"no zip at all", b"PK\x05\x06" + bytes(18)):
        file = place.folder / "noise.zip"
        file.write_bytes(content)
        code, output, _ = place.backstay("import", file, "--to", place.store)
        assert code == 1 and "ZIP" in output
    code, output, _ = place.backstay("import", "/nowhere.zip", "--to", place.store)
    assert code in (1, 5)
