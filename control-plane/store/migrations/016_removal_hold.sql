-- Until when nothing is removed by itself: a control plane that was put back to an earlier state does not know what was
-- pinned, paused or kept longer since. One row or none.
CREATE TABLE removal_hold (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    until INTEGER NOT NULL
) STRICT;
