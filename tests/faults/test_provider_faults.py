"""The provider refuses, babbles, forgets, lies and stalls: no ask is charged twice, and none is left in silence."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.faults.rig import Harm, Rig
from tests.sandbox.driver import PATIENCE_SECONDS, Json

pytestmark = pytest.mark.timeout(180)

storm = pytest.mark.storm
RESUMED_WITHIN = 30.0
"""Seconds after a top-up in which waiting clips start by themselves."""

BUSY_FORMS: Mapping[str, str | Callable[[], str] | None] = {
    "whole seconds": "1",
    "fraction": "0.4",
    "HTTP date": lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True),
    "missing": None,
    "negative": "-5",
    "absurd": "1e9",
    "no number": "soon",
}


# --- refused at the order --------------------------------------------------------------------------------------------


@pytest.mark.row("F30")
@pytest.mark.parametrize("form", [pytest.param(one, marks=storm, id=one) for one in BUSY_FORMS])
async def test_a_busy_provider_is_waited_for_whatever_it_says(rig: Rig, form: str) -> None:
    value = BUSY_FORMS[form]
    posts = await rig.posts()
    await rig.start()
    await rig.arm("hiapi:create", "before", "ratelimit", retry_after=value() if callable(value) else value)
    await rig.accepted()
    await rig.delivered()
    assert await rig.posts() - posts == 2


@pytest.mark.row("F30")
@storm
async def test_while_a_busy_provider_is_waited_for_the_card_says_so(rig: Rig) -> None:
    await rig.start()
    await rig.arm("hiapi:create", "before", "ratelimit", retry_after="6")
    await rig.accepted()
    await rig.says("busy and asks us to wait")
    await rig.delivered()


@pytest.mark.row("F31")
@storm
async def test_an_empty_account_is_waited_for_with_one_order_at_a_time(rig: Rig) -> None:
    """402: three asks wait, nothing is held, the provider is probed and not stormed; after a top-up all start."""
    posts = await rig.posts()
    await rig.studio.post("/providers/hiapi/settings", balance=0)
    await rig.start()
    for words in ("one", "two", "three"):
        await rig.accepted(words)
    await rig.every_card_says("is empty", asks=3)
    assert rig.play.sums()["held_micro_usd"] == 0
    assert await rig.posts() - posts <= 3, "each ask may find out for itself, and none asks again at once"
    await _topped_up(rig, asks=3)


@pytest.mark.row("F32")
@storm
async def test_a_refused_key_is_waited_for_and_mended(rig: Rig) -> None:
    posts = await rig.posts()
    await rig.start()
    await rig.arm("hiapi:create", "before", "status", status=401, times=-1)
    await rig.accepted()
    await rig.says("refuses the key")
    assert rig.play.sums()["held_micro_usd"] == 0
    await asyncio.sleep(8)  # The time is the subject: a loop of orders would show by now.
    assert await rig.posts() - posts == 1
    await rig.studio.heal()
    await _topped_up(rig, asks=1)


async def _topped_up(rig: Rig, *, asks: int) -> None:
    await rig.studio.post("/providers/hiapi/settings", balance=10_000)
    mended = time.monotonic()
    while not (await rig.history()).charges:
        assert time.monotonic() - mended < RESUMED_WITHIN, rig.bot.log()[-3000:]
        await asyncio.sleep(0.1)
    await rig.ended(asks=asks)
    await rig.books_balance(await rig.check(clips=asks, asks=asks))


REFUSALS: Mapping[str, tuple[Json, str]] = {
    "bad request": ({"status": 400}, "could not read the order"),
    "forbidden": ({"status": 404}, "could not read the order"),
    "envelope": (
        {"status": 200, "body": {"code": 400, "message": "content violates policy", "error_code": "TASK_FAILED"}},
        "refused this prompt",
    ),
}


@pytest.mark.parametrize(
    "name", ["bad request", *(pytest.param(one, marks=storm) for one in ("forbidden", "envelope"))]
)
async def test_a_refused_order_ends_at_once_and_frees_its_money(rig: Rig, name: str) -> None:
    action, words = REFUSALS[name]
    posts = await rig.posts()
    await rig.start()
    await rig.arm("hiapi:create", "before", "status", **action)
    await rig.accepted()
    card = await rig.says("*failed*")
    assert words in card.text
    assert "Nothing was charged" in card.text
    await rig.books_balance(await rig.check(clips=0))
    assert await rig.posts() - posts == 1


# --- failed, lost and strange tasks ----------------------------------------------------------------------------------

FAILURES = {
    "policy": "refused this prompt under its content rules",
    "audio": "`--no-audio`",
    "face": "refuses to show this person's face",
    "reference": "could not use a file",
    "timeout": "gave up because rendering took too long",
    "storage": "tried to render this clip and could not",
}


@pytest.mark.parametrize(
    "reason", [pytest.param(one, marks=() if one == "policy" else storm, id=one) for one in FAILURES]
)
async def test_a_failed_render_names_its_class_and_frees_its_money(rig: Rig, reason: str) -> None:
    await rig.start()
    await rig.arm("hiapi:outcome", "do", "fail", reason=reason)
    await rig.accepted()
    card = await rig.says("*failed*")
    assert FAILURES[reason] in card.text
    assert "Nothing was charged" in card.text
    await rig.books_balance(await rig.check(clips=0))


ODD_TASKS: Mapping[str, tuple[str, Json]] = {
    "unknown word": ("unknown_status", {"reads": 4}),
    "regress": ("regress", {}),
    "late visible": ("late_visible", {"seconds": 3}),
    "three outputs": ("extra_outputs", {}),
    "no link": ("success_without_url", {"reads": 1, "output": "missing"}),
    "null link": ("success_without_url", {"reads": 1, "output": "null"}),
    "empty links": ("success_without_url", {"reads": 1, "output": "empty"}),
    "slow": ("slow", {"factor": 12}),
}


@pytest.mark.row("F40", "F41", "F42", "F43", "F51")
@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one == "regress" else storm, id=one) for one in ODD_TASKS]
)
async def test_an_odd_task_still_becomes_one_clip(rig: Rig, name: str) -> None:
    kind, details = ODD_TASKS[name]
    await rig.start()
    await rig.arm("hiapi:outcome", "do", kind, **details)
    await rig.accepted()
    await rig.delivered()


@pytest.mark.row("F49")
async def test_a_task_that_never_ends_is_late_with_a_sorry_and_keeps_its_hold(rig: Rig) -> None:
    await rig.start(JOB_TIMEOUT_SECONDS="1")
    await rig.arm("hiapi:outcome", "do", "never_ends")
    await rig.accepted()
    card = await rig.says("*late*")
    assert "sorry" in card.text
    assert "stays held" in card.text
    await rig.check(clips=0, charges=1)
    assert rig.play.sums()["held_micro_usd"] == 320_000


@pytest.mark.row("F43")
@storm
async def test_a_task_that_the_provider_forgot_is_said_to_be_charged(rig: Rig) -> None:
    await rig.start()
    await rig.arm("hiapi:outcome", "do", "lost")
    await rig.accepted()
    card = await rig.says("*failed*", within=90)
    assert "does not know it any more" in card.text
    assert "$0.32 was charged" in card.text
    await rig.books_balance(await rig.check(clips=0, charges=1))


@pytest.mark.row("F36")
@storm
async def test_a_task_id_that_another_clip_has_is_not_believed(rig: Rig) -> None:
    """Its clip would be the other's: it is uncertain, and the other is delivered once."""
    await rig.start()
    await rig.accepted("first")
    await rig.ended()
    await rig.arm("hiapi:outcome", "do", "repeat_id")
    await rig.accepted("second")
    await rig.says("*uncertain*")
    await rig.check(clips=1, charges=2, asks=2)
    assert "order.foreign_task" in rig.bot.log()


