"""What the answers of many tenants have in common, written out once as bytes.

Tenants of one plan under one arm, with the same reasons and model, differ in their names, two
probabilities, a decision's number and two times. Everything between those is a *form*.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from flyball.arm import NEUTRAL
from flyball.decision import Source
from flyball.reason import Reason
from serving.snapshot.layout import FOREIGN_ID, LARGE_LIMIT, STEPS

if TYPE_CHECKING:
    from serving.snapshot.table import Table

#: About 1 kB each.
_MAX_FORMS = 2_048
_MULTIPLIERS = [repr(arm / 100) for arm in range(1_001)]
_FLAGS_AT = 56

#: Base limit (or which large one), terms word, and :data:`PARTS`' last without the id's length.
FormKey = tuple[int, int, int]

#: Probabilities as JSON by their steps, written when first asked for. Every step that a record can
#: hold has a place.
SHARES: list[bytes | None] = [None] * (1 << 16)


def share_json(steps: int) -> bytes:
    """A probability of so many steps (1/50,000) as JSON, kept in :data:`SHARES`."""
    text = SHARES[steps] = repr(steps / STEPS).encode()
    return text


class Form(NamedTuple):
    """The pieces of an answer, in order, between what is a tenant's own.

    ``head`` follows the tenant's id, ``middle`` the probabilities, ``end`` the decision's number
    and precedes the times. ``told``: whether the probabilities may be told. ``foreign``: whether
    the decision's id lies in the vocabulary.
    """

    head: bytes
    middle: bytes
    end: bytes
    told: bool
    foreign: bool


class Forms:
    """The forms of one table under one rung and kill state; they outlive the table's versions.

    The kill switch is part of it: with it every arm is 1. An arm other than the decided one carries
    no probabilities, because those are of the decided arm, and says why it is served.
    """

    def __init__(self, table: Table, rung: Source, *, killed: bool) -> None:
        self.rung = rung
        self.killed = killed
        self.lowest = NEUTRAL if killed or rung is not Source.FRESH else 1
        self.highest = NEUTRAL if killed or rung is Source.PLAN_DEFAULT else 1_000
        #: The only reason that is given where another arm than the decided one is served.
        self.why = Reason.KILL_SWITCH.value if killed else rung.value
        self.held: dict[FormKey, Form] = {}
        self._table_reasons = table.reasons
        self._table_origins = table.origins
        self._limits = table.limits
        self._texts = table.limit_texts

    def served(self, arm: int) -> int:
        """The arm that is served where ``arm`` was decided (both in hundredths)."""
        return min(max(arm, self.lowest), self.highest)

    def write(self, key: FormKey) -> Form:
        """Write a form, and keep it; raises IndexError where it points at words that are not there.

        A table with more combinations than are kept has its forms written again and again, which
        costs what writing an answer whole would.
        """
        base, terms, shared = key
        arm, flags = shared & 0xFFFF, shared >> _FLAGS_AT
        if flags & LARGE_LIMIT:
            base = self._limits[base]
        served = self.served(arm)
        told = served == arm
        reasons = self._table_reasons[shared >> 16 & 0xFFFF] if told else (self.why,)
        version, policy = self._table_origins[shared >> 32 & 0xFFFF]
        friction, numbers = self._numbers(base, terms, served)
        foreign = bool(flags & FOREIGN_ID)
        form = Form(
            head=(
                f'","baseLimit":{base or "null"},"dynamicMultiplier":{_MULTIPLIERS[served]},'
                f'"enforceFriction":{friction},"upsellProbability":'
            ).encode(),
            middle=(
                f',{numbers},"reasons":{json.dumps(reasons, separators=(",", ":"))},"decisionId":"'
                + ("" if foreign else "d_")
            ).encode(),
            end=(
                f'","modelVersion":{json.dumps(version or None)},'
                f'"policy":{json.dumps(policy or None)},"source":"{self.rung.value}",'
            ).encode(),
            told=told,
            foreign=foreign,
        )
        if len(self.held) >= _MAX_FORMS:
            self.held.clear()
        self.held[key] = form
        return form

    def _numbers(self, base: int, terms: int, served: int) -> tuple[str, str]:
        texts = self._texts
        floor, window, limits = texts.shapes.get(terms) or texts.shape(terms)
        if not base:
            return "false", f'"effectiveLimit":null,"windowSeconds":null,{limits}'
        limit = -(-base * max(served, floor) // 100)
        tail = texts.tails.get(terms << 10 | served) or texts.tail(terms, served)
        return (
            "true" if limit < base else "false",
            f'"effectiveLimit":{limit},"windowSeconds":{window},'
            f'{limits}{base},"effectiveLimit":{limit}{tail}',
        )
