"""What the store keeps of how many rows its lists have, beside what a count of the rows says."""

import store

NONE_AS_EMPTY = ("project_id", "environment_id")
FLAGS = {"is_verified": "verified_at", "is_read": "read_at", "is_dismissed": "dismissed_at"}
COUNTED = {  # table → its counts, their columns, which rows count
    "backups": ("backup_counts", ("organization_id", "project_id", "environment_id", "scope", "trigger_kind", "status", "is_verified"),
                "deleted_at IS NULL"),
    "snapshots": ("snapshot_counts", ("organization_id", "project_id", "environment_id", "trigger_kind", "status"), "deleted_at IS NULL"),
    "operations": ("operation_counts", ("organization_id", "environment_id", "kind"), "1 = 1"),
    "audit": ("audit_counts", ("organization_id", "action"), "1 = 1"),
    "alerts": ("alert_counts", ("organization_id", "project_id", "is_read", "is_dismissed"), "1 = 1"),
}


def said_by_rows(column):
    if column in NONE_AS_EMPTY:
        return f"COALESCE({column}, '')"
    return f"CASE WHEN {FLAGS[column]} IS NULL THEN 0 ELSE 1 END" if column in FLAGS else column


def check(state):
    """Of the installation in this folder, while nobody writes. Answers how many rows were counted."""
    rows = 0
    with store.opened(state) as db:
        for table, (counts, columns, condition) in COUNTED.items():
            kept = db.execute(f"SELECT {', '.join(columns)}, number FROM {counts} WHERE number <> 0").fetchall()
            counted = db.execute(f"SELECT {', '.join(map(said_by_rows, columns))}, COUNT(*) FROM {table} WHERE {condition} "
                                 f"GROUP BY {', '.join(map(str, range(1, len(columns) + 1)))}").fetchall()
            assert sorted(map(tuple, kept)) == sorted(map(tuple, counted)), counts
            rows += sum(line[-1] for line in counted)
    return rows
