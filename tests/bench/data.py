"""The benchmark's data: an Odoo-shaped database of about 1.4 GB and a filestore of 100,000 files and 2 GB, 60 % of whose
bytes are incompressible. Made once, from a fixed seed, and kept below build/bench."""

import hashlib
import os
import random
import shutil

WORDS = ("invoice order partner delivery product stock move payment account tax journal line customer vendor quantity "
         "price total amount discount warehouse picking lot serial project task timesheet employee leave expense note "
         "message follower activity mail template report sale purchase quotation confirmed draft posted cancelled").split()

SCHEMA = """
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name varchar NOT NULL UNIQUE, state varchar, latest_version varchar);
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar UNIQUE NOT NULL, value text NOT NULL);
CREATE TABLE res_users (id serial PRIMARY KEY, login varchar NOT NULL UNIQUE, password varchar, active boolean);
CREATE TABLE ir_attachment (id serial PRIMARY KEY, name varchar NOT NULL, res_model varchar, res_id integer, type varchar NOT NULL,
  url varchar, db_datas bytea, store_fname varchar, file_size integer, checksum varchar(40), mimetype varchar, index_content text,
  create_date timestamp);
CREATE TABLE mail_message (id serial PRIMARY KEY, model varchar, res_id integer, author_id integer, message_type varchar,
  subject varchar, body text, message_id varchar, date timestamp, create_uid integer, write_date timestamp);
CREATE TABLE account_move_line (id serial PRIMARY KEY, move_id integer, name varchar, account_id integer, partner_id integer,
  debit numeric, credit numeric, balance numeric, date date, ref varchar, parent_state varchar, create_date timestamp);
CREATE TABLE stock_move (id serial PRIMARY KEY, name varchar, product_id integer, product_uom_qty numeric, state varchar,
  origin varchar, reference varchar, date timestamp, location_id integer, location_dest_id integer);
INSERT INTO ir_module_module (name, state, latest_version)
  SELECT m, 'installed', '17.0.1.3' FROM unnest(ARRAY['base','web','mail','account','stock','sale']) m;
INSERT INTO ir_config_parameter (key, value) VALUES ('database.uuid', gen_random_uuid()::text), ('database.secret', md5('s')),
  ('web.base.url', 'https://example.com');
INSERT INTO res_users (login, password, active) SELECT 'user' || i, md5(i::text), true FROM generate_series(1, 50) i;
"""

# Text of business rows: words and numbers, which zstd -3 brings to about a quarter.
FILL = """
CREATE FUNCTION pg_temp.words(seed bigint, count int) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg((ARRAY[{words}])[1 + abs(hashint8(seed * 1000 + i)) % {n}], ' ') FROM generate_series(1, count) i $$;
INSERT INTO mail_message (model, res_id, author_id, message_type, subject, body, message_id, date, create_uid, write_date)
  SELECT (ARRAY['sale.order','account.move','stock.picking'])[1 + i % 3], i % 100000, i % 5000, 'comment',
    pg_temp.words(i, 4), '<p>' || pg_temp.words(i, 40) || '</p>', '<' || md5(i::text) || '@example.com>',
    timestamp '2020-01-01' + i * interval '37 seconds', i % 50, now()
  FROM generate_series(1, {messages}) i;
INSERT INTO account_move_line (move_id, name, account_id, partner_id, debit, credit, balance, date, ref, parent_state, create_date)
  SELECT i / 3, 'Line ' || i || ' ' || md5((i / 7)::text), i % 400, i % 9000, (i::bigint * 7919) % 100000 / 100.0, 0,
    (i::bigint * 7919) % 100000 / 100.0, date '2020-01-01' + (i / 2000)::int, 'INV/2023/' || i / 3, 'posted', now()
  FROM generate_series(1, {lines}) i;
INSERT INTO stock_move (name, product_id, product_uom_qty, state, origin, reference, date, location_id, location_dest_id)
  SELECT 'Product ' || i % 30000, i % 30000, i % 40, 'done', 'SO' || i / 4, 'WH/OUT/' || i / 4,
    timestamp '2021-01-01' + i * interval '11 seconds', 8, 5
  FROM generate_series(1, {moves}) i;
CREATE INDEX ON mail_message (model, res_id);
CREATE INDEX ON account_move_line (move_id);
CREATE INDEX ON account_move_line (account_id, date);
CREATE INDEX ON stock_move (product_id);
ANALYZE;
"""


def make_database(pg, name, scale):
    """`scale` 1 is about 1.4 GB on disk."""
    words = ", ".join(f"'{word}'" for word in WORDS)
    pg.psql("postgres", f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING \'UTF8\' LC_COLLATE \'C\'')
    pg.psql(name, SCHEMA)
    pg.psql(name, FILL.format(words=words, n=len(WORDS), messages=int(1_100_000 * scale), lines=int(2_600_000 * scale),
                              moves=int(1_800_000 * scale)))


def file_content(rng, size, text):
    if not text:
        return rng.randbytes(size)
    piece = " ".join(rng.choices(WORDS, k=400)) + f" {rng.random()}\n"
    body = "".join(f"{i} {piece}" for i in range(size // len(piece) + 1))
    return body[:size].encode()


def make_filestore(folder, files, total_bytes):
    """Content-addressed as Odoo does it; answers the rows for ir_attachment. Seven in ten bytes lie in few large files."""
    partial = folder + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    rng = random.Random(20260101)
    sizes = [rng.lognormvariate(8.6, 1.35) + 64 for _ in range(files)]
    factor = total_bytes / sum(sizes)
    rows = []
    text_debt = 0.0  # 40 % of the bytes are text, whatever the sizes drawn
    for number, size in enumerate(sizes):
        size = max(16, int(size * factor))
        text = text_debt >= 0
        text_debt += size * (0.4 - (1 if text else 0))
        data = f"{number}:".encode() + file_content(rng, size, text)
        sha1 = hashlib.sha1(data).hexdigest()
        path = os.path.join(partial, sha1[:2])
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, sha1), "wb") as out:
            out.write(data)
        rows.append((f"file{number}", f"{sha1[:2]}/{sha1}", len(data), sha1, "text/plain" if text else "application/pdf"))
    os.rename(partial, folder)
    return rows


def insert_attachments(pg, database, rows):
    lines = "".join(f"{name}\tsale.order\t{i}\tbinary\t{fname}\t{size}\t{sha1}\t{mime}\n"
                    for i, (name, fname, size, sha1, mime) in enumerate(rows))
    pg.psql(database, "COPY ir_attachment (name, res_model, res_id, type, store_fname, file_size, checksum, mimetype) "
                      "FROM STDIN;\n" + lines + "\\.\n")


def ensure(pg, folder, scale):
    """Makes what is missing; answers (database, filestore)."""
    database, filestore = f"bench_{int(scale * 1000)}", os.path.join(folder, f"filestore-{int(scale * 1000)}")
    known = pg.psql("postgres", f"SELECT count(*) FROM pg_database WHERE datname = '{database}'")
    if known == "1" and os.path.isdir(filestore):
        return database, filestore
    print(f"making the data (scale {scale}), once …", flush=True)
    pg.psql("postgres", f'DROP DATABASE IF EXISTS "{database}"')
    shutil.rmtree(filestore, ignore_errors=True)
    make_database(pg, database, scale)
    rows = make_filestore(filestore, int(100_000 * scale), int(2_000_000_000 * scale))
    insert_attachments(pg, database, rows)
    pg.psql(database, "VACUUM ANALYZE")
    return database, filestore
