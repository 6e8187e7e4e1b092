"""The flags that a decision answers: their names, their types, and how each is read.

No flag holds a probability: an application may show what its flags say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Decision = Mapping[str, Any]

#: Flag key to what reads its value from the decision's JSON; None: there is none, use your default.
FLAGS: Mapping[str, Callable[[Decision], Any]] = {
    "flyball.multiplier": lambda decision: float(decision["dynamicMultiplier"]),
    "flyball.effective_limit": lambda decision: decision["effectiveLimit"],
    "flyball.base_limit": lambda decision: decision["baseLimit"],
    "flyball.window_seconds": lambda decision: decision["windowSeconds"],
    "flyball.enforce_friction": lambda decision: decision["enforceFriction"],
    "flyball.limits": lambda decision: decision.get("limits"),
}

#: Rung of the ladder to OpenFeature's reason.
_REASONS = {
    "fresh": "TARGETING_MATCH",
    "last_known_good": "STALE",
    "plan_default": "DEFAULT",
    "unknown_tenant": "DEFAULT",
}


def evaluated(key: str, decision: Decision) -> dict[str, Any]:
    """One flag's evaluation as OFREP writes it.

    Without a value (a limit of an unknown tenant) the field is left out, which tells the SDK to
    use the application's default.

    Raises
    ------
    KeyError
        There is no such flag.
    """
    value = FLAGS[key](decision)
    source = decision["source"]
    metadata = {"source": source, "tenantId": decision["tenantId"]}
    for name in ("decisionId", "expiresAt"):
        if decision[name] is not None:
            metadata[name] = decision[name]
    found: dict[str, Any] = {
        "key": key,
        "reason": _REASONS.get(source, "UNKNOWN"),
        "variant": _variant(value),
        "metadata": metadata,
    }
    if value is not None:
        found["value"] = value
    return found


def _variant(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return (
        f"{value:g}"
        if isinstance(value, float)
        else str(value)
        if isinstance(value, int)
        else "plan"
    )
