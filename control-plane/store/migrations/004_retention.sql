-- What is purged after its time (control-plane/live/purge.h), and the indexes by which it is found.
ALTER TABLE operations ADD COLUMN steps_purged_at INTEGER;
CREATE INDEX operations_ended ON operations (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX operations_with_steps ON operations (completed_at) WHERE completed_at IS NOT NULL AND steps_purged_at IS NULL;
CREATE INDEX audit_age ON audit (at);
