"""The rows of the fault matrix that can be armed on one case, as data: alone, and two of them on one case.

A row says what goes wrong, and what the matrix lets an ask end as because of it; nothing else. Rows that need a case of
another shape (several people, files, another clock, HTTP mode) are scripted elsewhere, under their marks.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from tests.faults.acts import Act
from tests.faults.kills import in_turn
from tests.faults.rig import PROVIDERS
from tests.faults.scripts import CALLED, KEYED, Fault, Script
from tests.support.storm import WHOLE
from tests.support.verdict import Allowed

CALLING = (*sorted(KEYED), *sorted(CALLED))
"""Providers that call when a task has ended."""

PAIRS = WHOLE["pairs"]
"""Some of them have no occasion for both faults, since one ends the case first; the storm's summary says how many."""
_SLOW_WEIGHT = 0.12
"""A row that takes half a minute or more stands in fewer pairs."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row. ``providers`` are those where it can arise; ``slow``: it takes half a minute or more."""

    id: str
    what: str
    faults: tuple[Fault, ...] = ()
    acts: tuple[Act, ...] = ()
    farm: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    callbacks: bool = False
    may_end: frozenset[Allowed] = frozenset()
    unbooked: bool = False
    slow: bool = False
    providers: tuple[str, ...] = PROVIDERS


UNCERTAIN = frozenset({Allowed.UNCERTAIN})
"""A refusal of a repeat proves nothing about the first order; an id that cannot be believed proves nothing at all."""

FAILED = frozenset({Allowed.FAILED})
"""The provider says no, or renders nothing."""

NOT_TAKEN = frozenset({Allowed.REFUSED, Allowed.UNHEARD})
"""Nothing can be written, and so nothing is accepted."""

AT_WORK = {"render_seconds": 1.5}
"""Long enough for something to happen between the order and its end."""


def _at(row: str, what: str, point: str, phase: str, kind: str = "kill", *, times: int = 1, **details: Any) -> Row:
    """A row that is one fault."""
    return Row(id=row, what=what, faults=(Fault(point, phase, kind, details, times=times),))


def _status(row: str, what: str, point: str, phase: str, status: int, *, times: int = 1, **details: Any) -> Row:
    return _at(row, what, point, phase, "status", times=times, status=status, **details)


def _outcome(row: str, what: str, kind: str, may_end: frozenset[Allowed] = frozenset(), **details: Any) -> Row:
    return Row(id=row, what=what, faults=(Fault("outcome", "do", kind, details),), may_end=may_end)


def _call(row: str, what: str, kind: str, may_end: frozenset[Allowed] = frozenset(), **details: Any) -> Row:
    """A row about the provider's callback."""
    fault = Fault("callback", "do", kind, details)
    return Row(id=row, what=what, faults=(fault,), callbacks=True, providers=CALLING, may_end=may_end)


def _act(row: str, what: str, *acts: Act, **more: Any) -> Row:
    """A row that somebody or something does."""
    return Row(id=row, what=what, acts=acts, **more)


