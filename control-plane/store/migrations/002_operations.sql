-- Backups and restores, the operations they are made of, and the jobs that agents run for them. Ids of environments and
-- destinations carry no foreign key: history outlives what it speaks of, and an agent's own jobs may name things that
-- only its configuration knows.

CREATE TABLE backups (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    project_id TEXT,
    environment_id TEXT,
    agent_id TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('db', 'full', 'base')),
    trigger_kind TEXT NOT NULL,
    status TEXT NOT NULL,
    label TEXT,
    retention TEXT NOT NULL DEFAULT 'default',
    folder TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    verified_at INTEGER,
    deleted_at INTEGER,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    database_bytes INTEGER NOT NULL DEFAULT 0,
    filestore_bytes INTEGER NOT NULL DEFAULT 0,
    error_message TEXT,
    performed_by TEXT NOT NULL,
    manifest TEXT
) STRICT;
CREATE INDEX backups_of_environment ON backups (environment_id, created_at);
CREATE INDEX backups_of_project ON backups (project_id, created_at);

CREATE TABLE restores (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    backup_id TEXT NOT NULL,
    source_environment_id TEXT,
    target_environment_id TEXT,
    agent_id TEXT NOT NULL,
    target_type TEXT NOT NULL,
    scope TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    keep_until INTEGER,
    undone_at INTEGER,
    error_message TEXT,
    safety_backup_id TEXT,
    performed_by TEXT NOT NULL
) STRICT;
CREATE INDEX restores_of_backup ON restores (backup_id, created_at);
CREATE INDEX restores_of_source ON restores (source_environment_id, created_at);
CREATE INDEX restores_of_target ON restores (target_environment_id, created_at);

-- One run of something: its plan, its latest progress, the verdict computed from its steps. A backup's and a restore's
-- operation carry the id of their row.
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment_id TEXT,
    backup_id TEXT,
    subject TEXT NOT NULL DEFAULT '', -- an undo's restore, a test's destination
    job_id TEXT NOT NULL,
    plan TEXT NOT NULL,
    phase TEXT NOT NULL,
    status TEXT NOT NULL,
    failure TEXT NOT NULL DEFAULT '',
    failure_reason TEXT NOT NULL DEFAULT '',
    reverted INTEGER NOT NULL DEFAULT 0,
    notes TEXT NOT NULL DEFAULT '[]',
    progress TEXT,
    evidence TEXT,
    event_id INTEGER NOT NULL DEFAULT 0,
    performed_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER
) STRICT;
CREATE INDEX operations_of_environment ON operations (environment_id, created_at);
CREATE INDEX operations_of_organization ON operations (organization_id, created_at);
CREATE INDEX operations_of_backup ON operations (backup_id, created_at);
CREATE INDEX operations_of_job ON operations (job_id);

CREATE TABLE steps (
    operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    sort_order INTEGER NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (operation_id, name)
) STRICT;

-- One artifact of a backup in one destination.
CREATE TABLE copies (
    backup_id TEXT NOT NULL,
    destination_id TEXT NOT NULL,
    artifact TEXT NOT NULL,
    state TEXT NOT NULL,
    object_key TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    message TEXT NOT NULL,
    reason TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (backup_id, destination_id, artifact)
) STRICT;
CREATE INDEX copies_of_destination ON copies (destination_id);

-- The last progress payloads of an operation, by the counter that event streams send as their id.
CREATE TABLE progress_events (
    operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    event_id INTEGER NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (operation_id, event_id)
) STRICT;

-- Rules: control-plane/dispatch/rules.h. `order_text` names destinations by id; their configuration is added when the
-- job is handed out and never stored here.
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    environment_id TEXT,
    backup_id TEXT,
    operation_id TEXT NOT NULL,
    order_text TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'accepted', 'finished')),
    fence INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    waiting_since INTEGER NOT NULL,
    lease_until INTEGER,
    lost_at INTEGER,
    told_at INTEGER,
    started_at INTEGER,
    moved_at INTEGER,
    timeout_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX jobs_unfinished ON jobs (agent_id, created_at) WHERE state <> 'finished';
CREATE INDEX jobs_of_environment ON jobs (environment_id) WHERE state <> 'finished';
CREATE INDEX jobs_of_backup ON jobs (backup_id);

-- Which process speaks for an agent (the registry's row says what it last said of its host).
CREATE TABLE agent_sessions (
    agent_id TEXT PRIMARY KEY,
    instance_id TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    heard_at INTEGER NOT NULL, -- its last heartbeat, which names the jobs that it holds
    gone INTEGER NOT NULL      -- its connection broke while it waited: the process ended
) STRICT;
