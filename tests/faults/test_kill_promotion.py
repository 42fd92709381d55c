"""SIGKILL around what only a promotion, *Order again* and *Cancel* do: one final or none, one charge for each order
that a person wanted, and what was taken back while nobody listened is not ordered."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import product

import pytest

from tests.faults.conftest import RigOf
from tests.faults.kills import death
from tests.faults.orders import SILENT, WITHIN_PROMISE, called_back
from tests.faults.rig import Rig
from tests.faults.scripts import CALLED, KEYED, Fault
from tests.sandbox.driver import PATIENCE_SECONDS, Json
from tests.scenarios.threads import heard
from tests.support.history import History
from tests.support.verdict import Allowed, Asked, Column, Terms, Verdict, judge

pytestmark = pytest.mark.timeout(180)

WHERE = ("hiapi", "muapi", "empiriolabs")
"""A provider that honours a key, one that calls, and a silent one."""

AGAIN = [1] * 60
"""Seconds between two deliveries of an event, so that one comes soon when the bot is back."""

CARD, SHARE = "slack:chat.postMessage", "slack:files.completeUploadExternal"
REACTIONS, PERSON = "slack:reactions.get", "slack:users.info"


def rocket(when: str) -> Fault:
    """Killed when the event is on the wire, or acknowledged."""
    return Fault("slack:envelope", "do", "kill", {"when": when, "match": {"type": "events_api"}})


def press(when: str, after_ms: int = 0) -> Fault:
    """The same for a button."""
    return Fault("slack:envelope", "do", "kill", {"when": when, "after_ms": after_ms, "match": {"type": "interactive"}})


def _named(one: Fault) -> str:
    """Such a death, for people."""
    return f"{one.details.get('when', one.point)} {one.details.get('after_ms', one.phase)}"


CALLS = ((REACTIONS, 0), (REACTIONS, 1), (PERSON, 0), ("create", 0), (CARD, 0), (SHARE, 0))
"""Those of a promotion, and how many such calls come before: the first look at the reactions decides, the second is the
one right before the order."""

WHEN = ("before", "amid", "after 0 ms", "after 20 ms")

ONE = {
    f"{provider}, {one.name}": (provider, (one,))
    for provider, one in product(
        WHERE,
        [death(point, when, skip=skip) for (point, skip), when in product(CALLS, WHEN)],
    )
} | {f"hiapi, rocket {when}": ("hiapi", (rocket(when),)) for when in ("sent", "acked")}

TWO = {
    f"{provider}, {first.name}, {second.name}": (provider, (first, second))
    for provider, (first, second) in product(
        WHERE,
        [
            (death(REACTIONS, "amid"), death(PERSON, "amid")),
            (death(REACTIONS, "amid"), death(REACTIONS, "amid", skip=1)),
            (death(REACTIONS, "before", skip=1), death("create", "amid")),
            (death("create", "after 0 ms"), death(SHARE, "amid")),
            (death(CARD, "amid"), death("create", "before")),
            (death(SHARE, "before"), death(SHARE, "amid")),
        ],
    )
    if first.point != "create" or provider not in SILENT  # Of what is uncertain nothing is shared.
}

EVERY = {**ONE, **TWO}
EVERY_RUN = frozenset({f"hiapi, {death(REACTIONS, 'amid', skip=1).name}"})
"""The moment between the last look at the reactions and the order."""


# --- a rocket --------------------------------------------------------------------------------------------------------


@pytest.mark.row("F22", "F23", "F24", "F83")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in EVERY_RUN else pytest.mark.storm) for name in EVERY]
)
async def test_a_death_amid_a_promotion_makes_neither_none_nor_two(rig_of: RigOf, name: str) -> None:
    provider, deaths = EVERY[name]
    rig = await _started(rig_of, provider)
    clip, draft = await _draft(rig)
    posts = await rig.posts()
    await _killed(rig, deaths, lambda: rig.studio.react("ben", clip, "rocket", channel=rig.channel))
    await rig.restart()
    await _one_clip_more(rig, draft, deaths)
    assert provider in KEYED or await rig.posts() - posts <= 1, "what may be on order was sent again"


async def _one_clip_more(rig: Rig, before: History, deaths: Sequence[Fault] = ()) -> None:
    """It is delivered; or, where one of the deaths may have struck amid its order and nobody can know of it, it is
    uncertain, with its money set aside."""
    clips, asks = len(before.clips), len(before.cards) + 1
    await rig.ended(asks=asks)
    if rig.provider in CALLED and len((await rig.history()).charges) > clips:
        # Of an order that was taken they call, as soon as they reach who was dead.
        await rig.every_card_says("*delivered*", asks=asks)
    history = await rig.history()
    clip = _since(history, before)
    (card,) = clip.cards
    told = rig.provider in KEYED or (rig.provider in CALLED and bool(clip.charges))
    known = told or not any(_amid_an_order(one) for one in deaths)
    if known or "uncertain" not in card.rows.values():
        await rig.books_balance(await rig.check(clips=clips + 1, asks=asks))
    else:
        await rig.check(clips=clips, charges=clips + len(clip.charges), asks=asks)
        assert _money(rig) == (_price(rig), sum(int(one["micro_usd"]) for one in before.paid))
    (await _judged(rig, clip, {} if known else {Allowed.UNCERTAIN: 1})).raise_if_broken()
    _told_once(history)


def _amid_an_order(one: Fault) -> bool:
    """The order follows upon the last look at the reactions."""
    return one.point == "create" or (one.point == REACTIONS and one.phase == "after")


BACK = [death(REACTIONS, when, skip=skip) for skip, when in product((0, 1), ("before", "amid"))]
"""Deaths after which nothing is on order yet."""


@pytest.mark.row("F80")
@pytest.mark.parametrize(
    "struck", [pytest.param(one, marks=() if one is BACK[-1] else pytest.mark.storm, id=one.name) for one in BACK]
)
async def test_a_rocket_taken_back_while_the_bot_is_dead_costs_nothing(rig_of: RigOf, struck: Fault) -> None:
    rig = await _started(rig_of, "hiapi")
    clip, draft = await _draft(rig)
    posts = await rig.posts()
    await _killed(rig, [struck], lambda: rig.studio.react("ben", clip, "rocket", channel=rig.channel))
    await rig.studio.react("ben", clip, "rocket", channel=rig.channel, remove=True)
    await rig.restart()
    await rig.ended(asks=2)
    await heard(rig.play)
    await _nothing_more(rig, draft)
    assert await rig.posts() == posts


@pytest.mark.row("F80")
@pytest.mark.storm
@pytest.mark.parametrize("struck", [pytest.param(one, id=one.name) for one in BACK])
async def test_a_payer_who_leaves_while_the_bot_is_dead_is_followed_by_the_next(rig_of: RigOf, struck: Fault) -> None:
    rig = await _started(rig_of, "hiapi", PROMOTE_UNDO_SECONDS="3")
    clip, draft = await _draft(rig)

    async def both() -> None:
        for person in ("ben", "chloe"):
            await rig.studio.react(person, clip, "rocket", channel=rig.channel)
        await heard(rig.play)

    await _killed(rig, [struck], both)
    await rig.studio.react("ben", clip, "rocket", channel=rig.channel, remove=True)
    await rig.restart()
    await _one_clip_more(rig, draft)
    payers = rig.bot.rows("select person from ledger where stage = 'final' and settled_micro_usd > 0")
    assert [one["person"] for one in payers] == [await rig.play.person_id("chloe")]


# --- Order again -----------------------------------------------------------------------------------------------------

PRESSED = [
    *(death("create", when) for when in WHEN),
    *(press("sent", ms) for ms in (0, 10, 40)),
    *(press("acked", ms) for ms in (0, 20)),
]


@pytest.mark.row("F22", "F23")
@pytest.mark.storm
@pytest.mark.parametrize("lost", ["reset", "kill"])
@pytest.mark.parametrize("struck", [pytest.param(one, id=_named(one)) for one in PRESSED])
async def test_order_again_across_a_death_is_one_order_more(rig_of: RigOf, struck: Fault, lost: str) -> None:
    """A double click amid which the bot dies. Slack sends no press again: who sees that nothing came of it presses."""
    rig = await _started(rig_of, SILENT[0])
    await rig.arm(rig.point("create"), "amid", lost)
    await rig.accepted()
    if lost == "kill":
        await rig.died()
        await rig.restart()
    await rig.says("*uncertain*", within=WITHIN_PROMISE)
    await rig.studio.heal()
    first, posts = await rig.history(), await rig.posts()
    await _killed(rig, [struck], lambda: asyncio.gather(*(rig.press("Order again", stale=True) for _ in range(2))))
    await rig.restart()
    await rig.studio.connected(1, timeout=PATIENCE_SECONDS)
    if not rig.bot.rows("select 1 from ledger where attempt = 2"):
        await rig.press("Order again", stale=True)
    await _one_order_more(rig, first)
    assert await rig.posts() - posts <= 1, "what may be on order was sent again"


async def _one_order_more(rig: Rig, first: History) -> None:
    """The first is counted as spent; the second is delivered, or as unknown as the first was."""
    ended = "select state from jobs where attempt = 2 and state in ('delivered', 'uncertain')"
    ((state,),) = [row.values() for row in await rig.play.until_rows(ended)]
    await rig.says(f"*{state}*")
    if state == "delivered":
        await rig.press("Order again", stale=True)
        history = await rig.check(clips=1, charges=2)
        await rig.books_balance(history)
    else:
        history = await rig.history()
        await rig.check(clips=0, charges=1 + len(history.charges[1:]))
        assert _money(rig) == (_price(rig), _price(rig))
    second = replace(_since(history, first), cards=history.cards)
    verdict = await _judged(rig, second, {Allowed.UNCERTAIN: 1})
    # Of a clip that comes in the end the card says what both orders are taken to have cost, since nobody knows.
    both = f"${2 * _price(rig) / 1_000_000:.2f} is counted as spent"
    assert [sentence for _, sentence in verdict.broken if both not in sentence] == []
    assert (both in history.cards[0].text) is (state == "delivered")


# --- Cancel ----------------------------------------------------------------------------------------------------------

CANCELLED = [*(press("sent", ms) for ms in (0, 10, 40)), press("acked")]
"""Whether a press is written down before a death is a race, and both ends of it are honest."""
EVERY_CANCEL = [*product(["draft", "final"], CANCELLED)]


@pytest.mark.storm
@pytest.mark.parametrize(
    ("wanted", "struck"), [pytest.param(*one, id=f"{one[0]}, {_named(one[1])}") for one in EVERY_CANCEL]
)
async def test_what_was_cancelled_before_a_death_is_not_ordered(rig_of: RigOf, wanted: str, struck: Fault) -> None:
    """It waits behind a provider that is busy until the bot is dead."""
    rig = await _started(rig_of, "hiapi")
    person, before = "maya", await rig.history()
    posts = await rig.posts()
    if wanted == "final":
        person, (clip, before) = "ben", await _draft(rig)
        posts += 1
    await rig.arm("hiapi:create", "before", "ratelimit", retry_after="5", times=-1)
    await (rig.studio.react(person, clip, "rocket", channel=rig.channel) if before.clips else rig.accepted())
    await rig.posted(posts + 1)
    card = await rig.card_where(
        lambda one: "clip.cancel" in one.actions, within=WITHIN_PROMISE, what="it may be cancelled"
    )
    answers: list[Json] = []

    async def cancel() -> None:
        answers.append(await rig.studio.click(person, card.ts, "clip.cancel", channel=rig.channel))

    await _killed(rig, [struck], cancel)
    taken = bool(rig.bot.rows("select 1 from jobs where cancel_by is not null"))
    assert taken or not answers[0]["acked"], "a press that is not on disk was acknowledged"
    await rig.restart()
    await (_nothing_more(rig, before) if taken else _one_clip_more(rig, before))
    assert await rig.posts() - posts == (1 if taken else 2)


# --- the case --------------------------------------------------------------------------------------------------------


async def _started(rig_of: RigOf, provider: str, **settings: str) -> Rig:
    """A running bot with this provider alone, which it can be called by; events of Slack's outlast its death."""
    rig = await rig_of(provider)
    rig.bot.environment |= {**called_back(), "PROVIDERS": provider, "PROMOTE_UNDO_SECONDS": "0.3", **settings}
    await rig.studio.configure(retry_schedule=AGAIN)
    await rig.start()
    return rig


