-- What an organization's schedules keep where they say nothing themselves; a row with '{}' was put back to the built-in
-- numbers.
CREATE TABLE organization_policies (
    organization_id TEXT PRIMARY KEY REFERENCES organizations (id),
    retention TEXT NOT NULL, -- the contract's retain… numbers that it sets
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL
) STRICT;

-- Retention looks at what is there, not at all that ever was.
CREATE INDEX backups_there ON backups (environment_id, created_at) WHERE deleted_at IS NULL;

-- Since when a schedule asks for its window of WAL.
ALTER TABLE schedules ADD COLUMN wal_since INTEGER NOT NULL DEFAULT 0;
UPDATE schedules SET wal_since = updated_at;
