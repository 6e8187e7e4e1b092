"""How the middleware behaves; every value has a default that fails open."""

from __future__ import annotations

from dataclasses import dataclass

from flyball.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleSettings:
    """What an application may choose.

    Parameters
    ----------
    plan_url:
        Page where a tenant sees its plan; ``{tenant}`` in it becomes the tenant's id. It stands in
        refusals. None: no link.
    deadline_seconds:
        How long a decision may hold a request up (0.001..1 s) before it passes; only counters that
        are shared over the network take any time.
    queue, queue_seconds:
        How many requests of a tenant may wait for a slot of a concurrency limit (0..10,000), and
        for how long (0..300 s).
    soft_delay_seconds:
        How long a request is held when an allowance with a soft share is all but used up (0..10 s).
    flush_seconds:
        How often usage is posted (1..3,600 s).
    share:
        How many processes share each limit without shared counters (1..10,000); each enforces its
        part, rounded up.
    """

    plan_url: str | None = None
    deadline_seconds: float = 0.020
    queue: int = 32
    queue_seconds: float = 5.0
    soft_delay_seconds: float = 0.5
    flush_seconds: float = 60.0
    share: int = 1

    def __post_init__(self) -> None:
        _within("deadline_seconds", self.deadline_seconds, 0.001, 1.0)
        _within("queue", self.queue, 0, 10_000)
        _within("queue_seconds", self.queue_seconds, 0, 300)
        _within("soft_delay_seconds", self.soft_delay_seconds, 0, 10)
        _within("flush_seconds", self.flush_seconds, 1, 3_600)
        _within("share", self.share, 1, 10_000)
        if self.plan_url is not None and not self.plan_url.startswith(("https://", "http://", "/")):
            raise InvalidInput(
                f"plan_url {self.plan_url[:64]!r} is no link.",
                "Write it like https://example.com/plan?tenant={tenant}.",
                field="plan_url",
            )


def _within(name: str, value: float, least: float, most: float) -> None:
    if isinstance(value, bool) or not least <= value <= most:
        raise InvalidInput(
            f"{name} {value} lies outside {least:g}..{most:,}.", "Choose another value.", field=name
        )
