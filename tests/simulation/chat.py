"""``bot.ports.Chat`` and ``bot.ports.Directory`` as one process reaches Slack: calls that are done and never answered,
refused, slowed down, or not done at all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from bot.domain.access import Member
from bot.domain.announcement import Announcement
from bot.domain.job import Ask, Job
from bot.domain.notice import Notice
from bot.ports import (
    Card,
    ChatError,
    ChatRefused,
    ChatUnauthorized,
    ChatUnknown,
    ClipPost,
    MessageGone,
    Share,
    Slot,
    ThreadGone,
)
from tests.simulation.process import Process
from tests.simulation.slack_books import Message, SlackBooks
from tests.simulation.world import SLACK

T = TypeVar("T")

ADMIN = "U0"
GUEST = "U9"
TROUBLES = "away", "limited", "away", "unknown", "unknown, done", "unknown, done late"
"""What can become of a call."""
_LANDS = 0.5
"""Of calls that are cut off by a kill so many arrive."""
_POSTS = frozenset({"card", "announce"})
_POST_LANDS_SECONDS = 0.5, 4.9
"""When they do that were cut off by a kill, and how late at most those whose connection broke: just before it is
believed that they never will."""


class WorkspaceChat:
    """One process's calls to Slack."""

    def __init__(self, process: Process, books: SlackBooks) -> None:
        self._process, self._world, self._books = process, process.world, books
        self._chances = process.world.stream(f"{SLACK}/{process.number}")

    # --- cards -----------------------------------------------------------------------------------------------------

    async def post_card(self, card: Card) -> str:
        ask = card.ask

        def post() -> Message:
            if self._archived(ask.channel):
                self._books.refused_asks.add(ask.id)
            self._see_place(ask.channel, ask.root_ts)
            message = self._books.post(ask.channel, ask.root_ts, ask_id=ask.id, card=card)
            self._world.note(f"slack card {ask.id} as {message.ts}")
            return message

        return (await self._change("card", post)).ts

    async def find_card(self, ask: Ask) -> str | None:
        return await self._find(ask.channel, ask.root_ts, "ask_id", ask.id)

    async def update_card(self, card: Card) -> None:
        def edit() -> None:
            self._see_place(card.ask.channel, None)
            message = self._books.standing(card.ask.card_ts)
            if message is None:
                raise MessageGone("message_not_found")
            self._books.edit(message.ts, card)

        await self._change("update", edit)

    # --- clips -----------------------------------------------------------------------------------------------------

    async def reserve(self, post: ClipPost, size: int) -> Slot:
        await self._call("reserve")
        file = self._books.reserve(post.job, size)
        return Slot(url=f"https://slack.example/{file.id}", file_id=file.id)

    async def send(self, slot: Slot, size: int, chunks: AsyncIterator[bytes]) -> None:
        self._process.gate("upload.send")
        content = b"".join([chunk async for chunk in chunks])
        await self._call("upload")
        self._books.files[slot.file_id].content = content

    async def share(self, file_id: str, post: ClipPost) -> None:
        def share() -> None:
            self._see_place(post.job.channel, post.ask.root_ts)
            self._books.complete(self._books.files[file_id], post.job.channel, post.ask.root_ts)

        await self._change("share", share)

    async def find_share(self, file_id: str, channel: str) -> Share | None:
        await self._call(f"files.info {file_id}")
        file = self._books.files[file_id]
        if file.deleted or not file.completed:
            raise MessageGone("file_not_found")
        if file.message is None or file.message.deleted:
            return None
        return Share(message_ts=file.message.ts, public=True)

    async def delete_file(self, file_id: str) -> None:
        await self._change("delete", lambda: self._books.forget_file(self._books.files[file_id]))

    # --- people ----------------------------------------------------------------------------------------------------

    async def reactors(self, channel: str, ts: str, names: Sequence[str]) -> tuple[str, ...]:
        since = self._books.asking(ts)
        try:
            await self._call("reactions")
        except ChatUnauthorized:
            self._books.looked(ts, since, told=False)
            raise
        self._books.looked(ts, since, told=True)
        message = self._books.standing(ts)
        standing = () if message is None else message.standing(self._world.now)
        # People go on while the answer is on its way.
        await self._process.wait(self._chances.uniform(0.02, 0.2))
        if message is None:
            raise MessageGone("message_not_found")
        return standing

    async def tell(self, ask: Ask, notice: Notice, job: Job | None = None) -> None:
        await self._change("tell", lambda: self._books.notices.append((ask.id, notice)))

    async def explain(self, channel: str, person: str, error: Exception) -> None:
        await self._change("explain", lambda: self._books.explained.append((channel, person, error)))

    # --- announcements ---------------------------------------------------------------------------------------------

    async def announce(self, announcement: Announcement) -> str:
        def post() -> Message:
            self._see_place(announcement.to, None)
            return self._books.post(announcement.to, None, news=announcement.key)

        return (await self._change("announce", post)).ts

    async def find_announcement(self, announcement: Announcement) -> str | None:
        return await self._find(announcement.to, None, "news", announcement.key)

    # --- who people are --------------------------------------------------------------------------------------------

    async def member(self, person: str) -> Member | None:
        try:
            await self._call("users.info")
        except ChatError:
            self._books.untold.append(self._world.now)
            raise
        return Member(person=person, admin=person == ADMIN, guest=person == GUEST)

    async def admins(self) -> tuple[str, ...]:
        await self._call("users.list")
        return (ADMIN,)

    # --- how calls go ----------------------------------------------------------------------------------------------

    async def _find(self, channel: str, root_ts: str | None, name: str, value: str) -> str | None:
        await self._call(f"history {value}")
        message = self._books.find(channel, root_ts, name, value)
        return None if message is None else message.ts

    async def _call(self, what: str) -> None:
        """A call that people do not see, up to where it is done. Raises ChatError."""
        self._process.gate("any", f"slack {what}")
        await self._process.wait(self._chances.uniform(0.02, 0.4))
        self._see_token()
        if trouble := self.trouble():
            raise self._refusal(trouble)

    async def _change(self, what: str, change: Callable[[], T]) -> T:
        """A call that people may see: when it goes wrong it may have been done all the same."""
        self._process.gate(f"{what}.send", f"slack {what}")
        try:
            await self._process.wait(self._chances.uniform(0.02, 0.4))
        except asyncio.CancelledError:
            if self._chances.random() < _LANDS and not self._revoked:
                if what in _POSTS:
                    self._world.loop.call_later(self._chances.uniform(*_POST_LANDS_SECONDS), self._land, change)
                else:
                    self._land(change)
            raise
        self._see_token()
        trouble = self.trouble()
        if not trouble:
            done = change()
            self._process.gate(f"{what}.done")
            await self._process.wait(self._chances.uniform(0.02, 0.2))
            return done
        if trouble == "unknown, done":
            self._land(change)
        elif trouble == "unknown, done late":
            # The connection broke, and a moment later Slack does it.
            latest = _POST_LANDS_SECONDS[1] if what in _POSTS else 1.5
            self._world.loop.call_later(self._chances.uniform(0.0, latest), self._land, change)
        raise self._refusal(trouble)

    def trouble(self) -> str:
        """What goes wrong with the next call; empty when nothing does."""
        bad = self._world.weather.bad(SLACK, self._world.now)
        return self._chances.choice(TROUBLES) if bad else ""

    def _refusal(self, trouble: str) -> ChatError:
        if trouble == "limited":
            return ChatError("ratelimited", retry_after_seconds=self._chances.choice((1.0, 10.0, 30.0)))
        return ChatUnknown("connection_broke") if trouble.startswith("unknown") else ChatError("internal_error")

    def _land(self, change: Callable[[], object]) -> None:
        """What nobody hears the answer of."""
        try:
            change()
        except ChatError as error:
            self._world.note(f"slack unheard {error.code}")

    @property
    def _revoked(self) -> bool:
        return self._world.now < self._books.revoked_until

    def _archived(self, channel: str) -> bool:
        return self._world.now < self._books.refused_until.get(channel, 0.0)

    def _see_token(self) -> None:
        if self._revoked:
            raise ChatUnauthorized("token_revoked")

    def _see_place(self, channel: str, root_ts: str | None) -> None:
        """Raises ChatRefused where nothing can be posted, ThreadGone where the thread is gone."""
        if self._archived(channel):
            raise ChatRefused("is_archived")
        if self._books.gone(root_ts):
            raise ThreadGone("thread_not_found")
