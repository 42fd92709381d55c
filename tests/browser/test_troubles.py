"""The drawer's troubles, pressed in a real browser against the real bot: each ends with what the page then shows."""

import re
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Locator, expect

from tests.browser.visitor import Visitor, visiting
from tests.scenarios.bot import Stage, stage

SUMMARY = re.compile(r"^\d+ repl(y|ies)")
LONG = 45_000  # milliseconds: of the bot's own waits the longest is that for a dropped share, 25 s
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

    async def ask(self, prompt: str) -> None:
        """Draft one."""
        await self.visitor.say(f"/clip {prompt}")


@pytest.mark.timeout(120)
async def test_each_quick_trouble_of_the_drawer_ends_well_or_with_words(
    tmp_path: Path, context: BrowserContext
) -> None:
    async with stage(tmp_path) as play, visiting(context, play.studio.slack) as visitor:
        bench = Bench(visitor)
        await visitor.open_drawer()
        await a_lost_answer_and_a_refusal(bench)
        await a_provider_that_is_down(bench)
        await doubled_events(bench)
        await both_are_slow(bench)
        assert len(await play.ledger()) == 5
        assert len(await play.clip_messages()) == 5
        await a_bill_that_is_wrong(bench, play)


@pytest.mark.storm
@pytest.mark.timeout(120)
async def test_a_dropped_share_and_an_empty_account_are_waited_out(tmp_path: Path, context: BrowserContext) -> None:
    """Both are waits of the bot's own, of 20 seconds and more, which run beside each other."""
    async with stage(tmp_path) as play, visiting(context, play.studio.slack) as visitor:
        bench = Bench(visitor)
        await visitor.open_drawer()
        await bench.maker("Drops the next share").click()
        await bench.ask("a kite")
        await expect(bench.verdict).to_have_text("1 charge, 0 clips", timeout=LONG)
        await expect(bench.drawer).to_contain_text("1 charge without a clip in a thread (yet).")
        await expect(bench.drawer).to_contain_text(NOTHING)

        await bench.maker("Is out of credits").click()
        await bench.ask("a boat")
        await expect(bench.card("a boat")).to_contain_text("The account at HiAPI is empty.", timeout=LONG)
        await expect(bench.drawer).to_contain_text("The account at hiapi is empty")
        await expect(bench.verdict).to_have_text(re.compile("^1 charge,"))
        await bench.maker("Top up by $100").click()

        await bench.is_even(2)


async def a_lost_answer_and_a_refusal(bench: Bench) -> None:
    """The one is asked again while the other is turned down."""
    await bench.maker("Loses the next answer").click()
    await expect(bench.drawer).to_contain_text("Every provider: loses the next answer (once)")
    await bench.ask("a mug")
    await expect(bench.drawer).to_contain_text(NOTHING, timeout=LONG)

    await bench.maker("Refuses the next prompt").click()
    await bench.ask("a lighthouse")
    await expect(bench.card("a lighthouse")).to_contain_text("refused this prompt", timeout=LONG)
    await expect(bench.card("a lighthouse")).to_contain_text("Nothing was charged.")
    await expect(bench.drawer).to_contain_text("1 charge given back.")
    await bench.is_even(1)
    await expect(bench.drawer).to_contain_text(NOTHING)


async def a_provider_that_is_down(bench: Bench) -> None:
    """Nothing is charged meanwhile and nothing lost: the ask goes on by itself, beside what comes next."""
    down = bench.maker("Every call is answered with 503")
    await down.click()
    await bench.ask("a ferry")
    await expect(bench.card("a ferry")).to_contain_text("HiAPI has not confirmed the order.", timeout=LONG)
    await expect(bench.drawer).to_contain_text(re.compile(r"hiapi: is down \(happened \d+×\)"))
    await expect(bench.verdict).to_have_text("1 charge, 1 clip")
    await down.click()
    await expect(bench.drawer).to_contain_text(NOTHING)


async def doubled_events(bench: Bench) -> None:
    """A reaction that reaches the bot twice promotes once."""
    visitor = bench.visitor
    await bench.maker("Delivers events twice").click()
    await bench.ask("a kettle")
    await bench.is_even(3)
    await bench.card("a kettle").get_by_role("button", name=SUMMARY).click()
    clip = visitor.thread.get_by_role("article").filter(has=visitor.page.locator("video"))
    await visitor.react(clip.first, "rocket")

    await bench.is_even(4)
    await expect(visitor.thread.locator("video")).to_have_count(2)
    await bench.maker("Delivers events twice").click()
    await expect(bench.drawer).to_contain_text(NOTHING)


async def both_are_slow(bench: Bench) -> None:
    """A render of eight times the length, and two seconds more for each of the bot's calls to Slack, at once."""
    await bench.maker("Every new render").click()
    await bench.maker("Each of the bot's calls").click()
    await bench.ask("a train")
    await expect(bench.drawer).to_contain_text("1 clip being rendered.", timeout=LONG)
    await expect(bench.drawer.get_by_role("listitem")).to_have_text(
        [re.compile(r"Every provider: is slow \(happened 1×\)"), re.compile(r"Slack: is slow \(happened \d+×\)")]
    )

    await bench.is_even(5)
    await bench.maker("Heal all").click()
    await expect(bench.drawer).to_contain_text(NOTHING)


async def a_bill_that_is_wrong(bench: Bench, play: Stage) -> None:
    """The provider charges one order twice, which no bot can prevent: the page says so."""
    await play.studio.fault("hiapi:outcome", "do", "bill_double")
    await bench.ask("a twin")

    await expect(bench.verdict).to_have_text("7 charges, 6 clips", timeout=LONG)
    await expect(bench.verdict).to_have_class("verdict wrong")
    wrongs = bench.drawer.get_by_role("list", name="What went wrong")
    await expect(wrongs).to_have_text("“a twin” was charged twice.")


@pytest.mark.storm
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
