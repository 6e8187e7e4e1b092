"""Header fields that tell a tenant where it stands. Nothing in them comes from a model.

``RateLimit-Policy`` and ``RateLimit`` are lists of Structured Fields items (RFC 9651) as of
draft-ietf-httpapi-ratelimit-headers-10: a string that names the policy; ``q`` quota, ``qu`` unit
(left out for requests), ``w`` window in seconds; ``r`` remaining, ``t`` seconds until reset. The
older ``X-RateLimit-*`` speak of the tightest limit only; ``X-RateLimit-Reset`` is in Unix seconds.
"""

from __future__ import annotations

from functools import lru_cache

from flyball.enforcement.counters import REQUEST_METER
from flyball.enforcement.verdict import LimitState, Verdict
from flyball.instant import SECOND_US
from flyball.limit import LimitKind

#: Which rung of the ladder enforcement stands on: ``fresh``, ``last_known_good``, ``open`` …
STATE_FIELD = "flyball-state"

#: What only we may say: removed from requests before anything reads them.
OURS = frozenset(
    {
        STATE_FIELD,
        "flyball-tenant",
        "ratelimit",
        "ratelimit-policy",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    }
)
_PREFIX = "x-flyball-"

# The largest integer of RFC 9651.
_LARGEST = 999_999_999_999_999


def is_ours(name: str) -> bool:
    """Whether a request may not carry this field (lower case): a client could be forging it."""
    return name in OURS or name.startswith(_PREFIX)


def limit_fields(verdict: Verdict, now_us: int) -> list[tuple[str, str]]:
    """Fields (lower-case names) for an answer, whether it passes or is refused."""
    told = [state for state in verdict.states if state.kind is not LimitKind.STORAGE]
    tightest = verdict.tightest
    if tightest is None:
        return []
    fields = []
    if told:
        policies = [
            _policy(state.policy, state.meter, state.kind, state.limit, state.window_seconds)
            for state in told
        ]
        fields.append(("ratelimit-policy", ", ".join(policies)))
        fields.append(("ratelimit", ", ".join([_standing(state) for state in told])))
    fields.append(("x-ratelimit-limit", str(tightest.limit)))
    fields.append(("x-ratelimit-remaining", str(tightest.remaining)))
    resets = _reset_seconds(tightest)
    if resets is not None:
        fields.append(("x-ratelimit-reset", str(-(-now_us // SECOND_US) + resets)))
    # The tightest limit is one that refuses, where any does.
    retry = verdict.retry_after_seconds if tightest.refused else None
    if retry is not None:
        fields.append(("retry-after", str(retry)))
    return fields


@lru_cache(maxsize=4_096)
def _string(text: str) -> str:
    # Meters and patterns are printable ASCII; a quote or a backslash needs its own.
    safe = "".join(char if " " <= char <= "~" else "?" for char in text)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(maxsize=4_096)
def _policy(policy: str, meter: str, kind: LimitKind, limit: int, window: int | None) -> str:
    item = f"{_string(policy)};q={min(limit, _LARGEST)}"
    if kind is LimitKind.CONCURRENCY:
        return f'{item};qu="concurrent-requests"'
    if meter != REQUEST_METER:
        item += f";qu={_string(meter)}"
    return item if window is None else f"{item};w={window}"


def _reset_seconds(state: LimitState) -> int | None:
    # On a refusal both must speak of the same moment as Retry-After.
    micros = state.wait_us if state.refused and state.wait_us else state.reset_us
    return None if micros is None else -(-micros // SECOND_US)


def _standing(state: LimitState) -> str:
    resets = _reset_seconds(state)
    item = f"{_string(state.policy)};r={min(state.remaining, _LARGEST)}"
    return item if resets is None else f"{item};t={resets}"
