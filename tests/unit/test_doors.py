"""Every door that spends or steers, tried by everybody who may not, where somebody who may succeeds."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bot.domain.access import AccessRules, Member
from bot.domain.job import State, WaitReason
from bot.services.answers import NotAllowed
from bot.services.policy import Policy
from handlers.actions import PRESSES
from handlers.grammar.doors import SETTINGS_COMMAND, USAGE_COMMAND
from handlers.manifest import manifest
from storage import MemoryStorage
from tests.support.clock import START
from tests.support.doors import BOT, Front
from tests.support.services import CLIP, ROOT, House, People

ASKER, MAKER, ADMIN = "U1", "UMAKER", "UADMIN"
GUEST, STRANGER, APP, UNKNOWN, DENIED = "UGUEST", "USTRANGER", "UAPP", "UUNKNOWN", "UDENIED"
RULES = AccessRules(admins=frozenset({ADMIN}), people_deny=frozenset({DENIED}))

Use = Callable[[Front, str], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Door:
    """A way in: what must be there before, and how a person uses it. ``by`` is somebody for whom it opens."""

    prepare: Callable[[House], Awaitable[Use]]
    by: str = MAKER
    names: str = ""
    """The command, reaction or button that it is."""
    silent: bool = False
    """Whoever may not is told nothing: the gesture may be meant otherwise."""


def house() -> House:
    """With one person of each kind."""
    people = People(
        Member(person=GUEST, guest=True),
        Member(person=STRANGER, outsider=True),
        Member(person=APP, app=True),
        unknown=[UNKNOWN],
    )
    return House(storage=MemoryStorage(), people=people)


def typed(text: str) -> Door:
    """``/clip`` with that text."""

    async def prepare(_: House) -> Use:
        return lambda front, person: front.command(person, text)

    return Door(prepare=prepare, names="/clip")


def said(text: str, **more: Any) -> Door:
    """A message with that text, outside our threads."""

    async def use(front: Front, person: str) -> None:
        await front.say(person, text, **more)

    async def prepare(_: House) -> Use:
        return use

    return Door(prepare=prepare)


def on_a_clip(use: Use, names: str = "") -> Door:
    """Something done to a draft that stands."""

    async def prepare(house: House) -> Use:
        await house.clip()
        return use

    return Door(prepare=prepare, names=names)


def button(action_id: str, subject: Callable[[House], Awaitable[str]], *, by: str = MAKER) -> Door:
    """A press on that button of what ``subject`` prepares."""

    async def prepare(house: House) -> Use:
        value = f"{await subject(house)}:1"
        return lambda front, person: front.press(person, action_id, value)

    return Door(prepare=prepare, by=by, names=action_id)


async def a_clip(house: House) -> str:
    return (await house.clip()).id


async def a_dear_final(house: House) -> str:
    await house.clip()
    return (await house.promoted(person=ASKER, confirm_above_micro_usd=0)).ask.id


async def a_cheap_final(house: House) -> str:
    await house.clip()
    return (await house.promoted(person=ASKER)).ask.id


async def a_queued_ask(house: House) -> str:
    return (await house.draft()).ask.id


async def an_uncertain_clip(house: House) -> str:
    return (await house.uncertain()).id


async def a_clip_without_a_provider(house: House) -> str:
    taken = await house.draft(person=ASKER)
    return (await house.moved(taken.jobs[0], state=State.WAITING, wait_reason=WaitReason.PROVIDER_DOWN)).id


async def a_kept_clip(house: House) -> str:
    taken = await house.draft()
    return (await house.moved(taken.jobs[0], state=State.CANCELLED, clip_key="clips/abc.mp4")).id


async def queued(house: House) -> Use:
    await house.draft()
    return lambda front, person: front.react(person, "x", ts=ROOT)


DOORS = {
    "draft": typed("a red panda"),
    "several takes": typed("a red panda --takes 3"),
    "final at once": typed("a red panda --final"),
    "mention": said(f"<@{BOT}> a red panda"),
    "mention in a thread": said(f"<@{BOT}> a red panda", thread_ts="5.0"),
    "direct message": said("a red panda", direct=True, channel="D1"),
    "promote by reaction": on_a_clip(lambda front, person: front.react(person, "rocket"), "rocket"),
    "promote by reply": on_a_clip(lambda front, person: front.reply(person, "promote #1")),
    "variant": on_a_clip(lambda front, person: front.reply(person, "#1 9:16")),
    "variant by name": on_a_clip(lambda front, person: front.reply(person, f"<@{BOT}> #1 same but at night")),
    "cancel by reaction": Door(prepare=queued, by=ADMIN, names="x", silent=True),
    "promote": button("clip.promote", a_clip),
    "confirm": button("clip.confirm", a_dear_final),
    "undo": button("clip.undo", a_cheap_final, by=ADMIN),
    "cancel": button("clip.cancel", a_queued_ask, by=ADMIN),
    "check again": button("clip.check_again", an_uncertain_clip),
    "order again": button("clip.order_again", an_uncertain_clip),
    "give up": button("clip.give_up", an_uncertain_clip, by=ADMIN),
    "use another provider": button("clip.use_another_provider", a_clip_without_a_provider, by=ASKER),
    "deliver again": button("clip.deliver_again", a_kept_clip),
}

REFUSED = (GUEST, STRANGER, UNKNOWN, DENIED)
"""Everybody who is told why; an app is told nothing."""
COMMANDS = {"/clip"}
"""Which no app can type."""
LOOKING = {USAGE_COMMAND, SETTINGS_COMMAND}
"""Commands that show something; changing settings asks for an admin on its own account."""


def test_these_are_all_the_doors() -> None:
    commands = {one["command"] for one in manifest()["features"]["slash_commands"]}
    gestures = {*Policy().promote_emoji, *Policy().cancel_emoji}
    assert {door.names for door in DOORS.values() if door.names} == (commands - LOOKING) | gestures | set(PRESSES)


@pytest.mark.parametrize("name", DOORS)
async def test_nobody_who_may_not_gets_through_where_somebody_who_may_does(name: str) -> None:
    door, home = DOORS[name], house()
    use, front = await door.prepare(home), Front(home, access=RULES)
    before = await home.as_it_is()
    for person in (*REFUSED, *([] if door.names in COMMANDS else [APP])):
        await use(front, person)
        assert await home.as_it_is() == before, f"{person} changed something"
    assert [one.person for one in front.told] == ([] if door.silent else list(REFUSED))
    assert all("Nothing was charged" in one.text for one in front.told)

    await use(front, door.by)
    assert await home.as_it_is() != before, f"{door.by} may, and nothing came of it"


async def test_an_early_reaction_of_who_may_not_makes_no_final() -> None:
    """The reaction came before the message was known; the runner looks again, and asks the same question."""
    home = house()
    taken = await home.draft()
    job = await home.moved(taken.jobs[0], state=State.DELIVERING, file_id="F1", shared_at=START)
    await Front(home, access=RULES).react(GUEST, "rocket")
    job = await home.moved(job, state=State.DELIVERED, message_ts=CLIP)
    before = await home.as_it_is()
    for person in (*REFUSED, APP):
        with pytest.raises(NotAllowed):
            await home.intake(access=RULES).promote_early(job, person)
    assert await home.as_it_is() == before
    await home.intake(access=RULES).promote_early(job, MAKER)
    assert await home.as_it_is() != before


@pytest.mark.parametrize("person", REFUSED)
async def test_everybody_may_see_a_price(person: str) -> None:
    home = house()
    front, before = Front(home, access=RULES), await home.as_it_is()
    await front.command(person, "a red panda --estimate")
    (told,) = front.told
    assert "Estimate: $0.32" in told.text
    assert await home.as_it_is() == before


CLOSED: list[tuple[dict[str, Any], str]] = [
    ({"channels_deny": frozenset({"C1"})}, "channels.deny"),
    ({"channels_allow": frozenset({"C2"})}, "channels.allow"),
    ({"people_allow": frozenset({"U7"})}, "people.allow"),
]


@pytest.mark.parametrize(("lists", "key"), CLOSED)
async def test_lists_close_the_door_and_say_which(lists: dict[str, Any], key: str) -> None:
    home = house()
    front, before = Front(home, access=AccessRules(**lists)), await home.as_it_is()
    await front.command(MAKER, "a red panda")
    assert key in front.told[0].text
    assert await home.as_it_is() == before


async def test_what_is_pressed_is_of_the_channel_where_it_is_pressed() -> None:
    """A card's buttons with the value of another channel's: the rules of neither could be got around so."""
    for name, door in DOORS.items():
        if door.names not in PRESSES:
            continue
        home = house()
        await door.prepare(home)
        async with home.storage.read() as tx:
            ((job, ask), *_) = sorted(await tx.jobs.listing(state=None, limit=100), key=lambda one: one[1].created_at)
        front, before = Front(home, access=RULES), await home.as_it_is()
        for subject in (job.id, ask.id):
            await front.press(door.by, door.names, f"{subject}:1", channel="C2")
        assert await home.as_it_is() == before, name
        assert all("no longer possible" in told.text for told in front.told), name


async def test_ones_own_can_be_stopped_by_who_may_no_more() -> None:
    """It costs nobody anything, and Slack need not say who it is."""
    home = house()
    taken = await home.draft(person=DENIED)
    await Front(home, access=RULES).press(DENIED, "clip.cancel", f"{taken.ask.id}:1")
    assert (await home.job(taken.jobs[0].id)).cancel_by == DENIED


async def test_a_message_that_an_app_posted_is_not_read() -> None:
    home = house()
    await home.clip()
    front, before = Front(home, access=RULES), await home.as_it_is()
    await front.reply(APP, "#1 9:16", bot_id="B2")
    assert (await home.as_it_is(), front.told) == (before, [])


async def test_a_press_for_which_too_few_stand_is_told_how_many_more_are_needed() -> None:
    """The same button works as soon as they are enough."""
    here = house()
    value = f"{await a_dear_final(here)}:1"
    front = Front(here, quorum=2, confirm_above_micro_usd=0)
    before = await here.as_it_is()
    await front.press(ASKER, "clip.confirm", value)
    (told,) = front.told
    assert told.person == ASKER
    assert "2 people" in told.text
    assert "When 1 more who may spend here react to the draft with :rocket:" in told.text
    assert await here.as_it_is() == before
    await front.react(MAKER, "rocket")
    await front.press(ASKER, "clip.confirm", value)
    assert len(front.told) == 1
    assert [who for kind, _, who, _ in await here.held()][1:] == [ASKER]
