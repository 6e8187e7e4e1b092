"""What a bundle says about itself: the features it reads, the arms it knows, how it was made."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from flyball.errors import BundleCorrupt, BundleOutdated, InvalidInput
from flyball.identity import check_identifier

#: The format this version writes. Readers of older numbers are kept in :data:`READABLE`.
FORMAT = 1
READABLE = frozenset({1})

MAX_MANIFEST_BYTES = 4 * 1024 * 1024

OUTCOMES = ("upgrade", "downgrade", "churn")
GRAPHS = ("hazards.onnx", "effects.onnx", "attribution.onnx")

Number = float | None


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Size in bytes and SHA-256 (hex) of one file of the bundle."""

    size: int
    sha256: str


class OutcomeModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one outcome is predicted: ``lightgbm``, ``logistic`` or ``none`` (and then why)."""

    kind: str
    base_rate: float
    slope: float = 1.0
    intercept: float = 0.0
    reason: str = ""


class FactorGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group of features that is explained as one factor, in the order of ``contribution``."""

    name: str
    features: tuple[str, ...]


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Input rows and the outputs that they must give; null stands for NaN.

    ``x`` [k, F], ``segment`` [k], ``dose`` [k, A]; ``hazards`` [k, 3], ``mean`` and ``sd``
    [k, A, 3], ``trust`` [k, A], ``contribution`` [k, 3, G].
    """

    x: list[list[Number]]
    segment: list[int]
    dose: list[list[Number]]
    hazards: list[list[float]]
    mean: list[list[list[float]]]
    sd: list[list[list[float]]]
    trust: list[list[int]]
    contribution: list[list[list[float]]]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``manifest.json``. See ``docs/reference/bundle.md`` for every field."""

    format: int = FORMAT
    version: str
    created_us: int
    as_of_us: int
    features: tuple[str, ...]
    feature_hash: str
    outcomes: tuple[str, ...] = OUTCOMES
    outcome_models: dict[str, OutcomeModel]
    arms: tuple[int, ...]
    period_days: int
    segments: tuple[str, ...]
    factor_groups: tuple[FactorGroup, ...]
    attribution_method: str = "path"
    calibration: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    gates: list[dict[str, Any]] = []
    data_window: dict[str, Any] = {}
    golden: Golden
    files: dict[str, FileEntry]

    def segment_index(self, segment: str) -> int:
        """Position of ``segment`` in the vocabulary; ``len(segments)`` when it is unknown."""
        try:
            return self.segments.index(segment)
        except ValueError:
            return len(self.segments)


class _Numbered(msgspec.Struct):
    format: int


def encode_manifest(manifest: Manifest) -> bytes:
    """Indented JSON with a final newline; the same manifest gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(body: bytes) -> Manifest:
    """Read and check ``manifest.json``.

    Raises
    ------
    BundleOutdated
        For a format number that this version cannot read.
    BundleCorrupt
        Too large, not JSON, a missing, extra or wrongly typed field, or values that contradict
        each other.
    """
    if len(body) > MAX_MANIFEST_BYTES:
        raise BundleCorrupt(f"manifest.json is larger than {MAX_MANIFEST_BYTES} bytes.")
    try:
        number = msgspec.json.decode(body, type=_Numbered).format
        if number not in READABLE:
            raise BundleOutdated(
                f"The bundle has format {number}; this version reads {sorted(READABLE)}.",
                "Upgrade Flyball here, or train again with this version.",
            )
        manifest = msgspec.json.decode(body, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BundleCorrupt(f"manifest.json cannot be read: {error}.") from error
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    try:
        check_identifier(manifest.version, field="version")
    except InvalidInput as error:
        raise BundleCorrupt(f"manifest.json: {error.message}") from error
    known = set(manifest.features)
    grouped = [name for group in manifest.factor_groups for name in group.features]
    arms = manifest.arms
    faults = (
        (manifest.outcomes != OUTCOMES, f"outcomes must be {', '.join(OUTCOMES)}"),
        (set(manifest.outcome_models) != set(OUTCOMES), "outcome_models must name each outcome"),
        (not manifest.features, "there are no features"),
        (len(known) != len(manifest.features), "a feature is listed twice"),
        (set(grouped) != known or len(grouped) != len(known), "groups must split the features"),
        (list(arms) != sorted(set(arms)) or 100 not in arms, "arms must ascend and contain 100"),
        (len(set(manifest.segments)) != len(manifest.segments), "a segment is listed twice"),
        (not 1 <= manifest.period_days <= 90, "period_days must lie in 1..90"),
        (not re.fullmatch(r"[0-9a-f]{8,64}", manifest.feature_hash), "feature_hash is not a hash"),
        (not set(GRAPHS) <= set(manifest.files), "a graph is missing from files"),
        (not manifest.golden.x, "there are no golden rows"),
    )
    for wrong, why in faults:
        if wrong:
            raise BundleCorrupt(f"manifest.json contradicts itself: {why}.")
