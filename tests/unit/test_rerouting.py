"""When a clip goes to another provider: what it may cost there without a question and after one, and its ratio."""

from dataclasses import replace

import pytest

from bot.domain.events import Prepared
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Job, State, Wish
from bot.domain.lineage import Changes
from bot.domain.recipe import MediaKind, MediaRole, Medium, Mode, Ratio, Resolution
from bot.ports import OrderAccepted, OrderRefused
from bot.services.answers import Taken
from bot.services.policy import Policy
from handlers.actions import PRESSES
from handlers.blocks.card import card
from tests.support.ordering import SENDER, STARVED, Desk, ScriptedProvider, desk, notes
from tests.support.services import RATES
from tests.support.values import a_card

BROKEN = OrderRefused(failure=Failure(kind=FailureKind.PROVIDER, detail="HTTP 500"))
FIRST = Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url="https://example.com/first.png")


@pytest.fixture
def muapi() -> ScriptedProvider:
    return ScriptedProvider([OrderAccepted(task_id="mu-1")], name="muapi")


def costs(one: Desk, provider: str, cents_a_second: int) -> None:
    """What a second at 480p costs there from now on; RATES say eight cents everywhere."""
    rate = replace(RATES["hiapi", "mini", Resolution.P480, False], per_second_micro_usd=cents_a_second * 10_000)
    one.ordering.bench.router._prices._own[provider, "mini", Resolution.P480, False] = rate


async def press(one: Desk, most: int | None) -> None:
    """The payer presses *Use another provider*, and the runner comes to it."""
    await one.presses.use_another_provider(replace(SENDER, key="press"), one.job_id, most)
    await one.deciding.decide(await one.job(), await one.ask())


# --- without a question ----------------------------------------------------------------------------------------------


async def test_an_order_that_its_provider_could_not_take_is_made_by_another(muapi: ScriptedProvider) -> None:
    async with desk(BROKEN, other=muapi) as one:
        moved = await one.submit()
        assert (moved.state, moved.provider) == (State.QUEUED, "muapi")
        assert (await one.submit()).task_id == "mu-1"


@pytest.mark.parametrize("named", ["hiapi", None])
async def test_an_order_that_its_provider_could_not_take_ends_where_no_other_may_make_it(
    muapi: ScriptedProvider, named: str | None
) -> None:
    async with desk(BROKEN, other=muapi if named else None, named=named) as one:
        failed = await one.submit()
        assert (failed.state, failed.provider) == (State.FAILED, "hiapi")
        assert failed.failure == BROKEN.failure


@pytest.mark.parametrize(("takes", "provider"), [(1, "muapi"), (3, "hiapi")])
async def test_what_is_asked_about_is_what_the_whole_ask_costs(
    muapi: ScriptedProvider, takes: int, provider: str
) -> None:
    """A take for 36 cents instead of 32: three of them are more than goes without a question."""
    async with desk(STARVED, other=muapi, policy=Policy(confirm_above_micro_usd=1_000_000)) as one:
        taken = await one.intake.draft(replace(SENDER, key="command:2"), "a whale", Changes(takes=takes))
        assert isinstance(taken, Taken)
        async with one.storage.begin() as tx:
            await tx.jobs.card_posted("T1", taken.ask.id, "2.0", 1)
        await one.claim()
        costs(one, "muapi", 9)
        assert (await one.order(taken.jobs[0])).provider == provider


# --- after a question ------------------------------------------------------------------------------------------------


async def waiting(one: Desk) -> Job:
    """The account of the provider that was named is empty."""
    job = await one.submit()
    assert (job.state, job.provider) == (State.WAITING, "hiapi")
    return job


