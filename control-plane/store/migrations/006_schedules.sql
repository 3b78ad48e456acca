-- When an environment is backed up by itself, and how long what is made so stays.
CREATE TABLE schedules (
    environment_id TEXT PRIMARY KEY REFERENCES environments (id),
    id TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    paused INTEGER NOT NULL,
    time_zone TEXT NOT NULL,
    db_frequency TEXT NOT NULL,
    db_cron TEXT NOT NULL, -- empty: none
    full_frequency TEXT NOT NULL,
    full_cron TEXT NOT NULL,
    destination_ids TEXT NOT NULL DEFAULT '[]', -- none: the organization's default
    wal_enabled INTEGER NOT NULL,
    wal_retention_days INTEGER NOT NULL,
    retention TEXT NOT NULL DEFAULT '{}', -- the contract's retain… numbers
    next_db_at INTEGER, -- the first moment about which nothing is decided yet: in the past while it waits
    next_full_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX schedules_due_db ON schedules (next_db_at) WHERE next_db_at IS NOT NULL;
CREATE INDEX schedules_due_full ON schedules (next_full_at) WHERE next_full_at IS NOT NULL;

-- What became of each due moment. Its key is what keeps a run from being made twice, by us or by an agent that ran it
-- while we were away.
CREATE TABLE schedule_runs (
    environment_id TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('db', 'full')),
    due_at INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('ordered', 'by_agent', 'covered', 'skipped', 'missed')),
    backup_id TEXT,
    message TEXT NOT NULL DEFAULT '',
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (environment_id, scope, due_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_runs_age ON schedule_runs (decided_at);