async def _draft(rig: Rig) -> tuple[Json, History]:
    """A draft that stands, and whose reactions were looked at: its message, and the books at its end."""
    await rig.accepted()
    await rig.delivered()
    await rig.play.until_rows("select 1 from jobs where state = 'delivered' and wish is null")
    await heard(rig.play)
    (clip,) = await rig.play.clips(1, channel=rig.channel)
    return clip, await rig.history()


async def _killed(rig: Rig, deaths: Sequence[Fault], act: Callable[[], Awaitable[object]]) -> None:
    """Each of them, one after the other, and at first the act that leads there; the bot is dead in the end."""
    for number, one in enumerate(deaths):
        await rig.arm(one.at(rig.provider), one.phase, skip=one.skip, **one.details)
        if number:
            await rig.bot.start()
            await rig.studio.bot_is(rig.bot.pid)
        else:
            await act()
        await rig.died()
        await rig.studio.heal()


# --- the judgement ---------------------------------------------------------------------------------------------------


def _since(history: History, before: History) -> History:
    """What has come since: a final has its draft's words, and is an ask of its own."""
    return replace(
        history,
        cards=tuple(one for one in history.cards if one.ask_id not in {card.ask_id for card in before.cards}),
        clips=tuple(one for one in history.clips if one not in before.clips),
        charges=tuple(one for one in history.charges if one["task_id"] not in _tasks(before)),
        rendered=history.rendered - _tasks(before),
    )


