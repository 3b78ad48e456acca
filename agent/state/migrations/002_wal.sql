-- What the archive of each PostgreSQL cluster holds, so that coverage is told without asking a destination. The archive
-- itself is the truth: a row is written after its object, and what a crash kept from being written is read back from
-- the destinations. Positions (LSN) are integers, times UTC milliseconds.

CREATE TABLE wal_clusters (
    system_id          TEXT    NOT NULL PRIMARY KEY,
    cluster            TEXT    NOT NULL,
    folder             TEXT    NOT NULL,
    segment_bytes      INTEGER NOT NULL,
    server_version_num INTEGER NOT NULL,
    first_seen_at      INTEGER NOT NULL,
    last_seen_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE wal_segments (
    system_id    TEXT    NOT NULL,
    timeline     INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    digest       TEXT    NOT NULL,
    first_commit INTEGER,
    last_commit  INTEGER,
    stored_bytes INTEGER NOT NULL,
    archived_at  INTEGER NOT NULL,
    PRIMARY KEY (system_id, timeline, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE wal_histories (
    system_id   TEXT    NOT NULL,
    timeline    INTEGER NOT NULL,
    content     TEXT    NOT NULL,
    archived_at INTEGER NOT NULL,
    PRIMARY KEY (system_id, timeline)
) STRICT, WITHOUT ROWID;

-- Files that a destination ought to hold and does not (yet): it gets them from one that does. With a conflict it holds
-- another content under that name.
CREATE TABLE wal_lacking (
    destination_id TEXT    NOT NULL,
    system_id      TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    digest         TEXT    NOT NULL,
    since          INTEGER NOT NULL,
    conflict       INTEGER NOT NULL DEFAULT 0,
    why            TEXT    NOT NULL,
    PRIMARY KEY (destination_id, system_id, name, digest)
) STRICT, WITHOUT ROWID;

-- WAL that was acknowledged and not stored, or turned out lost.
CREATE TABLE wal_gaps (
    id         INTEGER NOT NULL PRIMARY KEY,
    system_id  TEXT    NOT NULL,
    timeline   INTEGER NOT NULL,
    start_lsn  INTEGER NOT NULL,
    end_lsn    INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    reason     TEXT    NOT NULL
) STRICT;
CREATE INDEX wal_gaps_by_cluster ON wal_gaps (system_id, timeline, start_lsn);

CREATE TABLE wal_bases (
    backup_id         TEXT    NOT NULL PRIMARY KEY,
    system_id         TEXT    NOT NULL,
    timeline          INTEGER NOT NULL,
    start_lsn         INTEGER NOT NULL,
    stop_lsn          INTEGER NOT NULL,
    started_at        INTEGER NOT NULL,
    ended_at          INTEGER NOT NULL,
    folder            TEXT    NOT NULL,
    reason            TEXT    NOT NULL,
    status            TEXT    NOT NULL,
    size_bytes        INTEGER NOT NULL,
    destinations_json TEXT    NOT NULL
) STRICT;
CREATE INDEX wal_bases_by_cluster ON wal_bases (system_id, ended_at);
