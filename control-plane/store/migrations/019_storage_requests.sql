-- Requests to agents to look into destinations on their hosts, where several replicas share the store: placed by the
-- one that waits, handed out by the one at which the agent's poll is. A row lives no longer than somebody waits, or
-- until the agent has heard that nobody does.
CREATE TABLE storage_requests (
    id TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL,
    replica_id TEXT NOT NULL, -- that waits for the answer
    state TEXT NOT NULL CHECK (state IN ('waiting', 'taken', 'outdated', 'cancelled')),
    instance_id TEXT NOT NULL DEFAULT '', -- of the agent's process that took it
    request_box TEXT NOT NULL, -- sealed: it has the destination's credentials
    placed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX storage_requests_of_agent ON storage_requests (agent_id);
-- @postgres
-- Whoever waits for one does not outlive a crash of the server by much: no disk need be waited for.
ALTER TABLE storage_requests SET UNLOGGED;
-- @both
-- The process that runs a scan.
ALTER TABLE storage_scans ADD COLUMN replica_id TEXT NOT NULL DEFAULT '';
