"""The world, one week at a time: demand, what was blocked, how tenants responded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation import response, support
from simulation.activity import daily_activity
from simulation.bucket import blocked, blocked_share, effective_limit
from simulation.calendar_week import HOURS, first_hour
from simulation.chance import Stream, generator, uniforms
from simulation.demand import hourly_demand
from simulation.disguise import Disguise
from simulation.exploration import ARMS, NEUTRAL, Draw, by_organisation, draw, offered_arms
from simulation.population import Population, populate
from simulation.response import CHURN, DOWNGRADE, UPGRADE, Family, Situation
from simulation.responses.families import family_named
from simulation.series import shapes_in
from simulation.state import (
    NEVER,
    TERM_HOURS,
    State,
    base_limit,
    beginning,
    contract_percent,
    usual_peak,
)
from simulation.week import Setup, Week

_SETTLING_HOURS = 28 * 24
_NEWCOMER_HOURS = 30 * 24
_RENEWAL_HOURS = 60 * 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """One week's truth: ``felt`` (blocked share) and ``served`` requests are ``[n, arms]``."""

    situation: Situation
    here: NDArray[np.bool_]
    felt: NDArray[np.float64]
    served: NDArray[np.float64]


@dataclass(slots=True)
class World:
    """A population living week by week; :meth:`step` moves it on by one."""

    setup: Setup
    population: Population
    state: State
    week: int
    #: Hours of the current week already told to the product, under m = 1.
    opened_hours: int = 0
    #: What tenants that game the product show; None: everybody is honest.
    disguise: Disguise | None = None

    @staticmethod
    def begin(setup: Setup) -> World:
        """The world at the start of its history."""
        family_named(setup.family)
        people = populate(
            setup.seed, setup.tenants, setup.start_week, setup.weeks, setup.spare_weeks
        )
        state = beginning(people, first_hour(setup.start_week))
        return World(setup, people, state, setup.start_week)

    @property
    def family(self) -> Family:
        """How this world's tenants respond."""
        return family_named(self.setup.family)

    def fork(self) -> World:
        """The same world once more, to be lived otherwise."""
        return World(
            self.setup,
            self.population,
            self.state.copy(),
            self.week,
            self.opened_hours,
            self.disguise,
        )

    def present(self) -> list[str]:
        """Ids of the tenants that are here at the start of the current week."""
        here = self.here_now()
        return [self.population.tenant_id[row] for row in np.flatnonzero(here)]

    def here_now(self) -> NDArray[np.bool_]:
        """Which of the tenants that have arrived are here at the start of the current week."""
        return self._here(self.population.arrived(first_hour(self.week)))

    def _here(self, count: int) -> NDArray[np.bool_]:
        start = first_hour(self.week)
        people, state = self.population, self.state
        here: NDArray[np.bool_] = (people.created_hour[:count] < start) & (
            state.gone_hour[:count] > start
        )
        return here

    def _explored(self, here: NDArray[np.bool_]) -> Draw:
        count, start = len(here), first_hour(self.week)
        people, state = self.population, self.state
        gentle = (start - people.created_hour[:count] < _NEWCOMER_HOURS) | (
            state.renewal_hour[:count] - start < _RENEWAL_HOURS
        )
        settled = start - state.upgraded_hour[:count] < _SETTLING_HOURS
        promised = contract_percent(people, state.plan[:count])
        allowed = offered_arms(promised, state.arm[:count], gentle, settled)
        u = uniforms(self.setup.seed, Stream.EXPLORATION, self.week, count)[:, 0]
        # Tenants of one organisation share one draw, as the product's do.
        u = by_organisation(u, people.parent_org[:count])
        # Known before the week: the vendor's own people pressed the healthy and busy harder.
        busy = np.tanh(state.health[:count] + state.level[:count])
        return draw(allowed, u, self.family.tilt * busy)

    def _situation(self, count: int, demand: NDArray[np.float64]) -> Situation:
        people, state, start = self.population, self.state, first_hour(self.week)
        base = base_limit(people, state.plan[:count])
        due = state.renewal_hour[:count]
        return Situation(
            pressure=np.partition(demand, 159, axis=1)[:, 159] / base,
            health=state.health[:count],
            momentum=state.momentum[:count],
            open_tickets=state.open_tickets[:count],
            helped=state.helped[:count],
            tenure_weeks=(start - people.created_hour[:count]) / HOURS,
            term_contract=people.term_contract[:count],
            renewal_due=(due >= start) & (due < start + HOURS),
            top_plan=state.plan[:count] == 3,
            bottom_plan=state.plan[:count] == 0,
            fragility=people.fragility[:count],
            dependence=people.dependence[:count],
            intent=people.intent[:count],
            segment=people.segment[:count],
            integrations=people.integrations[:count],
            memory=state.memory(count),
            week=self.week - self.setup.start_week,
        )

    def _demand(self, count: int, outage: support.Incident | None) -> NDArray[np.float64]:
        people, start = self.population, first_hour(self.week)
        peak = usual_peak(people, self.state, count, start)
        shapes = shapes_in(self.setup.series) if self.setup.series else None
        demand = hourly_demand(
            people, self.setup.seed, self.week, peak * self.family.demand, shapes
        )
        demand[self.state.gone_hour[:count] <= start] = 0.0
        if outage is not None:
            names = np.array(["us", "eu", "uk", "apac"])[people.region[:count]]
            hit = np.flatnonzero((names == outage.scope) | (outage.scope == "all"))
            low, high = outage.from_hour - start, min(outage.to_hour - start, HOURS)
            demand[hit, low:high] = np.floor(demand[hit, low:high] * 0.2)
        return demand if self.disguise is None else self.disguise.demand(self.week, demand)

    def _limits(self, count: int, arm: NDArray[np.int64]) -> NDArray[np.int64]:
        """Effective limit per hour under one arm each; m = 1 in the hours already told."""
        base = base_limit(self.population, self.state.plan[:count])
        limits = np.repeat(effective_limit(base, arm)[:, None], HOURS, axis=1)
        limits[:, : self.opened_hours] = base[:, None]
        return limits

    def foresight(self) -> Foresight:
        """What the current week would bring under each arm: the truth, for oracles and reports."""
        count = self.population.arrived(first_hour(self.week + 1))
        demand = self._demand(count, support.incident(self.setup.seed, self.week))
        refused = [
            blocked(demand, self._limits(count, np.full(count, arm, dtype=np.int64)))
            for arm in ARMS
        ]
        asked = demand.sum(axis=1)
        return Foresight(
            situation=self._situation(count, demand),
            here=self._here(count),
            felt=np.stack([blocked_share(demand, each) for each in refused], axis=1),
            served=np.stack([asked - each.sum(axis=1) for each in refused], axis=1),
        )

    def _chances(
        self,
        situation: Situation,
        demand: NDArray[np.float64],
        here: NDArray[np.bool_],
        *,
        brief: bool,
    ) -> NDArray[np.float64]:
        """Chances of each outcome under each arm ``[n, arms, 3]``; no arms where ``brief``."""
        if brief:
            return np.zeros((len(demand), 0, 3))
        respond = self.family.rates
        count = len(demand)
        by_arm = []
        for arm in ARMS:
            limits = self._limits(count, np.full(count, arm))
            felt = blocked_share(demand, blocked(demand, limits))
            by_arm.append(response.probabilities(respond(situation, felt)))
        chances = np.stack(by_arm, axis=1)
        chances[~here] = 0.0
        return chances

    def opening(self, hours: int) -> Week:
        """The first ``hours`` of the current week under m = 1, before anybody decides it."""
        count = self.population.arrived(first_hour(self.week) + hours)
        self.opened_hours = hours
        neutral = np.full(count, NEUTRAL, dtype=np.int64)
        return self._lived(count, neutral, None, opening=True)

    def step(self, arms: Mapping[str, int] | None = None, *, brief: bool = False) -> Week:
        """Live the current week and move on.

        Parameters
        ----------
        arms:
            Tenant to arm in hundredths, as the product decided; who is missing gets 100. None
            lets the world explore by itself, as it does in its history.
        brief:
            Leave out of the record what only exports and truths need: activity and chances.
        """
        count = self.population.arrived(first_hour(self.week + 1))
        here = self._here(count)
        drawn = None
        arm = np.full(count, NEUTRAL, dtype=np.int64)
        if arms is not None:
            for row in np.flatnonzero(here):
                arm[row] = arms.get(self.population.tenant_id[row], NEUTRAL)
        elif self.week >= self.setup.start_week + self.setup.warmup_weeks:
            drawn = self._explored(here)
            arm = np.where(here, drawn.arm, NEUTRAL)
        lived = self._lived(count, arm, drawn, brief=brief)
        self._advance(lived)
        return lived

    def _lived(
        self,
        count: int,
        arm: NDArray[np.int64],
        drawn: Draw | None,
        *,
        opening: bool = False,
        brief: bool = False,
    ) -> Week:
        start, seed = first_hour(self.week), self.setup.seed
        told = start + self.opened_hours
        since, until = (start, told) if opening else (told, start + HOURS)
        people, state = self.population, self.state
        here = self._here(count)
        outage = support.incident(seed, self.week)
        demand = self._demand(count, outage)
        situation = self._situation(count, demand)
        chances = self._chances(situation, demand, here, brief=brief)
        refused = blocked(demand, self._limits(count, arm))
        felt = blocked_share(demand, refused)
        outcome, hour = self._outcome(situation, felt, here)
        if opening:
            outcome[:] = -1
        elif self.disguise is not None:
            outcome = self.disguise.outcome(self.week, outcome)
        plan = state.plan[:count].copy()
        after = plan + (outcome == UPGRADE) - (outcome == DOWNGRADE)
        demand, refused = self._after_outcome(demand, refused, outcome, hour, after)
        renewal = state.renewal_hour[:count].copy()
        renewed = situation.renewal_due & here & (outcome != CHURN)
        renewed &= (renewal >= since) & (renewal < until)
        left = np.where(outcome == CHURN, hour, NEVER)
        health = state.health[:count]
        rescue = self.family.rescue * state.grievance[:count]
        calls = support.interventions(seed, self.week, health, here, rescue)
        tickets = support.tickets(seed, self.week, health, felt, here)
        activity = {}
        if not brief:
            activity = daily_activity(people, state, seed, self.week, situation.pressure)
        if self.disguise is not None:
            tickets = self.disguise.tickets(self.week, tickets)
            activity = self.disguise.activity(activity) if activity else activity
        return Week(
            week=self.week,
            from_hour=since,
            until_hour=until,
            here=here,
            arm=arm,
            drawn=drawn,
            plan_before=plan,
            plan_after=after,
            demand=demand,
            refused=refused,
            activity=activity,
            outcome=outcome,
            outcome_hour=np.where(outcome >= 0, hour, NEVER),
            renewed=renewed,
            seats_after=_seats_after(state.seats[:count], outcome),
            renewal_before=renewal,
            renewal_after=np.where(renewed, renewal + TERM_HOURS, renewal),
            chances=chances,
            tickets=[t for t in tickets if since <= t.opened_hour < min(until, left[t.row])],
            interventions=[c for c in calls if since <= c[1] < min(until, left[c[0]])],
            incident=outage if outage and since <= outage.from_hour < until else None,
        )

    def _outcome(
        self, situation: Situation, felt: NDArray[np.float64], here: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What comes of the week for each tenant, and at which whole hour, never the first."""
        rates = self.family.rates(situation, felt)
        chances = np.where(here[:, None], response.probabilities(rates), 0.0)
        u = uniforms(self.setup.seed, Stream.OUTCOME, self.week, len(felt), 2)
        first = max(self.opened_hours, 1)
        hour = first_hour(self.week) + first + np.floor(u[:, 1] * (HOURS - first)).astype(np.int64)
        return response.drawn(chances, u[:, 0]), hour

    def _after_outcome(
        self,
        demand: NDArray[np.float64],
        refused: NDArray[np.float64],
        outcome: NDArray[np.int64],
        hour: NDArray[np.int64],
        after: NDArray[np.int64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Who left asks for nothing more; who changed plan meets the new limit at m = 1."""
        later = np.arange(HOURS)[None, :] + first_hour(self.week) >= hour[:, None]
        demand[later & (outcome == CHURN)[:, None]] = 0.0
        fresh = blocked(demand, base_limit(self.population, after)[:, None])
        return demand, np.where(later & (outcome >= 0)[:, None], fresh, refused)

    def _advance(self, lived: Week) -> None:
        """Fold the week into the state."""
        people, state, count = self.population, self.state, len(lived.arm)
        z = generator(self.setup.seed, Stream.WALK, self.week).standard_normal((people.size, 2))
        changed = lived.outcome >= 0
        state.gone_hour[:count] = np.where(
            lived.outcome == CHURN, lived.outcome_hour, state.gone_hour[:count]
        )
        state.plan_hour[:count] = np.where(changed, lived.outcome_hour, state.plan_hour[:count])
        state.upgraded_hour[:count] = np.where(
            lived.outcome == UPGRADE, lived.outcome_hour, state.upgraded_hour[:count]
        )
        state.plan[:count] = lived.plan_after
        state.seats[:count] = lived.seats_after
        state.renewal_hour[:count] = lived.renewal_after
        state.arm[:count] = np.where(changed, NEUTRAL, lived.arm)
        felt = blocked_share(lived.demand, lived.refused)
        state.remember(state.memory(count).after(felt, lived.renewed))
        end = first_hour(self.week + 1)
        state.open_tickets *= 0.3
        for ticket in lived.tickets:
            state.open_tickets[ticket.row] += 1.0 if ticket.closed_hour >= end else 0.5
            if ticket.severity == "urgent":
                until = max(int(state.urgent_until[ticket.row]), ticket.closed_hour)
                state.urgent_until[ticket.row] = until
        state.helped *= 0.75
        for row, _, _ in lived.interventions:
            state.helped[row] = 1.0
        state.health = 0.9 * state.health + 0.32 * z[:, 0] - 0.03 * people.fragility
        move = people.trend + 0.02 * z[:, 1] + 0.012 * np.minimum(state.health, 0.0)
        # Nobody outgrows the top plan for ever: growth fades above twice the largest limit.
        ceiling = np.log(120_000 / base_limit(people, people.first_plan))
        move = np.where(state.level > ceiling, np.minimum(move, 0.0), move)
        state.level = state.level + move
        state.momentum = 0.7 * state.momentum + 0.3 * move
        state.storage = state.storage * (1.0084 + np.clip(state.momentum, -0.02, 0.05))
        self.week += 1
        self.opened_hours = 0


def _seats_after(seats: NDArray[np.int64], outcome: NDArray[np.int64]) -> NDArray[np.int64]:
    """An upgrade brings three seats for every ten."""
    grown: NDArray[np.int64] = np.where(outcome == UPGRADE, seats * 13 // 10 + 1, seats)
    return grown
