"""A rush of commands at once: twenty people in two channels, against caps of all three kinds that bind at once.

Each of the twenty has money for four drafts, one channel alone for thirty, the workspace for thirty-seven: so many are
made, whoever they are.
"""

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

from tests.sandbox.driver import CHANNEL, Json
from tests.scenarios.bot import Stage
from tests.scenarios.threads import DRAFT

OTHER_CHANNEL = "#dailies-two"
CHANNELS = (CHANNEL, OTHER_CHANNEL)
PEOPLE = tuple(f"player{number}" for number in range(20))
PROMPT = "a lighthouse, number"
AFFORDABLE, EACH = 37, 4

CAPS = {"BUDGET_WORKSPACE_MONTH_USD": "11.90", "BUDGET_CHANNEL_MONTH_USD": "9.70", "BUDGET_USER_DAY_USD": "1.30"}
LEFT_OF_CAP = re.compile(
    r"\$0\.(06 of \$11\.90 is left for this workspace for the month"
    r"|10 of \$9\.70 is left for this channel for the month"
    r"|02 of \$1\.30 is left for you for the day)"
)
"""Each refusal names a cap that is full, of which less than a draft's price is left."""

BUSY = "cannot reach its database just now"
RENEWAL = re.compile(r"renews <!date\^(\d+)\^")


async def arrive(play: Stage, *, times: int = 1) -> None:
    """The twenty join both channels, and let every process of the bot learn who they are."""
    for person in PEOPLE:
        await play.studio.post("/user", action="create", name=person)
        for channel in CHANNELS:
            await play.studio.post("/channel", action="join", channel=channel, user=person)
        for _ in range(times):
            assert (await play.studio.slash(person, "/clip-usage"))["acked"]


async def rush(play: Stage, asks: int) -> list[str]:
    """So many at once; what each was answered with, privately."""
    return await asyncio.gather(
        *(
            _until_answered(play, PEOPLE[number % 20], f"/clip {PROMPT} {number}", CHANNELS[number // 20 % 2])
            for number in range(asks)
        )
    )


def the_answers_are_right(answers: list[str]) -> None:
    """As many are accepted as there is room for; each refusal says what is left of a full cap, and when it renews."""
    refused = [answer for answer in answers if "This would cost $0.32, and" in answer]
    accepted = [answer for answer in answers if "is accepted" in answer]
    assert (len(accepted), len(refused)) == (AFFORDABLE, len(answers) - AFFORDABLE), set(answers) - {
        *refused,
        *accepted,
    }
    named = Counter(found[1] if (found := LEFT_OF_CAP.search(answer)) else answer for answer in refused)
    assert any("workspace" in cap for cap in named), named
    for answer in refused:
        assert LEFT_OF_CAP.search(answer), answer
        assert "Nothing was charged" in answer
        assert renewal(answer) == end_of_period(answer)


def nobody_is_over_their_own(spent: list[Json]) -> None:
    """Of rows with a ``person`` and what was ``settled_micro_usd`` for a job: nobody passed the cap of their day."""
    each: Counter[str] = Counter()
    for row in spent:
        each[row["person"]] += row["settled_micro_usd"]
    assert max(each.values()) <= EACH * DRAFT
    assert each.total() == AFFORDABLE * DRAFT


def renewal(text: str) -> datetime:
    """When the refusal says that the cap renews."""
    found = RENEWAL.search(text)
    assert found, text
    return datetime.fromtimestamp(int(found[1]), UTC)


def end_of_period(text: str) -> datetime:
    """When the period that the refusal speaks of ends."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if "for the day" in text:
        return midnight + timedelta(days=1)
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)


async def _until_answered(play: Stage, person: str, line: str, channel: str) -> str:
    """When the bot is too busy to take a command, it is sent again, as people are told, and not by all at once."""
    tries = 0
    while True:
        answer = await play.studio.slash(person, line, channel=channel)
        assert answer["acked"], answer
        text = str(answer["payload"]["text"])
        if BUSY not in text:
            return text
        assert "nothing was accepted" in text
        tries += 1
        await asyncio.sleep(0.2 * tries)
