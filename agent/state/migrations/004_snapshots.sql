-- Snapshots that lie on this host. A base is kept as long as a differential needs it.
CREATE TABLE snapshots (
    snapshot_id       TEXT    NOT NULL PRIMARY KEY,
    environment       TEXT    NOT NULL,               -- "v1/<org>/<project>/<env>"
    folder            TEXT    NOT NULL,
    status            TEXT    NOT NULL,               -- running, completed, partial, deleting
    created_at        INTEGER NOT NULL,
    completed_at      INTEGER,
    cluster           TEXT    NOT NULL,
    database          TEXT    NOT NULL,
    trigger_name      TEXT    NOT NULL,
    label             TEXT,
    origin            TEXT    NOT NULL,
    mode              TEXT    NOT NULL,               -- full, differential; "" while that is not decided
    base_id           TEXT    REFERENCES snapshots (snapshot_id),
    size_bytes        INTEGER NOT NULL,
    database_bytes    INTEGER NOT NULL,               -- stored bytes of the dump
    environment_json  TEXT    NOT NULL,
    destinations_json TEXT    NOT NULL
) STRICT;
CREATE INDEX snapshots_by_environment ON snapshots (environment, completed_at);
CREATE INDEX snapshots_by_base ON snapshots (base_id);

-- The sound files of full ones: names, one a line, in byte order, in pieces of about 64 KiB.
CREATE TABLE snapshot_names (
    snapshot_id TEXT    NOT NULL REFERENCES snapshots (snapshot_id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    names       BLOB    NOT NULL,
    PRIMARY KEY (snapshot_id, number)
) STRICT, WITHOUT ROWID;
