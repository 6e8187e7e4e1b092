"""What the gateway knows at this moment and telemetry does not yet."""

from __future__ import annotations

import math

import msgspec

from flyball.errors import InvalidInput

#: Far above any real number, far below where float64 loses whole units.
MOST = 1e15
MAX_ENDPOINT_CHARS = 256


class LiveContext(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``:evaluate``; everything may be left out.

    Parameters
    ----------
    demand:
        Units of the plan's primary meter asked for in the current limit window so far, blocked
        ones included (0..1e15).
    concurrency:
        Requests or workflows of the tenant under way now (0..1e15).
    endpoint:
        The endpoint asked for (printable, at most 256 characters).
    """

    demand: float | None = None
    concurrency: float | None = None
    endpoint: str | None = None


NO_CONTEXT = LiveContext()

_decode = msgspec.json.Decoder(LiveContext).decode


def read_context(body: bytes) -> LiveContext:
    """The context in a request's body; an empty body says nothing.

    Raises
    ------
    InvalidInput
        Not JSON, an unknown field, or a value out of range.
    """
    if not body or body.isspace():
        return NO_CONTEXT
    try:
        context = _decode(body)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"{error}.", "Known are demand, concurrency and endpoint.", field="context"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(
            f"The body is not valid JSON: {error}.", field="body", code="bad_json"
        ) from error
    _check_number("demand", context.demand)
    _check_number("concurrency", context.concurrency)
    endpoint = context.endpoint
    if endpoint is not None and (len(endpoint) > MAX_ENDPOINT_CHARS or not endpoint.isprintable()):
        raise InvalidInput(
            "endpoint must be printable text of at most 256 characters.", field="endpoint"
        )
    return context


def _check_number(name: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and 0.0 <= value <= MOST):
        raise InvalidInput(f"{name} must lie in 0..1e15.", field=name)
