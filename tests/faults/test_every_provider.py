"""Everything that goes wrong at a provider goes wrong at each, in its own dialect: what people read names the right
class, what it means for the money is true in both ledgers, and no order is sent once more than the table says.
"""

import time

import pytest

from tests.faults.conftest import RigOf
from tests.faults.ensemble import NAMES, Look, Troupe, events, spilled, together
from tests.faults.rig import PROVIDERS
from tests.faults.scripts import KEYED
from tests.faults.troubles import (
    DRIPPING_LOOK,
    HANGING_LOOK,
    HIDDEN_AT_FIRST,
    LOOKS,
    LOST,
    NO_LINK_AT_FIRST,
    NO_LINK_EVER,
    ODD_TASKS,
    ODD_WORD,
    PAGES_FOR_LOOKS,
    PECULIAR,
    UNKNOWN_WORD,
    UNKNOWN_WORD_EVER,
    Trouble,
    failures,
    key_refused,
    lost_answers,
    refusals,
    throttles,
)
from tests.sandbox.driver import Json
from tests.support.history import CARD_EVENT, Card

pytestmark = pytest.mark.timeout(400)

storm = pytest.mark.storm

PLENTY = {
    "CONFIRM_ABOVE_USD": "9",
    "MAX_RUNNING_PER_PERSON": "100",
    "PROVIDER_CONCURRENCY": "100",
    "ADMIN_USERS": "",
}
"""No limit of ours stands between the asks of one case."""

WAITING = 2
"""Asks that find their provider paused, the one that paused it among them."""

AT_WORK_SECONDS = 1.5
"""So long a task is at work: it is looked at a few times before it ends, on a slow machine too."""

RUN = 5
"""So many orders in a row without a proper answer pause a provider."""

PAGES_TO_PAY_AT = {"muapi": "<https://muapi.ai/topup|Top up at Muapi>"}
"""Where the provider's own document says where to pay."""

RESUMED_WITHIN = 30.0
"""Seconds after the mending in which what waits starts by itself."""


async def _troupe(rig_of: RigOf, provider: str, *others: str, **settings: str) -> Troupe:
    rig = await rig_of(provider, *others)
    for one in (provider, *others):
        await rig.studio.post(f"/providers/{one}/settings", render_seconds=AT_WORK_SECONDS)
    await rig.start(**PLENTY, **settings)
    return Troupe(rig=rig)


async def _promises_kept(troupe: Troupe, *, resumed: int = 0, asks: int = 0) -> None:
    """The whole channel against all five ledgers, byte by byte, and nothing of what providers said spilled. Beside the
    scenes there were so many ``asks`` at paused providers, of which so many ``resumed``."""
    troubles = [scene.trouble for scene in troupe.scenes]
    clips = sum(trouble.ends == "delivered" for trouble in troubles) + resumed
    charges = sum(trouble.charges for trouble in troubles) + resumed
    await troupe.rig.check(clips=clips, charges=charges, asks=len(troubles) + asks)
    assert not spilled(troupe.rig.bot.log())


def _warned_once(troupe: Troupe, trouble: Trouble) -> None:
    """An unknown word is one warning about each task, however often it was read."""
    scenes = [scene for scene in troupe.scenes if scene.trouble is trouble]
    warned = [one["job"] for one in events(troupe.rig.bot.log(), "task.odd_answer") if ODD_WORD in one["what"]]
    assert len(warned) == len(set(warned)) == len(scenes), warned


# --- a provider that takes no orders ----------------------------------------------------------------------------------


async def _pauses(troupe: Troupe, provider: str, says: tuple[str, ...], told: str) -> list[str]:
    """Some asks wait with nothing held, and their channel is told once. Returns their words."""
    words = [troupe.word() for _ in range(WAITING)]
    for word in words:
        await troupe.ask(provider, word)
        card = await _waiting(troupe, provider, word)
        assert all(sentence in card.text for sentence in (*says, "Nothing was charged so far.")), card.text
        assert troupe.sums(word)["held"] == 0
    await troupe.until(lambda look: _told(look, told), f"the channel is told “{told}”", 20)
    return words


async def _waiting(troupe: Troupe, provider: str, word: str) -> Card:
    """The card of that ask, as soon as it says that it waits."""

    def waits(look: Look) -> bool:
        card = look.card(word)
        return card is not None and set(card.rows.values()) == {"waiting"}

    card = (await troupe.until(waits, f"{provider}'s {word} waits", 30)).card(word)
    assert card is not None
    return card


def _told(look: Look, words: str) -> list[Json]:
    """The messages in the channel, outside threads and beside cards, that say this."""
    return [
        one
        for one in look.messages
        if words in one["text"]
        and not one.get("thread_ts")
        and (one.get("metadata") or {}).get("event_type") != CARD_EVENT
    ]


