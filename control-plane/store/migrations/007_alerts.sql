-- Alerts (control-plane/alerts/alert.h). Ids of what they speak of carry no foreign key: alerts outlive it.
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    project_id TEXT,
    environment_id TEXT,
    type TEXT NOT NULL,
    subject TEXT NOT NULL, -- open alerts of one type and subject are one
    severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title TEXT NOT NULL,
    message TEXT NOT NULL,
    url TEXT,
    reason TEXT NOT NULL,
    backup_id TEXT,
    snapshot_id TEXT,
    restore_log_id TEXT,
    destination_id TEXT,
    agent_id TEXT,
    occurrences INTEGER NOT NULL,
    first_occurred_at INTEGER NOT NULL,
    last_occurred_at INTEGER NOT NULL,
    resolved_at INTEGER,
    read_at INTEGER,
    read_by TEXT,
    dismissed_at INTEGER,
    dismissed_by TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX alerts_open ON alerts (organization_id, type, subject) WHERE resolved_at IS NULL;
CREATE INDEX alerts_open_of_agent ON alerts (agent_id, type) WHERE resolved_at IS NULL;
CREATE INDEX alerts_of_subject ON alerts (organization_id, type, subject);
CREATE INDEX alerts_listed ON alerts (organization_id, created_at, id);
CREATE INDEX alerts_active ON alerts (organization_id, read_at) WHERE dismissed_at IS NULL;
CREATE INDEX alerts_age ON alerts (created_at);

-- Since when nobody could connect to a destination; no row: the last try succeeded, or there was none.
CREATE TABLE destination_silence (
    destination_id TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    message TEXT NOT NULL
) STRICT;

-- Who is told of alerts: URLs that are called, addresses that are written to.
CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    kind TEXT NOT NULL CHECK (kind IN ('webhook', 'email')),
    target TEXT NOT NULL, -- URL or address
    description TEXT NOT NULL,
    events TEXT NOT NULL, -- JSON: ["backup.failed", "restore.*"]
    least_severity TEXT NOT NULL CHECK (least_severity IN ('info', 'warning', 'critical')),
    secret_box TEXT NOT NULL, -- of a webhook's signature, sealed
    is_active INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX subscriptions_of_organization ON subscriptions (organization_id, kind, created_at);

-- What is to be told, written in the transaction of what it tells of, and how it went.
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    subscription_id TEXT NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    alert_id TEXT,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'failed')),
    attempt INTEGER NOT NULL,    -- attempts begun
    not_before INTEGER NOT NULL, -- of the next attempt; while one runs: when it is given up for lost
    created_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX deliveries_due ON deliveries (not_before) WHERE state = 'queued';
CREATE INDEX deliveries_waiting ON deliveries (subscription_id, created_at) WHERE state = 'queued';
CREATE INDEX deliveries_of_subscription ON deliveries (subscription_id, created_at, id);
CREATE INDEX deliveries_age ON deliveries (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE delivery_attempts (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status INTEGER, -- the receiver's; null: it gave none
    error TEXT NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
) STRICT;
