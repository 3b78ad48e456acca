-- The poll on which an agent's process waits; when that one breaks, the process has ended.
ALTER TABLE agent_sessions ADD COLUMN poll TEXT NOT NULL DEFAULT '';

-- What several replicas must know of each other.
-- @postgres
CREATE TABLE upkeep (
    duty TEXT PRIMARY KEY,
    replica_id TEXT NOT NULL, -- who looked after it last
    seen_at INTEGER NOT NULL,
    listening_since INTEGER NOT NULL -- since when somebody heard agents without a break
) STRICT;

-- Requests of each credential in its present minute, over all replicas. After a crash of PostgreSQL it is empty.
CREATE UNLOGGED TABLE request_windows (
    limiter TEXT NOT NULL,
    key TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    PRIMARY KEY (limiter, key)
) STRICT;

-- All replicas must have the same keys.
CREATE TABLE key_fingerprints (
    name TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL
) STRICT;
-- @both