async def _resumes(troupe: Troupe, provider: str, words: list[str], told: str, *, times: int = 1) -> None:
    """What waited is delivered by itself, and the channel is told once that it goes on."""
    began = time.monotonic()
    await troupe.until(lambda look: _charged(look, provider, words), f"{provider} is asked again", RESUMED_WITHIN)
    assert time.monotonic() - began < RESUMED_WITHIN
    await troupe.until(lambda look: all(_delivered(look, word) for word in words), f"{provider}'s clips come", 60)
    over = f"{NAMES[provider]} takes orders again"
    look = await troupe.until(lambda look: len(_told(look, over)) >= times, f"the channel is told that {over}", 20)
    assert len(_told(look, over)) == times
    assert len(_told(look, told)) == 1


def _charged(look: Look, provider: str, words: list[str]) -> bool:
    return any(len(look.charges(provider, word)) > 0 for word in words)


def _delivered(look: Look, word: str) -> bool:
    card = look.card(word)
    return card is not None and set(card.rows.values()) == {"delivered"}


async def _refuses_the_key(troupe: Troupe, provider: str, *, times: int = 1) -> int:
    """401 until the key is mended: one order is refused, and no further one is sent but a probe now and then."""
    told = f"{NAMES[provider]} refuses the key of Dailies"
    rule = await troupe.rig.studio.fault(f"{provider}:create", "before", "status", times=-1, **key_refused(provider))
    words = await _pauses(troupe, provider, (told, "has to renew it"), told)
    assert (await troupe.fired())[rule] == 1
    await troupe.rig.studio.heal(rule)
    await _resumes(troupe, provider, words, told, times=times)
    return len(words)


async def _has_no_credit(troupe: Troupe, provider: str, *, times: int = 1) -> int:
    """402 by the provider's own ledger, in its live dialect, until somebody pays."""
    told = f"The account at {NAMES[provider]} is empty"
    top_up = PAGES_TO_PAY_AT.get(provider, f"Top up at {NAMES[provider]}")
    await troupe.rig.studio.post(f"/providers/{provider}/settings", balance=0, dialect="live")
    words = await _pauses(troupe, provider, (told, top_up), told)
    await troupe.rig.studio.post(f"/providers/{provider}/settings", balance=10_000)
    await _resumes(troupe, provider, words, told, times=times)
    await troupe.rig.studio.post(f"/providers/{provider}/settings", dialect="document")
    return len(words)


async def _answers_nothing_properly(troupe: Troupe, provider: str, *, times: int = 1) -> int:
    """A run of 503: where there is a key every order is repeated and charged once; elsewhere each is left to people
    with its hold, since nobody proved that it was not taken. What comes after waits, and free."""
    told = f"{NAMES[provider]} does not answer orders properly at the moment"
    rule = await troupe.rig.studio.fault(f"{provider}:create", "before", "status", status=503, times=-1)
    doubtful = [troupe.word() for _ in range(RUN)]
    for word in doubtful:
        await troupe.ask(provider, word)
    await troupe.until(lambda look: _paused_in_log(troupe, provider, times), f"{provider} is paused", 30)
    words = await _pauses(troupe, provider, (told, "It is tried again all the while"), told)
    sent = (await troupe.fired())[rule]
    assert sent >= RUN if provider in KEYED else sent == RUN, sent
    await troupe.rig.studio.heal(rule)
    await _resumes(troupe, provider, words, told, times=times)
    await troupe.until(lambda look: all(_known(look, provider, word) for word in doubtful), "the run is over", 60)
    await _the_run_is_booked(troupe, provider, doubtful)
    return len(words) + (RUN if provider in KEYED else 0)


def _paused_in_log(troupe: Troupe, provider: str, times: int) -> bool:
    paused = [one for one in events(troupe.rig.bot.log(), "provider.paused") if one["provider"] == provider]
    return len(paused) >= times


def _known(look: Look, provider: str, word: str) -> bool:
    card = look.card(word)
    return card is not None and set(card.rows.values()) == {"delivered" if provider in KEYED else "uncertain"}


async def _the_run_is_booked(troupe: Troupe, provider: str, doubtful: list[str]) -> None:
    look = await troupe.look()
    for word in doubtful:
        sums, charges = troupe.sums(word), look.charges(provider, word)
        if provider in KEYED:
            assert [one["micro_usd"] for one in charges] == [sums["settled"]]
            assert sums["held"] == 0
        else:
            assert charges == []
            assert (sums["held"], sums["settled"]) == (sums["price"], 0)


# --- all five at once: each trouble somewhere, and what is peculiar to each provider ----------------------------------


