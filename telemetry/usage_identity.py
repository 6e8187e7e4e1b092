"""One effect an event: which staged rows are new, which repeat, and which contradict.

Reads ``staged`` (checked rows), ``tenant_name`` (name, tenant_id, created_us) and ``live_event``
(accepted events that are not in the history yet); leaves ``placed`` (with the tenant, or without),
``repeat`` (file_no, line, same) for rows whose identity is taken, and ``fresh``.
"""

from __future__ import annotations

from typing import Any

_IDENTITY = "tenant_id, source, event_id"
_CONTENT = "time_us, meter, quantity, endpoint"

PLACE = """
CREATE OR REPLACE TEMP TABLE placed AS
SELECT s.*, n.tenant_id, n.created_us, hash(n.tenant_id, s.source, s.event_id) AS key
FROM staged AS s LEFT JOIN tenant_name AS n ON n.name = s.name
"""

GOOD = "tenant_id IS NOT NULL AND time_us >= created_us"

_REPEATED_KEYS = f"""
CREATE OR REPLACE TEMP TABLE repeated AS
SELECT key FROM placed WHERE {GOOD} GROUP BY key HAVING count(*) > 1
"""


def key_kind(connection: Any) -> str:
    """Name of the hash behind column ``key``; it may differ between versions of DuckDB."""
    probe = connection.execute("SELECT hash('tenant', 'source', 'event')").fetchall()[0]
    return f"duckdb-{probe[0]:x}"


def find_repeats(connection: Any, history: str) -> None:
    """Fill ``taken`` and ``repeat``.

    Parameters
    ----------
    history:
        SQL of the sealed events near the staged rows, with ``key`` made by this DuckDB's hash.
    """
    connection.execute(PLACE)
    connection.execute(_REPEATED_KEYS)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW known AS SELECT key, {_IDENTITY}, {_CONTENT} FROM"
        f" ({history}) UNION ALL SELECT key, {_IDENTITY}, {_CONTENT} FROM live_event"
    )
    # Usually nothing is known yet: looking at the keys alone reads a tenth of the bytes.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE taken_key AS SELECT DISTINCT key FROM known"
        f" WHERE key IN (SELECT key FROM placed WHERE {GOOD})"
    )
    connection.execute(_TAKEN if _any(connection, "taken_key") else _NOTHING_TAKEN)
    connection.execute(_REPEATS)
    if _any(connection, "repeated"):
        connection.execute(_REPEATS_WITHIN)


def _any(connection: Any, table: str) -> bool:
    return bool(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall())


_SAME = " AND ".join(f"p.{name} = t.{name}" for name in _IDENTITY.split(", "))
_SAME_CONTENT = " AND ".join(f"p.{name} = t.{name}" for name in _CONTENT.split(", "))

# An event may for a short while be both live and in the history: one of the two is enough.
_TAKEN = f"""
CREATE OR REPLACE TEMP TABLE taken AS
SELECT key, {_IDENTITY}, {_CONTENT} FROM known WHERE key IN (SELECT key FROM taken_key)
QUALIFY row_number() OVER (PARTITION BY {_IDENTITY} ORDER BY {_CONTENT}) = 1
"""

_NOTHING_TAKEN = f"""
CREATE OR REPLACE TEMP TABLE taken AS SELECT key, {_IDENTITY}, {_CONTENT} FROM known WHERE false
"""

_REPEATS = f"""
CREATE OR REPLACE TEMP TABLE repeat AS
SELECT p.file_no, p.line, ({_SAME_CONTENT}) AS same
FROM (SELECT * FROM placed WHERE {GOOD}) AS p JOIN taken AS t ON p.key = t.key AND {_SAME}
"""

#: Of one identity given several times the first in order of file and line counts.
_REPEATS_WITHIN = f"""
INSERT INTO repeat
SELECT file_no, line, same FROM (
    SELECT p.file_no, p.line, row_number() OVER claim AS place,
           {" AND ".join(f"first_value({n}) OVER claim = {n}" for n in _CONTENT.split(", "))}
               AS same
    FROM placed AS p ANTI JOIN repeat AS r ON r.file_no = p.file_no AND r.line = p.line
    WHERE {GOOD} AND key IN (SELECT key FROM repeated)
    WINDOW claim AS (PARTITION BY {_IDENTITY} ORDER BY file_no, line)
) WHERE place > 1
"""

#: New rows as they lie in the history: by day, then tenant.
FRESH = f"""
SELECT {_IDENTITY}, time_us, arrived_us, p.meter, quantity, endpoint, key,
       time_us // 86400000000 AS event_day
FROM placed AS p ANTI JOIN repeat AS r ON r.file_no = p.file_no AND r.line = p.line
WHERE {GOOD}
ORDER BY event_day, tenant_id, p.meter, time_us, source, event_id
"""
