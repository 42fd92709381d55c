"""What people press, made into rows: a gate is passed once, money is held at the press, and only by who may."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.domain.access import AccessRules, Member, Why
from bot.domain.audit import Act
from bot.domain.budget import Caps, EntryKind, OverCap
from bot.domain.job import Decision, Gate, State, WaitReason, Wish
from bot.domain.lineage import Changes
from bot.ports import Card
from bot.services.answers import AlreadyTaken, NotAllowed, NothingToDo, NotYours, Taken, TooFew
from bot.services.presses import Presses
from bot.services.taking import Sender
from handlers.blocks.answers import explain_error
from handlers.blocks.card import card
from storage import MemoryStorage, open_storage
from tests.support.clock import START
from tests.support.services import CLIP, DRAFT, FINAL, ROOT, House, People
from tests.support.values import a_sender, at


@pytest.fixture
def house() -> House:
    """In memory."""
    return House(storage=MemoryStorage())


# --- confirmation ----------------------------------------------------------------------------------------------------


async def test_above_the_limit_an_ask_waits_without_a_hold(house: House) -> None:
    taken = await house.costly()
    assert (taken.ask.gate, taken.ask.decide_by) == (Gate.CONFIRMATION, at(600))
    assert {(job.state, job.wait_reason, job.due_at) for job in taken.jobs} == {
        (State.WAITING, WaitReason.CONFIRMATION, at(600))
    }
    assert await house.held() == []


async def test_at_the_limit_an_ask_does_not_wait(house: House) -> None:
    taken = await house.intake(confirm_above_micro_usd=4 * DRAFT).draft(a_sender(), "x", Changes(takes=4))
    assert isinstance(taken, Taken)
    assert taken.ask.gate is None


async def test_what_could_not_be_paid_is_refused_before_it_is_asked(house: House) -> None:
    with pytest.raises(OverCap):
        await house.intake(caps=Caps(person_day_micro_usd=DRAFT)).draft(a_sender(), "x", Changes(takes=4))
    assert await house.asks() == set()


async def test_the_asker_confirms_and_the_money_is_held_at_the_press(house: House) -> None:
    taken = await house.costly()
    await house.presses().confirm(a_sender("press-1"), taken.ask.id)
    assert await house.held() == [("hold", 1, "U1", DRAFT)] * 4
    ask = await house.ask(taken.ask.id)
    assert (ask.decision, ask.decided_by, ask.version) == (Decision.GO, "U1", 2)


async def test_a_second_press_holds_nothing_more(house: House) -> None:
    taken = await house.costly()
    presses = [house.presses().confirm(a_sender(f"press-{n}"), taken.ask.id) for n in range(5)]
    outcomes = await asyncio.gather(*presses, return_exceptions=True)
    assert sum(isinstance(outcome, NothingToDo) for outcome in outcomes) == 4
    assert len(await house.held()) == 4


async def test_only_the_asker_confirms_a_draft(house: House) -> None:
    taken = await house.costly()
    with pytest.raises(NotYours) as caught:
        await house.presses(access=AccessRules(admins=frozenset({"U2"}))).confirm(
            a_sender("press-1", person="U2"), taken.ask.id
        )
    assert (caught.value.verb, caught.value.who) == ("confirm", "<@U1>")
    assert (await house.held(), (await house.ask(taken.ask.id)).decision) == ([], None)


async def test_after_ten_minutes_there_is_nothing_to_confirm(house: House) -> None:
    taken = await house.costly()
    house.clock.advance(600)
    with pytest.raises(NothingToDo):
        await house.presses().confirm(a_sender("press-1"), taken.ask.id)
    assert await house.held() == []


@pytest.mark.parametrize(("seconds", "stands"), [(0, True), (599.999, True), (600, False), (600.001, False)])
async def test_the_ten_minutes_end_for_a_promotion_as_its_card_says(house: House, seconds: float, stands: bool) -> None:
    await house.clip()
    taken = await house.promoted(confirm_above_micro_usd=0)
    house.clock.advance(seconds)
    now = house.clock.now()
    drawn = card(Card(ask=await house.ask(taken.ask.id), jobs=taken.jobs, parent=None, ahead=None, now=now))
    assert ("whoever may spend here can confirm it, and then pays" in drawn.text) is stands
    press = house.presses().confirm(a_sender("press", person="U3"), taken.ask.id)
    if stands:
        await press
        assert ("hold", 1, "U3", FINAL) in await house.held()
        return
    with pytest.raises(NothingToDo) as caught:
        await press
    assert "its time is over" in explain_error(caught.value, reference="").text
    assert len(await house.held()) == 1


async def test_an_asker_who_may_no_more_cannot_confirm_either(house: House) -> None:
    taken = await house.costly()
    denied = house.presses(access=AccessRules(people_deny=frozenset({"U1"})))
    with pytest.raises(NotAllowed) as caught:
        await denied.confirm(a_sender("press"), taken.ask.id)
    assert caught.value.why is Why.PERSON_DENIED
    assert (await house.held(), (await house.ask(taken.ask.id)).decision) == ([], None)


async def test_over_a_cap_at_the_press_the_question_stays_open(house: House) -> None:
    taken = await house.costly()
    with pytest.raises(OverCap):
        await house.presses(caps=Caps(person_day_micro_usd=DRAFT)).confirm(a_sender("press-1"), taken.ask.id)
    assert (await house.held(), (await house.ask(taken.ask.id)).decision) == ([], None)
    await house.presses().confirm(a_sender("press-1"), taken.ask.id)
    assert len(await house.held()) == 4


@pytest.mark.parametrize("who", [a_sender("p"), a_sender("p", workspace="T2")])
async def test_an_ask_that_is_not_there_cannot_be_confirmed(house: House, who: Sender) -> None:
    taken = await house.costly()
    with pytest.raises(NothingToDo):
        await house.presses().confirm(who, "nowhere" if who.workspace == "T1" else taken.ask.id)


async def test_an_ask_without_a_question_cannot_be_confirmed(house: House) -> None:
    taken = await house.draft()
    with pytest.raises(NothingToDo):
        await house.presses().confirm(a_sender("press-1"), taken.ask.id)
    assert len(await house.held()) == 1


async def test_anybody_confirms_a_costly_promotion_and_then_pays(house: House) -> None:
    await house.clip(seconds=8)
    taken = await house.promoted()
    await house.presses().confirm(a_sender("press", person="U3"), taken.ask.id)
    ask = await house.ask(taken.ask.id)
    assert (ask.decision, ask.person, ask.decided_by) == (Decision.GO, "U3", "U3")
    assert (await house.job(taken.jobs[0].id)).person == "U3"
    assert ("hold", 1, "U3", 2 * FINAL) in await house.held()
    assert len(await house.held()) == 2


async def test_only_its_asker_confirms_a_costly_variant(house: House) -> None:
    await house.draft()
    taken = await house.intake().variant(a_sender("reply", person="U2"), ROOT, None, Changes(takes=8), "x8")
    assert isinstance(taken, Taken)
    with pytest.raises(NotYours) as caught:
        await house.presses().confirm(a_sender("press-1", person="U3"), taken.ask.id)
    assert (caught.value.verb, caught.value.who) == ("confirm", "<@U2>")
    assert (len(await house.held()), (await house.ask(taken.ask.id)).decision) == (1, None)
    await house.presses().confirm(a_sender("press-2", person="U2"), taken.ask.id)
    assert sorted(await house.held()) == [("hold", 1, "U1", DRAFT), *[("hold", 1, "U2", DRAFT)] * 8]


async def test_only_what_still_waits_is_confirmed(house: House) -> None:
    """What ended meanwhile, however it did, is paid by nobody."""
    taken = await house.costly()
    await house.moved(taken.jobs[0], state=State.FAILED)
    await house.presses().confirm(a_sender("press"), taken.ask.id)
    assert await house.held() == [("hold", 1, "U1", DRAFT)] * 3


async def test_nothing_is_held_for_an_ask_of_which_nothing_waits(house: House) -> None:
    taken = await house.costly()
    for job in taken.jobs:
        await house.moved(job, state=State.FAILED)
    with pytest.raises(NothingToDo):
        await house.presses().confirm(a_sender("press"), taken.ask.id)
    assert (await house.held(), (await house.ask(taken.ask.id)).decision) == ([], None)


QUORUM: dict[str, Any] = {"quorum": 3, "promote_emoji": ("ship",), "confirm_above_micro_usd": 0}


async def test_a_costly_final_is_confirmed_only_when_enough_people_stand_behind_it(house: House) -> None:
    """Whoever presses counts, with or without a reaction; who reacted and may spend no more does not."""
    await house.clip()
    taken = await house.promoted(**QUORUM)
    await house.intake(**QUORUM).promote_message(a_sender("react-U9", person="U9"), CLIP)
    house.people = People(Member(person="U9", guest=True))

    with pytest.raises(TooFew) as caught:
        await house.presses(**QUORUM).confirm(a_sender("press-1", person="U3"), taken.ask.id)
    assert (caught.value.quorum, caught.value.there, caught.value.emoji) == (3, 2, "ship")
    with pytest.raises(TooFew) as caught:
        await house.presses(**QUORUM).confirm(a_sender("press-2", person="U2"), taken.ask.id)
    assert caught.value.there == 1
    assert (len(await house.held()), (await house.ask(taken.ask.id)).decision) == (1, None)

    await house.intake(**QUORUM).promote_message(a_sender("react-U4", person="U4"), CLIP)
    await house.presses(**QUORUM).confirm(a_sender("press-3", person="U3"), taken.ask.id)
    assert ("hold", 1, "U3", FINAL) in await house.held()


async def test_a_final_that_a_button_asked_for_needs_no_further_people(house: House) -> None:
    job = await house.clip()
    taken = await house.intake(**QUORUM).promote_job(a_sender("button", person="U2"), job.id)
    assert isinstance(taken, Taken)
    await house.presses(**QUORUM).confirm(a_sender("press", person="U3"), taken.ask.id)
    assert ("hold", 1, "U3", FINAL) in await house.held()


async def test_a_question_that_is_over_is_not_said_to_want_more_people(house: House) -> None:
    await house.clip()
    taken = await house.promoted(**QUORUM)
    house.clock.advance(600)
    with pytest.raises(NothingToDo):
        await house.presses(**QUORUM).confirm(a_sender("press", person="U3"), taken.ask.id)


# --- undo and cancel -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["U2", "U3", "UADMIN"])
async def test_undo_by_whoever_wanted_it_or_an_admin(house: House, person: str) -> None:
    await house.clip()
    taken = await house.promoted()
    await house.intake().promote_message(a_sender("support", person="U3"), CLIP)
    presses = house.presses(access=AccessRules(admins=frozenset({"UADMIN"})))
    await presses.undo(a_sender("undo", person=person), taken.ask.id)
    ask = await house.ask(taken.ask.id)
    assert (ask.decision, ask.decided_by, ask.live) == (Decision.STOP, person, False)
    with pytest.raises(NothingToDo):
        await presses.undo(a_sender("undo-2", person=person), taken.ask.id)


async def test_undo_is_not_for_others(house: House) -> None:
    await house.clip()
    taken = await house.promoted()
    with pytest.raises(NotYours) as caught:
        await house.presses().undo(a_sender("undo", person="U9"), taken.ask.id)
    assert caught.value.who == "<@U2> or an admin"
    assert (await house.ask(taken.ask.id)).decision is None


async def test_undo_is_over_when_it_is_decided_and_was_never_for_a_question(house: House) -> None:
    await house.clip()
    taken = await house.promoted()
    await house.decide(taken.ask.id)
    asked = await house.costly()
    for ask_id in (taken.ask.id, asked.ask.id, "nowhere"):
        with pytest.raises(NothingToDo) as caught:
            await house.presses().undo(a_sender("undo", person="U2"), ask_id)
        assert caught.value.verb == "Undo"


@pytest.mark.parametrize("person", ["U1", "UADMIN"])
async def test_cancel_by_the_asker_or_an_admin_flags_what_runs(house: House, person: str) -> None:
    taken = await house.draft(takes=3)
    await house.moved(taken.jobs[0], state=State.DELIVERED)
    await house.moved(taken.jobs[1], state=State.RENDERING)
    version = (await house.ask(taken.ask.id)).version
    wakes = house.wakes
    await house.presses(access=AccessRules(admins=frozenset({"UADMIN"}))).cancel(
        a_sender("press", person=person), taken.ask.id
    )
    assert [(await house.job(job.id)).cancel_by for job in taken.jobs] == [None, person, person]
    assert ((await house.ask(taken.ask.id)).version, house.wakes) == (version + 1, wakes + 1)


async def test_cancel_is_not_for_others(house: House) -> None:
    taken = await house.draft()
    with pytest.raises(NotYours) as caught:
        await house.presses().cancel(a_sender("press", person="U2"), taken.ask.id)
    assert (caught.value.verb, caught.value.who) == ("cancel this", "<@U1> or an admin")
    assert (await house.job(taken.jobs[0].id)).cancel_by is None


async def test_cancelling_what_waits_decides_it_and_frees_its_final(house: House) -> None:
    await house.clip()
    taken = await house.promoted()
    await house.presses().cancel(a_sender("press", person="U2"), taken.ask.id)
    ask = await house.ask(taken.ask.id)
    assert (ask.decision, ask.live) == (Decision.STOP, False)
    assert (await house.promoted(key="again")).ask.id != taken.ask.id


async def test_what_is_done_cannot_be_cancelled(house: House) -> None:
    job = await house.clip()
    for ask_id in (job.ask_id, "nowhere"):
        with pytest.raises(NothingToDo):
            await house.presses().cancel(a_sender("press"), ask_id)


async def test_what_is_being_shared_cannot_be_called_back(house: House) -> None:
    taken = await house.draft(takes=2)
    sharing = {"state": State.DELIVERING, "file_id": "F1", "shared_at": START}
    for job in taken.jobs:
        await house.moved(job, **sharing)
    with pytest.raises(NothingToDo):
        await house.presses().cancel(a_sender("press-1"), taken.ask.id)
    await house.moved(taken.jobs[1], file_id=None, shared_at=None)
    await house.presses().cancel(a_sender("press-2"), taken.ask.id)
    assert [(await house.job(job.id)).cancel_by for job in taken.jobs] == [None, "U1"]


async def test_a_cross_on_the_card_cancels_for_those_who_may(house: House) -> None:
    taken = await house.draft()
    presses = house.presses()
    assert await presses.cancel_message(a_sender("x1", person="U2"), ROOT) is None
    assert await presses.cancel_message(a_sender("x2"), CLIP) is None
    assert (await house.job(taken.jobs[0].id)).cancel_by is None
    flagged = await presses.cancel_message(a_sender("x3"), ROOT)
    assert flagged is not None
    assert flagged.ask is not None
    assert (await house.job(taken.jobs[0].id)).cancel_by == "U1"
    await house.moved(taken.jobs[0], state=State.CANCELLED)
    assert await presses.cancel_message(a_sender("x4"), ROOT) is None


# --- wishes on one job -----------------------------------------------------------------------------------------------

Press = Callable[[Presses, Sender, str], Awaitable[object]]
PRESSES: dict[Wish, Press] = {
    Wish.CHECK_AGAIN: lambda presses, sender, job: presses.check_again(sender, job),
    Wish.GIVE_UP: lambda presses, sender, job: presses.give_up(sender, job),
    Wish.DELIVER_AGAIN: lambda presses, sender, job: presses.deliver_again(sender, job),
    Wish.ORDER_AGAIN: lambda presses, sender, job: presses.order_again(sender, job),
}
POSSIBLE = {
    Wish.CHECK_AGAIN: {State.UNCERTAIN},
    Wish.GIVE_UP: {State.UNCERTAIN},
    Wish.DELIVER_AGAIN: {State.DELIVERING, State.CANCELLED},
    Wish.ORDER_AGAIN: {State.UNCERTAIN},
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("wish", PRESSES)
async def test_a_button_works_exactly_where_its_card_shows_it(house: House, wish: Wish, state: State) -> None:
    taken = await house.draft()
    job = await house.moved(taken.jobs[0], state=state, clip_key="clips/abc.mp4")
    wakes = house.wakes
    if state in POSSIBLE[wish]:
        await PRESSES[wish](house.presses(), a_sender("press"), job.id)
        pressed = await house.job(job.id)
        assert (pressed.wish, pressed.wish_by, pressed.state, house.wakes) == (wish, "U1", state, wakes + 1)
        return
    with pytest.raises(NothingToDo):
        await PRESSES[wish](house.presses(), a_sender("press"), job.id)
    assert ((await house.job(job.id)).wish, len(await house.held()), house.wakes) == (None, 1, wakes)


@pytest.mark.parametrize("wish", PRESSES)
async def test_a_button_of_another_workspaces_job_does_nothing(house: House, wish: Wish) -> None:
    job = await house.uncertain()
    for sender, job_id in ((a_sender("press", workspace="T2"), job.id), (a_sender("press"), "nowhere")):
        with pytest.raises(NothingToDo):
            await PRESSES[wish](house.presses(), sender, job_id)


async def test_a_cancelled_clip_without_bytes_cannot_be_delivered(house: House) -> None:
    taken = await house.draft()
    job = await house.moved(taken.jobs[0], state=State.CANCELLED)
    with pytest.raises(NothingToDo):
        await house.presses().deliver_again(a_sender("press"), job.id)


async def test_giving_up_is_for_who_pays_or_an_admin(house: House) -> None:
    job = await house.uncertain()
    with pytest.raises(NotYours):
        await house.presses().give_up(a_sender("press", person="U2"), job.id)
    await house.presses(access=AccessRules(admins=frozenset({"U2"}))).give_up(a_sender("press", person="U2"), job.id)
    assert (await house.job(job.id)).wish is Wish.GIVE_UP


async def test_checking_again_is_for_everybody_and_costs_nothing(house: House) -> None:
    job = await house.uncertain()
    await house.presses().check_again(a_sender("press", person="U2"), job.id)
    assert len(await house.held()) == 1


async def test_ordering_again_holds_once_an_attempt_and_the_presser_pays(house: House) -> None:
    job = await house.uncertain()
    presses = house.presses()
    pressed = [presses.order_again(a_sender(f"press-{n}", person="U2"), job.id) for n in range(5)]
    outcomes = await asyncio.gather(*pressed)
    assert sum(isinstance(outcome, AlreadyTaken) for outcome in outcomes) == 4
    assert await house.held() == [("hold", 1, "U1", DRAFT), ("hold", 2, "U2", DRAFT)]
    async with house.storage.begin() as tx:
        await tx.ledger.settle("T1", job.id, 1, DRAFT, START)
    await house.moved(job, attempt=2, person="U2", state=State.UNCERTAIN)
    await presses.order_again(a_sender("press-9", person="U3"), job.id)
    assert (await house.held())[-1] == ("hold", 3, "U3", DRAFT)


async def test_a_press_that_is_delivered_again_orders_nothing_for_a_later_attempt(house: House) -> None:
    """Neither is one on a card that still shows the attempt before."""
    job = await house.uncertain()
    await house.presses().order_again(a_sender("press"), job.id)
    async with house.storage.begin() as tx:
        await tx.ledger.settle("T1", job.id, 1, DRAFT, START)
        await tx.jobs.clear_wish("T1", job.id, Wish.ORDER_AGAIN)
    await house.moved(job, attempt=2, state=State.UNCERTAIN)
    assert await house.presses().order_again(a_sender("press"), job.id) == AlreadyTaken()
    assert ((await house.job(job.id)).wish, len(await house.held())) == (None, 2)


@pytest.mark.parametrize("wish", [Wish.CHECK_AGAIN, Wish.GIVE_UP])
async def test_a_second_order_under_way_is_not_forgotten_for_another_press(house: House, wish: Wish) -> None:
    job = await house.uncertain()
    await house.presses().order_again(a_sender("press"), job.id)
    with pytest.raises(NothingToDo):
        await PRESSES[wish](house.presses(), a_sender("press-2"), job.id)
    assert (await house.job(job.id)).wish is Wish.ORDER_AGAIN


async def test_ordering_again_over_a_cap_leaves_no_trace(house: House) -> None:
    job = await house.uncertain()
    with pytest.raises(OverCap):
        await house.presses(caps=Caps(workspace_month_micro_usd=DRAFT)).order_again(a_sender("press"), job.id)
    assert ((await house.job(job.id)).wish, len(await house.held())) == (None, 1)
    await house.presses().order_again(a_sender("press"), job.id)
    assert (await house.job(job.id)).wish is Wish.ORDER_AGAIN


async def test_ordering_again_too_early_does_not_use_up_the_press(house: House) -> None:
    taken = await house.draft()
    job = await house.moved(taken.jobs[0], state=State.SUBMITTING)
    with pytest.raises(NothingToDo):
        await house.presses().order_again(a_sender("press"), job.id)
    await house.moved(job, state=State.UNCERTAIN)
    await house.presses().order_again(a_sender("press"), job.id)
    assert (await house.job(job.id)).wish is Wish.ORDER_AGAIN


# --- on a file -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def on_file(folder: Path) -> AsyncIterator[House]:
    async with open_storage(f"sqlite:///{folder / 'dailies.db'}", alone=True) as storage:
        yield House(storage=storage)


# --- a provider that takes no orders ---------------------------------------------------------------------------------


async def test_another_provider_is_the_payers_choice_and_only_while_the_clip_waits_for_its_own(house: House) -> None:
    """It may cost more there, and it is their money."""
    taken = await house.draft()
    job, presses = taken.jobs[0], house.presses()
    with pytest.raises(NothingToDo):
        await presses.use_another_provider(a_sender("early"), job.id)
    await house.moved(job, state=State.WAITING, wait_reason=WaitReason.PROVIDER_DOWN)
    with pytest.raises(NotYours):
        await presses.use_another_provider(a_sender("other", person="U2"), job.id)
    assert (await house.job(job.id)).wish is None

    await presses.use_another_provider(a_sender("press"), job.id)

    assert (await house.job(job.id)).wish is Wish.USE_ANOTHER_PROVIDER
    assert [line.person for line in await house.audit() if line.act is Act.SENT_ELSEWHERE] == ["U1"]


async def test_the_same_holds_on_a_file(tmp_path: Path) -> None:
    """One walk through every door over SQLite, read back after the file was closed."""
    async with on_file(tmp_path) as house:
        job = await house.clip()
        assert await house.intake().draft(a_sender("draft"), "a red panda", Changes()) == AlreadyTaken()
        with pytest.raises(OverCap):
            await house.intake(caps=Caps(person_day_micro_usd=DRAFT)).draft(a_sender("over"), "x", Changes())
        intake = house.intake()
        outcomes = await asyncio.gather(
            *(intake.promote_message(a_sender(f"react-{n}", person=f"U{n}"), CLIP) for n in range(2, 6))
        )
        (taken,) = [outcome for outcome in outcomes if isinstance(outcome, Taken)]
        presses = house.presses()
        await presses.undo(a_sender("undo", person=taken.ask.person), taken.ask.id)
        again = await house.promoted(key="again")
        asked = await house.costly()
        await presses.confirm(a_sender("confirm"), asked.ask.id)
        lost = await house.moved(asked.jobs[0], state=State.UNCERTAIN)
        await presses.order_again(a_sender("press", person="U3"), lost.id)
        assert await presses.order_again(a_sender("press-2", person="U3"), lost.id) == AlreadyTaken()
    async with on_file(tmp_path) as house:
        assert await house.asks() == {job.ask_id, taken.ask.id, again.ask.id, asked.ask.id}
        assert sorted(await house.held()) == [*[("hold", 1, "U1", DRAFT)] * 5, ("hold", 2, "U3", DRAFT)]
        assert (await house.ask(taken.ask.id)).live is False
        assert (await house.job(lost.id)).wish is Wish.ORDER_AGAIN
        async with house.storage.read() as tx:
            kinds = {entry.kind for entry in await tx.ledger.entries()}
        assert kinds == {EntryKind.HOLD, EntryKind.SETTLE}, "the clip that stands was charged, and nothing else"