# --- while it is asked -----------------------------------------------------------------------------------------------

POLLS: Mapping[str, Harm] = {
    "500": ("before", "status", {"status": 500}),
    "502 page": ("before", "html", {"status": 502}),
    "200 page": ("before", "html", {}),
    "garbage": ("before", "garbage", {}),
    "half": ("amid", "half_body", {}),
    "reset": ("before", "reset", {}),
    "429": ("before", "ratelimit", {"retry_after": "1"}),
    "401": ("before", "status", {"status": 401}),
    "redirect": ("before", "redirect", {"location": "http://127.0.0.1:9/"}),
    "endless": ("before", "endless", {}),
}


@pytest.mark.row("F39")
@storm
@pytest.mark.parametrize("name", POLLS)
async def test_bad_answers_to_status_requests_delay_a_clip_and_no_more(rig: Rig, name: str) -> None:
    phase, kind, action = POLLS[name]
    await rig.start()
    await rig.arm("hiapi:get", phase, kind, times=3, **action)
    await rig.accepted()
    await rig.delivered()
    assert await rig.fired() == 3


@storm
@pytest.mark.row("F39")
async def test_different_bad_answers_in_a_row_delay_a_clip_and_no_more(rig: Rig) -> None:
    await rig.start()
    for name in ("502 page", "garbage"):
        phase, kind, action = POLLS[name]
        await rig.arm("hiapi:get", phase, kind, **action)
    await rig.accepted()
    await rig.delivered()
    assert await rig.fired() == 2


