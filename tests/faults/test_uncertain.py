"""The billed POST whose answer is lost: asked again under its key, or, without a verified key, left to a person."""

from collections.abc import Mapping

import pytest

from tests.faults.conftest import RigOf
from tests.faults.rig import Harm, Rig
from tests.sandbox.driver import Json, buttons
from tests.support.loopback import unused_port

pytestmark = pytest.mark.timeout(180)

NO_KEY = {"HIAPI_IDEMPOTENCY": "false"}
WITHIN_PROMISE = 60.0
"""Seconds in which an unknown outcome is shown with its buttons."""
AT_ONCE = 30.0
"""Seconds, on a slow machine too; what is only looked at in its turn takes a minute."""

LOST_ANSWERS: Mapping[str, Harm] = {
    "reset": ("amid", "reset", {}),
    "fin": ("amid", "close", {}),
    "half a body": ("amid", "half_body", {}),
    "chunked cut": ("amid", "half_body", {"chunked": True}),
    "502 after billing": ("amid", "status", {"status": 502}),
    "504 page after billing": ("amid", "html", {"status": 504}),
    "408": ("amid", "status", {"status": 408}),
    "200 that breaks off": ("amid", "garbage", {}),
    "200 web page": ("amid", "html", {}),
    "redirect after billing": ("amid", "redirect", {"location": "http://127.0.0.1:9/", "status": 307}),
    "reset before billing": ("before", "reset", {"read_body": True}),
}


def _lost(every_run: str) -> list[object]:
    """All of them, but for one in the storm."""
    return [pytest.param(name, marks=() if name == every_run else pytest.mark.storm, id=name) for name in LOST_ANSWERS]


async def _uncertain(rig: Rig, name: str = "reset") -> None:
    """Bring an ask to *uncertain* by a lost answer."""
    phase, kind, action = LOST_ANSWERS[name]
    await rig.start(**NO_KEY)
    await rig.arm("hiapi:create", phase, kind, **action)
    await rig.accepted()
    await rig.says("*uncertain*", within=WITHIN_PROMISE)


async def _message(rig: Rig) -> Json:
    card = await rig.card()
    found: Json = next(one for one in await rig.studio.messages(channel=rig.channel) if one["ts"] == card.ts)
    return found


# --- without a verified key ------------------------------------------------------------------------------------------


@pytest.mark.row("F26", "F27", "F35")
@pytest.mark.parametrize("name", _lost("reset"))
async def test_without_a_key_a_lost_answer_is_shown_and_never_sent_again(rig: Rig, name: str) -> None:
    posts = await rig.posts()
    await _uncertain(rig, name)
    offered = buttons(await _message(rig))
    assert {"clip.check_again", "clip.order_again", "clip.give_up"} <= offered.keys()
    await rig.accepted("another")  # A second ask goes all its way meanwhile: the first sends nothing.
    await rig.ended(asks=2)
    charged = 1 if LOST_ANSWERS[name][0] == "amid" else 0
    await rig.check(clips=1, charges=1 + charged, asks=2)
    assert await rig.posts() - posts == 2
    sums = rig.play.sums()
    assert sums["held_micro_usd"] == sums["settled_micro_usd"] == 320_000, "the unknown order stays held"


@pytest.mark.row("F33")
@pytest.mark.storm
async def test_without_a_key_a_hanging_provider_is_uncertain_within_the_promise(rig: Rig) -> None:
    """The longest case: the POST is given its whole deadline, and the card still says it within a minute."""
    await rig.start(**NO_KEY)
    await rig.arm("hiapi:create", "amid", "hang")
    await rig.accepted()
    await rig.says("*uncertain*", within=WITHIN_PROMISE)
    await rig.check(clips=0, charges=1)


@pytest.mark.row("F22", "F23")
@pytest.mark.parametrize("phase", [pytest.param("before", marks=pytest.mark.storm), "amid"])
async def test_without_a_key_a_kill_amid_the_order_is_uncertain_and_not_repeated(rig: Rig, phase: str) -> None:
    await rig.start(**NO_KEY)
    posts = await rig.posts()
    await rig.arm("hiapi:create", phase)
    await rig.accepted()
    await rig.died()
    await rig.restart(**NO_KEY)
    await rig.says("*uncertain*", within=WITHIN_PROMISE)
    await rig.check(clips=0, charges=0 if phase == "before" else 1)
    assert await rig.posts() - posts == 1


