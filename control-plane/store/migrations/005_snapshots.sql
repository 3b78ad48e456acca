-- Snapshots, rollbacks to them, and what an environment wants of its snapshots. As with backups, ids of environments
-- carry no foreign key where history outlives what it speaks of. Copies of a snapshot stand in `copies` under its id.
CREATE TABLE snapshots (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    project_id TEXT,
    environment_id TEXT,
    agent_id TEXT NOT NULL,
    trigger_kind TEXT NOT NULL,
    status TEXT NOT NULL,
    label TEXT,
    deployment_id TEXT,
    commit_sha TEXT,
    image_tag TEXT,
    failure_policy TEXT NOT NULL, -- as it was when the snapshot was ordered
    destination_ids TEXT NOT NULL DEFAULT '[]', -- that it is copied to
    remote_status TEXT NOT NULL DEFAULT 'none',
    folder TEXT NOT NULL DEFAULT '',
    database_file TEXT,
    filestore_file TEXT,
    config_file TEXT,
    is_full INTEGER, -- null until it is known
    base_id TEXT,    -- the full snapshot that a differential lacks files of
    is_pinned INTEGER NOT NULL DEFAULT 0,
    pin_label TEXT NOT NULL DEFAULT '',
    unpinned_at INTEGER,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    expires_at INTEGER, -- its own; a base lives as long as its differentials
    deleted_at INTEGER,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    database_bytes INTEGER NOT NULL DEFAULT 0,
    filestore_bytes INTEGER NOT NULL DEFAULT 0,
    error_message TEXT,
    performed_by TEXT NOT NULL,
    manifest TEXT
) STRICT;
CREATE INDEX snapshots_of_environment ON snapshots (environment_id, created_at);
CREATE INDEX snapshots_of_project ON snapshots (project_id, created_at);
CREATE INDEX snapshots_of_base ON snapshots (base_id) WHERE deleted_at IS NULL;
CREATE INDEX snapshots_expiring ON snapshots (expires_at) WHERE deleted_at IS NULL;

CREATE TABLE rollbacks (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    snapshot_id TEXT NOT NULL,
    source_environment_id TEXT,
    target_environment_id TEXT,
    agent_id TEXT NOT NULL,
    deployment_id TEXT, -- the snapshot's
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    keep_until INTEGER,
    error_message TEXT,
    safety_snapshot_id TEXT,
    safety_snapshot_created INTEGER NOT NULL DEFAULT 0,
    neutralization_triggered INTEGER NOT NULL DEFAULT 0,
    performed_by TEXT NOT NULL
) STRICT;
CREATE INDEX rollbacks_of_snapshot ON rollbacks (snapshot_id, created_at);
CREATE INDEX rollbacks_of_safety_snapshot ON rollbacks (safety_snapshot_id);
CREATE INDEX rollbacks_of_source ON rollbacks (source_environment_id, created_at);
CREATE INDEX rollbacks_of_target ON rollbacks (target_environment_id, created_at);

CREATE TABLE snapshot_settings (
    environment_id TEXT PRIMARY KEY REFERENCES environments (id),
    id TEXT NOT NULL UNIQUE,
    auto_enabled INTEGER NOT NULL,
    failure_policy TEXT NOT NULL CHECK (failure_policy IN ('block', 'warn', 'ignore')),
    max_pinned INTEGER NOT NULL,
    retention_days INTEGER NOT NULL,
    timeout_seconds INTEGER NOT NULL,
    destination_ids TEXT NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
