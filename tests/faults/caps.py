"""The scripts of caps: three asks in a row where there is money for one, and one more when all seems over; meanwhile
the bot dies, or nobody can tell what became of an order.

Each case has its own channel, so that the channel's cap is the case's. What is charged in it is counted by the
provider until all seems over: holds that are freed too soon, forgotten or never written show as more than the cap.
"""

from dataclasses import replace

from tests.faults.acts import Act
from tests.faults.catalogue import ROWS, Row, script_of
from tests.faults.kills import MOMENTS, POINTS, death, in_turn
from tests.faults.rig import PROVIDERS
from tests.faults.scripts import Script
from tests.support.verdict import Allowed

CAP_USD = "0.60"
"""Pays for one draft, or for two at the cheapest provider; a double charge shows even where one was asked for."""

IN_DOUBT = ("F15", "F24", "F26", "F27", "F28", "F29", "F30", "F32", "F35", "F37")
"""Rows of orders that were charged, were not, or of which nobody knows."""

TOO_MUCH = frozenset({Allowed.REFUSED})

_RUSH = (Act("ask_again", "asked"), Act("ask_again", "asked"), Act("ask_again", "over"))


def every_cap() -> list[Script]:
    """A kill at each call at each provider, at the seven moments in turn; then each row of doubt at each provider."""
    moments = [*MOMENTS]
    kills = [
        Script(
            name=f"{provider}, {point}, {moments[(row + column) % len(moments)]}",
            family="caps",
            provider=provider,
            deaths=(death(point, moments[(row + column) % len(moments)]),),
            acts=(_RUSH,),
            may_end=TOO_MUCH,
            cap_usd=CAP_USD,
        )
        for row, provider in enumerate(PROVIDERS)
        for column, point in enumerate(POINTS)
    ]
    doubts = [
        _capped(row, provider)
        for row in ROWS
        if row.id in IN_DOUBT
        for provider in PROVIDERS
        if provider in row.providers
    ]
    return in_turn([*kills, *doubts])


def _capped(row: Row, provider: str) -> Script:
    script = script_of("caps", row.id, provider, [row])
    return replace(script, acts=(_RUSH, *script.acts), may_end=script.may_end | TOO_MUCH, cap_usd=CAP_USD)
