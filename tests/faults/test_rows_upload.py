"""The rows F62 to F73 of the fault matrix: from our disk into the thread."""

import asyncio
from collections.abc import Mapping

import pytest

from tests.faults.rig import Harm, Rig
from tests.sandbox.driver import PATIENCE_SECONDS, Json
from tests.support.history import cards_of, standing

pytestmark = pytest.mark.timeout(600)

storm = pytest.mark.storm

PLENTY = {"CONFIRM_ABOVE_USD": "900", "MAX_RUNNING_PER_PERSON": "1000", "HIAPI_CONCURRENCY": "1000"}


def said_no(error: str) -> Harm:
    """Slack's answer that it will not."""
    return "before", "status", {"status": 200, "body": {"ok": False, "error": error}}


# --- F62, F63, F65: each call on the way -----------------------------------------------------------------------------

ON_THE_WAY: Mapping[str, tuple[str, Harm]] = {
    "no address for now": ("files.getUploadURLExternal", ("before", "ratelimit", {"retry_after": "1"})),
    "address away": ("files.getUploadURLExternal", ("before", "status", {"status": 503})),
    "address lost": ("files.getUploadURLExternal", ("amid", "reset", {})),
    "bytes cut": ("upload", ("amid_request", "reset", {})),
    "bytes refused": ("upload", ("before", "status", {"status": 400})),
    "bytes away": ("upload", ("before", "status", {"status": 502})),
    "bytes unheard": ("upload", ("amid", "reset", {})),
    "share lost": ("files.completeUploadExternal", ("amid", "reset", {})),
    "share said to have failed": ("files.completeUploadExternal", ("amid", "status", {"status": 500})),
    "share cut short": ("files.completeUploadExternal", ("amid", "half_body", {})),
}


@pytest.mark.row("F62", "F63", "F65")
async def test_f62_f63_f65_each_call_of_an_upload_may_go_wrong_and_one_clip_stands(rig: Rig) -> None:
    """Ten clips at once, and each call gone wrong for some of them. Of a file whose bytes did not arrive nothing is to
    be seen, and what Slack shared is not shared again."""
    await rig.start(**PLENTY)
    for point, (phase, kind, action) in ON_THE_WAY.values():
        await rig.arm(f"slack:{point}", phase, kind, **action)
    for _ in range(0, len(ON_THE_WAY), 2):
        await rig.accepted("--takes 2")
    asks = len(ON_THE_WAY) // 2
    await rig.ended(asks=asks)
    await rig.books_balance(await rig.check(clips=len(ON_THE_WAY), asks=asks))
    assert await rig.fired() == len(ON_THE_WAY)
    assert len(await _shown(rig)) == len(ON_THE_WAY)


async def _shown(rig: Rig) -> list[Json]:
    """Every file of this case's jobs that is to be seen anywhere; of a deleted one Slack says no more than that."""
    names = {row["id"] for row in rig.bot.rows("select id from jobs")}
    files = (await rig.studio.state())["files"].values()
    ours = [file for file in files if not file["deleted"] and any(name in file["name"] for name in names)]
    return [file for file in ours if file["shares"]]


@storm
@pytest.mark.row("F62", "F63", "F65")
@pytest.mark.parametrize(
    ("point", "phase"),
    [("files.getUploadURLExternal", "before"), ("upload", "before"), ("files.completeUploadExternal", "amid")],
)
async def test_f62_f63_f65_a_call_of_an_upload_that_hangs_is_given_up(rig: Rig, point: str, phase: str) -> None:
    await rig.start()
    await rig.arm(f"slack:{point}", phase, "hang")
    await rig.accepted()
    await rig.delivered(within=150)


@storm
@pytest.mark.row("F64", "F65")
@pytest.mark.parametrize("phase", ["before", "amid_request", "amid", "after"])
@pytest.mark.parametrize("point", ["upload", "files.completeUploadExternal"])
async def test_f64_f65_a_death_around_the_bytes_or_the_share_leaves_one_file_to_be_seen(
    rig: Rig, point: str, phase: str
) -> None:
    """What was uploaded before and never shared nobody sees."""
    await rig.start()
    await rig.arm(f"slack:{point}", phase)
    await rig.accepted()
    await rig.died()
    await rig.restart()
    await rig.delivered()
    assert len(await _shown(rig)) == 1


# --- F68, F73: Slack will not have it --------------------------------------------------------------------------------


@storm
@pytest.mark.row("F68", "F73")
@pytest.mark.parametrize(
    "error",
    [
        "is_archived",
        "channel_not_found",
        "not_in_channel",
        "storage_limit_reached",
        "file_upload_size_restricted",
        "file_uploads_disabled",
    ],
)
@pytest.mark.parametrize("point", ["files.getUploadURLExternal", "files.completeUploadExternal"])
async def test_f68_f73_a_clip_that_slack_will_not_have_is_kept_told_once_and_delivered_when_it_may(
    rig: Rig, point: str, error: str
) -> None:
    phase, kind, action = said_no(error)
    await rig.start()
    await rig.arm(f"slack:{point}", phase, kind, times=-1, **action)
    await rig.accepted()
    told = await rig.told("maya", "does not let it into its thread")
    assert "ready and safe on our storage" in told["text"]
    assert len(list(rig.bot.media.glob("clips/*/*"))) == 1
    card = await rig.says("*delivering*")
    assert "*#1*" in card.text
    await asyncio.sleep(20)  # The time is the subject: it is tried again meanwhile.
    assert len(await rig.private("maya", "does not let it into its thread")) == 1
    await rig.studio.heal()
    await rig.delivered()


