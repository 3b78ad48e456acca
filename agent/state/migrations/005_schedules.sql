-- Jobs that the agent began by itself when the control plane was away have an origin of their own. (A column in whose
-- place another comes: making the table anew would take with it what refers to it.)
ALTER TABLE jobs ADD COLUMN began_by TEXT NOT NULL DEFAULT 'control_plane'
    CHECK (began_by IN ('control_plane', 'socket', 'schedule'));
UPDATE jobs SET began_by = origin;
ALTER TABLE jobs DROP COLUMN origin;
ALTER TABLE jobs RENAME COLUMN began_by TO origin;

-- The schedules that the control plane told last. Destinations without their secrets.
CREATE TABLE schedules (
    environment_id TEXT NOT NULL PRIMARY KEY,
    schedule_json  TEXT NOT NULL
) STRICT;

-- The control plane's last word: one row.
CREATE TABLE schedule_contact (
    id             INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    agent_id       TEXT    NOT NULL, -- whose schedules they are
    heard_at       INTEGER NOT NULL, -- by the control plane's clock
    clock_ahead_ms INTEGER NOT NULL, -- of ours before the control plane's
    decided_until  INTEGER NOT NULL
) STRICT;

-- The newest moment of each schedule of which a backup was begun here, whoever asked for it.
CREATE TABLE schedule_runs (
    environment_id TEXT    NOT NULL,
    scope          TEXT    NOT NULL,
    due_at         INTEGER NOT NULL,
    PRIMARY KEY (environment_id, scope)
) STRICT, WITHOUT ROWID;
