"""What people ask, made into rows: accepted once, held once, refused without a trace."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.budget import Caps, OverCap
from bot.domain.job import AskKind, Door, Gate, State, WaitReason, Wish
from bot.domain.lineage import Changes, FinalPreset, Method
from bot.domain.pricing import NoPrice
from bot.domain.recipe import MediaKind, MediaRole, Medium, Mode, Ratio, Recipe, Resolution
from bot.services.answers import (
    AlreadyTaken,
    CannotMake,
    Estimated,
    NoProvider,
    NoSuchClip,
    NothingChanges,
    NothingToDo,
    NotPromotable,
    OnACard,
    Taken,
    WhichClip,
)
from bot.services.taking import Sender
from storage import MemoryStorage
from tests.support.clock import START
from tests.support.services import CLIP, DRAFT, RATES, ROOT, House
from tests.support.values import a_sender, at, capabilities

PICTURE = Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url="https://example.com/1.png")


@pytest.fixture
def house() -> House:
    """In memory."""
    return House(storage=MemoryStorage())


# --- drafts ----------------------------------------------------------------------------------------------------------


async def test_a_draft_is_on_disk_with_its_hold_before_it_is_accepted(house: House) -> None:
    sender = a_sender("trigger-1", reply_url="https://hooks.example/1")
    taken = await house.intake().draft(sender, "a red panda", Changes(takes=3, ratio=Ratio.TALL))
    assert isinstance(taken, Taken)
    ask = await house.ask(taken.ask.id)
    assert (ask.kind, ask.door, ask.person, ask.text) == (AskKind.DRAFT, Door.COMMAND, "U1", "a red panda")
    assert (ask.gate, ask.reply_url, ask.channel, ask.version, ask.card_version) == (
        None,
        "https://hooks.example/1",
        "C1",
        1,
        0,
    )
    jobs = [await house.job(job.id) for job in taken.jobs]
    assert [(job.number, job.take, job.takes, job.state) for job in jobs] == [
        (1, 1, 3, State.QUEUED),
        (2, 2, 3, State.QUEUED),
        (3, 3, 3, State.QUEUED),
    ]
    assert {job.recipe for job in jobs} == {Recipe(prompt="a red panda", ratio=Ratio.TALL)}
    assert await house.held() == [("hold", 1, "U1", DRAFT)] * 3
    assert (taken.price_micro_usd, taken.assumed, house.wakes) == (3 * DRAFT, False, 1)


async def test_the_same_event_again_makes_nothing(house: House) -> None:
    await house.draft(key="trigger-1")
    again = await house.intake().draft(a_sender("trigger-1"), "a red panda", Changes())
    assert again == AlreadyTaken(ask=None)
    assert len(await house.asks()) == 1
    assert (len(await house.held()), house.wakes) == (1, 2)


async def test_the_same_event_many_times_at_once_makes_one(house: House) -> None:
    intake = house.intake()
    sent = [intake.draft(a_sender("trigger-1"), "a red panda", Changes()) for _ in range(10)]
    outcomes = await asyncio.gather(*sent)
    assert sum(isinstance(outcome, Taken) for outcome in outcomes) == 1
    assert len(await house.held()) == 1


async def test_the_same_key_in_another_workspace_is_another_event(house: House) -> None:
    await house.draft(key="trigger-1")
    other = await house.intake().draft(a_sender("trigger-1", workspace="T2"), "a red panda", Changes())
    assert isinstance(other, Taken)


async def test_a_final_without_a_draft_has_the_final_preset(house: House) -> None:
    taken = await house.intake().draft(a_sender(), "a red panda", Changes(), final=True)
    assert isinstance(taken, Taken)
    assert taken.jobs[0].recipe == Recipe(prompt="a red panda", resolution=Resolution.P720, seconds=5)
    own = await house.intake().draft(a_sender("e2"), "a red panda", Changes(seconds=9), final=True)
    assert isinstance(own, Taken)
    assert own.jobs[0].recipe.seconds == 9


@pytest.mark.parametrize(("asked", "made"), [(None, Ratio.ADAPTIVE), (Ratio.TALL, Ratio.TALL)])
async def test_a_first_frame_leads_the_ratio_that_nobody_asked_for(
    house: House, asked: Ratio | None, made: Ratio
) -> None:
    """In the draft, in a variant that brings another picture, and in the key under which its final is made once."""
    house.tier = capabilities(modes=frozenset({Mode.TEXT, Mode.FIRST_FRAME}))
    taken = await house.intake().draft(a_sender(), "a mug", Changes(media=(PICTURE,), ratio=asked))
    assert isinstance(taken, Taken)
    assert taken.jobs[0].recipe.ratio is made
    await house.post_card(taken.ask)
    await house.moved(taken.jobs[0], state=State.DELIVERED, message_ts=CLIP)
    final = await house.promoted()
    assert final.jobs[0].recipe.ratio is made
    another = Changes(media=(replace(PICTURE, url="https://example.com/2.png"),), ratio=asked)
    variant = await house.intake().variant(a_sender("reply"), ROOT, 1, another, "another picture")
    assert isinstance(variant, Taken)
    assert variant.jobs[0].recipe.ratio is made


async def test_an_estimate_writes_nothing(house: House) -> None:
    told = await house.intake().draft(a_sender(), "a red panda", Changes(takes=4), estimate=True)
    assert told == Estimated(
        recipe=Recipe(prompt="a red panda"),
        takes=4,
        provider="hiapi",
        model="seedance-2.0-mini",
        price_each_micro_usd=DRAFT,
        assumed=False,
        needs_confirmation=True,
    )
    assert (await house.asks(), await house.held(), house.wakes) == (set(), [], 0)
    assert isinstance(await house.intake().draft(a_sender(), "a red panda", Changes()), Taken)


CAPS = {
    "workspace_month_micro_usd": 3 * DRAFT - 1,
    "channel_month_micro_usd": 3 * DRAFT - 1,
    "person_day_micro_usd": 3 * DRAFT - 1,
}


@pytest.mark.parametrize("cap", CAPS)
async def test_over_a_cap_nothing_is_written_and_the_event_may_come_again(house: House, cap: str) -> None:
    intake = house.intake(caps=Caps(**{cap: CAPS[cap]}))
    assert isinstance(await intake.draft(a_sender("e1"), "one", Changes()), Taken)
    before = (await house.asks(), await house.held(), house.wakes)
    with pytest.raises(OverCap) as caught:
        await intake.draft(a_sender("e2"), "two", Changes(takes=2))
    assert (caught.value.committed_micro_usd, caught.value.asked_micro_usd) == (DRAFT, 2 * DRAFT)
    assert caught.value.left_micro_usd == 2 * DRAFT - 1
    assert (await house.asks(), await house.held(), house.wakes) == before
    assert isinstance(await intake.draft(a_sender("e2"), "two", Changes()), Taken)


@pytest.mark.row("F11")
async def test_many_at_once_pass_a_cap_only_as_far_as_the_money_goes(house: House) -> None:
    intake = house.intake(caps=Caps(workspace_month_micro_usd=7 * DRAFT))
    sent = [intake.draft(a_sender(f"e{n}", person=f"U{n}"), "x", Changes()) for n in range(20)]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert sum(isinstance(outcome, Taken) for outcome in outcomes) == 7
    assert sum(isinstance(outcome, OverCap) for outcome in outcomes) == 13
    assert sum(row[3] for row in await house.held()) == 7 * DRAFT


@pytest.mark.parametrize(
    ("ask", "refusal"),
    [
        ({"changes": Changes(seed=7)}, CannotMake),
        ({"changes": Changes(), "provider": "muapi"}, NoProvider),
    ],
    ids=["cannot", "no provider"],
)
async def test_a_refusal_leaves_no_trace(house: House, ask: dict[str, Any], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        await house.intake().draft(a_sender("e1"), "x", **ask)
    assert (await house.asks(), await house.held(), house.wakes) == (set(), [], 0)
    assert isinstance(await house.intake().draft(a_sender("e1"), "x", Changes()), Taken)


async def test_what_has_no_price_leaves_no_trace(house: House) -> None:
    house.tier = replace(house.tier, tier="fast")
    with pytest.raises(NoPrice):
        await house.intake().draft(a_sender("e1"), "x", Changes(tier="fast", resolution=Resolution.P1080))
    assert (await house.asks(), await house.held(), house.wakes) == (set(), [], 0)


# --- promotion -------------------------------------------------------------------------------------------------------


async def test_a_rocket_makes_a_final_in_the_thread_that_can_be_undone(house: House) -> None:
    parent = await house.clip(seconds=8, ratio=Ratio.TALL)
    taken = await house.promoted()
    ask, (job,) = taken.ask, taken.jobs
    assert (ask.kind, ask.door, ask.person, ask.parent_job) == (AskKind.PROMOTION, Door.REACTION, "U2", parent.id)
    assert (ask.gate, ask.decide_by, ask.method, ask.root_ts) == (
        Gate.CONFIRMATION,
        at(600),
        Method.SAME_RECIPE,
        ROOT,
    )
    assert job.recipe == replace(parent.recipe, resolution=Resolution.P720)
    assert (job.number, job.state, job.thread_id) == (2, State.WAITING, parent.thread_id)
    assert ask.notes == ("resolution: 480p → 720p",)
    assert await house.supporters(ask.id) == ["U2"]
    assert len(await house.held()) == 1, "only the draft's"


async def test_a_cheap_promotion_waits_for_twenty_seconds(house: House) -> None:
    await house.clip()
    taken = await house.promoted()
    assert (taken.ask.gate, taken.ask.decide_by) == (Gate.UNDO, at(20))
    assert taken.jobs[0].wait_reason is WaitReason.UNDO_WINDOW


@pytest.mark.row("F79")
async def test_two_people_at_once_make_one_final(house: House) -> None:
    await house.clip()
    intake = house.intake()
    outcomes = await asyncio.gather(
        *(intake.promote_message(a_sender(f"react-{n}", person=f"U{n}"), CLIP) for n in range(2, 7))
    )
    (taken,) = [outcome for outcome in outcomes if isinstance(outcome, Taken)]
    others = [outcome for outcome in outcomes if isinstance(outcome, AlreadyTaken)]
    assert {other.ask.id for other in others if other.ask} == {taken.ask.id}
    assert len(others) == 4
    assert set(await house.supporters(taken.ask.id)) == {"U2", "U3", "U4", "U5", "U6"}
    assert len(await house.asks()) == 2


async def test_whose_reaction_was_first_stands_first_although_it_was_heard_last(house: House) -> None:
    """Events overtake one another; the earliest pays."""
    await house.clip()
    intake = house.intake()
    taken = await intake.promote_message(a_sender("late", person="U3", at=at(2)), CLIP)
    await intake.promote_message(a_sender("early", person="U2", at=at(1)), CLIP)
    assert isinstance(taken, Taken)
    assert await house.supporters(taken.ask.id) == ["U2", "U3"]


async def test_every_door_leads_to_the_same_final(house: House) -> None:
    job = await house.clip()
    taken = await house.promoted()
    by_button = await house.intake().promote_job(a_sender("press"), job.id)
    by_text = await house.intake().promote_number(a_sender("reply"), ROOT, 1)
    assert isinstance(by_button, AlreadyTaken)
    assert isinstance(by_text, AlreadyTaken)
    assert by_button.ask == by_text.ask == await house.ask(taken.ask.id)
    assert await house.supporters(taken.ask.id) == ["U2"], "only reactions support"


async def test_a_supporter_after_the_decision_is_recorded_too_since_reactions_are_read_again(house: House) -> None:
    await house.clip()
    taken = await house.promoted()
    await house.decide(taken.ask.id)
    late = await house.intake().promote_message(a_sender("late", person="U3"), CLIP)
    assert isinstance(late, AlreadyTaken)
    assert await house.supporters(taken.ask.id) == ["U2", "U3"]


async def test_after_an_undo_the_final_may_be_asked_for_again(house: House) -> None:
    await house.clip()
    first = await house.promoted()
    await house.presses().undo(a_sender("undo", person="U2"), first.ask.id)
    assert (await house.ask(first.ask.id)).live is False
    second = await house.promoted(person="U3", key="react-again")
    assert second.ask.id != first.ask.id
    assert await house.supporters(second.ask.id) == ["U3"]


async def test_another_recipe_of_the_final_is_another_final(house: House) -> None:
    await house.clip()
    first = await house.promoted()
    house.rates = {**RATES, ("hiapi", "mini", Resolution.P1080, False): RATES["hiapi", "mini", Resolution.P720, False]}
    bigger = house.intake(final=FinalPreset(resolution=Resolution.P1080))
    second = await bigger.promote_message(a_sender("react-2", person="U2"), CLIP)
    assert isinstance(second, Taken)
    assert second.ask.unique_key != first.ask.unique_key


@pytest.mark.parametrize("state", [state for state in State if state not in {State.DELIVERED, State.DELIVERING}])
async def test_only_a_clip_that_people_may_see_can_be_promoted(house: House, state: State) -> None:
    taken = await house.draft()
    job = await house.moved(taken.jobs[0], state=state)
    with pytest.raises(NotPromotable) as caught:
        await house.intake().promote_job(a_sender("press"), job.id)
    assert caught.value.job.state is state
    assert len(await house.asks()) == 1


async def test_a_final_cannot_be_promoted(house: House) -> None:
    await house.clip()
    final = await house.promoted()
    job = await house.moved(final.jobs[0], state=State.DELIVERED, message_ts="1700000009.000900")
    with pytest.raises(NotPromotable):
        await house.intake().promote_job(a_sender("press"), job.id)


async def test_a_draft_that_is_as_good_as_its_final_cannot_be_promoted(house: House) -> None:
    job = await house.clip(resolution=Resolution.P720)
    with pytest.raises(NotPromotable):
        await house.intake().promote_job(a_sender("press"), job.id)


async def test_a_rocket_on_any_other_message_is_nothing(house: House) -> None:
    await house.clip()
    wakes = house.wakes
    for sender, ts in (
        (a_sender("r1"), "1700000099.000100"),
        (a_sender("r2", channel="C2"), CLIP),
        (a_sender("r3", workspace="T2"), CLIP),
    ):
        assert await house.intake().promote_message(sender, ts) is None
    assert (len(await house.asks()), house.wakes) == (1, wakes)


async def test_a_rocket_on_a_card_of_ours_flags_nothing_and_is_told_where_it_belongs(house: House) -> None:
    """A card is known to be no clip: none that is just being shared can be meant."""
    taken = await house.draft()
    job = await house.moved(taken.jobs[0], state=State.DELIVERING, file_id="F1", shared_at=START)
    wakes = house.wakes
    with pytest.raises(OnACard):
        await house.intake().promote_message(a_sender("react", person="U2"), ROOT)
    assert ((await house.job(job.id)).wish, house.wakes) == (None, wakes)


async def test_an_early_rocket_does_not_take_the_place_of_another_wish(house: House) -> None:
    taken = await house.draft()
    job = await house.moved(taken.jobs[0], state=State.DELIVERING, file_id="F1", shared_at=START)
    await house.presses().deliver_again(a_sender("press", person="U3"), job.id)
    assert await house.intake().promote_message(a_sender("react", person="U2"), CLIP) is None
    kept = await house.job(job.id)
    assert (kept.wish, kept.wish_by) == (Wish.DELIVER_AGAIN, "U3")


async def test_a_rocket_before_the_clips_message_is_known_is_remembered(house: House) -> None:
    taken = await house.draft()
    job = await house.moved(taken.jobs[0], state=State.DELIVERING, file_id="F1", shared_at=START)
    wakes = house.wakes
    assert await house.intake().promote_message(a_sender("react", person="U2"), CLIP) is None
    flagged = await house.job(job.id)
    assert (flagged.wish, flagged.wish_by, house.wakes) == (Wish.SEE_REACTIONS, "U2", wakes + 1)


async def test_an_early_rocket_counts_once_a_person(house: House) -> None:
    job = await house.clip()
    intake = house.intake()
    for person in ("U2", "U2", "U3"):
        await intake.promote_early(job, person)
    (ask,) = await house.asks() - {job.ask_id}
    assert await house.supporters(ask) == ["U2", "U3"]


@pytest.mark.parametrize("by_button", [False, True])
async def test_a_final_that_was_undone_is_not_asked_for_again_by_the_reaction_that_still_stands(
    house: House, by_button: bool
) -> None:
    """Who reacts is read late, when everything else was heard: an undone final is no longer live."""
    job = await house.clip()
    if by_button:
        taken = await house.intake().promote_job(a_sender("press", person="U2"), job.id)
        assert isinstance(taken, Taken)
    else:
        taken = await house.promoted()
    await house.presses().undo(a_sender("undo", person="U2"), taken.ask.id)
    intake = house.intake()
    await intake.promote_early(job, "U2")
    assert await house.asks() == {job.ask_id, taken.ask.id}
    await intake.promote_early(job, "U3")
    (another,) = await house.asks() - {job.ask_id, taken.ask.id}
    assert await house.supporters(another) == ["U3"], "nobody else's reaction was taken back"


@pytest.mark.parametrize(
    "sender", [a_sender("press", workspace="T2"), a_sender("press")], ids=["another workspace", "no such job"]
)
async def test_a_button_of_a_job_that_is_not_there_is_over(house: House, sender: Sender) -> None:
    job = await house.clip()
    with pytest.raises(NothingToDo) as caught:
        await house.intake().promote_job(sender, job.id if sender.workspace == "T2" else "nowhere")
    assert caught.value.verb == "Promote"


async def test_promote_by_number(house: House) -> None:
    await house.clip()
    assert await house.intake().promote_number(a_sender("reply"), "1700000099.000100", 1) is None
    with pytest.raises(NoSuchClip) as caught:
        await house.intake().promote_number(a_sender("reply"), ROOT, 2)
    assert (caught.value.number, caught.value.numbers) == (2, (1,))
    taken = await house.intake().promote_number(a_sender("reply"), ROOT, 1)
    assert isinstance(taken, Taken)
    assert taken.ask.door is Door.REPLY


async def test_whether_a_thread_is_ours(house: House) -> None:
    await house.draft()
    intake = house.intake()
    assert await intake.is_ours("T1", "C1", ROOT)
    assert not await intake.is_ours("T1", "C2", ROOT)
    assert not await intake.is_ours("T2", "C1", ROOT)
    assert not await intake.is_ours("T1", "C1", CLIP)


# --- variants --------------------------------------------------------------------------------------------------------


async def vary(house: House, number: int | None, changes: Changes, key: str = "reply") -> Taken:
    taken = await house.intake().variant(a_sender(key, person="U2"), ROOT, number, changes, "8s at night")
    assert isinstance(taken, Taken)
    return taken


async def test_a_variant_of_the_only_clip(house: House) -> None:
    parent = (await house.draft()).jobs[0]
    taken = await vary(house, None, Changes(seconds=8, direction="at night"))
    (job,) = taken.jobs
    assert job.recipe == replace(parent.recipe, seconds=8, prompt="a red panda. at night")
    assert (taken.ask.kind, taken.ask.parent_job, taken.ask.text) == (AskKind.VARIANT, parent.id, "8s at night")
    assert (taken.ask.gate, job.number, job.state, job.person) == (Gate.UNDO, 2, State.WAITING, "U2")
    assert taken.ask.notes == ("seconds: 4 s → 8 s", "prompt: a red panda → a red panda. at night")
    assert taken.parent == await house.job(parent.id)


async def test_a_variant_of_a_numbered_clip_with_takes_of_its_own(house: House) -> None:
    parents = (await house.draft(takes=2)).jobs
    taken = await vary(house, 2, Changes(takes=3))
    assert taken.ask.parent_job == parents[1].id
    assert [job.number for job in taken.jobs] == [3, 4, 5]


async def test_several_clips_and_no_number_is_a_question(house: House) -> None:
    await house.draft(takes=3)
    with pytest.raises(WhichClip) as caught:
        await house.intake().variant(a_sender("reply"), ROOT, None, Changes(seconds=8), "8s")
    assert caught.value.numbers == (1, 2, 3)
    assert (await vary(house, 1, Changes(seconds=8), key="reply")).ask.parent_job


async def test_a_failed_clip_is_not_meant_unless_named(house: House) -> None:
    jobs = (await house.draft(takes=2)).jobs
    await house.moved(jobs[0], state=State.FAILED)
    assert (await vary(house, None, Changes(seconds=8), key="r1")).ask.parent_job == jobs[1].id
    assert (await vary(house, 1, Changes(seconds=8), key="r2")).ask.parent_job == jobs[0].id


async def test_when_no_clip_stands_all_are_offered(house: House) -> None:
    jobs = (await house.draft(takes=2)).jobs
    for job in jobs:
        await house.moved(job, state=State.FAILED)
    with pytest.raises(WhichClip) as caught:
        await house.intake().variant(a_sender("reply"), ROOT, None, Changes(seconds=8), "8s")
    assert caught.value.numbers == (1, 2)


async def test_a_number_that_is_not_there_is_refused_without_a_trace(house: House) -> None:
    await house.draft()
    with pytest.raises(NoSuchClip) as caught:
        await house.intake().variant(a_sender("reply"), ROOT, 7, Changes(seconds=8), "8s")
    assert (caught.value.number, caught.value.numbers) == (7, (1,))
    assert len(await house.asks()) == 1
    assert (await vary(house, 1, Changes(seconds=8), key="reply")).ask.parent_job


async def test_a_reply_in_a_foreign_thread_is_not_read(house: House) -> None:
    await house.draft()
    for sender, root in ((a_sender("r1"), CLIP), (a_sender("r2", channel="C2"), ROOT)):
        assert await house.intake().variant(sender, root, None, Changes(seconds=8), "8s") is None


async def test_the_same_reply_again_makes_nothing(house: House) -> None:
    await house.draft()
    await vary(house, None, Changes(seconds=8))
    again = await house.intake().variant(a_sender("reply", person="U2"), ROOT, 1, Changes(seconds=8), "8s")
    assert again == AlreadyTaken()


async def test_a_costly_variant_waits_for_a_button(house: House) -> None:
    await house.draft()
    assert (await vary(house, None, Changes(takes=8))).ask.gate is Gate.CONFIRMATION


@pytest.mark.parametrize("changes", [Changes(), Changes(seconds=4), Changes(takes=1, resolution=Resolution.P480)])
async def test_a_reply_that_changes_nothing_makes_nothing(house: House, changes: Changes) -> None:
    await house.draft()
    before = (await house.asks(), await house.held(), house.wakes)
    with pytest.raises(NothingChanges) as caught:
        await house.intake().variant(a_sender("reply", person="U2"), ROOT, None, changes, "480p")
    assert caught.value.number == 1
    assert (await house.asks(), await house.held(), house.wakes) == before
    taken = await vary(house, None, Changes(seconds=8), key="reply")  # the event is not used up
    assert taken.ask.id in await house.asks()


async def test_more_takes_of_the_same_are_a_variant(house: House) -> None:
    parent = (await house.draft()).jobs[0]
    taken = await vary(house, None, Changes(takes=2))
    assert [(job.number, job.recipe) for job in taken.jobs] == [(2, parent.recipe), (3, parent.recipe)]


async def test_a_variant_keeps_what_its_provider_cannot_change_refused(house: House) -> None:
    await house.draft()
    with pytest.raises(CannotMake):
        await house.intake().variant(a_sender("reply"), ROOT, None, Changes(negative="rain"), "--no rain")
    assert len(await house.asks()) == 1
