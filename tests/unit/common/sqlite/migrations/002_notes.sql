CREATE TABLE notes (
    thing_id TEXT NOT NULL REFERENCES things (id),
    note TEXT NOT NULL
) STRICT;