@pytest.mark.storm
async def test_an_uncertain_clip_gives_its_place_free(rig: Rig) -> None:
    """One place at the provider: the next ask is made although the first one's outcome is unknown."""
    await rig.start(HIAPI_CONCURRENCY="1", **NO_KEY)
    await rig.arm("hiapi:create", "amid", "reset")
    await rig.accepted()
    await rig.says("*uncertain*", within=WITHIN_PROMISE)
    await rig.accepted("another")
    await rig.ended(asks=2)
    await rig.check(clips=1, charges=2, asks=2)


@pytest.mark.storm
async def test_check_again_is_free_and_says_that_nothing_is_new(rig: Rig) -> None:
    await _uncertain(rig)
    await rig.press("Check again")
    await rig.says("nothing more is known")
    await rig.check(clips=0, charges=1)
    assert "clip.order_again" in buttons(await _message(rig))


@pytest.mark.storm
async def test_order_again_orders_once_however_often_it_is_pressed(rig: Rig) -> None:
    await _uncertain(rig)
    for person in ("maya", "ben", "chloe"):
        await rig.press("Order again", user=person, stale=True)
    await rig.says("*delivered*")
    await rig.press("Order again", stale=True)
    history = await rig.check(clips=1, charges=2)
    assert len({charge["key"] for charge in history.paid}) == 2, "the second order has a key of its own"
    await rig.books_balance(history)


@pytest.mark.storm
async def test_give_up_counts_the_order_as_spent(rig: Rig) -> None:
    await _uncertain(rig)
    await rig.press("Give up")
    await rig.says("counted as spent")
    history = await rig.check(clips=0, charges=1)
    await rig.books_balance(history)


@pytest.mark.storm
async def test_an_uncertain_clip_is_still_uncertain_after_a_restart(rig: Rig) -> None:
    await _uncertain(rig)
    posts = await rig.posts()
    await rig.bot.kill()
    await rig.start(**NO_KEY)
    await rig.press("Order again")
    await rig.says("*delivered*")
    assert await rig.posts() - posts == 1
    await rig.check(clips=1, charges=2)


@pytest.mark.row("F24")
async def test_a_call_that_was_written_down_before_a_death_is_followed_at_the_next_start(rig_of: RigOf) -> None:
    """The provider calls once: from then on nobody but our disk knows of the task."""
    rig = await rig_of("seedanceapi")
    port = str(unused_port())
    settings = {"HTTP_PORT": port, "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    await rig.start(**settings)
    await rig.arm(rig.point("create"), "amid", "reset")
    # The task cannot be read when the call comes, and the bot dies over its next look.
    await rig.arm(rig.point("get"), "before", "kill", skip=1)
    await rig.arm(rig.point("get"), "before", "status", status=500)
    await rig.accepted()
    await rig.died()
    await rig.restart(**settings)
    await rig.says("*delivered*", within=AT_ONCE)
    await rig.delivered()


# --- with the key ----------------------------------------------------------------------------------------------------


@pytest.mark.row("F26", "F27", "F28")
@pytest.mark.parametrize("name", _lost("502 after billing"))
async def test_with_the_key_a_lost_answer_is_one_charge_and_a_clip(rig: Rig, name: str) -> None:
    phase, kind, action = LOST_ANSWERS[name]
    await rig.start()
    await rig.arm("hiapi:create", phase, kind, times=2, **action)
    await rig.accepted()
    await rig.delivered()
    assert await rig.fired() == 2


@pytest.mark.row("F37")
@pytest.mark.storm
async def test_with_the_key_an_order_in_hand_is_waited_for(rig: Rig) -> None:
    """The first POST is lost while the provider still works on it; the second is told 409 until it is done."""
    await rig.start()
    posts = await rig.posts()
    await rig.arm("hiapi:create", "do", "slow_processing", seconds=6)
    await rig.accepted()
    await rig.posted(posts + 1)
    await rig.bot.kill()
    await rig.restart()
    await rig.posted(posts + 2)
    assert not (await rig.history()).charges, "the first POST is still in hand"
    await rig.delivered()
    assert await rig.posts() - posts >= 3


@pytest.mark.row("F37")
async def test_with_the_key_a_mismatch_is_never_answered_with_a_new_order(rig: Rig) -> None:
    """422 on the repetition says nothing about the first POST, which was billed: people decide."""
    await rig.start()
    posts = await rig.posts()
    await rig.arm("hiapi:create", "amid", "reset")
    await rig.arm("hiapi:create", "before", "status", status=422, skip=1, times=-1)
    await rig.accepted()
    await rig.says("*uncertain*", within=WITHIN_PROMISE)
    await rig.check(clips=0, charges=1)
    assert await rig.posts() - posts == 2
