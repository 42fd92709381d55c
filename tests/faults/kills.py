"""The scripts of kills: one at every call, at every provider, at seven moments; and two in a row, as a seed draws them.

A double kill's second call is drawn among all: where it has been made before the first death, or never comes since the
first has ended everything, the player gives it an ask of its own (``tests.faults.player``), and says so.
"""

import random
from collections.abc import Mapping
from itertools import product
from typing import Any

from tests.faults.rig import PROVIDERS
from tests.faults.scripts import Fault, Script

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


def death(point: str, moment: str) -> Fault:
    """A kill at this call at this moment."""
    phase, details = MOMENTS[moment]
    return Fault(point, phase, "kill", details)


def every_kill() -> list[Script]:
    """One kill each: 9 calls, 7 moments, 5 providers. Providers are told an address in half of them."""
    cells = [*product(PROVIDERS, POINTS, MOMENTS)]
    scripts = [
        Script(
            name=f"{provider}, {point}, {moment}",
            family="kills",
            provider=provider,
            deaths=(death(point, moment),),
            callbacks=index % 2 == 1,
        )
        for index, (provider, point, moment) in enumerate(cells)
    ]
    return in_turn(scripts)


def double_kills(seed: int, count: int = DOUBLE_KILLS) -> list[Script]:
    """So many pairs of deaths, the same for the same seed."""
    chance = random.Random(f"double kills {seed}")
    scripts = []
    for number in range(1, count + 1):
        provider = chance.choice(PROVIDERS)
        points = [chance.choice(POINTS) for _ in range(2)]
        if chance.random() < _IN_ORDER:
            points.sort(key=POINTS.index)
        first, second = (death(point, chance.choice([*MOMENTS])) for point in points)
        scripts.append(
            Script(
                name=f"{number}, {provider}, {first.name}, {second.name}",
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
