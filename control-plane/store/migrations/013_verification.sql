-- When a backup is to be verified again; null: not at all yet, or it cannot be. Backups of earlier versions come due 30
-- days after they were verified last.
ALTER TABLE backups ADD COLUMN next_check_at INTEGER;
UPDATE backups SET next_check_at = COALESCE(verified_at, completed_at) + 2592000000
WHERE status IN ('completed', 'partial') AND deleted_at IS NULL AND scope <> 'base';
CREATE INDEX backups_to_check ON backups (next_check_at)
WHERE next_check_at IS NOT NULL AND deleted_at IS NULL AND status IN ('completed', 'partial');
