-- What each agent last said of the WAL archives of its clusters: protocol.h's ClusterWal as text.
CREATE TABLE cluster_wal (
    agent_id TEXT NOT NULL REFERENCES agents (id),
    cluster TEXT NOT NULL,
    archive TEXT NOT NULL, -- the archive's folder in its destinations
    wal TEXT NOT NULL,
    reported_at INTEGER NOT NULL,
    PRIMARY KEY (agent_id, cluster)
) STRICT;
