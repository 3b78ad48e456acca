-- Looks at what lies in a destination, and the clean-ups that follow from them. What was found is kept as one document;
-- the objects themselves are kept nowhere (a scan lists them into a file of its own).
CREATE TABLE storage_scans (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    destination_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('scan', 'cleanup_orphans', 'scan_cleanup')),
    retention_days INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'finished')),
    status TEXT NOT NULL DEFAULT '', -- ok, partial, failed
    error TEXT NOT NULL DEFAULT '',
    requested_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    analytics TEXT
) STRICT;
CREATE UNIQUE INDEX storage_scans_unfinished ON storage_scans (destination_id) WHERE state <> 'finished';
CREATE INDEX storage_scans_of_destination ON storage_scans (destination_id, finished_at);