ROWS = (
    _at("F01", "kill before the ask is written", "slack:envelope", "do", "kill", when="sent", after_ms=0),
    _act("F06", "an ask while the app is down", Act("kill"), Act("ask_again", "asked")),
    _act("F07", "an ask while the database is locked", Act("ask_while_locked", "card", 2), may_end=NOT_TAKEN),
    _act("F08", "the disk is full while an ask comes", Act("ask_while_full", "card", 3), may_end=NOT_TAKEN),
    _act("F09", "asks in a row", *[Act("ask_again", "asked")] * 4),
    _at("F12", "kill between hold and order", "slack:chat.postMessage", "after"),
    Row(id="F13", what="the provider bills twice its price", farm={"bills": 2}, unbooked=True),
    _at("F15", "an order of unknown outcome", "create", "amid", "close"),
    _at("F22", "kill before the provider reads", "create", "before", read_body=True),
    _at("F23", "kill amid the order", "create", "amid"),
    _at("F24", "kill after the order", "create", "after"),
    Row(id="F25", what="the answer is late", faults=(Fault("create", "amid", "delay", {"seconds": 120}),), slow=True),
    _at("F26", "half an answer", "create", "amid", "half_body"),
    _status("F27", "502 after billing", "create", "amid", 502, body="<html>Bad gateway</html>"),
    _status("F28", "503, nothing billed", "create", "before", 503),
    _status("F29", "200 without an id", "create", "amid", 200, body={}),
    _at("F30", "429", "create", "before", "ratelimit", retry_after="1"),
    Row(
        id="F31",
        what="402",
        faults=(Fault("create", "before", "status", {"status": 402}),),
        may_end=UNCERTAIN,
        slow=True,
    ),
    Row(
        id="F32", what="400", faults=(Fault("create", "before", "status", {"status": 400}),), may_end=FAILED | UNCERTAIN
    ),
    Row(id="F33", what="the order hangs", faults=(Fault("create", "amid", "hang"),), slow=True),
    Row(
        id="F34",
        what="the answer drips",
        faults=(Fault("create", "amid", "drip", {"bytes_per_second": 1}),),
        slow=True,
    ),
    _at("F35", "a redirect", "create", "amid", "redirect", location="http://127.0.0.1:9/", status=307),
    Row(
        id="F36",
        what="an id that another clip has",
        faults=(Fault("outcome", "do", "repeat_id", skip=1),),
        # An id that nobody is known to have yet cannot be told from one's own.
        acts=(Act("ask_again", "delivered"),),
        may_end=UNCERTAIN,
    ),
    Row(
        id="F37",
        what="the key is in hand, or in use otherwise",
        faults=(
            Fault("create", "amid", "reset"),
            Fault("create", "before", "status", {"status": 409, "headers": {"Retry-After": "1"}}, skip=1),
        ),
        may_end=UNCERTAIN,
        providers=tuple(sorted(KEYED)),
    ),
    _call("F38", "the call comes before the answer", "early"),
    _status("F39", "looks fail", "get", "before", 500, times=3),
    _outcome("F40", "the task goes back", "regress"),
    _outcome("F41", "an unknown word", "unknown_status", reads=4),
    _outcome("F42", "success without a link at first", "success_without_url", reads=1),
    _outcome("F43", "404 at first", "late_visible", seconds=3),
    _call("F44", "the call comes three times", "duplicate"),
    _call("F45", "a forged call", "forge"),
    _call("F46", "a stale call", "stale"),
    _call("F47", "every call is lost", "lose", UNCERTAIN),
    _outcome("F48", "the render fails", "fail", FAILED),
    Row(
        id="F49",
        what="the render never ends",
        faults=(Fault("outcome", "do", "never_ends"),),
        settings={"JOB_TIMEOUT_SECONDS": "1"},
        may_end=frozenset({Allowed.LATE}),
    ),
    _outcome("F51", "the provider is slow", "slow", factor=15),
    _at("F52", "half a clip", "download", "amid", "half_body"),
    _at("F53", "a page for a clip", "download", "before", "html", times=2),
    Row(
        id="F54",
        what="the link has expired",
        faults=(Fault("download", "before", "status", {"status": 403}, times=2),),
        farm={"re_sign": True},
    ),
    _at("F55", "the link leads elsewhere", "download", "before", "redirect", times=2, location="http://127.0.0.1:9/"),
    Row(
        id="F56",
        what="the clip drips",
        faults=(Fault("download", "amid", "drip", {"bytes_per_second": 1}),),
        slow=True,
    ),
    _at("F57", "a body without an end", "download", "before", "endless"),
    _act("F58", "the disk is full while the clip comes", Act("fill", "charged", 3), farm=AT_WORK),
    _at("F59", "kill amid the download", "download", "amid"),
    _at("F62", "no upload address", "slack:files.getUploadURLExternal", "before", "ratelimit", retry_after="1"),
    _at("F63", "the upload breaks", "slack:upload", "amid_request", "reset"),
    _at("F64", "kill amid the upload", "slack:upload", "amid"),
    _at("F65", "shared, and the answer is lost", "slack:files.completeUploadExternal", "amid", "reset"),
    Row(id="F66", what="the share is dropped", faults=(Fault("slack:share", "do", "drop"),), slow=True),
    _at("F67", "the share is late", "slack:share", "do", "delay", seconds=6),
    _act("F68", "the app is put out", Act("kick", "charged", 3), farm=AT_WORK, slow=True),
    _act("F69", "the token is revoked", Act("revoke", "charged", 3), farm=AT_WORK, slow=True),
    _act("F70", "the card is deleted", Act("delete_card"), farm=AT_WORK),
    _at("F71", "Slack asks to wait", "slack:files.completeUploadExternal", "before", "ratelimit", retry_after="2"),
    _act("F72", "Slack is away", Act("slack_away", "charged", 5), farm=AT_WORK),
    _at("F74", "posted, and the answer is lost", "slack:chat.postMessage", "amid", "reset"),
    _act("F75", "the card is deleted at once", Act("delete_card", "card"), farm=AT_WORK),
    _act("F87", "the database is locked", Act("lock", "charged", 6)),
    _act("F89", "SIGTERM", Act("stop"), farm=AT_WORK),
    _act("F90", "the provider is away", Act("provider_away", "charged", 4), farm=AT_WORK),
)


