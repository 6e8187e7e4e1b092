"""Decisions as rows for files: NDJSON, JSON or Parquet, the same fields in each."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flyball.decision import Decision
from flyball.effective import EffectiveLimit
from flyball.errors import InvalidInput
from flyball.instant import format_instant
from serving.snapshot.disk import storage_errors
from serving.snapshot.limit_word import limit_json

_SUFFIXES = (".ndjson", ".jsonl", ".json", ".parquet")


def check_path(out: str) -> None:
    """Raise InvalidInput unless ``out`` is ``-`` or ends in a known suffix."""
    if out != "-" and Path(out).suffix not in _SUFFIXES:
        raise InvalidInput(
            f"--out {out} does not say a format.",
            f"Let it end in {', '.join(_SUFFIXES)}, or use - for standard output.",
            field="out",
        )


def decision_row(
    decision: Decision, limits: Sequence[EffectiveLimit] | None = None
) -> dict[str, Any]:
    """One decision as the import directory's ``decisions`` file has it, and what else it says.

    ``multiplier`` is the assigned arm, ``served_multiplier`` what is enforced now. ``offered`` is a
    JSON text, arm (as a multiplier) to probability; ``limits`` one with every limit. Whether the
    decision was made in this run or continued is left out, so that the same pass twice writes the
    same bytes.
    """
    # The primary meter's limit as it is enforced: what is stored may hold it up.
    first = limits[0] if limits else None
    return {
        "decision_id": decision.decision_id,
        "tenant_id": decision.tenant_id,
        "time": format_instant(decision.decided_us),
        "period_start": format_instant(decision.period_start_us),
        "period_days": decision.period_days,
        "mode": decision.mode.value,
        "assignment": decision.assignment.value,
        "multiplier": decision.arm / 100,
        "served_multiplier": decision.served_arm / 100,
        "propensity": decision.propensity,
        "offered": json.dumps(
            {f"{arm / 100:.2f}": share for arm, share in sorted(decision.offered.items())}
        ),
        "policy": decision.policy,
        "policy_version": decision.policy_version,
        "proposed_multiplier": decision.proposed_arm / 100,
        "experiment": decision.experiment,
        "model_version": decision.model_version,
        "reasons": json.dumps(list(decision.reasons)),
        "baseLimit": decision.base_limit,
        "effectiveLimit": decision.effective_limit if first is None else first.effective_limit,
        "windowSeconds": decision.window_seconds,
        "limits": None if limits is None else json.dumps([*map(limit_json, limits)]),
        "enforceFriction": (decision.enforce_friction if first is None else first.enforce_friction),
        "upsellProbability": decision.upgrade_probability,
        "downgradeProbability": decision.downgrade_probability,
        "churnProbability": decision.churn_probability,
    }


def write_decisions(
    decisions: Sequence[Decision],
    out: str,
    limits: Mapping[str, Sequence[EffectiveLimit] | None] | None = None,
) -> None:
    """Write decisions to ``out``, whole or not at all; ``-`` is standard output.

    Parameters
    ----------
    limits:
        Tenant to every limit of its plan under the served arm; None without a plan. Left out, the
        rows' ``limits`` are null.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    known = limits or {}
    rows = [decision_row(decision, known.get(decision.tenant_id)) for decision in decisions]
    if out == "-":
        stream = sys.stdout.buffer
        stream.writelines(_lines(rows))
        stream.flush()
        return
    path = Path(out)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        try:
            _write(rows, temporary, path.suffix)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _write(rows: list[dict[str, Any]], path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), path)
    elif suffix == ".json":
        path.write_text(json.dumps({"decisions": rows}, indent=1) + "\n", "utf-8")
    else:
        path.write_bytes(b"".join(_lines(rows)))


def _lines(rows: Iterable[dict[str, Any]]) -> Iterable[bytes]:
    return (json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


def _schema() -> Any:
    import pyarrow as pa

    whole = ("period_days", "baseLimit", "effectiveLimit", "windowSeconds")
    real = (
        "multiplier", "served_multiplier", "propensity", "proposed_multiplier",
        "upsellProbability", "downgradeProbability", "churnProbability",
    )  # fmt: skip
    kinds = dict.fromkeys(whole, pa.int64()) | dict.fromkeys(real, pa.float64())
    kinds["enforceFriction"] = pa.bool_()
    names = (
        "decision_id", "tenant_id", "time", "period_start", "period_days", "mode", "assignment",
        "multiplier", "served_multiplier", "propensity", "offered", "policy", "policy_version",
        "proposed_multiplier", "experiment", "model_version", "reasons", "baseLimit",
        "effectiveLimit", "windowSeconds", "limits", "enforceFriction", "upsellProbability",
        "downgradeProbability", "churnProbability",
    )  # fmt: skip
    return pa.schema([(name, kinds.get(name, pa.string())) for name in names])
