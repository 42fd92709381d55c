"""The main job, as the people in the channel live it."""

from pathlib import Path

from tests.sandbox.driver import Json, root_of
from tests.scenarios.bot import Stage, number_of
from tests.scenarios.conftest import MakeStage


async def test_a_team_drafts_picks_one_and_makes_a_variant_all_in_one_thread(stage: MakeStage, tmp_path: Path) -> None:
    """Two takes; three people want the second, and Slack delivers their reactions twice; one final comes, paid by the
    first of them. A reply makes one variant. The money in our books is the money in the provider's."""
    async with stage(tmp_path) as play:
        answer = await play.studio.slash("maya", "/clip a red panda surfing --takes 2")
        assert answer["acked"], answer
        first, second = await play.clips(2)
        card = await play.card("a red panda surfing")

        for person in ("ben", "chloe", "dev"):
            await play.studio.react(person, second, "rocket", copies=2)
        await play.card("Final of #2")
        await play.clips(3)

        await play.studio.say("ben", "#1 9:16", thread=first)
        await play.clips(4)

        clips = {number_of(clip): clip for clip in await play.clip_messages()}
        assert sorted(clips) == [1, 2, 3, 4]
        assert {root_of(clip) for clip in clips.values()} == {card["ts"]}
        assert [word for word in ("720p", "Final of #2") if word not in clips[3]["text"]] == []
        assert [word for word in ("9:16", "Variant of #1") if word not in clips[4]["text"]] == []
        await _the_books_agree(play, clips=4)
        paid = play.bot.rows("select person from jobs where number = 3")
        assert paid == [{"person": await _user_id(play, "ben")}]


async def _the_books_agree(play: Stage, *, clips: int) -> None:
    charges = await play.ledger()
    assert len(charges) == clips
    sums = play.sums()
    assert sums["held_micro_usd"] == 0
    assert sums["settled_micro_usd"] == sum(charge["micro_usd"] for charge in charges)
    tasks = {row["task_id"] for row in play.bot.rows("select task_id from jobs")}
    assert tasks == {charge["task_id"] for charge in charges}


async def _user_id(play: Stage, name: str) -> str:
    people: Json = (await play.studio.state())["users"]
    return next(identity for identity, person in people.items() if person["name"] == name)
