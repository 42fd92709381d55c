"""Rows F21 to F38 of the fault matrix, as far as they are not played elsewhere: the billed POST, at all five providers
at once. `docs/fault-matrix.md` says which test plays which row.

HiAPI and APIMart take an idempotency key; Muapi and seedanceapi.org call; EmpirioLabs does neither.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import product

import pytest

from tests.faults.acts import locked
from tests.faults.conftest import RigOf
from tests.faults.ensemble import Troupe
from tests.faults.orders import (
    KEYLESS,
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
from tests.faults.troubles import BODIES, SAYS, Trouble
from tests.support import loopback
from tests.support.verdict import ACK_SECONDS

pytestmark = pytest.mark.timeout(300)

row, storm = pytest.mark.row, pytest.mark.storm

BEFORE_A_PAUSE = 4
"""So many orders in a row may lose their answers at a provider; one more, and it is paused (``F31`` and others)."""


async def start(rig: Rig) -> None:
    """Start that bot. What the keyed providers call is lost, so that nothing but the key helps their orders."""
    await rig.start(**called_back())
    for name in KEYED:
        await rig.arm(f"{name}:callback", "do", "lose", times=-1)


# --- nobody was reached -----------------------------------------------------------------------------------------------


@row("F21")
@storm
@pytest.mark.parametrize("how", ["refused", "name", "tls"])
async def test_f21_what_reached_nobody_is_sent_until_it_reaches_somebody(rig: Rig, how: str) -> None:
    """Three tries at a port where nobody listens, at a name without an address, and with somebody who does not speak
    TLS; then the operator mends the address."""
    before = await rig.posts()
    deaf = await asyncio.start_server(_speak_plainly, "127.0.0.1", 0)
    async with deaf:
        nowhere = {
            "refused": f"http://127.0.0.1:{loopback.unused_port()}",
            "name": "https://nobody.invalid",
            "tls": f"https://127.0.0.1:{deaf.sockets[0].getsockname()[1]}",
        }[how]
        await rig.start(HIAPI_BASE_URL=nowhere)
        await rig.accepted()
        tries = "select 1 from timeline where event = 'NotSent' group by event having count(*) >= 3"
        await rig.play.until_rows(tries)
    assert "*uncertain*" not in (await rig.card()).text
    await rig.bot.kill()
    await rig.restart()
    await rig.delivered()
    assert await rig.posts() - before == 1


def _speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a server without TLS says to a handshake."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


# --- the answer is lost -----------------------------------------------------------------------------------------------


@row("F24")
@storm
async def test_f24_an_answer_that_was_read_and_not_kept_is_found_again_or_asked_about(rig: Rig) -> None:
    """The answers of all five arrive while nothing can be written down, and then the bot dies: the keyed orders are
    repeated, those who call are heard, and the rest is for people."""
    before = await counted(rig, "create")
    settings = called_back()
    await rig.start(**settings)
    for name in {*PROVIDERS} - {*SILENT}:
        await rig.arm(f"{name}:callback", "do", "late", match={"prompt": rig.marker})
    await harm(rig, "kept", PROVIDERS, ("amid", "delay", {"seconds": 1.5}))
    await order(rig, "kept")
    await in_hand(rig, before + Counter(PROVIDERS), charges=len(PROVIDERS))
    with locked(rig):
        await asyncio.sleep(2.5)  # The time is the subject: by now every answer is there.
        assert rig.bot.rows("select distinct state from jobs") == [{"state": "submitting"}]
        await rig.bot.kill()
    await rig.restart(**settings)

    for name in PROVIDERS:
        await card_of(rig, "kept", name, "*delivered*" if name in KEYED else "*uncertain*", within=WITHIN_PROMISE)
    await rig.studio.heal()
    for name in CALLED:
        await card_of(rig, "kept", name, "*delivered*")
    each_clip_is_its_own(await rig.check(clips=4, charges=5, asks=5))
    assert await counted(rig, "create") - before == {name: 2 if name in KEYED else 1 for name in PROVIDERS}


SLOW: Mapping[str, Harm] = {
    "late": ("amid", "delay", {"seconds": 120}),
    "hang": ("amid", "hang", {}),
    "drip": ("amid", "drip", {"bytes_per_second": 1}),
}


@row("F25", "F33", "F34")
@storm
async def test_f25_f33_f34_an_answer_that_takes_too_long_is_lost_and_holds_nobody_up(rig: Rig) -> None:
    """Two minutes late, never, and a byte a second: after the whole deadline it is lost like any other. Meanwhile the
    bot answers and makes clips."""
    before = await counted(rig, "create")
    await start(rig)
    for word, how in SLOW.items():
        await harm(rig, word, PROVIDERS, how)
    since = time.monotonic()
    await asyncio.gather(*(order(rig, word) for word in SLOW))
    await in_hand(rig, before + Counter([*PROVIDERS] * len(SLOW)), charges=len(PROVIDERS) * len(SLOW))
    line = f"/clip {prompt_of(rig, 'meanwhile', 'hiapi')} --provider hiapi"
    answer = await rig.studio.slash("ben", line, channel=rig.channel)
    assert answer["ack_seconds"] < ACK_SECONDS
    await card_of(rig, "meanwhile", "hiapi", "*delivered*", within=20)

    for word in SLOW:
        await card_of(rig, word, SILENT[0], "*uncertain*", within=WITHIN_PROMISE - (time.monotonic() - since))
    for word, name in product(SLOW, (*KEYED, *CALLED)):
        await card_of(rig, word, name, "*delivered*", within=WITHIN_PROMISE)
    each_clip_is_its_own(await rig.check(clips=13, charges=16, asks=16))
    sent = {name: len(SLOW) * (2 if name in KEYED else 1) for name in PROVIDERS}
    assert await counted(rig, "create") - before == sent | {"hiapi": sent["hiapi"] + 1}


def statuses(phase: str) -> dict[str, Harm]:
    """Every status with which a gateway answers for a provider, and its web page."""
    read = {"read_body": True} if phase == "before" else {}
    plain: dict[str, Harm] = {
        f"s{code}": (phase, "status", {"status": code, **read}) for code in (500, 502, 503, 504, 520, 524)
    }
    return {**plain, "page": (phase, "html", {"status": 502, **read})}


CUTS: Mapping[str, Harm] = {
    "reset": ("amid", "reset", {}),
    "fin": ("amid", "close", {}),
    "half": ("amid", "half_body", {}),
    "chunk": ("amid", "half_body", {"chunked": True}),
}
NO_IDS: Mapping[str, Harm] = {
    "none": ("amid", "status", {"status": 200, "body": {"code": 200, "message": "success", "data": {}}}),
    "null": (
        "amid",
        "status",
        {
            "status": 200,
            "body": {"code": 200, "id": None, "request_id": None, "data": {"taskId": None, "task_id": None}},
        },
    ),
    "created": ("amid", "status", {"status": 201, "body": {}}),
    "taken": ("amid", "status", {"status": 202, "body": ""}),
}


async def after_billing(rig: Rig, troubles: Mapping[str, Harm]) -> None:
    """Each order is billed and its answer lost in each way: one charge for each, and a clip wherever there is a key or
    a call; elsewhere a question. No order is sent again without its key."""
    before = await counted(rig, "create")
    await start(rig)
    sound = await _in_batches(rig, troubles)
    for word, name in product(troubles, PROVIDERS):
        card = await card_of(rig, word, name, "*uncertain*" if name in SILENT else "*delivered*", within=WITHIN_PROMISE)
        asked = {"clip.check_again", "clip.order_again", "clip.give_up"} <= await buttons_of(rig, card)
        assert asked is (name in SILENT), (word, name)
    asks = (len(troubles) + len(sound)) * len(PROVIDERS)
    history = await rig.check(clips=asks - len(troubles), charges=asks, asks=asks)
    each_clip_is_its_own(history)
    for word, name in product(troubles, PROVIDERS):
        assert len(charges_of(history, prompt_of(rig, word, name))) == 1, (word, name)
    once = len(troubles) + len(sound)
    sent = await counted(rig, "create") - before
    assert sent == {name: once + len(troubles) if name in KEYED else once for name in PROVIDERS}
    held = sum(
        int(charge["micro_usd"]) for word in troubles for charge in charges_of(history, prompt_of(rig, word, SILENT[0]))
    )
    assert rig.play.sums()["held_micro_usd"] == held, "what is uncertain stays held"


async def _in_batches(rig: Rig, troubles: Mapping[str, Harm]) -> list[str]:
    """Order each of them of every provider, never so many lost answers in a row that a provider is paused: in between
    there is an order that goes well. Returns the words of those."""
    words, sound = list(troubles), []
    for word, how in troubles.items():
        await harm(rig, word, PROVIDERS, how)
    for start in range(0, len(words), BEFORE_A_PAUSE):
        if start:
            sound.append(f"sound{start}")
            await order(rig, sound[-1])
            await _all_say(rig, sound[-1:], "*delivered*")
        batch = words[start : start + BEFORE_A_PAUSE]
        await asyncio.gather(*(order(rig, word) for word in batch))
        for word, name in product(batch, PROVIDERS):
            await _not_under_way(rig, word, name)
    return sound


async def _all_say(rig: Rig, words: Iterable[str], says: str) -> None:
    for word, name in product(words, PROVIDERS):
        await card_of(rig, word, name, says)


async def _not_under_way(rig: Rig, word: str, provider: str) -> None:
    prompt = prompt_of(rig, word, provider)
    await rig.card_where(
        lambda card: prompt in card.text and card.ended, within=WITHIN_PROMISE, what=f"the card of {prompt} has ended"
    )


@row("F26")
@storm
async def test_f26_a_cut_connection_after_billing_is_one_charge_everywhere(rig: Rig) -> None:
    await after_billing(rig, CUTS)


@row("F27")
@storm
async def test_f27_a_gateways_error_after_billing_is_one_charge_everywhere(rig: Rig) -> None:
    await after_billing(rig, statuses("amid"))


@row("F29")
@storm
async def test_f29_an_answer_without_an_id_is_one_charge_everywhere(rig: Rig) -> None:
    """(That an id is read wherever it stands, and as a number, is shown of each provider's decoder.)"""
    await after_billing(rig, NO_IDS)


@row("F35")
@storm
async def test_f35_a_redirect_of_the_order_is_followed_nowhere(rig: Rig) -> None:
    """To another host: key and order would go along. Nobody ever comes there."""
    async with loopback.serving(loopback.answering(200, {"code": 200, "data": {"taskId": "stolen"}})) as thief:
        where = f"http://localhost:{thief.port}/v1/order"
        await after_billing(
            rig, {f"to{code}": ("amid", "redirect", {"location": where, "status": code}) for code in (307, 308)}
        )
        assert thief.accepted == 0


@row("F28")
@storm
async def test_f28_a_gateways_error_with_nothing_billed_is_repeated_under_the_key_or_left_to_people(rig: Rig) -> None:
    """The same answers as after billing, so nothing else can be known of them: where there is no key a person presses
    *Order again*, and that is the only charge."""
    before = await counted(rig, "create")
    await start(rig)
    troubles = statuses("before")
    sound = await _in_batches(rig, troubles)
    for word, name in product(troubles, PROVIDERS):
        await card_of(rig, word, name, "*delivered*" if name in KEYED else "*uncertain*", within=WITHIN_PROMISE)
    whole = len(troubles) + len(sound)
    clips = whole * len(KEYED) + len(sound) * len(KEYLESS)
    each_clip_is_its_own(await rig.check(clips=clips, asks=whole * len(PROVIDERS)))
    for word, name in product(troubles, KEYLESS):
        await press(rig, word, name, "Order again")
    await _all_say(rig, troubles, "*delivered*")
    history = await rig.check(clips=whole * len(PROVIDERS), asks=whole * len(PROVIDERS))
    each_clip_is_its_own(history)
    doubtful = [
        charge
        for word, name in product(troubles, KEYLESS)
        for charge in charges_of(history, prompt_of(rig, word, name))
    ]
    spent = sum(int(charge["micro_usd"]) for charge in [*history.paid, *doubtful])
    await rig.books_balance(history, settled=spent)  # what was ordered anew stays counted as spent
    assert await counted(rig, "create") - before == dict.fromkeys(PROVIDERS, whole + len(troubles))


# --- refused ----------------------------------------------------------------------------------------------------------

REFUSALS: Mapping[int, tuple[str, str]] = {
    400: ("resolution must be one of 480p, 720p", "invalid"),
    403: ("content policy violation", "policy"),
    404: ("no such model", "invalid"),
    422: ("the reference image could not be downloaded", "reference"),
}
"""Words and their class, by status; 401 and a 403 about the key pause the provider (``test_every_provider``)."""


@row("F32")
@storm
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_f32_a_refused_order_is_told_in_its_class_and_frees_its_money(rig_of: RigOf, provider: str) -> None:
    rig = await rig_of(provider)
    await rig.start(CONFIRM_ABOVE_USD="9", MAX_RUNNING_PER_PERSON="30", PROVIDER_CONCURRENCY="30", ADMIN_USERS="")
    troupe = Troupe(rig=rig)
    refusals = [
        Trouble(
            name=str(status),
            action={"status": status, "body": BODIES[provider](status, words)},
            says=(*SAYS[kind], "Nothing was charged."),
        )
        for status, (words, kind) in REFUSALS.items()
        if (provider, status) != ("hiapi", 422)  # which HiAPI says of a key used with other bytes: F37
    ]
    await troupe.live(provider, refusals)
    await rig.books_balance(await rig.check(clips=0, asks=len(refusals)))