def single_rows(seed: int) -> list[Script]:
    """Each row alone, at a provider that the seed draws."""
    chance = random.Random(f"rows {seed}")
    return in_turn([script_of("rows", row.id, chance.choice(row.providers), [row]) for row in ROWS])


def row_pairs(seed: int, count: int = PAIRS) -> list[Script]:
    """So many different pairs of rows, each at a provider where both can arise, and both at once."""
    chance = random.Random(f"pairs {seed}")
    possible = [pair for pair in combinations(ROWS, 2) if _providers(pair) and not _in_turn(*pair)]
    # Weighted drawing without repetition: the largest of random() ** (1 / weight) (Efraimidis and Spirakis).
    drawn = sorted(possible, key=lambda pair: chance.random() ** (1 / _weight(pair)), reverse=True)[:count]
    return in_turn(
        [
            script_of("pairs", f"{one.id} and {two.id}", chance.choice(_providers((one, two))), [one, two])
            for one, two in drawn
        ]
    )


def _providers(rows: Iterable[Row]) -> list[str]:
    return [name for name in PROVIDERS if all(name in row.providers for row in rows)]


def _in_turn(one: Row, other: Row) -> bool:
    """Whether the faults of both strike the same calls: a call takes one fault, so that the other would come with a
    later call, if there is one."""
    return bool(
        {(fault.point, fault.phase) for fault in one.faults} & {(fault.point, fault.phase) for fault in other.faults}
    )


def _weight(rows: Iterable[Row]) -> float:
    weight = 1.0
    for row in rows:
        weight *= _SLOW_WEIGHT if row.slow else 1.0
    return weight


def script_of(family: str, name: str, provider: str, rows: list[Row]) -> Script:
    """These rows on one case."""
    what = ", and ".join(row.what for row in rows)
    return Script(
        name=f"{name}, {provider}: {what}",
        family=family,
        provider=provider,
        faults=tuple(fault for row in rows for fault in row.faults),
        acts=tuple(row.acts for row in rows if row.acts),
        farm={name: value for row in rows for name, value in row.farm.items()},
        settings={name: value for row in rows for name, value in row.settings.items()},
        callbacks=any(row.callbacks for row in rows),
        may_end=frozenset[Allowed]().union(*(row.may_end for row in rows)),
        unbooked=any(row.unbooked for row in rows),
    )
