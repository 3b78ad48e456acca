"""Whether a restored Odoo equals its source: objects, rows, indexes, constraints, and every attachment by its SHA-1."""

import hashlib
import os

# Tables that neutralization and a new database identity may change; everything else must be equal row by row.
NEUTRALIZED = {
    "ir_cron": "scheduled actions off", "ir_mail_server": "outgoing mail off", "fetchmail_server": "incoming mail off",
    "ir_config_parameter": "identity and flags", "payment_provider": "payments off", "ir_act_server": "webhooks off",
    "ir_ui_view": "banner shown", "website": "domain and robots", "iap_account": "tokens off", "delivery_carrier": "carriers off",
    "auth_oauth_provider": "logins off", "mail_template": "mail server cleared", "mail_push_device": "push keys removed",
    "ir_actions": "parent of ir_act_server", "res_company": "tokens off", "res_users": "calendar tokens off",
}
# Neutralization may add rows to these.
MAY_GROW = ("ir_mail_server", "ir_config_parameter")

TABLES = """SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm')
ORDER BY 1"""
LISTS = {
    "columns": """SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' ||
        coalesce(pg_get_expr(d.adbin, d.adrelid), '') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
    "constraints": """SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1""",
    "views": "SELECT viewname || ' ' || definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
    "sequences": "SELECT sequencename || ' ' || coalesce(last_value::text, '-') FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1",
    "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
    "functions": """SELECT p.oid::regprocedure || ' ' || p.provolatile::text FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace ORDER BY 1""",
    "extensions": "SELECT extname || ' ' || extversion FROM pg_extension ORDER BY 1",
    "owners": """SELECT relname || ' ' || pg_get_userbyid(relowner) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S') ORDER BY 1""",
}


def fingerprints(pg, database):
    """{table: (rows, digest of all rows in any order)}"""
    tables = pg.psql(database, TABLES).splitlines()
    parts = [f"SELECT '{table}', count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0) FROM ONLY public.\"{table}\" t"
             for table in tables]
    answer = pg.psql(database, " UNION ALL ".join(parts)).splitlines() if parts else []
    return {name: (int(rows), digest) for name, rows, digest in (line.split("|") for line in answer)}


class Comparison:
    """Findings in words; `equal` only when nothing is wrong."""

    def __init__(self):
        self.good, self.wrong = [], []

    @property
    def equal(self):
        return not self.wrong

    def say(self, holds, text):
        (self.good if holds else self.wrong).append(text)


def compare(pg, source, target, source_filestore, target_filestore, neutralized=True):
    result = Comparison()
    compare_rows(pg, source, target, neutralized, result)
    for what, sql in LISTS.items():
        compare_list(pg, source, target, what, sql, neutralized, result)
    compare_attachments(pg, source, target, source_filestore, target_filestore, result)
    return result


def compare_rows(pg, source, target, neutralized, result):
    ours, theirs = fingerprints(pg, source), fingerprints(pg, target)
    result.say(ours.keys() == theirs.keys(),
               f"{len(theirs)} of {len(ours)} tables" + named(set(ours) ^ set(theirs)))
    rows, changed, told = 0, [], []
    for table in sorted(set(ours) & set(theirs)):
        (rows_before, digest_before), (rows_after, digest_after) = ours[table], theirs[table]
        rows += rows_after
        grown = neutralized and table in MAY_GROW and rows_after >= rows_before
        if rows_before != rows_after and not grown:
            changed.append(f"{table} ({rows_before} → {rows_after} rows)")
        elif digest_before != digest_after:
            if neutralized and table in NEUTRALIZED:
                told.append(f"{table}: {NEUTRALIZED[table]}")
            else:
                changed.append(f"{table} (contents)")
    result.say(not changed, f"{rows} rows, equal table by table" + named(changed))
    if told:
        result.say(True, f"{len(told)} tables differ only as neutralization means them to ({'; '.join(told)})")


def compare_list(pg, source, target, what, sql, neutralized, result):
    ours, theirs = pg.psql(source, sql).split("\n"), pg.psql(target, sql).split("\n")
    if what == "sequences" and neutralized:
        grown = tuple(f"{table}_id_seq " for table in MAY_GROW)
        ours, theirs = ([one for one in found if not one.startswith(grown)] for found in (ours, theirs))
    result.say(ours == theirs, f"{len([one for one in theirs if one])} {what}" + named(set(ours) ^ set(theirs)))


def attachments(pg, database):
    """{id: (store_fname, checksum, size)} of the rows whose content lies in the filestore."""
    answer = pg.psql(database, "SELECT id, store_fname, checksum, file_size FROM ir_attachment WHERE store_fname IS NOT NULL "
                     "AND store_fname <> '' ORDER BY id").splitlines()
    return {int(line.split("|")[0]): tuple(line.split("|")[1:]) for line in answer}


def damaged(pg, database, filestore):
    """Attachment rows whose file is absent or not what its name says."""
    bad, known = [], {}
    for number, (store_fname, checksum, size) in attachments(pg, database).items():
        path = os.path.join(filestore, store_fname)
        if path not in known:
            known[path] = sha1_of(path)
        digest, length = known[path]
        if digest != os.path.basename(store_fname) or (checksum and digest != checksum) or (size and length != int(size)):
            bad.append(f"attachment {number}: {store_fname}")
    return bad


def sha1_of(path):
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha1")
            return digest.hexdigest(), file.tell()
    except OSError:
        return None, 0


def compare_attachments(pg, source, target, source_filestore, target_filestore, result):
    ours, theirs = attachments(pg, source), attachments(pg, target)
    result.say(ours == theirs, f"{len(theirs)} attachments with files" + named(str(one) for one in set(ours.items()) ^ set(theirs.items())))
    bad = damaged(pg, target, target_filestore)
    files = len({store_fname for store_fname, _, _ in theirs.values()})
    result.say(not bad, f"SHA-1 of {files - len(bad)} of {files} files equals their name" + named(bad))
    shared = [one for one in theirs.values() if same_file(os.path.join(source_filestore, one[0]), os.path.join(target_filestore, one[0]))]
    result.say(not shared, "no file is shared with the source" + named(one[0] for one in shared))


def same_file(one, other):
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def named(findings):
    found = sorted(findings)
    return f": {', '.join(found[:5])}{' …' if len(found) > 5 else ''}" if found else ""
