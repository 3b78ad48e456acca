CREATE TABLE things (
    id TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0)
) STRICT;
