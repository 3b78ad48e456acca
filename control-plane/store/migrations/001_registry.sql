-- Who there is: organizations and what they own. Times are UTC milliseconds; rows are hidden by deleted_at, not removed.
CREATE TABLE organizations (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

-- Rights of subjects (the `sub` of a token) beside those that their token itself names.
CREATE TABLE memberships (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    subject TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organization_id, subject)
) STRICT;
CREATE INDEX memberships_subject ON memberships (subject);

CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    UNIQUE (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX projects_name ON projects (organization_id, name) WHERE deleted_at IS NULL;

CREATE TABLE agents (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    hostname TEXT NOT NULL,
    version TEXT NOT NULL,
    protocol_version INTEGER NOT NULL,
    credential_hash TEXT NOT NULL UNIQUE,
    instance_id TEXT NOT NULL DEFAULT '',
    seen_at INTEGER NOT NULL DEFAULT 0,
    clock_skew_ms INTEGER NOT NULL DEFAULT 0,
    inventory TEXT,
    inventory_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    UNIQUE (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX agents_name ON agents (organization_id, name) WHERE deleted_at IS NULL;

CREATE TABLE environments (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    type TEXT NOT NULL CHECK (type IN ('production', 'staging', 'development')),
    agent_id TEXT NOT NULL,
    cluster TEXT,
    database TEXT NOT NULL,
    filestore TEXT,
    odoo_conf TEXT,
    is_neutralized INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    FOREIGN KEY (organization_id, project_id) REFERENCES projects (organization_id, id),
    FOREIGN KEY (organization_id, agent_id) REFERENCES agents (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX environments_name ON environments (project_id, name) WHERE deleted_at IS NULL;
-- Two environments on one database would restore over each other.
CREATE UNIQUE INDEX environments_database ON environments (agent_id, COALESCE(cluster, ''), database)
    WHERE deleted_at IS NULL;

CREATE TABLE destinations (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    config_box TEXT NOT NULL, -- the whole configuration, sealed
    agent_id TEXT,            -- where a local path is looked at for the connection test
    is_default INTEGER NOT NULL DEFAULT 0,
    encrypt INTEGER NOT NULL DEFAULT 0,
    test_status TEXT NOT NULL DEFAULT 'untested' CHECK (test_status IN ('untested', 'pending', 'passed', 'failed')),
    test_message TEXT NOT NULL DEFAULT '',
    tested_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    FOREIGN KEY (organization_id, agent_id) REFERENCES agents (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX destinations_name ON destinations (organization_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX destinations_default ON destinations (organization_id) WHERE is_default = 1 AND deleted_at IS NULL;

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    project_id TEXT,
    name TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('ro', 'rw')),
    prefix TEXT NOT NULL,
    key_hash TEXT NOT NULL UNIQUE,
    permissions TEXT NOT NULL, -- words, separated by spaces
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER,
    FOREIGN KEY (organization_id, project_id) REFERENCES projects (organization_id, id)
) STRICT;

CREATE TABLE enroll_tokens (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL, -- of the agent to come; empty: its host name
    token_hash TEXT NOT NULL UNIQUE,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    agent_id TEXT REFERENCES agents (id)
) STRICT;

-- The first answer to each Idempotency-Key, written in the transaction of what it answers.
CREATE TABLE idempotency (
    credential TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL, -- method, organization, path, query and body
    status INTEGER NOT NULL,
    body TEXT NOT NULL, -- sealed
    created_at INTEGER NOT NULL,
    PRIMARY KEY (credential, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    organization_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL, -- "destination.update"
    object_id TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    request_id TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX audit_organization ON audit (organization_id, id);