@pytest.mark.row("F39")
@storm
async def test_a_status_request_that_hangs_is_given_up_and_asked_again(rig: Rig) -> None:
    await rig.start()
    await rig.arm("hiapi:get", "before", "hang")
    await rig.accepted()
    await rig.delivered()


# --- downloads -------------------------------------------------------------------------------------------------------

DOWNLOADS: Mapping[str, Harm] = {
    "truncated": ("amid", "truncate", {"fraction": 0.5}),
    "half": ("amid", "half_body", {}),
    "chunked cut": ("amid", "half_body", {"chunked": True}),
    "200 page": ("before", "html", {}),
    "empty": ("before", "status", {"status": 200, "body": ""}),
    "503": ("before", "status", {"status": 503}),
    "403": ("before", "status", {"status": 403}),
    "reset": ("before", "reset", {}),
}


@pytest.mark.row("F52", "F53", "F54", "F56")
@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one == "truncated" else storm, id=one) for one in DOWNLOADS]
)
async def test_a_bad_download_is_never_delivered_and_fetched_again(rig: Rig, name: str) -> None:
    phase, kind, action = DOWNLOADS[name]
    await rig.start()
    await rig.arm("hiapi:download", phase, kind, times=3, **action)
    await rig.accepted()
    await rig.delivered()
    assert await rig.fired() == 3
    assert not list((rig.bot.media / "unfinished").iterdir())


@pytest.mark.row("F53")
@pytest.mark.parametrize(
    "how", ["no_moov", *(pytest.param(one, marks=storm) for one in ("truncated", "png", "html", "empty"))]
)
async def test_a_file_that_is_no_clip_is_said_to_be_none(rig: Rig, how: str) -> None:
    await rig.start()
    await rig.arm("hiapi:outcome", "do", "corrupt", how=how)
    await rig.accepted()
    card = await rig.says("not a whole video")
    assert "*downloading*" in card.text
    assert "charged" in card.text
    assert not (await rig.history()).clips
    assert not list(rig.bot.media.glob("clips/*/*"))


@pytest.mark.row("F54")
async def test_a_link_that_expired_is_asked_for_afresh(rig: Rig) -> None:
    await rig.studio.post("/providers/hiapi/settings", expire_seconds=2, re_sign=True)
    await rig.start()
    await rig.arm("hiapi:download", "before", "status", status=503, times=3)
    await rig.accepted()
    await rig.delivered()
    assert await rig.fired() == 3


@pytest.mark.row("F55")
@storm
async def test_a_download_that_redirects_elsewhere_is_not_followed(rig: Rig) -> None:
    visits: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: visits.append(writer), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await rig.start()
        await rig.arm("hiapi:download", "before", "redirect", location=f"http://127.0.0.1:{port}/clip.mp4", times=2)
        await rig.accepted()
        await rig.delivered()
    assert visits == []


@pytest.mark.row("F57")
@storm
async def test_a_clip_over_the_limit_waits_charged_until_the_limit_is_raised(rig: Rig) -> None:
    """What looks like a film is cut at the limit; nothing of it stays on our disk. With the limit raised, the next
    start fetches it at once."""
    posts = await rig.posts()
    film = "\0\0\0\x10ftypisom\0\0\0\0" + "\0\x20\0\0mdat" + "frames " * 300_000
    await rig.start(MAX_CLIP_MB="1")
    await rig.arm("hiapi:download", "before", "status", times=-1, status=200, body=film)
    await rig.accepted()
    card = await rig.says("larger than Dailies may store")
    assert "*downloading*" in card.text
    assert "rendered and charged" in card.text
    assert rig.bot.rows("select state, trouble from jobs") == [{"state": "downloading", "trouble": "too_large"}]
    assert not (await rig.history()).clips
    assert not list((rig.bot.media / "unfinished").iterdir())

    await rig.bot.kill()
    await rig.studio.heal()
    await rig.restart(MAX_CLIP_MB="200")
    await rig.delivered(within=PATIENCE_SECONDS)
    assert await rig.posts() - posts == 1


@pytest.mark.row("F57")
@storm
async def test_a_body_without_an_end_that_is_no_film_is_given_up_and_fetched_again(rig: Rig) -> None:
    await rig.start()
    await rig.arm("hiapi:download", "before", "endless", times=2)
    await rig.accepted()
    await rig.delivered()