def _tasks(history: History) -> set[str]:
    return {str(one["task_id"]) for one in history.charges}


async def _judged(rig: Rig, history: History, allowed: dict[Allowed, int]) -> Verdict:
    terms = Terms(asks=(Asked(words=rig.marker),), rendered=rig.rendered, allowed=allowed)
    ours = {card.ask_id for card in history.cards}
    return judge(history, terms, [(ask_id, text) for ask_id, text in await rig.said() if ask_id in ours])


async def _nothing_more(rig: Rig, before: History) -> None:
    """What else was wanted is cancelled, and its card says that it cost nothing."""
    await rig.ended(asks=len(before.cards) + 1)
    history = await rig.check(clips=len(before.clips), charges=len(before.charges), asks=len(before.cards) + 1)
    await rig.books_balance(history)
    clip = _since(history, before)
    (card,) = clip.cards
    assert {*card.rows.values()} == {"cancelled"}
    assert "Nothing was charged." in card.text
    verdict = await _judged(rig, clip, {})
    assert {column for column, _ in verdict.broken} == {Column.GIVEN_UP}, verdict.broken
    _told_once(history)


def _told_once(history: History) -> None:
    assert [text for text, count in Counter(history.told).items() if count > 1] == []


def _money(rig: Rig) -> tuple[int, int]:
    """What is set aside, and what is counted as spent, in micro-dollars."""
    sums = rig.play.sums()
    return sums["held_micro_usd"], sums["settled_micro_usd"]


def _price(rig: Rig) -> int:
    """Of the clip that was ordered last."""
    return int(rig.bot.rows("select price_micro_usd from jobs order by number desc limit 1")[0]["price_micro_usd"])
