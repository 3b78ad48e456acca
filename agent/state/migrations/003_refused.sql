-- Reports that the control plane will never take, and why: kept to be looked at, not sent again.
CREATE TABLE refused_reports (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    job_id      TEXT    NOT NULL,
    fence       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    report_json TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    message     TEXT    NOT NULL
) STRICT;
