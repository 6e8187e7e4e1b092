"""Writing the feature table: all tenants at once, and those decided since in place.

Written after the snapshot: gateways come first. It is a read model: lost, it comes back with the
next full pass.
"""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from features.catalogue import feature_names
from flyball.arm import NEUTRAL
from flyball.case import Case
from flyball.decision import Assignment, Decision
from flyball.guardrail import allowed_arms, no_friction_rules, within_step
from flyball.override import OverrideKind
from flyball.policy import Policy
from flyball.reason import Reason
from flyball.round import Round
from models.manifest import Manifest
from models.matrix import dose_of, matrix_of, segments_of
from serving.evaluating.layout import (
    ABSENT_WORD,
    FORMAT,
    MAGIC,
    PREFIX,
    TableHeader,
    index_word,
    key_of,
    record_type,
)

#: The rules that a record's mask can name, in the order of its bits.
RULES = (
    Reason.SPIKE,
    Reason.INCIDENT,
    Reason.URGENT_TICKET,
    Reason.NEW_TENANT,
    Reason.RENEWAL_NEAR,
    Reason.STALE_FEATURES,
    Reason.RECENT_UPGRADE,
    Reason.KILL_SWITCH,
    Reason.UNKNOWN_PLAN,
    Reason.HOLDOUT,
    Reason.OVERRIDE_FORCE,
    Reason.OVERRIDE_EXEMPT,
    Reason.OVERRIDE_FREEZE,
    Reason.OVERRIDE_CHOOSE,
)
_BY_PERSON = {
    OverrideKind.FORCE_NEUTRAL: Reason.OVERRIDE_FORCE,
    OverrideKind.EXEMPT: Reason.OVERRIDE_EXEMPT,
    OverrideKind.FREEZE: Reason.OVERRIDE_FREEZE,
}
_BIT = {rule: 1 << number for number, rule in enumerate(RULES)}
_NAN = float("nan")
#: Arms that a record's mask has room for.
MOST_ARMS = 64
#: The highest floor that a record has room for, in hundredths.
MOST_FLOOR = 0xFFFF_FFFF
#: Nobody's primary limit is held up by what is stored.
NO_FLOORS: Mapping[str, int] = {}


