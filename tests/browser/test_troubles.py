"""The drawer's troubles, pressed in a real browser against the real bot: each ends with what the page then shows."""

import re
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Locator, expect

from tests.browser.visitor import Visitor, visiting
from tests.scenarios.bot import Stage, stage

SUMMARY = re.compile(r"^\d+ repl(y|ies)")
LONG = 45_000  # milliseconds: the bot waits 25 s before it takes a share for dropped, 20 s between looks for credit
NOTHING = "None: everything works."


class Bench:
    """Somebody who makes trouble, and keeps count of what it should have come to."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.drawer = visitor.drawer
        self.verdict = self.drawer.locator("#verdict")

    def maker(self, words: str) -> Locator:
        """The button whose explanation begins so."""
        return self.drawer.get_by_role("button").filter(has_text=words)

    def card(self, prompt: str) -> Locator:
        """The card of what was asked for."""
        return self.visitor.channel.get_by_role("article").filter(has_text="asked for by").filter(has_text=prompt)

    async def is_even(self, count: int) -> None:
        """So many charges and as many clips, and nothing is red."""
        clips = f"{count} charge{'s' * (count != 1)}, {count} clip{'s' * (count != 1)}"
        await expect(self.verdict).to_have_text(clips, timeout=LONG)
        await expect(self.verdict).to_have_class("verdict")


@pytest.mark.timeout(240)
async def test_each_trouble_of_the_drawer_ends_well_or_with_words(tmp_path: Path, context: BrowserContext) -> None:
    async with stage(tmp_path) as play, visiting(context, play.studio.slack) as visitor:
        bench = Bench(visitor)
        await visitor.open_drawer()
        await a_dropped_share_and_an_empty_account(bench)
        await a_lost_answer(bench)
        await a_refusal(bench)
        await doubled_events(bench)
        await a_slow_provider_and_a_kill(bench, play)
        assert len(await play.ledger()) == 6
        assert len(await play.clip_messages()) == 6
        await a_bill_that_is_wrong(bench, play)


async def a_dropped_share_and_an_empty_account(bench: Bench) -> None:
    """Both are waits of the bot's own, which run beside each other."""
    await bench.maker("Drops the next share").click()
    await bench.visitor.say("/clip a kite")
    await expect(bench.verdict).to_have_text("1 charge, 0 clips", timeout=LONG)
    await expect(bench.drawer).to_contain_text("1 charge without a clip in a thread (yet).")
    await expect(bench.drawer).to_contain_text(NOTHING)

    await bench.maker("Is out of credits").click()
    await bench.visitor.say("/clip a boat")
    await expect(bench.card("a boat")).to_contain_text("The account at HiAPI is empty.", timeout=LONG)
    await expect(bench.drawer).to_contain_text("The account at hiapi is empty")
    await expect(bench.verdict).to_have_text(re.compile("^1 charge,"))
    await bench.maker("Top up by $100").click()

    await bench.is_even(2)


async def a_lost_answer(bench: Bench) -> None:
    await bench.maker("Loses the next answer").click()
    await bench.visitor.say("/clip a mug")

    await bench.is_even(3)
    await expect(bench.drawer).to_contain_text(NOTHING)


async def a_refusal(bench: Bench) -> None:
    await bench.maker("Refuses the next prompt").click()
    await bench.visitor.say("/clip a lighthouse")

    await expect(bench.card("a lighthouse")).to_contain_text("refused this prompt", timeout=LONG)
    await expect(bench.card("a lighthouse")).to_contain_text("Nothing was charged.")
    await expect(bench.drawer).to_contain_text("1 charge given back.")
    await bench.is_even(3)


async def doubled_events(bench: Bench) -> None:
    """A reaction that reaches the bot twice promotes once."""
    visitor = bench.visitor
    await bench.maker("Delivers events twice").click()
    await visitor.say("/clip a kettle")
    await bench.is_even(4)
    await bench.card("a kettle").get_by_role("button", name=SUMMARY).click()
    clip = visitor.thread.get_by_role("article").filter(has=visitor.page.locator("video"))
    await visitor.react(clip.first, "rocket")

    await bench.is_even(5)
    await expect(visitor.thread.locator("video")).to_have_count(2)
    await bench.maker("Delivers events twice").click()
    await expect(bench.drawer).to_contain_text(NOTHING)


async def a_slow_provider_and_a_kill(bench: Bench, play: Stage) -> None:
    """Eight times slower, and killed meanwhile: the render that was paid for is found again."""
    visitor = bench.visitor
    await bench.maker("Every new render").click()
    await visitor.say("/clip a train")
    await expect(bench.drawer).to_contain_text("1 clip being rendered.", timeout=LONG)

    await bench.maker("Kill the bot").click()
    await visitor.page.get_by_role("button", name="Kill it").click()
    await expect(visitor.channel.get_by_text("Dailies is not connected")).to_be_visible()
    await expect(bench.drawer).to_contain_text("Dailies is not connected.")
    await play.bot.gone()
    await play.start_bot()

    await expect(bench.drawer).to_contain_text("Dailies is connected by one socket.", timeout=LONG)
    await bench.is_even(6)
    await bench.maker("Heal all").click()
    await expect(bench.drawer).to_contain_text(NOTHING)


async def a_bill_that_is_wrong(bench: Bench, play: Stage) -> None:
    """The provider charges one order twice, which no bot can prevent: the page says so."""
    await play.studio.fault("hiapi:outcome", "do", "bill_double")
    await bench.visitor.say("/clip a twin")

    await expect(bench.verdict).to_have_text("8 charges, 7 clips", timeout=LONG)
    await expect(bench.verdict).to_have_class("verdict wrong")
    wrongs = bench.drawer.get_by_role("list", name="What went wrong")
    await expect(wrongs).to_have_text("“a twin” was charged twice.")


@pytest.mark.timeout(90)
async def test_over_http_too_the_page_says_whether_the_bot_hears(tmp_path: Path, context: BrowserContext) -> None:
    async with stage(tmp_path, mode="http") as play, visiting(context, play.studio.slack) as visitor:
        bench = Bench(visitor)
        await visitor.open_drawer()
        await expect(visitor.channel.get_by_text("Dailies is connected")).to_be_visible()
        await visitor.say("/clip a mug")
        await bench.is_even(1)
        await expect(bench.drawer).to_contain_text("Dailies is connected: it answers at its URL.")

        await play.bot.kill()
        await expect(visitor.channel.get_by_text("Dailies is not connected")).to_be_visible()
        await expect(bench.drawer).to_contain_text("Dailies is not connected.")
        await expect(visitor.page.get_by_role("img", name="not connected")).to_be_visible()

        await play.start_bot()
        await expect(visitor.channel.get_by_text("Dailies is connected")).to_be_visible()
