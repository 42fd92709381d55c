"""A message that names the app and says what to make: a draft in the thread below it, gated like a variant, since it
might be chat."""

from bot.domain.job import AskKind, Door, Gate, State, WaitReason
from bot.domain.lineage import Changes
from bot.domain.recipe import MediaKind, MediaRole, Medium, Mode, Resolution
from bot.services.answers import AlreadyTaken, Estimated, Taken
from storage import MemoryStorage
from tests.support.services import DRAFT, ROOT, House
from tests.support.values import a_sender, capabilities

SAID = "1700000009.000900"
"""A message of somebody's."""


def a_house() -> House:
    return House(storage=MemoryStorage())


async def test_it_is_a_draft_below_the_message_that_can_be_undone() -> None:
    house = a_house()
    taken = await house.intake().mention(a_sender("mention"), SAID, "a red panda", Changes(seconds=4))
    assert isinstance(taken, Taken)
    ask, (job,) = taken.ask, taken.jobs
    assert (ask.kind, ask.door, ask.gate, ask.root_ts, ask.text) == (
        AskKind.DRAFT,
        Door.MENTION,
        Gate.UNDO,
        SAID,
        "a red panda",
    )
    assert (job.state, job.wait_reason, job.number) == (State.WAITING, WaitReason.UNDO_WINDOW, 1)
    assert await house.held() == [], "nothing is held before its window is over"
    await house.post_card(ask, ts="1700000010.000100")
    assert (await house.ask(ask.id)).root_ts == SAID, "the message stays the root; the card stands below it"


async def test_all_that_is_asked_below_one_message_is_one_thread() -> None:
    house = a_house()
    first = await house.intake().mention(a_sender("one"), SAID, "a fox", Changes())
    second = await house.intake().mention(a_sender("two", person="U2"), SAID, "a whale", Changes(takes=2))
    again = await house.intake().mention(a_sender("two", person="U2"), SAID, "a whale", Changes(takes=2))
    assert isinstance(first, Taken)
    assert isinstance(second, Taken)
    assert isinstance(again, AlreadyTaken)
    assert first.ask.thread_id == second.ask.thread_id
    assert [job.number for job in (*first.jobs, *second.jobs)] == [1, 2, 3]


async def test_in_a_thread_of_ours_it_is_one_more_draft_there() -> None:
    house = a_house()
    clip = await house.clip()
    taken = await house.intake().mention(a_sender("mention"), ROOT, "a whale", Changes())
    assert isinstance(taken, Taken)
    assert (taken.ask.thread_id, taken.jobs[0].number) == (clip.thread_id, 2)


async def test_a_costly_one_waits_for_confirm_and_an_estimate_writes_nothing() -> None:
    house = a_house()
    costly = await house.intake(confirm_above_micro_usd=DRAFT - 1).mention(a_sender("a"), SAID, "a fox", Changes())
    assert isinstance(costly, Taken)
    assert costly.ask.gate is Gate.CONFIRMATION

    before = await house.as_it_is()
    estimate = await house.intake().mention(a_sender("b"), SAID, "a fox", Changes(takes=2), estimate=True)
    assert isinstance(estimate, Estimated)
    assert (estimate.takes, estimate.price_each_micro_usd) == (2, DRAFT)
    assert await house.as_it_is() == before


async def test_its_files_are_not_touched_before_its_window_is_over() -> None:
    modes = frozenset({Mode.TEXT, Mode.FIRST_FRAME})
    tier = capabilities(resolutions=frozenset(Resolution), modes=modes, uploads=frozenset({MediaKind.IMAGE}))
    house = House(storage=MemoryStorage(), tier=tier)
    picture = Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url="slack:F1")
    taken = await house.intake().mention(a_sender("mention"), SAID, "a fox", Changes(media=(picture,)))
    assert isinstance(taken, Taken)
    (job,) = taken.jobs
    assert (job.wait_reason, job.recipe.media) == (WaitReason.UNDO_WINDOW, (picture,))