class FeaturePublication:
    """The one writer of a home's feature table.

    Parameters
    ----------
    path:
        The file; replaced in one step by :meth:`publish_all`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: TableHeader | None = None
        self._map: mmap.mmap | None = None
        self._slots: dict[bytes, int] = {}
        self._records_at = 0
        self._type = record_type(0, 0)

    def publish_all(
        self,
        this: Round,
        table: pa.Table,
        cases: Sequence[Case],
        decisions: Sequence[Decision],
        manifest: Manifest | None,
        floors: Mapping[str, int] = NO_FLOORS,
        *,
        created_us: int,
    ) -> None:
        """Replace the table; ``table``, ``cases`` and ``decisions`` have one row a tenant.

        ``floors``: see :func:`serving.publication.primary_floors`.
        """
        header = _header(this, cases, manifest, created_us)
        rows = _rows(header, this, table, cases, decisions, manifest, floors)
        keys = [key_of(case.state.tenant_id) for case in cases]
        words = np.array([index_word(key) for key in keys], dtype="<u8")
        order = np.argsort(words, kind="stable")
        text = msgspec.json.encode(header)
        text += b" " * (-(len(text) + PREFIX.size) % 8)
        prefix = PREFIX.pack(
            MAGIC, FORMAT, len(text), len(keys), rows.dtype.itemsize, zlib.crc32(text)
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        incoming = self._path.with_name(f".{self._path.name}.new")
        with incoming.open("wb") as file:
            file.write(prefix)
            file.write(text)
            file.write(words[order].tobytes())
            self._records_at = file.tell()
            file.write(rows[order].tobytes())
        incoming.replace(self._path)
        self._header, self._type = header, rows.dtype
        self._slots = {keys[at]: slot for slot, at in enumerate(order.tolist())}
        self._remap()

    def publish_changes(
        self,
        this: Round,
        table: pa.Table,
        cases: Sequence[Case],
        decisions: Sequence[Decision],
        manifest: Manifest | None,
        floors: Mapping[str, int] = NO_FLOORS,
    ) -> None:
        """Overwrite the records of some tenants; new ones are appended."""
        header = self._header
        if header is None or self._map is None or not cases:
            return
        rows = _rows(header, this, table, cases, decisions, manifest, floors)
        size = rows.dtype.itemsize
        added: list[bytes] = []
        for case, row in zip(cases, rows, strict=True):
            key = key_of(case.state.tenant_id)
            slot = self._slots.get(key)
            if slot is None:
                self._slots[key] = len(self._slots)
                added.append(row.tobytes())
                continue
            at = self._records_at + slot * size
            self._map[at : at + size] = row.tobytes()
        if added:
            with self._path.open("ab") as file:
                file.write(b"".join(added))
            self._remap()

    def close(self) -> None:
        """Let go of the file."""
        if self._map is not None:
            self._map.close()
            self._map = None

    def _remap(self) -> None:
        self.close()
        handle = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._map = mmap.mmap(handle, os.fstat(handle).st_size)
        finally:
            os.close(handle)


def _header(
    this: Round, cases: Sequence[Case], manifest: Manifest | None, created_us: int
) -> TableHeader:
    spike = this.guardrails.spike
    return TableHeader(
        created_us=created_us,
        period_days=this.period_days,
        arms=this.grid.arms,
        dose_arms=this.grid.arms if manifest is None else tuple(manifest.arms),
        features=feature_names(),
        feature_hash=this.feature_hash,
        model_version=this.model_version,
        model_segments=() if manifest is None else tuple(manifest.segments),
        segments=_vocabulary(case.state.segment for case in cases),
        plans=_vocabulary(case.state.plan for case in cases),
        rules=tuple(rule.value for rule in RULES),
        policy=this.policy.name,
        policy_version=this.policy.version,
        policy_params=_parameters(this.policy),
        economics=None if this.economics is None else asdict(this.economics),
        spike_rule=this.guardrails.spike_rule,
        spike_hour_ratio=spike.hour_ratio,
        spike_minimum=spike.minimum,
    )


def _parameters(policy: Policy) -> dict[str, object]:
    return {
        item.name: getattr(policy, item.name)
        for item in fields(policy)  # type: ignore[arg-type]  # every policy is a dataclass
    }


def _vocabulary(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))[:ABSENT_WORD]


def _rows(
    header: TableHeader,
    this: Round,
    table: pa.Table,
    cases: Sequence[Case],
    decisions: Sequence[Decision],
    manifest: Manifest | None,
    floors: Mapping[str, int],
) -> Any:
    rows = np.zeros(len(cases), dtype=record_type(len(header.dose_arms), len(header.features)))
    if not cases:
        return rows
    rows["features"] = matrix_of(table, header.features)
    rows["dose"] = dose_of(table, header.dose_arms)
    if manifest is not None:
        rows["model_segment"] = segments_of(table, manifest.segments)
    rows["as_of_us"] = this.as_of_us
    if floors:
        # A limit that is held up four million times over is held up all the same.
        held = (floors.get(case.state.tenant_id, 0) for case in cases)
        rows["floor"] = [min(floor, MOST_FLOOR) for floor in held]
    rows["demand"] = [case.outlook.demand_per_period for case in cases]
    for column, name in _MONEY.items():
        rows[column] = [_amount(case, name) for case in cases]
    segments = {word: code for code, word in enumerate(header.segments)}
    plans = {word: code for code, word in enumerate(header.plans)}
    rows["segment"] = [segments.get(case.state.segment, ABSENT_WORD) for case in cases]
    rows["plan"] = [plans.get(case.state.plan, ABSENT_WORD) for case in cases]
    bounds = [
        _bounds(header, this, case, decision)
        for case, decision in zip(cases, decisions, strict=True)
    ]
    rows["permitted"] = [permitted for permitted, _ in bounds]
    rows["rules"] = [rules for _, rules in bounds]
    # S16 would drop trailing zero bytes on the way in: keys are put in as raw bytes.
    rows["key"] = np.frombuffer(
        b"".join(key_of(case.state.tenant_id) for case in cases), dtype="S16"
    )
    raw, size = memoryview(rows.tobytes()), rows.dtype.itemsize
    rows["crc"] = [zlib.crc32(raw[at + 4 : at + size]) for at in range(0, len(raw), size)]
    return rows


_MONEY = {
    "mrr": "mrr_minor",
    "gain": "upgrade_gain_minor",
    "loss": "downgrade_loss_minor",
    "unit_cost": "unit_cost_minor",
}


def _amount(case: Case, name: str) -> float:
    value = None if case.money is None else getattr(case.money, name)
    return _NAN if value is None else float(value)


def _bounds(header: TableHeader, this: Round, case: Case, decision: Decision) -> tuple[int, int]:
    """Arms that a move from the one in force could lead to, and the rules that took some away."""
    state = case.state
    arms: tuple[int, ...] = allowed_arms(this.grid, state.limits)
    rules = list(no_friction_rules(state, this.guardrails, this.as_of_us))
    if not state.limits:
        rules.append(Reason.UNKNOWN_PLAN)
    if rules:
        arms = tuple(arm for arm in arms if arm >= NEUTRAL)
    if Reason.RECENT_UPGRADE in rules:
        arms = (NEUTRAL,)
    if this.guardrails.step_rule:
        arms = within_step(arms, decision.served_arm, this.guardrails.step_hundredths)
    override = state.override
    if this.killed:
        arms, rules = (NEUTRAL,), [Reason.KILL_SWITCH]
    elif override is not None and override.active_at(this.as_of_us):
        # What a person has chosen is not up for proposals.
        arms = (decision.served_arm,)
        rules = [_BY_PERSON.get(override.kind, Reason.OVERRIDE_CHOOSE)]
    elif decision.assignment is Assignment.HOLDOUT:
        arms, rules = (NEUTRAL,), [Reason.HOLDOUT]
    permitted = sum(1 << at for at, arm in enumerate(header.arms[:MOST_ARMS]) if arm in arms)
    return permitted, sum(_BIT[rule] for rule in rules)
