"""Announcements, posted once: the intention is on disk before the post, one of unknown outcome is read back, what
Slack refuses for good or what is too old to be news is given up."""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

import structlog

from bot.domain.announcement import ADMINS, Announcement, Topic
from bot.domain.patience import NEWS_VALID, backoff
from bot.ports import ChatError, ChatForbidden, ChatRefused, ChatUnknown, MessageGone
from bot.services.bench import Bench, Later
from bot.services.doubts import Doubts, Key
from bot.services.news import tell_winner_untold

log = structlog.get_logger(__name__)

_FANNED_OUT = "told each"
"""What stands instead of a message's ts where everybody concerned has an announcement of their own."""

_FIRST_SECONDS = 2.0
_CEILING_SECONDS = 1800.0


@dataclass(frozen=True, kw_only=True)
class Announcing:
    """Posts announcements that this process has claimed."""

    bench: Bench

    @cached_property
    def _doubts(self) -> Doubts:
        return Doubts(bench=self.bench)

    async def step(self, workspace: str, key: str) -> Later | None:
        """Bring one announcement out; None when nothing is left to do for it."""
        async with self.bench.storage.read() as tx:
            news = await tx.announcements.get(workspace, key)
        now = self.bench.clock.now()
        if news.posted_ts is not None or news.given_up:
            return None
        if now - news.created_at >= NEWS_VALID:
            await self._give_up(news, "it is no news any more")
            return None
        if news.due_at > now:
            return Later.until(news.due_at, now)
        try:
            return await (self._fan_out(news) if news.to == ADMINS else self._bring(news))
        except (ChatRefused, MessageGone) as error:
            await self._give_up(news, error.code, refused=isinstance(error, ChatRefused))
            return None
        except ChatError as error:
            return await self._postpone(news, error)

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _fan_out(self, news: Announcement) -> None:
        """Make one announcement for each admin: those who are named, or else those whom Slack knows as such."""
        async with self.bench.storage.read() as tx:
            policy = await self.bench.policies.within(tx, news.workspace, str(news.facts.get("channel", "")))
        people = sorted(policy.access.admins) or sorted(await self.bench.directory.admins())
        if not people:
            await self._give_up(news, "nobody administers Dailies here")
            return
        async with self.bench.storage.begin() as tx:
            for person in people:
                await tx.announcements.add(replace(news, key=f"{news.key}:{person}", to=person, owner=None, epoch=0))
            await tx.announcements.posted(news.workspace, news.key, _FANNED_OUT)
        self.bench.ring()

    async def _bring(self, news: Announcement) -> Later | None:
        """Post it, unless it stands already or may still appear. Where Slack does not let us see whether it does, it is
        not posted a second time."""
        over = not news.posting or self._doubts.over(_key(news))
        try:
            ts = await self.bench.chat.find_announcement(news) if news.posting else None
        except (ChatRefused, ChatForbidden) as error:
            await self._give_up(news, f"it cannot be read back: {error.code}")
            return None
        if ts is None and not over:
            return self._doubts.look_again(_key(news))
        if ts is None:
            async with self.bench.storage.begin() as tx:
                await tx.announcements.intended(news.workspace, news.key)
            await self.bench.lease.fresh(self.bench.ownership)
            try:
                with self._doubts.posting(_key(news)):
                    ts = await self.bench.chat.announce(news)
            except ChatUnknown as error:
                log.info("announcement.unknown", key=news.key, error=error.code)
                return self._doubts.look_again(_key(news))
        async with self.bench.storage.begin() as tx:
            await tx.announcements.posted(news.workspace, news.key, ts)
        self._doubts.forget(_key(news))
        return None

    async def _give_up(self, news: Announcement, why: str, *, refused: bool = False) -> None:
        """It will not be posted. Of a winners' channel that refuses us the admins are told."""
        log.warning("announcement.given_up", key=news.key, topic=news.topic.value, why=why)
        async with self.bench.storage.begin() as tx:
            await tx.announcements.give_up(news.workspace, news.key)
            if refused and news.topic is Topic.WINNER:
                policy = await self.bench.policies.within(tx, news.workspace, str(news.facts["channel"]))
                await tell_winner_untold(tx, news, why, policy, self.bench.clock.now())
        self._doubts.forget(_key(news))
        self.bench.ring()

    async def _postpone(self, news: Announcement, error: ChatError) -> Later:
        """Slack is away or asks us to wait: later, also for whoever takes over."""
        wait = backoff(news.tries + 1, self.bench.clock.chance(), first=_FIRST_SECONDS, ceiling=_CEILING_SECONDS)
        wait = max(wait, timedelta(seconds=error.retry_after_seconds or 0.0))
        log.info("announcement.later", key=news.key, error=error.code, tries=news.tries + 1)
        async with self.bench.storage.begin() as tx:
            await tx.announcements.postponed(news.workspace, news.key, self.bench.clock.now() + wait)
        return Later(seconds=wait.total_seconds())


def _key(news: Announcement) -> Key:
    return news.workspace, news.key
