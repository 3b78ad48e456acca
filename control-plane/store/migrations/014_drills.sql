-- How often an environment's newest backup is restored on trial, and when the next time is due.
CREATE TABLE drill_settings (
    environment_id TEXT PRIMARY KEY REFERENCES environments (id),
    organization_id TEXT NOT NULL,
    every_days INTEGER NOT NULL, -- 0: never by itself
    next_at INTEGER,             -- null: never
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX drill_settings_due ON drill_settings (next_at) WHERE next_at IS NOT NULL;
