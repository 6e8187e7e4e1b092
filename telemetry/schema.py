"""Tables of ``events.sqlite``. What is in one row commits in one transaction.

``event`` holds identity and content of each live event; rows up to the watermark ``sealed`` are in
Parquet too and stay here only so that a repeated post is recognised at once. ``history_file`` and
``tile_file`` are the truth about which Parquet files count: a file that they do not name is left
over from a crash.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

_CONTENT = """
    time_us INTEGER NOT NULL,
    arrived_us INTEGER NOT NULL,
    meter TEXT NOT NULL,
    quantity REAL NOT NULL,
    endpoint TEXT NOT NULL
"""

DDL: tuple[str, ...] = (
    f"""
    CREATE TABLE IF NOT EXISTS event (
        tenant_id TEXT NOT NULL,
        source TEXT NOT NULL,
        event_id TEXT NOT NULL,
        {_CONTENT},
        sequence INTEGER NOT NULL,
        PRIMARY KEY (tenant_id, source, event_id)
    ) WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX IF NOT EXISTS event_sequence ON event (sequence)",
    f"""
    CREATE TABLE IF NOT EXISTS pending (
        name TEXT NOT NULL,
        source TEXT NOT NULL,
        event_id TEXT NOT NULL,
        {_CONTENT},
        PRIMARY KEY (name, source, event_id)
    ) WITHOUT ROWID
    """,
    f"""
    CREATE TABLE IF NOT EXISTS conflict (
        tenant_id TEXT NOT NULL,
        source TEXT NOT NULL,
        event_id TEXT NOT NULL,
        {_CONTENT},
        origin TEXT NOT NULL,
        PRIMARY KEY (tenant_id, source, event_id, time_us, meter, quantity, endpoint)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS state (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "INSERT OR IGNORE INTO state VALUES ('sequence', 0), ('sealed', 0), ('history', 0)",
    """
    CREATE TABLE IF NOT EXISTS meter (
        name TEXT PRIMARY KEY,
        unit TEXT NOT NULL,
        aggregation TEXT NOT NULL,
        counts TEXT NOT NULL,
        resolution_seconds INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS history_file (
        name TEXT PRIMARY KEY,
        event_day INTEGER NOT NULL,
        row_count INTEGER NOT NULL,
        key_kind TEXT NOT NULL,
        origin TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS history_arrival (
        name TEXT NOT NULL,
        arrival_day INTEGER NOT NULL,
        row_count INTEGER NOT NULL,
        PRIMARY KEY (arrival_day, name)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS tile_file (
        relation TEXT NOT NULL,
        arrival_day INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        name TEXT NOT NULL,
        row_count INTEGER NOT NULL,
        PRIMARY KEY (relation, arrival_day)
    ) WITHOUT ROWID
    """,
    # Files no longer named above; a reader may still hold them for a while.
    "CREATE TABLE IF NOT EXISTS garbage (path TEXT PRIMARY KEY, since_us INTEGER NOT NULL)",
)
