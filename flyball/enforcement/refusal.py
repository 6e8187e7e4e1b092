"""The body of a refusal: a problem document (RFC 9457) that says what the limit is and where to
look at the plan. It holds no probability, no reason of a model, and never blames capacity: what
limits the tenant is its plan.
"""

from __future__ import annotations

import json

from flyball.enforcement.verdict import PAYMENT_REQUIRED, LimitState, Verdict
from flyball.limit import LimitKind

MEDIA_TYPE = "application/problem+json"

#: Registered by draft-ietf-httpapi-ratelimit-headers.
QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
TITLE = "Request cannot be satisfied as assigned quota has been exceeded"

_WINDOW_WORDS = {60: "a minute", 3_600: "an hour", 86_400: "a day", 30 * 86_400: "a month"}


def _amount(state: LimitState) -> str:
    number = f"{state.limit:,}"
    match state.kind:
        case LimitKind.CONCURRENCY:
            return f"{number} at the same time"
        case LimitKind.STORAGE:
            return f"{number} in total"
        case _:
            seconds = state.window_seconds or 0
            return f"{number} {_WINDOW_WORDS.get(seconds, f'in {seconds:,} seconds')}"


def refusal_document(verdict: Verdict, *, plan_url: str | None) -> dict[str, object]:
    """The members of the problem document; ``plan_url`` leads to the tenant's plan page."""
    refused = verdict.refused_by
    retry = verdict.retry_after_seconds
    parts = [
        "Your plan's limit is reached: "
        + "; ".join(f"{state.policy}, {_amount(state)}" for state in refused)
        + "."
    ]
    if verdict.status == PAYMENT_REQUIRED:
        parts.append("More can be bought.")
    elif retry is not None:
        parts.append(f"Try again in {retry:,} second{'' if retry == 1 else 's'}.")
    if plan_url:
        parts.append(f"See your plan: {plan_url}")
    document: dict[str, object] = {
        "type": QUOTA_EXCEEDED,
        "title": TITLE,
        "status": verdict.status,
        "detail": " ".join(parts),
        "violated-policies": [state.policy for state in refused],
    }
    if retry is not None:
        document["retryAfterSeconds"] = retry
    if plan_url:
        document["planUrl"] = plan_url
    return document


def refusal_body(verdict: Verdict, *, plan_url: str | None) -> bytes:
    """The same as JSON bytes."""
    return json.dumps(refusal_document(verdict, plan_url=plan_url), separators=(",", ":")).encode()
