"""Orders at all five providers at once, by one bot that has them all: what each does is told apart by a word of the
prompt and the provider's name.

await harm(rig, "cut", PROVIDERS, ("amid", "reset", {}))
await order(rig, "cut")
card = await card_of(rig, "cut", "hiapi", "*delivered*")
"""

import asyncio
from collections import Counter
from collections.abc import Iterable

from tests.faults.rig import PROVIDERS, Harm, Rig
from tests.faults.scripts import CALLED
from tests.sandbox.driver import PATIENCE_SECONDS, Json, buttons
from tests.scenarios.bot import UNHURRIED_SECONDS
from tests.support.history import Card, History
from tests.support.loopback import unused_port

SILENT = ("empiriolabs",)
"""Neither: nobody but a person can end it."""
KEYLESS = (*sorted(CALLED), *SILENT)

WITHIN_PROMISE = 60.0
"""Seconds in which an unknown outcome is shown with its buttons."""

SETTINGS = {"PROVIDERS": ",".join(PROVIDERS), "CONFIRM_ABOVE_USD": "9", "MAX_RUNNING_PER_PERSON": "30"}


def called_back() -> dict[str, str]:
    """The settings of a bot that has all providers, and that those who call can reach."""
    port = unused_port()
    return {**SETTINGS, "HTTP_PORT": str(port), "PUBLIC_URL": f"http://127.0.0.1:{port}"}


def prompt_of(rig: Rig, word: str, provider: str) -> str:
    """The prompt of ``order``: no other's begins with it."""
    return f"{rig.marker} {word} by {provider}"


async def order(rig: Rig, word: str, providers: Iterable[str] = PROVIDERS) -> None:
    """The same clip of each of these providers, all at once."""
    await rig.studio.configure(ack_timeout=UNHURRIED_SECONDS)
    lines = [f"/clip {prompt_of(rig, word, name)} --provider {name}" for name in providers]
    await asyncio.gather(*(_until_taken(rig, line) for line in lines))


async def _until_taken(rig: Rig, line: str) -> None:
    """On a slow machine so many at once may be too many to be written within Slack's three seconds: who is told that
    nothing was accepted types it again."""
    while True:
        answer = await rig.studio.slash("maya", line, channel=rig.channel)
        assert answer["acked"], answer
        if "nothing was accepted" not in answer["payload"]["text"]:
            return


async def harm(rig: Rig, word: str, providers: Iterable[str], how: Harm) -> None:
    """What happens to the billed POSTs of these orders, once each."""
    phase, kind, action = how
    for name in providers:
        await rig.arm(f"{name}:create", phase, kind, match={"prompt": f"{rig.marker} {word} "}, **action)


async def counted(rig: Rig, kind: str) -> Counter[str]:
    """How many requests of this kind each provider has counted, eaten ones too: ``create``, or what was ``replayed``
    because its key was known. Per sandbox, so that only differences mean anything."""
    figures = {name: await rig.studio.get(f"/providers/{name}/requests") for name in PROVIDERS}
    return Counter({name: int(found.get(kind, 0)) for name, found in figures.items()})


async def card_of(rig: Rig, word: str, provider: str, says: str, *, within: float = PATIENCE_SECONDS) -> Card:
    """The card of this order, as soon as it says so."""
    prompt = prompt_of(rig, word, provider)
    return await rig.card_where(
        lambda card: prompt in card.text and says in card.text, within=within, what=f"the card of {prompt} says {says}"
    )


async def buttons_of(rig: Rig, card: Card) -> set[str]:
    """The actions that a card offers."""
    return set(buttons(next(one for one in await rig.studio.messages(channel=rig.channel) if one["ts"] == card.ts)))


async def press(rig: Rig, word: str, provider: str, label: str) -> None:
    """Maya presses a button on the card of this order."""
    card = await card_of(rig, word, provider, "")
    await rig.studio.click("maya", card.ts, f"clip.{label.lower().replace(' ', '_')}", channel=rig.channel, stale=True)


def charges_of(history: History, prompt: str) -> list[Json]:
    """The charges that stand for one prompt."""
    return [charge for charge in history.paid if charge["prompt"] == prompt]


def each_clip_is_its_own(history: History) -> None:
    """Every clip stands under the card of the prompt that its provider made it of."""
    prompts = {charge["task_id"]: charge["prompt"] for charge in history.paid}
    cards = {card.ts: card.text for card in history.cards}
    assert [clip for clip in history.clips if prompts[clip.task_id] not in cards[clip.thread_ts or ""]] == []


async def in_hand(rig: Rig, orders: Counter[str], *, charges: int) -> None:
    """Wait until so many billed POSTs have reached the providers, and so many charges were made for this case."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await counted(rig, "create") < orders or len((await rig.history()).charges) < charges:
            await asyncio.sleep(0.02)
