"""Odoo databases and filestores for labs, tests and the demo: loaded from a plain dump of any Odoo, or made here.

A database belongs to the role `odoo`, as on a real host; nothing is a superuser's that Odoo itself would own."""

import hashlib
import os
import random
import re
import subprocess
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
ADDONS = os.path.join(DATA, "addons")
SHARED = os.path.join(HERE, "..", "..", "..", "shared", "data", "odoo17-small")
OWNER = "odoo"
EMPTY_SHA1 = hashlib.sha1().hexdigest()


class Dump:
    """A plain SQL dump and a tar of filestore/<database>, both zstd."""

    def __init__(self, database, filestore):
        self.database, self.filestore = database, filestore
        self.described = f"{os.path.basename(os.path.dirname(os.path.abspath(database)))}/{os.path.basename(database)}"

    def chunks(self):
        with subprocess.Popen(["zstd", "-dcq", self.database], stdout=subprocess.PIPE) as zstd:
            while chunk := zstd.stdout.read(1 << 20):
                yield chunk
        if zstd.returncode != 0:
            raise SystemExit(f"{self.database} cannot be read")

    def load(self, pg, name, filestore):
        head = next(self.chunks())
        extensions = re.findall(rb"^CREATE EXTENSION IF NOT EXISTS (\w+|\"[\w-]+\")", head, re.M)
        create(pg, name, [found.decode().strip('"') for found in extensions])
        pg.load(name, self.chunks(), OWNER)
        os.makedirs(filestore, exist_ok=True)
        if self.filestore:
            subprocess.run(["tar", "--zstd", "-xf", self.filestore, "-C", filestore], check=True)


class Made:
    """A small Odoo-shaped database from tests/data/odoo.sql, with content-addressed files."""

    described = "made by this repository (tests/data/odoo.sql)"

    def __init__(self, seed, partners=400, messages=3000, files=150):
        self.seed, self.partners, self.messages, self.files = seed, partners, messages, files

    def load(self, pg, name, filestore):
        create(pg, name, ["pg_trgm", "unaccent"])
        variables = {"seed": self.seed, "uuid": uuid.uuid5(uuid.NAMESPACE_DNS, self.seed), "partners": self.partners,
                     "messages": self.messages}
        with open(os.path.join(DATA, "odoo.sql")) as sql:
            settings = "".join(f"\\set {key} {value}\n" for key, value in variables.items())
            pg.psql(name, settings + "BEGIN;\n" + sql.read() + "\nCOMMIT;\n", user=OWNER)
        rows = list(self._write_files(filestore))
        pg.psql(name, "COPY ir_attachment (name, res_model, res_id, type, store_fname, file_size, checksum, mimetype) FROM stdin;\n"
                + "".join(rows) + "\\.\n", user=OWNER)

    def _contents(self):
        """Few large and many small files, half of them incompressible, always the same for one seed."""
        chance = random.Random(self.seed)
        for n in range(self.files):
            size = 1_500_000 if n == 0 else int(chance.paretovariate(1.1) * 900) % 300_000 + 1
            if n % 2:
                yield chance.randbytes(size)
            else:
                yield (f"{self.seed} document {n} ".encode() * (size // 12 + 1))[:size]

    def _write_files(self, filestore):
        for n, content in enumerate(self._contents()):
            store_fname = put_file(filestore, content)
            for twin in range(2 if n % 10 == 0 else 1):  # the same content is stored once
                yield "\t".join([f"file {n}.{twin}", "res.partner", str(n + 1), "binary", store_fname, str(len(content)),
                                 os.path.basename(store_fname), "application/octet-stream"]) + "\n"
        # A rolled-back transaction leaves its file; every new file leaves an entry in Odoo's checklist.
        orphan = put_file(filestore, self.seed.encode() + b" nobody refers to this")
        os.makedirs(os.path.join(filestore, "checklist", orphan[:2]), exist_ok=True)
        with open(os.path.join(filestore, "checklist", orphan), "w"):
            pass


def put_file(filestore, content):
    """Stores content as Odoo does and answers its store_fname."""
    name = hashlib.sha1(content).hexdigest()
    os.makedirs(os.path.join(filestore, name[:2]), exist_ok=True)
    with open(os.path.join(filestore, name[:2], name), "wb") as file:
        file.write(content)
    return f"{name[:2]}/{name}"


def add_attachment(pg, database, filestore, name, content):
    """What a user of Odoo does who uploads a file; answers its store_fname."""
    store_fname = put_file(filestore, content)
    pg.psql(database, "INSERT INTO ir_attachment (name, type, store_fname, file_size, checksum, mimetype) VALUES "
            f"('{name}', 'binary', '{store_fname}', {len(content)}, '{os.path.basename(store_fname)}', 'text/plain')", user=OWNER)
    return store_fname


def create(pg, name, extensions=()):
    """An empty database as Odoo makes it. Extensions belong to the owner, else the dump's COMMENT ON EXTENSION fails;
    unaccent becomes IMMUTABLE, else indexes on it are lost."""
    pg.psql("postgres", f"DO $$ BEGIN CREATE ROLE {OWNER} LOGIN CREATEDB; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    pg.psql("postgres", f"CREATE DATABASE \"{name}\" OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'")
    for extension in extensions:
        pg.psql(name, f'CREATE EXTENSION IF NOT EXISTS "{extension}"', user=OWNER)
    if "unaccent" in extensions:
        pg.psql(name, "ALTER FUNCTION unaccent(text) IMMUTABLE")


def production(database=None, filestore=None):
    """What a lab loads for production: the given files, else the shared real Odoo, else our own."""
    if database:
        return Dump(database, filestore)
    if os.path.exists(os.path.join(SHARED, "database.sql.zst")):
        return Dump(os.path.join(SHARED, "database.sql.zst"), os.path.join(SHARED, "filestore.tar.zst"))
    return Made("production")


def staging():
    """An older, smaller Odoo of its own: a restore has to replace it."""
    return Made("staging", partners=60, messages=200, files=12)
