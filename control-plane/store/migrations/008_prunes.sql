-- When retention last looked at an environment's backups, and the indexes by which what is to be removed is found.
CREATE TABLE prunes (
    environment_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX backups_completed ON backups (environment_id, completed_at);
CREATE INDEX backups_failed ON backups (created_at) WHERE status IN ('failed', 'cancelled') AND deleted_at IS NULL;
CREATE INDEX backups_deleting ON backups (created_at) WHERE status = 'deleting';
