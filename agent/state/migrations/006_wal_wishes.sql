-- What schedules of the control plane ask of the WAL of this host's clusters.
CREATE TABLE wal_wishes (
    cluster         TEXT    NOT NULL PRIMARY KEY,
    retention_days  INTEGER NOT NULL,
    base_every_days INTEGER NOT NULL
) STRICT;
