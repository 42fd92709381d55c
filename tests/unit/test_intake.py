"""What people ask, made into rows: accepted once, held once, refused without a trace."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.budget import Caps, EntryKind, OverCap
from bot.domain.job import (
    Ask,
    AskKind,
    Decision,
    Door,
    Gate,
    Job,
    Ownership,
    State,
    TimelineEntry,
    WaitReason,
    Wish,
)
from bot.domain.lineage import Changes, FinalPreset, Method
from bot.domain.pricing import NoPrice, PriceTable, Rate, RateKey
from bot.domain.recipe import Ratio, Recipe, Resolution
from bot.ports import Order, OrderOutcome, Storage, TaskReport
from bot.services.answers import (
    AlreadyTaken,
    CannotMake,
    Estimated,
    NoProvider,
    NoSuchClip,
    NothingChanges,
    NothingToDo,
    NotPromotable,
    NotYours,
    Taken,
    WhichClip,
)
from bot.services.intake import Intake, Sender
from bot.services.policy import Policy
from bot.services.routing import Router
from storage import MemoryStorage, open_storage
from tests.support.clock import START, SettableClock
from tests.support.values import a_sender, at, capabilities

DRAFT, FINAL = 320_000, 600_000
"""Micro-dollars: four seconds at 480p and at 720p."""
ROOT, CLIP = "1700000000.000100", "1700000002.000300"
RATES = {
    ("hiapi", "mini", resolution): Rate(per_second_micro_usd=price, as_of=START.date())
    for resolution, price in {Resolution.P480: 80_000, Resolution.P720: 150_000}.items()
}


class Vendor:
    """A provider that intake only ever looks at."""

    name = "hiapi"
    capabilities = (capabilities(resolutions=frozenset(Resolution)),)

    def order(self, recipe: Recipe, key: str) -> Order:
        raise AssertionError("intake makes no order")

    async def submit(self, order: Order) -> OrderOutcome:
        raise AssertionError("intake orders nothing")

    async def look(self, task_id: str) -> TaskReport:
        raise AssertionError("intake asks no provider")


@dataclass
class House:
    """Intake over a database, and what a test wants to see of it."""

    storage: Storage
    clock: SettableClock = field(default_factory=SettableClock)
    wakes: int = 0
    rates: Mapping[RateKey, Rate] = field(default_factory=lambda: RATES)
    _ownership: Ownership | None = None

    def intake(self, **policy: Any) -> Intake:
        """With this policy; the same rows."""
        return Intake(
            storage=self.storage,
            router=Router({"hiapi": Vendor()}, PriceTable(self.rates)),
            policy=Policy(**policy),
            clock=self.clock,
            wake=self.wake,
        )

    def wake(self) -> None:
        self.wakes += 1

    async def ask(self, ask_id: str) -> Ask:
        async with self.storage.read() as tx:
            return await tx.jobs.ask("T1", ask_id)

    async def job(self, job_id: str) -> Job:
        async with self.storage.read() as tx:
            return await tx.jobs.job("T1", job_id)

    async def asks(self) -> set[str]:
        """The ids of all asks that have jobs."""
        async with self.storage.read() as tx:
            return {ask.id for _, ask in await tx.jobs.listing(state=None, limit=100)}

    async def held(self) -> list[tuple[str, int, str, int]]:
        """The rows of the ledger: kind, attempt, who pays, and what is held by them."""
        async with self.storage.read() as tx:
            return [(row.kind.value, row.attempt, row.person, row.held_micro_usd) for row in await tx.ledger.entries()]

    async def supporters(self, ask_id: str) -> list[str]:
        async with self.storage.read() as tx:
            return [supporter.person for supporter in await tx.jobs.supporters("T1", ask_id)]

    async def decide(self, ask_id: str) -> None:
        """The window of an ask is over, and it goes on."""
        async with self.storage.begin() as tx:
            await tx.jobs.decide("T1", ask_id, Decision.GO, None)

    async def post_card(self, ask: Ask, ts: str = ROOT) -> None:
        """The ask's card stands; the first of a thread is its root."""
        async with self.storage.begin() as tx:
            await tx.jobs.card_posted("T1", ask.id, ts, ask.version)

    async def set(self, job: Job, **changes: Any) -> Job:
        """The runner moved the job so."""
        async with self.storage.begin() as tx:
            if self._ownership is None:
                self._ownership = await tx.leases.register("process-1", self.clock.now(), at(10**6), alone=True)
            await tx.jobs.claim(self._ownership, 100, self.clock.now())
            moved = replace(await tx.jobs.job("T1", job.id), **changes)
            entry = TimelineEntry(workspace="T1", job_id=job.id, at=self.clock.now(), event="set", state=moved.state)
            return await tx.jobs.save(moved, self._ownership, entry)