@pytest.mark.row("F68")
async def test_f68_who_mends_the_place_may_have_the_clip_at_once(rig: Rig) -> None:
    """It would be tried again by itself; whoever presses the button need not wait for that."""
    await rig.start()
    phase, kind, action = said_no("not_in_channel")
    await rig.arm("slack:files.completeUploadExternal", phase, kind, times=-1, **action)
    await rig.accepted()
    await rig.told("maya", "does not let it into its thread")
    await rig.says("*delivering*")
    await rig.studio.heal()
    await rig.press("Deliver again")
    await rig.delivered(within=12)


@pytest.mark.row("F68", "F70")
async def test_f68_f70_a_card_deleted_over_paid_work_stands_anew_when_slack_takes_it(rig: Rig) -> None:
    """Meanwhile its asker knows, and not that it cost nothing."""
    await rig.settings(render_seconds=1.5)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    phase, kind, action = said_no("is_archived")
    await rig.arm("slack:chat.postMessage", phase, kind, times=-1, **action)
    await rig.studio.delete("maya", (await rig.card()).ts, channel=rig.channel)
    told = await rig.told("maya", "cannot be shown in")
    assert "stays charged" in told["text"]
    await rig.studio.heal()
    await rig.delivered()
    assert len(await rig.private("maya", "cannot be shown in")) == 1


# --- F69: Slack will not have us -------------------------------------------------------------------------------------


@storm
@pytest.mark.row("F69")
@pytest.mark.parametrize("error", ["token_revoked", "account_inactive", "invalid_auth", "missing_scope"])
async def test_f69_a_token_that_is_refused_keeps_the_clip_until_there_is_a_good_one(rig: Rig, error: str) -> None:
    await rig.settings(render_seconds=1.5)
    await rig.start()
    await rig.accepted()
    await rig.charged()
    phase, kind, action = said_no(error)
    rule = await rig.studio.fault("slack:*", phase, kind, times=-1, **action)
    await rig.logged("clip.not_delivered")
    assert f'"error": "{error}"' in rig.bot.log()
    before = await _struck(rig, rule)
    await asyncio.sleep(8)  # The time is the subject: Slack is not stormed.
    assert await _struck(rig, rule) - before <= 4
    assert len(list(rig.bot.media.glob("clips/*/*"))) == 1
    await rig.bot.kill()
    await rig.studio.heal()
    await rig.restart()
    await rig.delivered()


async def _struck(rig: Rig, rule: int) -> int:
    (one,) = [found for found in await rig.studio.faults() if found["id"] == rule]
    return int(one["fired"])


# --- F71, F72: Slack has no time -------------------------------------------------------------------------------------


@storm
@pytest.mark.row("F71")
@pytest.mark.parametrize(
    ("clips", "limit"),
    [
        (12, {"calls": 4, "seconds": 3.0, "retry_after": 3}),
        (50, {"calls": 20, "seconds": 30.0, "retry_after": 30}),
    ],
)
async def test_f71_clips_that_slack_has_no_time_for_come_one_and_all_and_once(
    rig: Rig, clips: int, limit: Json
) -> None:
    await rig.studio.configure(rate_limits={"files.completeUploadExternal": limit})
    asks = -(-clips // 4)
    await rig.start(**PLENTY)
    for number in range(asks):
        await rig.accepted(f"--takes {min(4, clips - 4 * number)}")
    await rig.ended(asks=asks, within=500)
    await rig.books_balance(await rig.check(clips=clips, asks=asks))
    assert "ratelimited" in rig.bot.log()


@storm
@pytest.mark.row("F72", "F90")
async def test_f72_f90_with_slack_away_for_longer_than_it_is_ever_waited_clips_lie_safe_and_come(rig: Rig) -> None:
    """For hours it would be the same: no wait of a clip or a card is longer than a minute."""
    await rig.settings(render_seconds=1.5)
    await rig.start(**PLENTY)
    for _ in range(3):
        await rig.accepted("--takes 2")
    await rig.charged(6)
    await rig.arm("slack:*", "before", "reset", times=-1)
    await rig.studio.post("/sockets", action="kill")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(list(rig.bot.media.glob("clips/*/*"))) < 6:
            await asyncio.sleep(0.2)
    await asyncio.sleep(75)  # The time is the subject.
    assert not [card for card in cards_of(standing(await rig.studio.state(), rig.channel)) if card.ended]
    await rig.studio.heal()
    await rig.ended(asks=3, within=120)
    await rig.books_balance(await rig.check(clips=6, asks=3))
    await rig.studio.connected(1, timeout=60)
    await rig.accepted("afterwards")
    await rig.ended(asks=4)
    await rig.check(clips=7, asks=4)
