-- Whoever acts is told apart from others of the same name, and from where; refusals are told too. The trail is only
-- added to: what is too old goes (control-plane/live/purge.h) after the moment before which it may is written down.
ALTER TABLE audit ADD COLUMN actor_id TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN peer TEXT NOT NULL DEFAULT ''; -- an address
ALTER TABLE audit ADD COLUMN request TEXT NOT NULL DEFAULT ''; -- method and path
ALTER TABLE audit ADD COLUMN status INTEGER; -- of a refusal
CREATE INDEX audit_of_actor ON audit (organization_id, actor, action, at);
CREATE TABLE audit_forgetting (before INTEGER NOT NULL) STRICT;
INSERT INTO audit_forgetting VALUES (0);
-- @sqlite
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit WHEN OLD.at >= (SELECT before FROM audit_forgetting)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is kept');
END;
-- @postgres
CREATE FUNCTION audit_is_not_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only added to' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_not_changed();
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.at >= (SELECT before FROM audit_forgetting) THEN
        RAISE EXCEPTION 'the audit trail is kept' USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_kept();
-- @both