@pytest.fixture
def house() -> House:
    return House(storage=MemoryStorage())


async def draft(house: House, key: str = "draft", *, person: str = "U1", **changes: Any) -> Taken:
    """A draft as taken, its card posted."""
    taken = await house.intake().draft(a_sender(key, person=person), "a red panda", Changes(**changes))
    assert isinstance(taken, Taken)
    await house.post_card(taken.ask)
    return taken


async def clip(house: House, **changes: Any) -> Job:
    """A draft whose only clip stands as the message CLIP."""
    taken = await draft(house, **changes)
    return await house.set(taken.jobs[0], state=State.DELIVERED, message_ts=CLIP)


async def promoted(house: House, person: str = "U2", key: str = "react") -> Taken:
    taken = await house.intake().promote_message(a_sender(key, person=person), CLIP)
    assert isinstance(taken, Taken)
    return taken


async def uncertain(house: House) -> Job:
    taken = await draft(house)
    return await house.set(taken.jobs[0], state=State.UNCERTAIN)


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
    await draft(house, key="trigger-1")
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
    await draft(house, key="trigger-1")
    other = await house.intake().draft(a_sender("trigger-1", workspace="T2"), "a red panda", Changes())
    assert isinstance(other, Taken)


async def test_a_final_without_a_draft_has_the_final_preset(house: House) -> None:
    taken = await house.intake().draft(a_sender(), "a red panda", Changes(), final=True)
    assert isinstance(taken, Taken)
    assert taken.jobs[0].recipe == Recipe(prompt="a red panda", resolution=Resolution.P720, seconds=5)
    own = await house.intake().draft(a_sender("e2"), "a red panda", Changes(seconds=9), final=True)
    assert isinstance(own, Taken)
    assert own.jobs[0].recipe.seconds == 9


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
        ({"changes": Changes(resolution=Resolution.P1080)}, NoPrice),
    ],
    ids=["cannot", "no provider", "no price"],
)
async def test_a_refusal_leaves_no_trace(house: House, ask: dict[str, Any], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        await house.intake().draft(a_sender("e1"), "x", **ask)
    assert (await house.asks(), await house.held(), house.wakes) == (set(), [], 0)
    assert isinstance(await house.intake().draft(a_sender("e1"), "x", Changes()), Taken)


# --- confirmation ----------------------------------------------------------------------------------------------------


async def costly(house: House, key: str = "costly") -> Taken:
    taken = await house.intake().draft(a_sender(key), "a red panda", Changes(takes=4))
    assert isinstance(taken, Taken)
    return taken


async def test_above_the_limit_an_ask_waits_without_a_hold(house: House) -> None:
    taken = await costly(house)
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
    taken = await costly(house)
    await house.intake().confirm(a_sender("press-1"), taken.ask.id)
    assert await house.held() == [("hold", 1, "U1", DRAFT)] * 4
    ask = await house.ask(taken.ask.id)
    assert (ask.decision, ask.decided_by, ask.version) == (Decision.GO, "U1", 2)


async def test_a_second_press_holds_nothing_more(house: House) -> None:
    taken = await costly(house)
    presses = [house.intake().confirm(a_sender(f"press-{n}"), taken.ask.id) for n in range(5)]
    outcomes = await asyncio.gather(*presses, return_exceptions=True)
    assert sum(isinstance(outcome, NothingToDo) for outcome in outcomes) == 4
    assert len(await house.held()) == 4


async def test_only_the_asker_confirms_a_draft(house: House) -> None:
    taken = await costly(house)
    with pytest.raises(NotYours) as caught:
        await house.intake(admins=frozenset({"U2"})).confirm(a_sender("press-1", person="U2"), taken.ask.id)
    assert (caught.value.verb, caught.value.who) == ("confirm", "<@U1>")
    assert (await house.held(), (await house.ask(taken.ask.id)).decision) == ([], None)


async def test_after_ten_minutes_there_is_nothing_to_confirm(house: House) -> None:
    taken = await costly(house)
    house.clock.advance(600)
    with pytest.raises(NothingToDo):
        await house.intake().confirm(a_sender("press-1"), taken.ask.id)
    assert await house.held() == []


async def test_over_a_cap_at_the_press_the_question_stays_open(house: House) -> None:
    taken = await costly(house)
    with pytest.raises(OverCap):
        await house.intake(caps=Caps(person_day_micro_usd=DRAFT)).confirm(a_sender("press-1"), taken.ask.id)
    assert (await house.held(), (await house.ask(taken.ask.id)).decision) == ([], None)
    await house.intake().confirm(a_sender("press-1"), taken.ask.id)
    assert len(await house.held()) == 4


@pytest.mark.parametrize("who", [a_sender("p"), a_sender("p", workspace="T2")])
async def test_an_ask_that_is_not_there_cannot_be_confirmed(house: House, who: Sender) -> None:
    taken = await costly(house)
    with pytest.raises(NothingToDo):
        await house.intake().confirm(who, "nowhere" if who.workspace == "T1" else taken.ask.id)


async def test_an_ask_without_a_question_cannot_be_confirmed(house: House) -> None:
    taken = await draft(house)
    with pytest.raises(NothingToDo):
        await house.intake().confirm(a_sender("press-1"), taken.ask.id)
    assert len(await house.held()) == 1


# --- promotion -------------------------------------------------------------------------------------------------------


async def test_a_rocket_makes_a_final_in_the_thread_that_can_be_undone(house: House) -> None:
    parent = await clip(house, seconds=8, ratio=Ratio.TALL)
    taken = await promoted(house)
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
    await clip(house)
    taken = await promoted(house)
    assert (taken.ask.gate, taken.ask.decide_by) == (Gate.UNDO, at(20))
    assert taken.jobs[0].wait_reason is WaitReason.UNDO_WINDOW


async def test_two_people_at_once_make_one_final(house: House) -> None:
    await clip(house)
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


async def test_every_door_leads_to_the_same_final(house: House) -> None:
    job = await clip(house)
    taken = await promoted(house)
    by_button = await house.intake().promote_job(a_sender("press"), job.id)
    by_text = await house.intake().promote_number(a_sender("reply"), ROOT, 1)
    assert isinstance(by_button, AlreadyTaken)
    assert isinstance(by_text, AlreadyTaken)
    assert by_button.ask == by_text.ask == await house.ask(taken.ask.id)
    assert await house.supporters(taken.ask.id) == ["U2"], "only reactions support"


async def test_a_supporter_after_the_decision_is_not_recorded(house: House) -> None:
    await clip(house)
    taken = await promoted(house)
    await house.decide(taken.ask.id)
    late = await house.intake().promote_message(a_sender("late", person="U3"), CLIP)
    assert isinstance(late, AlreadyTaken)
    assert await house.supporters(taken.ask.id) == ["U2"]


async def test_after_an_undo_the_final_may_be_asked_for_again(house: House) -> None:
    await clip(house)
    first = await promoted(house)
    await house.intake().undo(a_sender("undo", person="U2"), first.ask.id)
    assert (await house.ask(first.ask.id)).live is False
    second = await promoted(house, person="U3", key="react-again")
    assert second.ask.id != first.ask.id
    assert await house.supporters(second.ask.id) == ["U3"]


async def test_another_recipe_of_the_final_is_another_final(house: House) -> None:
    await clip(house)
    first = await promoted(house)
    house.rates = {**RATES, ("hiapi", "mini", Resolution.P1080): RATES["hiapi", "mini", Resolution.P720]}
    bigger = house.intake(final=FinalPreset(resolution=Resolution.P1080))
    second = await bigger.promote_message(a_sender("react-2", person="U2"), CLIP)
    assert isinstance(second, Taken)
    assert second.ask.unique_key != first.ask.unique_key


@pytest.mark.parametrize("state", [state for state in State if state not in {State.DELIVERED, State.DELIVERING}])
async def test_only_a_clip_that_people_may_see_can_be_promoted(house: House, state: State) -> None:
    taken = await draft(house)
    job = await house.set(taken.jobs[0], state=state)
    with pytest.raises(NotPromotable) as caught:
        await house.intake().promote_job(a_sender("press"), job.id)
    assert caught.value.job.state is state
    assert len(await house.asks()) == 1


async def test_a_final_cannot_be_promoted(house: House) -> None:
    await clip(house)
    final = await promoted(house)
    job = await house.set(final.jobs[0], state=State.DELIVERED, message_ts="1700000009.000900")
    with pytest.raises(NotPromotable):
        await house.intake().promote_job(a_sender("press"), job.id)


async def test_a_draft_that_is_as_good_as_its_final_cannot_be_promoted(house: House) -> None:
    job = await clip(house, resolution=Resolution.P720)
    with pytest.raises(NotPromotable):
        await house.intake().promote_job(a_sender("press"), job.id)


async def test_a_rocket_on_any_other_message_is_nothing(house: House) -> None:
    await clip(house)
    wakes = house.wakes
    for sender, ts in (
        (a_sender("r1"), "1700000099.000100"),
        (a_sender("r2", channel="C2"), CLIP),
        (a_sender("r3", workspace="T2"), CLIP),
        (a_sender("r4"), ROOT),
    ):
        assert await house.intake().promote_message(sender, ts) is None
    assert (len(await house.asks()), house.wakes) == (1, wakes)


async def test_a_rocket_on_a_card_of_ours_flags_nothing(house: House) -> None:
    """A card is known to be no clip: none that is just being shared can be meant."""
    taken = await draft(house)
    job = await house.set(taken.jobs[0], state=State.DELIVERING, file_id="F1", shared_at=START)
    wakes = house.wakes
    assert await house.intake().promote_message(a_sender("react", person="U2"), ROOT) is None
    assert ((await house.job(job.id)).wish, house.wakes) == (None, wakes)


async def test_an_early_rocket_does_not_take_the_place_of_another_wish(house: House) -> None:
    taken = await draft(house)
    job = await house.set(taken.jobs[0], state=State.DELIVERING, file_id="F1", shared_at=START)
    await house.intake().deliver_again(a_sender("press", person="U3"), job.id)
    assert await house.intake().promote_message(a_sender("react", person="U2"), CLIP) is None
    kept = await house.job(job.id)
    assert (kept.wish, kept.wish_by) == (Wish.DELIVER_AGAIN, "U3")


async def test_a_rocket_before_the_clips_message_is_known_is_remembered(house: House) -> None:
    taken = await draft(house)
    job = await house.set(taken.jobs[0], state=State.DELIVERING, file_id="F1", shared_at=START)
    wakes = house.wakes
    assert await house.intake().promote_message(a_sender("react", person="U2"), CLIP) is None
    flagged = await house.job(job.id)
    assert (flagged.wish, flagged.wish_by, house.wakes) == (Wish.SEE_REACTIONS, "U2", wakes + 1)


async def test_an_early_rocket_counts_once_a_person(house: House) -> None:
    job = await clip(house)
    intake = house.intake()
    for person in ("U2", "U2", "U3"):
        await intake.promote_early(job, person)
    (ask,) = await house.asks() - {job.ask_id}
    assert await house.supporters(ask) == ["U2", "U3"]


@pytest.mark.parametrize(
    "sender", [a_sender("press", workspace="T2"), a_sender("press")], ids=["another workspace", "no such job"]
)
async def test_a_button_of_a_job_that_is_not_there_is_over(house: House, sender: Sender) -> None:
    job = await clip(house)
    with pytest.raises(NothingToDo) as caught:
        await house.intake().promote_job(sender, job.id if sender.workspace == "T2" else "nowhere")
    assert caught.value.verb == "Promote"


async def test_promote_by_number(house: House) -> None:
    await clip(house)
    assert await house.intake().promote_number(a_sender("reply"), "1700000099.000100", 1) is None
    with pytest.raises(NoSuchClip) as caught:
        await house.intake().promote_number(a_sender("reply"), ROOT, 2)
    assert (caught.value.number, caught.value.numbers) == (2, (1,))
    taken = await house.intake().promote_number(a_sender("reply"), ROOT, 1)
    assert isinstance(taken, Taken)
    assert taken.ask.door is Door.REPLY


async def test_anybody_confirms_a_costly_promotion_and_then_pays(house: House) -> None:
    await clip(house, seconds=8)
    taken = await promoted(house)
    await house.intake().confirm(a_sender("press", person="U3"), taken.ask.id)
    ask = await house.ask(taken.ask.id)
    assert (ask.decision, ask.person, ask.decided_by) == (Decision.GO, "U3", "U3")
    assert (await house.job(taken.jobs[0].id)).person == "U3"
    assert ("hold", 1, "U3", 2 * FINAL) in await house.held()
    assert len(await house.held()) == 2


async def test_whether_a_thread_is_ours(house: House) -> None:
    await draft(house)
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
    parent = (await draft(house)).jobs[0]
    taken = await vary(house, None, Changes(seconds=8, direction="at night"))
    (job,) = taken.jobs
    assert job.recipe == replace(parent.recipe, seconds=8, prompt="a red panda. at night")
    assert (taken.ask.kind, taken.ask.parent_job, taken.ask.text) == (AskKind.VARIANT, parent.id, "8s at night")
    assert (taken.ask.gate, job.number, job.state, job.person) == (Gate.UNDO, 2, State.WAITING, "U2")
    assert taken.ask.notes == ("seconds: 4 s → 8 s", "prompt: a red panda → a red panda. at night")
    assert taken.parent == await house.job(parent.id)


async def test_a_variant_of_a_numbered_clip_with_takes_of_its_own(house: House) -> None:
    parents = (await draft(house, takes=2)).jobs
    taken = await vary(house, 2, Changes(takes=3))
    assert taken.ask.parent_job == parents[1].id
    assert [job.number for job in taken.jobs] == [3, 4, 5]


async def test_several_clips_and_no_number_is_a_question(house: House) -> None:
    await draft(house, takes=3)
    with pytest.raises(WhichClip) as caught:
        await house.intake().variant(a_sender("reply"), ROOT, None, Changes(seconds=8), "8s")
    assert caught.value.numbers == (1, 2, 3)
    assert (await vary(house, 1, Changes(seconds=8), key="reply")).ask.parent_job


async def test_a_failed_clip_is_not_meant_unless_named(house: House) -> None:
    jobs = (await draft(house, takes=2)).jobs
    await house.set(jobs[0], state=State.FAILED)
    assert (await vary(house, None, Changes(seconds=8), key="r1")).ask.parent_job == jobs[1].id
    assert (await vary(house, 1, Changes(seconds=8), key="r2")).ask.parent_job == jobs[0].id


async def test_when_no_clip_stands_all_are_offered(house: House) -> None:
    jobs = (await draft(house, takes=2)).jobs
    for job in jobs:
        await house.set(job, state=State.FAILED)
    with pytest.raises(WhichClip) as caught:
        await house.intake().variant(a_sender("reply"), ROOT, None, Changes(seconds=8), "8s")
    assert caught.value.numbers == (1, 2)


async def test_a_number_that_is_not_there_is_refused_without_a_trace(house: House) -> None:
    await draft(house)
    with pytest.raises(NoSuchClip) as caught:
        await house.intake().variant(a_sender("reply"), ROOT, 7, Changes(seconds=8), "8s")
    assert (caught.value.number, caught.value.numbers) == (7, (1,))
    assert len(await house.asks()) == 1
    assert (await vary(house, 1, Changes(seconds=8), key="reply")).ask.parent_job


async def test_a_reply_in_a_foreign_thread_is_not_read(house: House) -> None:
    await draft(house)
    for sender, root in ((a_sender("r1"), CLIP), (a_sender("r2", channel="C2"), ROOT)):
        assert await house.intake().variant(sender, root, None, Changes(seconds=8), "8s") is None


async def test_the_same_reply_again_makes_nothing(house: House) -> None:
    await draft(house)
    await vary(house, None, Changes(seconds=8))
    again = await house.intake().variant(a_sender("reply", person="U2"), ROOT, 1, Changes(seconds=8), "8s")
    assert again == AlreadyTaken()


async def test_a_costly_variant_waits_for_a_button(house: House) -> None:
    await draft(house)
    assert (await vary(house, None, Changes(takes=8))).ask.gate is Gate.CONFIRMATION


async def test_only_its_asker_confirms_a_costly_variant(house: House) -> None:
    await draft(house)
    taken = await vary(house, None, Changes(takes=8))
    with pytest.raises(NotYours) as caught:
        await house.intake().confirm(a_sender("press-1", person="U3"), taken.ask.id)
    assert (caught.value.verb, caught.value.who) == ("confirm", "<@U2>")
    assert (len(await house.held()), (await house.ask(taken.ask.id)).decision) == (1, None)
    await house.intake().confirm(a_sender("press-2", person="U2"), taken.ask.id)
    assert sorted(await house.held()) == [("hold", 1, "U1", DRAFT), *[("hold", 1, "U2", DRAFT)] * 8]


@pytest.mark.parametrize("changes", [Changes(), Changes(seconds=4), Changes(takes=1, resolution=Resolution.P480)])
async def test_a_reply_that_changes_nothing_makes_nothing(house: House, changes: Changes) -> None:
    await draft(house)
    before = (await house.asks(), await house.held(), house.wakes)
    with pytest.raises(NothingChanges) as caught:
        await house.intake().variant(a_sender("reply", person="U2"), ROOT, None, changes, "480p")
    assert caught.value.number == 1
    assert (await house.asks(), await house.held(), house.wakes) == before
    taken = await vary(house, None, Changes(seconds=8), key="reply")  # the event is not used up
    assert taken.ask.id in await house.asks()


async def test_more_takes_of_the_same_are_a_variant(house: House) -> None:
    parent = (await draft(house)).jobs[0]
    taken = await vary(house, None, Changes(takes=2))
    assert [(job.number, job.recipe) for job in taken.jobs] == [(2, parent.recipe), (3, parent.recipe)]


async def test_a_variant_keeps_what_its_provider_cannot_change_refused(house: House) -> None:
    await draft(house)
    with pytest.raises(CannotMake):
        await house.intake().variant(a_sender("reply"), ROOT, None, Changes(negative="rain"), "--no rain")
    assert len(await house.asks()) == 1


# --- undo and cancel -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["U2", "U3", "UADMIN"])
async def test_undo_by_whoever_wanted_it_or_an_admin(house: House, person: str) -> None:
    await clip(house)
    taken = await promoted(house)
    await house.intake().promote_message(a_sender("support", person="U3"), CLIP)
    intake = house.intake(admins=frozenset({"UADMIN"}))
    await intake.undo(a_sender("undo", person=person), taken.ask.id)
    ask = await house.ask(taken.ask.id)
    assert (ask.decision, ask.decided_by, ask.live) == (Decision.STOP, person, False)
    with pytest.raises(NothingToDo):
        await intake.undo(a_sender("undo-2", person=person), taken.ask.id)


async def test_undo_is_not_for_others(house: House) -> None:
    await clip(house)
    taken = await promoted(house)
    with pytest.raises(NotYours) as caught:
        await house.intake().undo(a_sender("undo", person="U9"), taken.ask.id)
    assert caught.value.who == "<@U2> or an admin"
    assert (await house.ask(taken.ask.id)).decision is None


async def test_undo_is_over_when_it_is_decided_and_was_never_for_a_question(house: House) -> None:
    await clip(house)
    taken = await promoted(house)
    await house.decide(taken.ask.id)
    asked = await costly(house)
    for ask_id in (taken.ask.id, asked.ask.id, "nowhere"):
        with pytest.raises(NothingToDo) as caught:
            await house.intake().undo(a_sender("undo", person="U2"), ask_id)
        assert caught.value.verb == "Undo"


@pytest.mark.parametrize("person", ["U1", "UADMIN"])
async def test_cancel_by_the_asker_or_an_admin_flags_what_runs(house: House, person: str) -> None:
    taken = await draft(house, takes=3)
    await house.set(taken.jobs[0], state=State.DELIVERED)
    await house.set(taken.jobs[1], state=State.RENDERING)
    version = (await house.ask(taken.ask.id)).version
    wakes = house.wakes
    await house.intake(admins=frozenset({"UADMIN"})).cancel(a_sender("press", person=person), taken.ask.id)
    assert [(await house.job(job.id)).cancel_by for job in taken.jobs] == [None, person, person]
    assert ((await house.ask(taken.ask.id)).version, house.wakes) == (version + 1, wakes + 1)


async def test_cancel_is_not_for_others(house: House) -> None:
    taken = await draft(house)
    with pytest.raises(NotYours) as caught:
        await house.intake().cancel(a_sender("press", person="U2"), taken.ask.id)
    assert (caught.value.verb, caught.value.who) == ("cancel this", "<@U1> or an admin")
    assert (await house.job(taken.jobs[0].id)).cancel_by is None


async def test_cancelling_what_waits_decides_it_and_frees_its_final(house: House) -> None:
    await clip(house)
    taken = await promoted(house)
    await house.intake().cancel(a_sender("press", person="U2"), taken.ask.id)
    ask = await house.ask(taken.ask.id)
    assert (ask.decision, ask.live) == (Decision.STOP, False)
    assert (await promoted(house, key="again")).ask.id != taken.ask.id


async def test_what_is_done_cannot_be_cancelled(house: House) -> None:
    job = await clip(house)
    for ask_id in (job.ask_id, "nowhere"):
        with pytest.raises(NothingToDo):
            await house.intake().cancel(a_sender("press"), ask_id)


async def test_what_is_being_shared_cannot_be_called_back(house: House) -> None:
    taken = await draft(house, takes=2)
    sharing = {"state": State.DELIVERING, "file_id": "F1", "shared_at": START}
    for job in taken.jobs:
        await house.set(job, **sharing)
    with pytest.raises(NothingToDo):
        await house.intake().cancel(a_sender("press-1"), taken.ask.id)
    await house.set(taken.jobs[1], file_id=None, shared_at=None)
    await house.intake().cancel(a_sender("press-2"), taken.ask.id)
    assert [(await house.job(job.id)).cancel_by for job in taken.jobs] == [None, "U1"]


async def test_a_cross_on_the_card_cancels_for_those_who_may(house: House) -> None:
    taken = await draft(house)
    intake = house.intake()
    assert await intake.cancel_message(a_sender("x1", person="U2"), ROOT) is None
    assert await intake.cancel_message(a_sender("x2"), CLIP) is None
    assert (await house.job(taken.jobs[0].id)).cancel_by is None
    flagged = await intake.cancel_message(a_sender("x3"), ROOT)
    assert flagged is not None
    assert flagged.ask is not None
    assert (await house.job(taken.jobs[0].id)).cancel_by == "U1"
    await house.set(taken.jobs[0], state=State.CANCELLED)
    assert await intake.cancel_message(a_sender("x4"), ROOT) is None


# --- wishes on one job -----------------------------------------------------------------------------------------------

Press = Callable[[Intake, Sender, str], Awaitable[object]]
PRESSES: dict[Wish, Press] = {
    Wish.CHECK_AGAIN: lambda intake, sender, job: intake.check_again(sender, job),
    Wish.GIVE_UP: lambda intake, sender, job: intake.give_up(sender, job),
    Wish.DELIVER_AGAIN: lambda intake, sender, job: intake.deliver_again(sender, job),
    Wish.ORDER_AGAIN: lambda intake, sender, job: intake.order_again(sender, job),
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
    taken = await draft(house)
    job = await house.set(taken.jobs[0], state=state, clip_key="clips/abc.mp4")
    wakes = house.wakes
    if state in POSSIBLE[wish]:
        await PRESSES[wish](house.intake(), a_sender("press"), job.id)
        pressed = await house.job(job.id)
        assert (pressed.wish, pressed.wish_by, pressed.state, house.wakes) == (wish, "U1", state, wakes + 1)
        return
    with pytest.raises(NothingToDo):
        await PRESSES[wish](house.intake(), a_sender("press"), job.id)
    assert ((await house.job(job.id)).wish, len(await house.held()), house.wakes) == (None, 1, wakes)


@pytest.mark.parametrize("wish", PRESSES)
async def test_a_button_of_another_workspaces_job_does_nothing(house: House, wish: Wish) -> None:
    job = await uncertain(house)
    for sender, job_id in ((a_sender("press", workspace="T2"), job.id), (a_sender("press"), "nowhere")):
        with pytest.raises(NothingToDo):
            await PRESSES[wish](house.intake(), sender, job_id)


async def test_a_cancelled_clip_without_bytes_cannot_be_delivered(house: House) -> None:
    taken = await draft(house)
    job = await house.set(taken.jobs[0], state=State.CANCELLED)
    with pytest.raises(NothingToDo):
        await house.intake().deliver_again(a_sender("press"), job.id)


async def test_giving_up_is_for_who_pays_or_an_admin(house: House) -> None:
    job = await uncertain(house)
    with pytest.raises(NotYours):
        await house.intake().give_up(a_sender("press", person="U2"), job.id)
    await house.intake(admins=frozenset({"U2"})).give_up(a_sender("press", person="U2"), job.id)
    assert (await house.job(job.id)).wish is Wish.GIVE_UP


async def test_checking_again_is_for_everybody_and_costs_nothing(house: House) -> None:
    job = await uncertain(house)
    await house.intake().check_again(a_sender("press", person="U2"), job.id)
    assert len(await house.held()) == 1


async def test_ordering_again_holds_once_an_attempt_and_the_presser_pays(house: House) -> None:
    job = await uncertain(house)
    intake = house.intake()
    presses = [intake.order_again(a_sender(f"press-{n}", person="U2"), job.id) for n in range(5)]
    outcomes = await asyncio.gather(*presses)
    assert sum(isinstance(outcome, AlreadyTaken) for outcome in outcomes) == 4
    assert await house.held() == [("hold", 1, "U1", DRAFT), ("hold", 2, "U2", DRAFT)]
    await house.set(job, attempt=2, state=State.UNCERTAIN)
    await intake.order_again(a_sender("press-9", person="U3"), job.id)
    assert (await house.held())[-1] == ("hold", 3, "U3", DRAFT)


@pytest.mark.parametrize("wish", [Wish.CHECK_AGAIN, Wish.GIVE_UP])
async def test_a_second_order_under_way_is_not_forgotten_for_another_press(house: House, wish: Wish) -> None:
    job = await uncertain(house)
    await house.intake().order_again(a_sender("press"), job.id)
    with pytest.raises(NothingToDo):
        await PRESSES[wish](house.intake(), a_sender("press-2"), job.id)
    assert (await house.job(job.id)).wish is Wish.ORDER_AGAIN


async def test_ordering_again_over_a_cap_leaves_no_trace(house: House) -> None:
    job = await uncertain(house)
    with pytest.raises(OverCap):
        await house.intake(caps=Caps(workspace_month_micro_usd=DRAFT)).order_again(a_sender("press"), job.id)
    assert ((await house.job(job.id)).wish, len(await house.held())) == (None, 1)
    await house.intake().order_again(a_sender("press"), job.id)
    assert (await house.job(job.id)).wish is Wish.ORDER_AGAIN


async def test_ordering_again_too_early_does_not_use_up_the_press(house: House) -> None:
    taken = await draft(house)
    job = await house.set(taken.jobs[0], state=State.SUBMITTING)
    with pytest.raises(NothingToDo):
        await house.intake().order_again(a_sender("press"), job.id)
    await house.set(job, state=State.UNCERTAIN)
    await house.intake().order_again(a_sender("press"), job.id)
    assert (await house.job(job.id)).wish is Wish.ORDER_AGAIN


# --- on a file -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def on_file(folder: Path) -> AsyncIterator[House]:
    async with open_storage(f"sqlite:///{folder / 'dailies.db'}", alone=True) as storage:
        yield House(storage=storage)


async def test_the_same_holds_on_a_file(tmp_path: Path) -> None:
    """One walk through every door over SQLite, read back after the file was closed."""
    async with on_file(tmp_path) as house:
        job = await clip(house)
        assert await house.intake().draft(a_sender("draft"), "a red panda", Changes()) == AlreadyTaken()
        with pytest.raises(OverCap):
            await house.intake(caps=Caps(person_day_micro_usd=DRAFT)).draft(a_sender("over"), "x", Changes())
        intake = house.intake()
        outcomes = await asyncio.gather(
            *(intake.promote_message(a_sender(f"react-{n}", person=f"U{n}"), CLIP) for n in range(2, 6))
        )
        (taken,) = [outcome for outcome in outcomes if isinstance(outcome, Taken)]
        await intake.undo(a_sender("undo", person=taken.ask.person), taken.ask.id)
        again = await promoted(house, key="again")
        asked = await costly(house)
        await intake.confirm(a_sender("confirm"), asked.ask.id)
        lost = await house.set(asked.jobs[0], state=State.UNCERTAIN)
        await intake.order_again(a_sender("press", person="U3"), lost.id)
        assert await intake.order_again(a_sender("press-2", person="U3"), lost.id) == AlreadyTaken()
    async with on_file(tmp_path) as house:
        assert await house.asks() == {job.ask_id, taken.ask.id, again.ask.id, asked.ask.id}
        assert sorted(await house.held()) == [*[("hold", 1, "U1", DRAFT)] * 5, ("hold", 2, "U3", DRAFT)]
        assert (await house.ask(taken.ask.id)).live is False
        assert (await house.job(lost.id)).wish is Wish.ORDER_AGAIN
        async with house.storage.read() as tx:
            kinds = {entry.kind for entry in await tx.ledger.entries()}
        assert kinds == {EntryKind.HOLD}
