"""Looking at one ask: its thread, its clips, its jobs and its money. Asks that share a bot are told apart by their
prompts."""

from collections import Counter

from tests.sandbox.driver import Json, buttons, channel_in
from tests.scenarios.bot import Stage

DRAFT, FINAL = 320_000, 600_000
"""Micro-dollars of four seconds at 480p and at 720p."""


async def draft(play: Stage, prompt: str, *, person: str = "maya", options: str = "") -> Json:
    """One draft's clip, once the bot knows its message."""
    await play.studio.slash(person, f"/clip {prompt} {options}".strip())
    (clip,) = await clips_of(play, await play.card(prompt), 1)
    await play.until_rows("select 1 from jobs where message_ts = ? and state = 'delivered'", clip["ts"])
    return clip


async def clips_of(play: Stage, message: Json, count: int) -> list[Json]:
    """The clips in a message's thread, by number, once there are that many."""
    root = message.get("thread_ts") or message["ts"]

    def standing(state: Json) -> list[Json] | None:
        place = channel_in(state, message["channel"])["messages"]
        found = [one for one in place if one.get("files") and one.get("thread_ts") == root and not one["deleted"]]
        return found if len(found) >= count else None

    if count == 0:
        return [one for one in await play.studio.thread(message) if one.get("files")]
    return await play.studio.wait_until(standing, what=f"{count} clips in the thread")


async def reply_card(play: Stage, clip: Json, text: str) -> Json:
    """The card in a clip's thread that says this."""
    return await play.studio.message_where(
        lambda one: one.get("thread_ts") == clip["thread_ts"] and not one.get("files") and text in one["text"],
        channel=clip["channel"],
        what=f"a card in the thread says “{text}”",
    )


async def card_with(play: Stage, message: Json, action_id: str) -> Json:
    """The card at the root of a message's thread, once it has that button."""
    root = message.get("thread_ts") or message["ts"]
    return await play.studio.message_where(
        lambda one: one["ts"] == root and action_id in buttons(one),
        channel=message["channel"],
        what=f"the card has {action_id}",
    )


async def card_says(play: Stage, card: Json, text: str) -> Json:
    """That card, once it says this."""
    return await play.studio.message_where(
        lambda one: one["ts"] == card["ts"] and text in one["text"],
        channel=card["channel"],
        what=f"the card says “{text}”",
    )


async def heard(play: Stage) -> None:
    """Wait until the bot has acknowledged every event so far: it does so when it has acted on it."""
    await play.studio.wait_until(
        lambda state: all(event["acked"] or event["given_up"] for event in state["events"]),
        what="every event is acknowledged",
    )


async def heard_again(play: Stage, last: int) -> None:
    """Slack delivers its latest events again, whatever became of them; wait until each is acknowledged anew."""
    before = acknowledgements(await play.studio.state())
    events = (await play.studio.post("/redeliver", last=last))["redelivered"]
    assert events
    await play.studio.wait_until(
        lambda state: all(acknowledgements(state)[event] > before[event] for event in events),
        what=f"{len(events)} events are acknowledged again",
    )


def acknowledgements(state: Json) -> Counter[str]:
    """How many deliveries of each event were acknowledged."""
    return Counter(one["event_id"] for one in state["envelopes"] if one["acked"] and one["event_id"])


async def spent(play: Stage, prompt: str) -> int:
    """What the provider has charged for this prompt, in micro-dollars."""
    return sum(charge["micro_usd"] for charge in await play.ledger() if charge["prompt"] == prompt)


def jobs_of(play: Stage, prompt: str) -> list[Json]:
    """The jobs of this prompt."""
    return play.bot.rows("select * from jobs where recipe like ? order by number", f"%{prompt}%")


async def payer_of(play: Stage, prompt: str, number: int) -> str:
    """Whose allowance a job was settled against."""
    (job,) = [job for job in jobs_of(play, prompt) if job["number"] == number]
    (row,) = await play.until_rows("select person from ledger where job_id = ? and settled_micro_usd > 0", job["id"])
    return str(row["person"])


def money_of(play: Stage, prompt: str) -> Json:
    """What our ledger says of this prompt's jobs in micro-dollars: held, settled, released."""
    sums = ", ".join(f"coalesce(sum({word}_micro_usd), 0) as {word}" for word in ("held", "settled", "released"))
    (row,) = play.bot.rows(
        f"select {sums} from ledger join jobs on jobs.id = ledger.job_id where recipe like ?", f"%{prompt}%"
    )
    return row
