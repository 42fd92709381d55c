"""The scripts of kills: one at every call, at every provider, at seven moments; and two in a row, as a seed draws them,
for one clip or two, and at the first such call or the second.

Most double kills are drawn such that the second call comes after the first death, so that both strike one ask. A share
is drawn freely: where such a call has been made before the first death, or never comes since the first has ended
everything, the player gives it an ask of its own (``tests.faults.player``), and says so.
"""

import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from tests.faults.rig import PROVIDERS
from tests.faults.scripts import CALLED, KEYED, Fault, Script
from tests.support.storm import WHOLE

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

DOUBLE_KILLS = WHOLE["double kills"]
_FREE = 0.1
"""So many pairs are drawn among all, whether both deaths can fall on one ask or not."""
_SECOND = 0.25
"""So many deaths strike at the second such call: the last word on the card, the look that finds the clip."""
_TAKES = (1, 1, 2)

_REPEATED = frozenset(
    {"get", "download", "slack:files.getUploadURLExternal", "slack:upload", "slack:files.info", "slack:chat.update"}
)
"""Calls that are made again when their answer was lost. A card and a share are looked for instead; an order is repeated
under its key alone."""

_CALL_MS = 10
"""A call on its way to the thread takes about so long."""

_SOON_MS = 5
"""So long after its answer, what an order's answer says may not be on disk yet."""


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
    return in_turn([_double_kill(chance, number) for number in range(1, count + 1)])


def _double_kill(chance: random.Random, number: int) -> Script:
    free = chance.random() < _FREE
    while True:
        script = _any_double_kill(chance, number)
        if free or on_one_ask(script):
            return script


def _any_double_kill(chance: random.Random, number: int) -> Script:
    provider, takes = chance.choice(PROVIDERS), chance.choice(_TAKES)
    first, second = (
        death(chance.choice(POINTS), chance.choice([*MOMENTS]), skip=int(chance.random() < _SECOND)) for _ in range(2)
    )
    return Script(
        name=f"{number}, {provider}, {takes} takes, {first.name}, {second.name}",
        takes=takes,
        family="double kills",
        provider=provider,
        deaths=(first, second),
        callbacks=chance.random() < 0.5,
    )


def on_one_ask(script: Script) -> bool:
    """Whether the first of two deaths has an occasion on the first ask, and the second one after it."""
    first, second = script.deaths
    one, other = POINTS.index(first.point), POINTS.index(second.point)
    if first.skip and not _comes_twice(first.point, script.takes):
        return False
    if second.skip and not (one < other and _comes_twice(second.point, script.takes)):
        return False
    if _lost_for_good(script, first):
        # All that is still to come of it is the question on its card.
        return second.point == POINTS[-1] and not second.skip
    if one == other:
        return _comes_again(script, first)
    return one < other and not _overtaken(first, second)


def _comes_twice(point: str, takes: int) -> bool:
    """Whether a life has a second such call: each take has its own, a card is drawn anew more than once. An ask has one
    card."""
    return point == "slack:chat.update" or (takes > 1 and point != "slack:chat.postMessage")


def _comes_again(script: Script, first: Fault) -> bool:
    """Whether the call at which it died is made once more."""
    if first.skip:
        return first.phase == "before"
    if first.phase == "after":
        return first.point == "slack:chat.update"
    keyed = first.point == "create" and script.provider in KEYED
    return first.phase == "before" or keyed or first.point in _REPEATED


def _lost_for_good(script: Script, first: Fault) -> bool:
    """Whether it loses the answer of the only order, and nobody tells of it."""
    if first.point != "create" or first.phase == "before" or script.takes > 1 or script.provider in KEYED:
        return False
    told = script.provider in CALLED and script.callbacks
    return not told and first.details.get("after_ms", 0) <= _SOON_MS


def _overtaken(first: Fault, second: Fault) -> bool:
    """Whether the life may have come past the second call when the first kills: the calls of an upload follow one
    another within milliseconds, and only the last word on the card takes its time."""
    calls = POINTS.index(second.point) - POINTS.index(first.point)
    at_work = POINTS.index(first.point) > POINTS.index("create") and second.point != POINTS[-1]
    return at_work and calls * _CALL_MS < first.details.get("after_ms", 0)


def in_turn(scripts: list[Script]) -> list[Script]:
    """Those that can share a bot stand together."""
    return sorted(scripts, key=lambda script: (script.callbacks, sorted(script.environment.items())))
