"""Which reactions and replies mean something is each channel's own to say."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from slack_bolt.async_app import AsyncApp

from bot.domain.lineage import Changes
from bot.domain.preferences import PreferencesVersion
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.taking import Sender
from handlers import reactions, threads
from handlers.doors import Doors, Identity
from storage import MemoryStorage
from tests.support.clock import START
from tests.support.slack_files import ToldFiles

HERE, ELSEWHERE = "C1", "C2"
ROOT = "1700000000.000100"

Listener = Callable[..., Awaitable[None]]


class Listeners:
    """As much of Bolt's app as a listener needs to be registered and called."""

    def __init__(self) -> None:
        self.of: dict[str, Listener] = {}

    def event(self, name: str) -> Callable[[Listener], Listener]:
        """Remember it by the event's name."""

        def register(listener: Listener) -> Listener:
            self.of[name] = listener
            return listener

        return register


@dataclass
class Desk:
    """Intake, presses and private answers that only write down what reached them."""

    policies: Policies
    identity: Identity = field(default_factory=lambda: Identity(workspace="T1", bot_user="U0BOT", bot_id="B0"))
    done: list[str] = field(default_factory=list)
    files: ToldFiles = field(default_factory=ToldFiles)

    @property
    def intake(self) -> "Desk":
        """The same desk."""
        return self

    @property
    def presses(self) -> "Desk":
        """The same desk."""
        return self

    async def promote_message(self, sender: Sender, message_ts: str) -> None:
        """A promotion was asked for."""
        self.done.append("promote")

    async def cancel_message(self, sender: Sender, ts: str) -> None:
        """A cancellation was asked for."""
        self.done.append("cancel")

    async def reaction_removed(self, sender: Sender, ts: str) -> None:
        """A reaction that promotes was taken back."""
        self.done.append("taken back")

    async def is_ours(self, workspace: str, channel: str, root_ts: str) -> bool:
        """Every thread is."""
        return True

    async def was_taken(self, sender: Sender) -> bool:
        """No event came before."""
        return False

    def in_slack(self, changes: Changes) -> Changes:
        """There are no files."""
        return changes

    async def variant(
        self, sender: Sender, root_ts: str, number: int | None, changes: Changes, text: str, **_: object
    ) -> None:
        """A variant was asked for."""
        self.done.append(f"variant of {number}")

    def tell(self, *_: object, **__: object) -> None:
        """Somebody was told something."""
        self.done.append("told")


async def desk_with(values: dict[str, str]) -> tuple[Desk, Listeners]:
    """A desk where HERE has these values and ELSEWHERE has none."""
    storage = MemoryStorage()
    async with storage.begin() as tx:
        await tx.preferences.put(
            PreferencesVersion(workspace="T1", subject=HERE, version=1, values=values, changed_by=None, at=START)
        )
    desk, listeners = Desk(Policies(storage=storage, operator=Policy())), Listeners()
    for module in (reactions, threads):
        module.register(cast("AsyncApp", listeners), cast("Doors", desk))
    return desk, listeners


@pytest.mark.parametrize(
    ("channel", "emoji", "done"),
    [
        (HERE, "ship", ["promote"]),
        (HERE, "star::skin-tone-3", ["promote"]),
        (HERE, "rocket", []),
        (HERE, "no_entry", ["cancel"]),
        (HERE, "x", []),
        (ELSEWHERE, "rocket", ["promote"]),
        (ELSEWHERE, "x", ["cancel"]),
        (ELSEWHERE, "ship", []),
    ],
)
async def test_emoji_mean_what_the_channel_says(channel: str, emoji: str, done: list[str]) -> None:
    desk, listeners = await desk_with({"emoji.promote": ":ship: :star:", "emoji.cancel": ":no_entry:"})
    event: dict[str, Any] = {
        "user": "U1",
        "reaction": emoji,
        "item": {"type": "message", "channel": channel, "ts": ROOT},
    }
    await listeners.of["reaction_added"](event=event, body={"event_id": "E1"})
    assert desk.done == done
    await listeners.of["reaction_removed"](event=event, body={"event_id": "E2"})
    assert desk.done[len(done) :] == ["taken back"] * ("promote" in done)


async def test_an_emoji_that_both_promotes_and_cancels_spends_nothing() -> None:
    """What the workspace and a channel set apart from each other may meet so, or what another release stored."""
    desk, listeners = await desk_with({"emoji.promote": ":ship: :x:", "emoji.cancel": ":x:"})
    event = {"user": "U1", "item": {"type": "message", "channel": HERE, "ts": ROOT}}
    for emoji in ("x", "ship"):
        await listeners.of["reaction_added"](event={**event, "reaction": emoji}, body={"event_id": f"E-{emoji}"})
    assert desk.done == ["cancel", "promote"]
    policy = await desk.policies.of("T1", HERE)
    assert policy.promoting == ("ship",)


@pytest.mark.parametrize(
    ("mode", "channel", "text", "done"),
    [
        ("off", HERE, "#1 9:16", []),
        ("off", HERE, "<@U0BOT> #1 9:16", []),
        ("mention", HERE, "#1 9:16", []),
        ("mention", HERE, "<@U0BOT> #1 9:16", ["variant of 1"]),
        ("smart", HERE, "#1 9:16", ["variant of 1"]),
        ("off", ELSEWHERE, "#1 9:16", ["variant of 1"]),
    ],
)
async def test_replies_are_read_as_the_channel_says(mode: str, channel: str, text: str, done: list[str]) -> None:
    desk, listeners = await desk_with({"replies": mode})
    event = {"user": "U1", "channel": channel, "text": text, "ts": "1700000009.000100", "thread_ts": ROOT}
    await listeners.of["message"](event=event)
    assert desk.done == done
