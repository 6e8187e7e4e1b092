"""Changed decisions as webhook messages, for those who prefer a push.

A message is a hint and never the truth: it says who changed and to what, and the receiver may look
up the rest. It carries no probability, no score and no reason. One publication gives as many small
messages as it needs, and a single one without a list where most of the tenants changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import structlog

from flyball.arm import NEUTRAL
from flyball.decision import Decision
from flyball.errors import StorageError
from ledger.store import OutboxStore
from serving.snapshot.version import Version
from serving.webhooks.endpoint import WebhookSettings
from serving.webhooks.event import Event, tell

TYPE = "decision.changed"
#: Tenants told of in one message (a message may hold 20,000 bytes).
A_MESSAGE = 50
#: Beyond so many changes in one publication, a message only says how many.
MOST_LISTED = 2_000
#: Nobody's primary limit is held up by what is stored.
NO_FLOORS: Mapping[str, int] = MappingProxyType({})


class DecisionNews:
    """Tells of what one control loop publishes.

    Parameters
    ----------
    outbox, settings:
        Where messages wait, and whether anybody wants them.
    """

    def __init__(self, outbox: OutboxStore, settings: WebhookSettings) -> None:
        self._outbox = outbox
        self._settings = settings
        # The last floors of those whose limit is held up by what they store; few, if any. Before
        # the first publication nobody knows them: then they are taken to be as they were.
        self._floors: dict[str, int] | None = None
        self._log = structlog.get_logger("serving.decision_news")

    def tell(
        self,
        decisions: Sequence[Decision],
        previous: Mapping[str, Decision],
        version: Version,
        *,
        now_us: int,
        floors: Mapping[str, int] = NO_FLOORS,
    ) -> None:
        """Put messages for what ``version`` changed into the outbox; never fails a tick.

        ``floors``: tenant to the lowest multiplier (hundredths) of its primary meter, where what it
        stores sets one (:func:`serving.publication.primary_floors`).
        """
        if not self._settings.wants(TYPE):
            return
        held = floors if self._floors is None else self._floors
        changed = [
            one
            for one in decisions
            if is_news(
                one,
                previous.get(one.tenant_id),
                floor=floors.get(one.tenant_id, 0),
                floor_before=held.get(one.tenant_id, 0),
            )
        ]
        decided = {one.tenant_id for one in decisions} if held else set()
        kept = {tenant: floor for tenant, floor in held.items() if tenant not in decided}
        self._floors = {**kept, **floors}
        try:
            tell(
                self._outbox,
                self._settings,
                decision_events(changed, version, now_us=now_us, floors=floors),
                now_us=now_us,
            )
        except StorageError as error:
            self._log.error("decisions_not_told", error=str(error), changed=len(changed))


def is_news(
    decision: Decision, before: Decision | None, *, floor: int = 0, floor_before: int = 0
) -> bool:
    """Whether a gateway does anything else than before; a first decision of 1 is no news.

    ``floor`` and ``floor_before`` are the lowest multipliers of the primary meter (hundredths).
    """
    if before is None:
        return decision.served_arm != NEUTRAL
    return _enforced(decision, floor) != _enforced(before, floor_before)


def _enforced(decision: Decision, floor: int) -> tuple[int, int | None, int | None, int | None]:
    limit = decision.effective_limit_above(floor)
    return decision.served_arm, decision.base_limit, limit, decision.window_seconds


def decision_events(
    changed: Sequence[Decision],
    version: Version,
    *,
    now_us: int,
    floors: Mapping[str, int] = NO_FLOORS,
) -> Iterator[Event]:
    """The messages about ``changed``, all of one published version; ``floors`` as above."""
    if not changed:
        return
    common = {"version": str(version), "changed": len(changed)}
    listed = changed if len(changed) <= MOST_LISTED else changed[:0]
    parts = [listed[at : at + A_MESSAGE] for at in range(0, len(listed), A_MESSAGE)] or [listed]
    for number, part in enumerate(parts):
        yield Event(
            type=TYPE,
            key=f"{version.epoch}-{version.number}-{number}",
            at_us=now_us,
            data={
                **common,
                "decisions": [_told(one, floors.get(one.tenant_id, 0)) for one in part],
            },
        )


def _told(decision: Decision, floor: int) -> dict[str, object]:
    return {
        "tenantId": decision.tenant_id,
        "decisionId": decision.decision_id,
        "dynamicMultiplier": decision.served_arm / 100,
        "enforceFriction": decision.enforces_friction_above(floor),
        "baseLimit": decision.base_limit,
        "effectiveLimit": decision.effective_limit_above(floor),
        "windowSeconds": decision.window_seconds,
    }
