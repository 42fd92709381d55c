"""What an ask keeps for the comparison of two passes with one: the price as a final, on drafts and on their finals."""

import pytest

from bot.domain.budget import Stage
from bot.domain.job import Job, State
from bot.domain.lineage import Changes, FinalPreset
from bot.domain.recipe import Resolution
from bot.services.answers import Taken
from storage import MemoryStorage
from tests.support.services import CLIP, DRAFT, FINAL, House
from tests.support.values import a_sender, capabilities


@pytest.fixture
def house() -> House:
    """In memory."""
    return House(storage=MemoryStorage())


async def final_of_the_clip(house: House) -> Job:
    taken = await house.promoted()
    return taken.jobs[0]


async def test_a_draft_and_its_final_carry_the_price_as_a_final(house: House) -> None:
    draft = await house.clip()
    final = await final_of_the_clip(house)
    assert (draft.stage, draft.price_micro_usd, draft.as_final_micro_usd) == (Stage.DRAFT, DRAFT, FINAL)
    assert (final.stage, final.price_micro_usd, final.as_final_micro_usd) == (Stage.FINAL, FINAL, FINAL)


async def test_a_clip_whose_length_the_provider_chooses_is_not_compared(house: House) -> None:
    """It is held at fifteen seconds and settled at what it became: no price as a final can be said beforehand."""
    house.tier = capabilities(automatic_seconds=True)
    taken = await house.intake().draft(a_sender("auto"), "a red panda", Changes(automatic_seconds=True))
    assert isinstance(taken, Taken)
    assert taken.jobs[0].as_final_micro_usd is None


async def test_the_final_of_a_draft_that_is_not_compared_is_not_compared(house: House) -> None:
    preset = FinalPreset(resolution=Resolution.P1080, tier="fast")  # which nobody publishes a price for
    taken = await house.intake(final=preset).draft(a_sender("draft"), "a red panda", Changes())
    assert isinstance(taken, Taken)
    await house.post_card(taken.ask)
    draft = await house.moved(taken.jobs[0], state=State.DELIVERED, message_ts=CLIP)
    # By now finals are made otherwise, at a price that is known.
    final = await final_of_the_clip(house)
    assert (draft.as_final_micro_usd, final.price_micro_usd, final.as_final_micro_usd) == (None, FINAL, None)


async def test_what_has_no_draft_has_no_price_as_a_final(house: House) -> None:
    taken = await house.intake().draft(a_sender("direct"), "a red panda", Changes(), final=True)
    assert isinstance(taken, Taken)
    assert (taken.jobs[0].stage, taken.jobs[0].as_final_micro_usd) == (Stage.DIRECT, None)
