"""What a script allows its asks to end as: no more of it than its faults can strike."""

import pytest

from tests.faults.acts import Act
from tests.faults.scripts import Fault, Script
from tests.support.verdict import Allowed

DEATH = Fault("create", "amid")
DROPPED = Fault("create", "amid", "close")
REFUSED = Fault("create", "before", "status", {"status": 400})
FAILS = Fault("outcome", "do", "fail")
ENDLESS = Fault("outcome", "do", "never_ends")
AGAIN = (Act("ask_again", "asked"), Act("ask_again", "asked"))

UNHEARD, UNCERTAIN, FAILED, LATE = Allowed.UNHEARD, Allowed.UNCERTAIN, Allowed.FAILED, Allowed.LATE


def _script(
    *faults: Fault,
    deaths: tuple[Fault, ...] = (),
    acts: tuple[Act, ...] = (),
    may_end: frozenset[Allowed] = frozenset(),
    provider: str = "empiriolabs",
    takes: int = 1,
) -> Script:
    return Script(
        name="a script",
        family="rows",
        provider=provider,
        faults=faults,
        deaths=deaths,
        acts=(acts,) if acts else (),
        may_end=may_end,
        takes=takes,
    )


SCRIPTS = {
    "nothing": (_script(), {}),
    "a death": (_script(deaths=(DEATH,)), {UNHEARD: 1, UNCERTAIN: 1}),
    "a death under a key": (_script(deaths=(DEATH,), provider="hiapi"), {UNHEARD: 1}),
    "a death before the card is known": (_script(deaths=(Fault("slack:chat.postMessage", "amid"),)), {UNHEARD: 1}),
    "a death while the card is read": (_script(deaths=(Fault("slack:chat.postMessage", "before"),)), {UNHEARD: 1}),
    "a death when the card is known": (
        _script(deaths=(Fault("slack:chat.postMessage", "after", details={"after_ms": 0}),)),
        {UNHEARD: 1, UNCERTAIN: 1},
    ),
    "a death before the card is known, and one in the order": (
        _script(deaths=(Fault("slack:chat.postMessage", "amid"), DEATH)),
        {UNHEARD: 2, UNCERTAIN: 1},
    ),
    "a death at the card of two takes": (
        _script(deaths=(Fault("slack:chat.postMessage", "amid"),), takes=2),
        {UNHEARD: 1, UNCERTAIN: 2},
    ),
    "a death at the card of one of three asks": (
        _script(Fault("slack:chat.postMessage", "amid"), acts=AGAIN),
        {UNHEARD: 3, UNCERTAIN: 3},
    ),
    "two deaths, two takes": (_script(deaths=(DEATH, DEATH), takes=2), {UNHEARD: 2, UNCERTAIN: 4}),
    "a death among three asks": (_script(DEATH, acts=AGAIN), {UNHEARD: 3, UNCERTAIN: 3}),
    "a lost answer among three asks": (_script(DROPPED, acts=AGAIN), {UNCERTAIN: 1}),
    "a lost answer among lost looks": (
        _script(DROPPED, Fault("get", "before", "status", {"status": 500}, times=3)),
        {UNCERTAIN: 1},
    ),
    "a card whose answer is lost": (_script(Fault("slack:chat.postMessage", "amid", "reset")), {}),
    "a refusal": (_script(REFUSED, provider="hiapi", may_end=frozenset({FAILED})), {FAILED: 1}),
    "a failure among lost looks": (
        _script(FAILS, Fault("get", "before", "status", {"status": 500}, times=3), may_end=frozenset({FAILED})),
        {FAILED: 1},
    ),
    "a render without an end": (_script(ENDLESS, may_end=frozenset({LATE})), {LATE: 1}),
    "a lock, and nobody asks": (_script(acts=(Act("lock"),)), {UNCERTAIN: 1}),
    "a lock, and somebody asks": (
        _script(acts=(Act("ask_while_locked"),), provider="hiapi", may_end=frozenset({Allowed.REFUSED})),
        {UNHEARD: 1, Allowed.REFUSED: 1},
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_more_is_allowed_than_can_be_struck(name: str) -> None:
    script, allowed = SCRIPTS[name]
    assert script.allowed == allowed
