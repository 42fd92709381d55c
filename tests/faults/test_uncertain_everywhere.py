"""The billed POST whose answer is lost, at each of the five providers: one charge in every ledger. Where a verified key
or a callback allows, the clip comes; elsewhere it is uncertain, with buttons that do what they say.

One bot with all five serves a whole story; HiAPI alone, and what only its key allows, is in ``test_uncertain``.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import product

import pytest

from tests.faults.rig import PATIENCE_SECONDS, PROVIDERS, Harm, Rig
from tests.sandbox.driver import Json, buttons
from tests.support.history import Card, History

pytestmark = pytest.mark.timeout(180)

KEYED = ("hiapi", "apimart")
"""They bill an idempotency key once, and are relied upon to do so."""
CALLED = ("muapi", "seedanceapi")
"""Without a key: they can call."""
SILENT = ("empiriolabs",)
"""Neither: nobody but a person can end it."""
KEYLESS = (*CALLED, *SILENT)

WITHIN_PROMISE = 60.0
"""Seconds in which an unknown outcome is shown with its buttons."""

LOST: Mapping[str, Harm] = {
    "reset": ("amid", "reset", {}),
    "half": ("amid", "half_body", {}),
    "gateway": ("amid", "status", {"status": 502}),
}
"""How an answer is lost after the provider has taken the order, by a word of the prompt."""

SETTINGS = {"PROVIDERS": ",".join(PROVIDERS), "CONFIRM_ABOVE_USD": "9", "MAX_RUNNING_PER_PERSON": "30"}


def prompt_of(rig: Rig, word: str, provider: str) -> str:
    """The prompt of ``order``: no other's begins with it."""
    return f"{rig.marker} {word} by {provider}"


async def order(rig: Rig, word: str, providers: Iterable[str] = PROVIDERS) -> None:
    """The same clip of each of these providers, all at once."""
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


@pytest.mark.row("F26", "F27")
async def test_a_lost_answer_is_one_charge_at_every_provider_and_a_clip_or_a_question(rig: Rig) -> None:
    before = await counted(rig, "create")
    replays = await counted(rig, "replayed")
    await rig.start(**SETTINGS)
    for word, how in LOST.items():
        await harm(rig, word, PROVIDERS, how)
    await asyncio.gather(*(order(rig, word) for word in LOST))
    for word, name in product(LOST, PROVIDERS):
        said = "*delivered*" if name in KEYED else "*uncertain*"
        card = await card_of(rig, word, name, said, within=WITHIN_PROMISE)
        asked = {"clip.check_again", "clip.order_again", "clip.give_up"} <= await buttons_of(rig, card)
        assert asked is (name in KEYLESS), (word, name)
    history = await rig.check(clips=6, charges=15, asks=15)
    each_clip_is_its_own(history)
    for word, name in product(LOST, PROVIDERS):
        assert len(charges_of(history, prompt_of(rig, word, name))) == 1, (word, name)
    # A keyed order is sent once more and told the answer from before; any other is never sent again.
    assert await counted(rig, "create") - before == {name: 6 if name in KEYED else 3 for name in PROVIDERS}
    assert await counted(rig, "replayed") - replays == dict.fromkeys(KEYED, 3)

    # Each button does what it says.
    for name in KEYLESS:
        await press(rig, "reset", name, "Check again")
        await press(rig, "half", name, "Order again")
        await press(rig, "half", name, "Order again")
        await press(rig, "gateway", name, "Give up")
    for name in KEYLESS:
        card = await card_of(rig, "reset", name, "nothing more is known")
        assert "clip.order_again" in await buttons_of(rig, card)
        await card_of(rig, "half", name, "*delivered*")
        await card_of(rig, "gateway", name, "counted as spent")
    history = await rig.check(clips=9, charges=18, asks=15)
    each_clip_is_its_own(history)
    assert await counted(rig, "create") - before == {name: 6 if name in KEYED else 4 for name in PROVIDERS}
    for name in KEYLESS:
        made = {word: len(charges_of(history, prompt_of(rig, word, name))) for word in LOST}
        assert made == {"reset": 1, "half": 2, "gateway": 1}, name
    unknown = [charge for name in KEYLESS for charge in charges_of(history, prompt_of(rig, "reset", name))]
    known = [charge for charge in history.paid if charge not in unknown]
    held, settled = (sum(int(charge["micro_usd"]) for charge in some) for some in (unknown, known))
    sums = rig.play.sums()
    assert (sums["held_micro_usd"], sums["settled_micro_usd"]) == (held, settled)


@pytest.mark.row("F22", "F23")
@pytest.mark.parametrize("phase", ["amid", pytest.param("before", marks=pytest.mark.storm)])
async def test_a_kill_while_every_provider_has_an_order_in_hand(rig: Rig, phase: str) -> None:
    """All five POSTs are under way when the bot dies: processed, or only read. What is keyed is sent again and made
    once; of the rest nothing is sent, and whoever calls is heard."""
    before = await counted(rig, "create")
    reached = free_port()
    settings = {**SETTINGS, "HTTP_PORT": str(reached), "PUBLIC_URL": f"http://127.0.0.1:{reached}"}
    await rig.start(**settings)
    for name in {*PROVIDERS} - {*SILENT}:
        await rig.arm(f"{name}:callback", "do", "late", match={"prompt": rig.marker})
    *others, last = PROVIDERS
    read = {"read_body": True} if phase == "before" else {}
    await harm(rig, "kill", others, (phase, "hang", read))
    await harm(rig, "kill", [last], (phase, "kill", read))
    await order(rig, "kill", others)
    billed = 1 if phase == "amid" else 0
    await in_hand(rig, before + Counter(others), charges=len(others) * billed)
    await order(rig, "kill", [last])
    await rig.died()
    assert len((await rig.history()).charges) == len(PROVIDERS) * billed
    await rig.restart(**settings)

    for name in PROVIDERS:
        await card_of(rig, "kill", name, "*delivered*" if name in KEYED else "*uncertain*", within=WITHIN_PROMISE)
    history = await rig.check(clips=2, charges=2 + 3 * billed, asks=5)
    each_clip_is_its_own(history)
    assert await counted(rig, "create") - before == {name: 2 if name in KEYED else 1 for name in PROVIDERS}

    await rig.studio.heal()
    for name in CALLED if billed else ():
        await card_of(rig, "kill", name, "*delivered*")
    await press(rig, "kill", SILENT[0], "Give up")
    await card_of(rig, "kill", SILENT[0], "counted as spent")
    history = await rig.check(clips=2 + 2 * billed, charges=2 + 3 * billed, asks=5)
    each_clip_is_its_own(history)
    assert all(len(charges_of(history, prompt_of(rig, "kill", name))) <= 1 for name in PROVIDERS)


async def in_hand(rig: Rig, orders: Counter[str], *, charges: int) -> None:
    """Wait until so many billed POSTs have reached the providers, and so many charges were made for this case."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await counted(rig, "create") < orders or len((await rig.history()).charges) < charges:
            await asyncio.sleep(0.02)


def free_port() -> int:
    """A port of ours that nobody listens to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