@pytest.mark.parametrize("price", [320_000, 360_000])
async def test_it_goes_elsewhere_for_what_the_button_showed_or_less(muapi: ScriptedProvider, price: int) -> None:
    async with desk(STARVED, other=muapi, named="hiapi", policy=Policy(confirm_above_micro_usd=330_000)) as one:
        await waiting(one)
        costs(one, "muapi", price // 40_000)
        await press(one, 360_000)
        moved = await one.job()
        assert (moved.provider, moved.price_micro_usd, moved.wish, moved.wish_micro_usd) == ("muapi", price, None, None)


@pytest.mark.parametrize("shown", [320_000, None])
async def test_what_costs_more_by_then_is_refused_with_both_figures(muapi: ScriptedProvider, shown: int | None) -> None:
    """Without a price on the button it is that of the provider it waits for."""
    async with desk(STARVED, other=muapi, named="hiapi") as one:
        await waiting(one)
        costs(one, "muapi", 9)
        await press(one, shown)
        job = await one.job()
        assert (job.state, job.provider, job.wish) == (State.WAITING, "hiapi", None)
        (note,) = await notes(one)
        assert note.startswith("Not sent elsewhere: Muapi would make #1 at $0.36 by now, which is more than the $0.32")
        assert muapi.orders == []


async def test_the_button_names_who_would_make_it_and_carries_the_price_it_shows(muapi: ScriptedProvider) -> None:
    async with desk(STARVED, other=muapi, named="hiapi") as one:
        job = await waiting(one)
        costs(one, "muapi", 9)
        async with one.storage.read() as tx:
            jobs = await tx.jobs.of_ask("T1", job.ask_id)
        shown = a_card(await one.ask(), jobs, elsewhere=one.ordering.rerouting.offers(jobs))
        (button,) = [
            element
            for block in card(shown).blocks
            for element in block.get("elements", ())
            if element.get("action_id") == "clip.use_another_provider"
        ]
        words = button["confirm"]["text"]["text"]
        assert words.startswith("Muapi makes it at $0.36, ")
        assert "At HiAPI it would cost $0.32; nothing is charged there." in words

        subject, _, _ = button["value"].partition(":")
        doors = Doors(one)
        await PRESSES["clip.use_another_provider"](doors, replace(SENDER, key="press"), subject)  # type: ignore[arg-type]
        assert (await one.job()).wish is Wish.USE_ANOTHER_PROVIDER
        assert (await one.job()).wish_micro_usd == 360_000


class Doors:
    """The one that is pressed here."""

    def __init__(self, one: Desk) -> None:
        self.presses = one.presses


async def test_where_no_other_takes_orders_the_button_says_what_it_may_cost_at_most() -> None:
    async with desk(STARVED, named="hiapi") as one:
        job = await waiting(one)
        (button,) = [
            element
            for block in card(a_card(await one.ask(), [job])).blocks
            for element in block.get("elements", ())
            if element.get("action_id") == "clip.use_another_provider"
        ]
        assert button["value"] == f"{job.id}@{job.price_micro_usd}:{job.attempt}"
        assert "No other provider that can make it takes orders now." in button["confirm"]["text"]["text"]


# --- as what it goes -------------------------------------------------------------------------------------------------


async def test_a_ratio_that_nobody_asked_for_follows_what_each_provider_has() -> None:
    """A first frame leads the ratio where that may be had, and elsewhere the clip has the channel's."""
    adaptive, rigid = ScriptedProvider([STARVED], name="hiapi"), ScriptedProvider([STARVED, STARVED], name="muapi")
    async with desk(STARVED, STARVED, other=rigid) as one:
        both = {Ratio.WIDE, Ratio.TALL}
        can = replace(adaptive.capabilities[0], modes=frozenset(Mode), fixed_ratio_with_picture=True)
        one.provider._can = (replace(can, ratios=frozenset({*both, Ratio.ADAPTIVE})),)
        rigid._can = (replace(can, provider="muapi", ratios=frozenset(both), fixed_ratio_with_picture=False),)
        for free, ratio in {True: None, False: Ratio.ADAPTIVE}.items():
            changes = Changes(media=(FIRST,), ratio=ratio)
            taken = await one.intake.draft(replace(SENDER, key=f"free:{free}"), "a whale", changes)
            assert isinstance(taken, Taken)
            job = taken.jobs[0]
            assert (job.provider, job.recipe.ratio) == ("hiapi", Ratio.ADAPTIVE)
            async with one.storage.begin() as tx:
                await tx.jobs.card_posted("T1", taken.ask.id, f"2.{free}", 1)
            await one.claim()
            async with one.storage.read() as tx:
                claimed = await tx.jobs.job("T1", job.id)
            await one.ordering.bench.move(claimed, Prepared(recipe=job.recipe))
            one.ordering.bench.circuit.accepted("hiapi", one.clock.now())
            after = await one.order(job)
            made = ("muapi", Ratio.WIDE) if free else ("hiapi", Ratio.ADAPTIVE)
            assert (after.provider, after.recipe.ratio) == made