@pytest.mark.row("F30", "F31", "F32", "F37")
@storm
async def test_troubles_are_told_in_their_class_and_cost_what_they_cost(rig_of: RigOf) -> None:
    """One bot, five providers side by side. At those without a list, looks hang, drip and are web pages meanwhile."""
    troupe = await _troupe(rig_of, *PROVIDERS)

    async def hiapi() -> int:
        await troupe.live("hiapi", [*PECULIAR["hiapi"], *throttles("HTTP date"), *failures("policy"), UNKNOWN_WORD])
        return await _answers_nothing_properly(troupe, "hiapi")

    async def apimart() -> int:
        oddities = (*throttles("absurd"), NO_LINK_AT_FIRST[0], *PAGES_FOR_LOOKS)
        await troupe.live("apimart", [*PECULIAR["apimart"], *oddities])
        return await _has_no_credit(troupe, "apimart")

    async def muapi() -> int:
        await troupe.live("muapi", [HANGING_LOOK, *PECULIAR["muapi"], *throttles("whole seconds", "missing")])
        return 0

    async def seedanceapi() -> int:
        await troupe.live("seedanceapi", [DRIPPING_LOOK, *PECULIAR["seedanceapi"], *throttles("negative", "no number")])
        return 0

    async def empiriolabs() -> int:
        oddities = (*throttles("fraction"), HIDDEN_AT_FIRST, *failures("audio", "face", "reference", "timeout"))
        await troupe.live("empiriolabs", [*PECULIAR["empiriolabs"], *oddities])
        return await _refuses_the_key(troupe, "empiriolabs")

    resumed = await together(hiapi(), apimart(), muapi(), seedanceapi(), empiriolabs())
    _warned_once(troupe, UNKNOWN_WORD)
    await _promises_kept(troupe, resumed=sum(resumed), asks=3 * WAITING + RUN)


# --- the whole of it --------------------------------------------------------------------------------------------------


@pytest.mark.row("F30", "F32")
@storm
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_refusal_failure_and_oddity(rig_of: RigOf, provider: str) -> None:
    """Every class at the order and at the task, 429 in every form, and what is odd and still becomes a clip."""
    troupe = await _troupe(rig_of, provider)
    await troupe.live(provider, [*refusals(provider), *PECULIAR[provider]])
    await troupe.live(provider, [*failures(), *ODD_TASKS])
    await troupe.live(provider, throttles())
    _warned_once(troupe, UNKNOWN_WORD)
    await _promises_kept(troupe)


@storm
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_other_dialect_of_each(rig_of: RigOf, provider: str) -> None:
    """The same tasks as another dialect tells of them: APIMart without a version, an absolute address at EmpirioLabs,
    errors with HTTP 200 at seedanceapi.org, Muapi's other words."""
    troupe = await _troupe(rig_of, provider, APIMART_RESPONSE_VERSION="none")
    await troupe.live(provider, [*failures(), *ODD_TASKS])
    await troupe.rig.settings(dialect="live")
    await troupe.live(provider, [*failures(), *ODD_TASKS])
    await _promises_kept(troupe)


@pytest.mark.row("F33", "F34")
@storm
async def test_answers_that_hang_drip_and_are_pages(rig_of: RigOf) -> None:
    """To looks, one after another, as of one task alone nothing is asked of a list; then to charged orders, which are
    repeated under their key or left to people. Meanwhile a task is not found for ever."""
    troupe = await _troupe(rig_of, *PROVIDERS)

    async def story(provider: str) -> None:
        for trouble in LOOKS:
            await troupe.live(provider, [trouble])
        await troupe.live(provider, [*lost_answers(provider), LOST], within=120)

    await together(*(story(provider) for provider in PROVIDERS))
    await _promises_kept(troupe)


@pytest.mark.row("F42", "F49")
@storm
async def test_tasks_without_an_end_are_late_and_stay_held(rig_of: RigOf) -> None:
    """Finished without anything to fetch, and at work for ever under a word that nobody knows."""
    troupe = await _troupe(rig_of, *PROVIDERS, JOB_TIMEOUT_SECONDS="1")

    async def story(provider: str) -> None:
        await troupe.live(provider, [NO_LINK_EVER])
        await troupe.rig.studio.post(f"/providers/{provider}/settings", render_seconds=3_600)
        await troupe.live(provider, [UNKNOWN_WORD_EVER])

    await together(*(story(provider) for provider in PROVIDERS))
    _warned_once(troupe, UNKNOWN_WORD_EVER)
    await _promises_kept(troupe)


@pytest.mark.row("F31")
@storm
async def test_each_provider_is_paused_told_of_once_and_resumed(rig_of: RigOf) -> None:
    """A refused key, an empty account, a run of 503, one after another at each, side by side over all."""
    troupe = await _troupe(rig_of, *PROVIDERS)

    async def story(provider: str) -> int:
        clips = await _refuses_the_key(troupe, provider)
        clips += await _has_no_credit(troupe, provider, times=2)
        return clips + await _answers_nothing_properly(troupe, provider, times=3)

    resumed = await together(*(story(provider) for provider in PROVIDERS))
    await _promises_kept(troupe, resumed=sum(resumed), asks=len(PROVIDERS) * (3 * WAITING + RUN))
