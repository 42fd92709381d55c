"""The billed POST whose answer is lost, at each of the five providers: one charge in every ledger. Where a verified key
or a callback allows, the clip comes; elsewhere it is uncertain, with buttons that do what they say.

One bot with all five serves a whole story; HiAPI alone, and what only its key allows, is in ``test_uncertain``.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from itertools import product

import pytest

from tests.faults.orders import (
    KEYLESS,
    SETTINGS,
    SILENT,
    WITHIN_PROMISE,
    buttons_of,
    called_back,
    card_of,
    charges_of,
    counted,
    each_clip_is_its_own,
    harm,
    in_hand,
    order,
    press,
    prompt_of,
)
from tests.faults.rig import PROVIDERS, Harm, Rig
from tests.faults.scripts import CALLED, KEYED

pytestmark = pytest.mark.timeout(180)

LOST: Mapping[str, Harm] = {
    "reset": ("amid", "reset", {}),
    "half": ("amid", "half_body", {}),
    "gateway": ("amid", "status", {"status": 502}),
}
"""How an answer is lost after the provider has taken the order, by a word of the prompt."""


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
@pytest.mark.storm
@pytest.mark.parametrize("phase", ["amid", "before"])
async def test_a_kill_while_every_provider_has_an_order_in_hand(rig: Rig, phase: str) -> None:
    """All five POSTs are under way when the bot dies: processed, or only read. What is keyed is sent again and made
    once; of the rest nothing is sent, and whoever calls is heard."""
    before = await counted(rig, "create")
    settings = called_back()
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
