"""A CSV or Parquet file and its spec as an :class:`~training.estimators.table.EffectTable`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.errors import InvalidInput
from training.analysis.spec import TableSpec
from training.dataset import Floats, Ints, Single
from training.estimators.table import EffectTable, Subjects

if TYPE_CHECKING:
    import pandas as pd

#: More values than this are no category.
MAX_CATEGORIES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTable:
    """A table ready for estimators, and what else the report needs.

    ``worth`` [n, K] prices outcomes; ``money`` [n] is what rows earned, None without a column.
    ``dropped`` counts rows that could not be used, by reason.
    """

    table: EffectTable
    worth: Floats
    money: Floats | None
    dropped: dict[str, int]


def read_table(path: Path, spec: TableSpec) -> PlainTable:
    """Read ``path`` (.csv or .parquet) as ``spec`` says.

    Raises
    ------
    InvalidInput
        The file cannot be read, a column is missing, or nothing can be analysed.
    """
    import pandas as pd

    if path.suffix not in {".csv", ".parquet"}:
        raise InvalidInput(f"{path} is neither .csv nor .parquet.", field="table")
    try:
        frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.", field="table") from error
    return plain_table(frame, spec)


def plain_table(frame: pd.DataFrame, spec: TableSpec) -> PlainTable:
    """The same from a data frame."""
    missing = [name for name in spec.columns() if name not in frame.columns]
    if missing:
        raise InvalidInput(
            f"The table has no column {', '.join(missing)}.",
            f"It has {', '.join(map(str, frame.columns[:40]))}.",
            field=missing[0],
        )
    frame, dropped = _usable(frame, spec)
    labels = _labels(frame[spec.arm])
    arms = _arms(labels, spec)
    arm = np.asarray([arms.index(label) for label in labels], dtype=np.int64)
    offered = _offered(frame, spec, arms, arm)
    x, features = _features(frame, spec)
    segment, segments = _group(frame, spec.segment)
    plan, plans = _group(frame, spec.plan)
    tenant, _ = _group(frame, spec.tenant)
    cluster, _ = _group(frame, spec.cluster or spec.tenant)
    single = np.arange(len(frame), dtype=np.int64)
    names = tuple(spec.outcomes)
    carried = bool(spec.tenant and spec.period)
    table = EffectTable(
        subjects=Subjects(x=x, segment=segment, plan=plan, dose=_doses(frame, spec, arms)),
        features=features,
        arms=arms,
        neutral=arms.index(spec.neutral),
        arm=arm,
        offered=offered,
        outcomes=np.column_stack([_numbers(frame, c) for c in spec.outcomes.values()]),
        names=names,
        cluster=cluster if spec.cluster or spec.tenant else single,
        draw=single,
        segments=segments,
        plans=plans,
        tenant=tenant if carried else None,
        period=_numbers(frame, spec.period) if carried else None,
    )
    worth = np.asarray([spec.worth.get(name, 0.0) for name in names])
    return PlainTable(
        table=table,
        worth=np.broadcast_to(worth, table.outcomes.shape),
        money=_numbers(frame, spec.money) if spec.money else None,
        dropped=dropped,
    )


def _usable(frame: pd.DataFrame, spec: TableSpec) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows with an arm, outcomes and what the draw needs; others counted by the column."""
    dropped: dict[str, int] = {}
    doses = [value for value in spec.dose.values() if isinstance(value, str)]
    draw = (*spec.propensities.values(), *spec.strata, spec.propensity)
    for column in (spec.arm, *spec.outcomes.values(), *draw, *doses, spec.money):
        if not column:
            continue
        empty = frame[column].isna()
        if empty.any():
            dropped[f"{column} is missing"] = int(empty.sum())
            frame = frame[~empty]
    if not len(frame):
        raise InvalidInput("No row has an arm, outcomes and propensities.", field="table")
    return frame.reset_index(drop=True), dropped


def _labels(column: pd.Series[Any]) -> list[str]:
    """Arms as text: 85, 85.0 and "85" are one arm."""
    return [
        f"{value:g}" if isinstance(value, int | float | np.number) else str(value)
        for value in column.tolist()
    ]


