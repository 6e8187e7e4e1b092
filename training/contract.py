"""The features that a bundle is bound to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The features a bundle is bound to: names, hash of their definitions, factor groups."""

    features: tuple[str, ...]
    feature_hash: str
    factor_groups: Mapping[str, Sequence[str]]


def catalogue_contract() -> Contract:
    """The contract of the features that this version computes."""
    from features.catalogue import factor_groups, feature_hash, feature_names

    return Contract(
        features=tuple(feature_names()),
        feature_hash=feature_hash(),
        factor_groups=factor_groups(),
    )


def catalogue_hash() -> str:
    """The hash of the feature definitions that this version computes."""
    from features.catalogue import feature_hash

    return feature_hash()
