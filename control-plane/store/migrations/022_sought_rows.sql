-- Rows that are sought one by one, or every minute, in tables that grow for ever: each search looked at all of them.
CREATE INDEX jobs_of_operation ON jobs (operation_id);
CREATE INDEX backups_base ON backups (agent_id, completed_at) WHERE scope = 'base';
CREATE INDEX backups_restorable ON backups (environment_id, scope, completed_at)
    WHERE deleted_at IS NULL AND status IN ('completed', 'partial');
CREATE INDEX environments_of_project ON environments (project_id);
CREATE INDEX snapshots_deleting ON snapshots (created_at) WHERE status = 'deleting';
CREATE INDEX rollbacks_running ON rollbacks (snapshot_id) WHERE status IN ('pending', 'running');
-- Also of snapshots that are deleted: their differentials may still be there.
DROP INDEX snapshots_of_base;
CREATE INDEX snapshots_of_base ON snapshots (base_id, created_at) WHERE base_id IS NOT NULL;
-- The purge goes through all that ended.
DROP INDEX operations_with_steps;
