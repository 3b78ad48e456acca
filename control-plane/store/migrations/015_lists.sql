-- Lists count what they page through: these indexes have all that a count asks for, so that no row is read for it.
CREATE INDEX backups_listed ON backups (organization_id, environment_id, created_at, id, status, scope)
    WHERE deleted_at IS NULL;
DROP INDEX backups_of_project;
CREATE INDEX backups_listed_of_project ON backups (organization_id, project_id, created_at, id, status, scope)
    WHERE deleted_at IS NULL;
DROP INDEX operations_of_organization;
CREATE INDEX operations_of_organization ON operations (organization_id, created_at, id, kind);
DROP INDEX operations_of_environment;
CREATE INDEX operations_of_environment ON operations (environment_id, created_at, id, organization_id, kind);
