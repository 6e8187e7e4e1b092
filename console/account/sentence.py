"""The decision in one sentence that a customer could be told."""

from __future__ import annotations

from console.design.display import whole
from console.standings.row import Standing
from flyball.arm import NEUTRAL
from flyball.reason import for_tenant

#: Windows as people say them.
WINDOWS = {"minute": "a minute", "hour": "an hour", "day": "a day", "month": "a month"}


def sentence(row: Standing, *, killed: bool = False) -> str:
    """What applies now and why, without a chance, a score or an experiment in it.

    ``killed``: the kill switch is on, so that the plan's limit applies whatever was decided.
    """
    limit = row.limit_under(NEUTRAL) if killed else row.effective_limit
    base = row.base_limit
    if limit is None or base is None:
        return "No plan is known for this account, so its limit is left to the gateway."
    over = f" {WINDOWS.get(row.per, f'per {row.per}')}" if row.per else ""
    unit = row.meter or "requests"
    if limit == base:
        text = f"Your limit is your plan's: {whole(base)} {unit}{over}."
    elif limit < base:
        text = f"Your limit is {whole(limit)} {unit}{over} for now"
        text += f", out of your plan's {whole(base)}"
        if row.contract_limit is not None:
            text += f", and never less than the {whole(row.contract_limit)} that you are promised"
        text += "."
    else:
        text = (
            f"Your limit is {whole(limit)} {unit}{over} for now, "
            f"more than your plan's {whole(base)}."
        )
    if row.floor > (NEUTRAL if killed or row.arm is None else row.arm):
        return f"{text} It is never less than what you have stored."
    why = for_tenant(() if killed else row.codes[:1])
    # "Your plan's usual limit applies" would only say the same once more.
    return text if (killed or limit == base) and why == for_tenant(()) else f"{text} {why}"
