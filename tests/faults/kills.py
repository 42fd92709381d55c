"""The scripts of kills: one at every call, at every provider, at seven moments; and two in a row, as a seed draws them,
for one clip or two, and at the first such call or the second.

A double kill's second call is drawn among all: where it has been made before the first death, or never comes since the
first has ended everything, the player gives it an ask of its own (``tests.faults.player``), and says so.
"""

import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from tests.faults.rig import PROVIDERS
from tests.faults.scripts import CALLED, Fault, Script

POINTS = (
    "slack:chat.postMessage",
    "create",
    "get",
    "download",
    "slack:files.getUploadURLExternal",
    "slack:upload",
    "slack:files.completeUploadExternal",
    "slack:files.info",
    "slack:chat.update",
)
"""Every call between the ask and the clip, in order."""

MOMENTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "before": ("before", {}),
    "amid": ("amid", {}),
    **{f"after {ms} ms": ("after", {"after_ms": ms}) for ms in (0, 1, 5, 20, 100)},
}
"""The service has processed nothing; it has, and its answer is not sent; its answer was sent so long ago."""

DOUBLE_KILLS = 300
_IN_ORDER = 0.75
"""So many pairs strike in the order of a life, so that both deaths mostly fall on one ask."""
_SECOND = 0.25
"""So many deaths strike at the second such call: the last word on the card, the look that finds the clip."""
_TAKES = (1, 1, 2)


def death(point: str, moment: str, *, skip: int = 0) -> Fault:
    """A kill at this call at this moment, after so many such calls."""
    phase, details = MOMENTS[moment]
    return Fault(point, phase, "kill", details, skip=skip)


def every_kill() -> list[Script]:
    """One kill each: 9 calls, 7 moments, 5 providers. Providers are told an address in half of them; around an order,
    those that call are played both ways."""
    cells = [*enumerate(product(PROVIDERS, POINTS, MOMENTS))]
    scripts = [_kill(provider, point, moment, callbacks=index % 2 == 1) for index, (provider, point, moment) in cells]
    also = [
        _kill(provider, point, moment, callbacks=index % 2 == 0)
        for index, (provider, point, moment) in cells
        if provider in CALLED and point == "create"
    ]
    return in_turn([*scripts, *(replace(script, name=f"{script.name}, also") for script in also)])


def _kill(provider: str, point: str, moment: str, *, callbacks: bool) -> Script:
    return Script(
        name=f"{provider}, {point}, {moment}",
        family="kills",
        provider=provider,
        deaths=(death(point, moment),),
        callbacks=callbacks,
    )


def double_kills(seed: int, count: int = DOUBLE_KILLS) -> list[Script]:
    """So many pairs of deaths, the same for the same seed."""
    chance = random.Random(f"double kills {seed}")
    scripts = []
    for number in range(1, count + 1):
        provider = chance.choice(PROVIDERS)
        points = [chance.choice(POINTS) for _ in range(2)]
        if chance.random() < _IN_ORDER:
            points.sort(key=POINTS.index)
        first, second = (
            death(point, chance.choice([*MOMENTS]), skip=int(chance.random() < _SECOND)) for point in points
        )
        takes = chance.choice(_TAKES)
        scripts.append(
            Script(
                name=f"{number}, {provider}, {takes} takes, {first.name}, {second.name}",
                takes=takes,
                family="double kills",
                provider=provider,
                deaths=(first, second),
                callbacks=chance.random() < 0.5,
            )
        )
    return in_turn(scripts)


def in_turn(scripts: list[Script]) -> list[Script]:
    """Those that can share a bot stand together."""
    return sorted(scripts, key=lambda script: (script.callbacks, sorted(script.environment.items())))
