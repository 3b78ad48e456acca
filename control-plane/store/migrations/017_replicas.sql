-- The processes that serve this store, each while it lives. Only where several can: on PostgreSQL.
CREATE TABLE replicas (
    id TEXT PRIMARY KEY, -- of the process: another one after each start
    address TEXT NOT NULL, -- where the others reach it; empty: it names none
    version TEXT NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;
