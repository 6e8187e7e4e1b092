"""What tenants that game the product earned, strategy by strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def most_gained(games: Sequence[Mapping[str, Any]]) -> float | None:
    """The best response of the worst world, percent of quota; None where nobody searched."""
    gains = [each["gain_percent"] for game in games for each in game["figures"]["strategies"]]
    return max(gains, default=None)


def gaming(games: Sequence[Mapping[str, Any]]) -> str:
    """A section of the page; empty where nobody searched."""
    if not games:
        return ""
    rows = "".join(
        f"<tr><td>{escape(game['family'])}</td><td>{game['tenants']:,}</td><td>{game['seed']}</td>"
        f"<td>{escape(each['strategy'])}</td><td>{each['gain_percent']:+.2f}</td></tr>"
        for game in games
        for each in game["figures"]["strategies"]
    )
    return (
        "<h2>Gaming</h2><p>Some tenants play a strategy for all weeks of the closed loop. Gain is "
        "what they are served more than by playing honestly, in percent of the quota that they pay "
        "for. The search looks further around the best strategy; that one comes first.</p>"
        "<div class='scroll'><table class='words'><tr><th>family</th><th>tenants</th><th>seed</th>"
        f"<th>strategy</th><th>gain, percent</th></tr>{rows}</table></div>"
    )
