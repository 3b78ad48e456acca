-- The agent's journal. Times are UTC milliseconds. JSON columns hold the messages of common/domain and of the protocol
-- as they are; nothing in here is a secret.

CREATE TABLE jobs (
    job_id       TEXT    NOT NULL PRIMARY KEY,
    fence        INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    origin       TEXT    NOT NULL CHECK (origin IN ('control_plane', 'socket')),
    requested_by TEXT    NOT NULL,
    operation_id TEXT    NOT NULL,
    cluster      TEXT    NOT NULL,
    database     TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled',
                                                   'interrupted', 'rejected')),
    order_json   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    ended_at     INTEGER,
    finish_json  TEXT,
    reported     INTEGER NOT NULL,
    next_seq     INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX jobs_by_creation ON jobs (created_at);
CREATE INDEX jobs_unfinished ON jobs (state) WHERE state IN ('queued', 'running');

-- A job's own operation, and those inside it (a restore's safety backup).
CREATE TABLE operations (
    operation_id  TEXT NOT NULL PRIMARY KEY,
    job_id        TEXT NOT NULL REFERENCES jobs (job_id) ON DELETE CASCADE,
    plan_json     TEXT,
    progress_json TEXT
) STRICT;
CREATE INDEX operations_by_job ON operations (job_id);

CREATE TABLE steps (
    operation_id TEXT    NOT NULL REFERENCES operations (operation_id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    position     INTEGER NOT NULL,
    record_json  TEXT    NOT NULL,
    PRIMARY KEY (operation_id, name)
) STRICT;

CREATE TABLE copies (
    operation_id   TEXT NOT NULL REFERENCES operations (operation_id) ON DELETE CASCADE,
    destination_id TEXT NOT NULL,
    artifact       TEXT NOT NULL,
    record_json    TEXT NOT NULL,
    PRIMARY KEY (operation_id, destination_id, artifact)
) STRICT;

-- What a job must know after a crash.
CREATE TABLE notes (
    operation_id TEXT NOT NULL REFERENCES operations (operation_id) ON DELETE CASCADE,
    key          TEXT NOT NULL,
    value        TEXT NOT NULL,
    PRIMARY KEY (operation_id, key)
) STRICT;

-- What the control plane has not acknowledged. No reference to jobs: a finished job may be forgotten before its reports.
CREATE TABLE outbox (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    job_id      TEXT    NOT NULL,
    fence       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    report_json TEXT    NOT NULL,
    UNIQUE (job_id, fence, seq)
) STRICT;

-- Backups of this host, as far as it made them itself.
CREATE TABLE backups (
    backup_id         TEXT    NOT NULL PRIMARY KEY,
    created_at        INTEGER NOT NULL,
    completed_at      INTEGER NOT NULL,
    cluster           TEXT    NOT NULL,
    database          TEXT    NOT NULL,
    scope             TEXT    NOT NULL,
    trigger_name      TEXT    NOT NULL,
    label             TEXT,
    origin            TEXT    NOT NULL,
    status            TEXT    NOT NULL,
    folder            TEXT    NOT NULL,
    size_bytes        INTEGER NOT NULL,
    environment_json  TEXT    NOT NULL,
    manifest_json     TEXT    NOT NULL,
    destinations_json TEXT    NOT NULL
) STRICT;
CREATE INDEX backups_by_database ON backups (database, created_at);