def _arms(labels: list[str], spec: TableSpec) -> tuple[str, ...]:
    found = set(labels) | set(spec.propensities) | {spec.neutral}
    if spec.neutral not in labels:
        raise InvalidInput(
            f"No row was given the neutral arm {spec.neutral}.",
            f"Arms are {', '.join(sorted(set(labels)))}.",
            field="neutral",
        )
    return tuple(sorted(found, key=lambda label: (_number(label) is None, _number(label), label)))


def _number(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None


def _offered(frame: pd.DataFrame, spec: TableSpec, arms: tuple[str, ...], arm: Ints) -> Floats:
    if spec.propensities:
        columns = [spec.propensities.get(label, "") for label in arms]
        zero = np.zeros(len(frame))
        offered = np.column_stack([_numbers(frame, c) if c else zero for c in columns])
    elif spec.strata:
        offered = _frequencies(frame, spec.strata, arm, len(arms))
    else:
        if len(arms) != 2:
            raise InvalidInput(
                f"propensity tells only the assigned arm's chance, and there are {len(arms)} arms.",
                "Give [propensities] or strata.",
                field="propensity",
            )
        own = _numbers(frame, spec.propensity)
        offered = np.column_stack([np.where(arm == a, own, 1.0 - own) for a in (0, 1)])
    if (offered < 0.0).any() or (np.abs(offered.sum(axis=1) - 1.0) > 1e-3).any():
        raise InvalidInput("Propensities of a row must be 0..1 and sum to 1.", field="propensities")
    return np.asarray(offered / offered.sum(axis=1, keepdims=True), dtype=np.float64)


def _frequencies(frame: pd.DataFrame, strata: tuple[str, ...], arm: Ints, arms: int) -> Floats:
    """Share of each arm within the row's stratum: the propensity of a stratified experiment."""
    code = np.asarray(frame.groupby(list(strata), sort=True).ngroup(), dtype=np.int64)
    counts = np.zeros((int(code.max()) + 1, arms))
    np.add.at(counts, (code, arm), 1.0)
    return np.asarray((counts / counts.sum(axis=1, keepdims=True))[code], dtype=np.float64)


def _doses(frame: pd.DataFrame, spec: TableSpec, arms: tuple[str, ...]) -> Floats:
    """Dose of each arm minus the neutral one's, [n, A]."""
    columns = []
    for label in arms:
        given = spec.dose.get(label, None if spec.dose else _number(label))
        if given is None:
            raise InvalidInput(
                f"The dose of arm {label} is not known.",
                "Give every arm a number or a column in [dose].",
                field="dose",
            )
        own = _numbers(frame, given) if isinstance(given, str) else np.full(len(frame), given)
        columns.append(own)
    dose = np.column_stack(columns)
    return np.asarray(dose - dose[:, [arms.index(spec.neutral)]], dtype=np.float64)


def _features(frame: pd.DataFrame, spec: TableSpec) -> tuple[Single, tuple[str, ...]]:
    columns, names = [_numbers(frame, name, holes=True) for name in spec.features], []
    names = list(spec.features)
    for name in spec.categories:
        text = frame[name].astype(str).to_numpy()
        values, counts = np.unique(text, return_counts=True)
        common = values[np.argsort(-counts, kind="stable")][:MAX_CATEGORIES]
        columns += [(text == value).astype(np.float64) for value in common]
        names += [f"{name}={value}" for value in common]
    matrix = np.column_stack(columns) if columns else np.zeros((len(frame), 0))
    return matrix.astype(np.float32), tuple(names)


def _group(frame: pd.DataFrame, column: str) -> tuple[Ints, tuple[str, ...]]:
    """Codes and names of a text column; unknown (-1) everywhere without one."""
    if not column:
        return np.full(len(frame), -1, dtype=np.int64), ()
    present = frame[column].notna().to_numpy()
    names, code = np.unique(frame[column].astype(str).to_numpy(), return_inverse=True)
    codes = np.where(present, code.reshape(-1), -1).astype(np.int64)
    return codes, tuple(str(name) for name in names)


def _numbers(frame: pd.DataFrame, column: str, *, holes: bool = False) -> Floats:
    try:
        values = np.asarray(frame[column].astype(float), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"Column {column} is not numeric: {error}.", field=column) from error
    if not holes and not np.isfinite(values).all():
        raise InvalidInput(f"Column {column} has values that are not finite.", field=column)
    return values
