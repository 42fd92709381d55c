"""Posts whose outcome nobody heard: for how long it says nothing that Slack shows no such message.

Slack may be slow, and a post of whoever died here before may still be on its way. Who posts again as soon as a look
finds nothing has the same message standing twice a moment later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain.patience import POST_LANDS, post_lands, read_back_gap
from bot.ports import ChatError, ChatUnknown
from bot.services.bench import Bench, Later

Key = tuple[str, str]
"""A workspace, and the id of what is posted there."""


@dataclass(frozen=True, kw_only=True)
class _Doubt:
    """``since`` and ``until`` on the monotonic clock: when the post was tried, or was first looked for by a process
    that does not know when, and when it must have appeared. ``sent`` counts the posts that may stand. Good in that
    epoch of ours alone: after it, others may have posted."""

    epoch: int
    sent: int
    since: float
    until: float


@dataclass(frozen=True, kw_only=True)
class Doubts:
    """What this process knows of posts that may still appear."""

    bench: Bench
    _open: dict[Key, _Doubt] = field(default_factory=dict)

    @contextmanager
    def posting(self, key: Key) -> Iterator[None]:
        """Around a post: remembers for how long it may still appear. Where Slack says that it did nothing, nothing
        does; what was done stands, and is forgotten when that is on disk."""
        began = self.bench.clock.monotonic()
        refused = False
        try:
            yield
        except ChatError as error:
            refused = not isinstance(error, ChatUnknown)
            raise
        finally:
            if refused:
                self.nothing_sent(key)
            else:
                now = self.bench.clock.monotonic()
                lands = post_lands(timedelta(seconds=now - began)).total_seconds()
                self._put(key, sent=self.sent(key) + 1, since=now, until=now + lands)

    def nothing_sent(self, key: Key) -> None:
        """No post is on its way but one that was tried before, where there is one."""
        if self._of(key) is None:
            now = self.bench.clock.monotonic()
            self._put(key, sent=0, since=now, until=now)

    def sent(self, key: Key) -> int:
        """How many posts of it may stand that nobody has seen, as far as this process knows. One that was found to be
        intended, and may have been sent before this process began, is one."""
        doubt = self._of(key)
        return 0 if doubt is None else doubt.sent

    def over(self, key: Key) -> bool:
        """Whether a look that begins now tells the truth: what it does not find was never posted. Of what this process
        has not tried itself nobody knows when it was: then the time counts from its first look."""
        doubt = self._of(key)
        now = self.bench.clock.monotonic()
        if doubt is None:
            doubt = self._put(key, sent=1, since=now, until=now + POST_LANDS.total_seconds())
        return now >= doubt.until

    def look_again(self, key: Key) -> Later:
        """When to look again for what a look did not find that began too soon."""
        doubt = self._of(key)
        if doubt is None:
            return Later(seconds=0.0)
        now = self.bench.clock.monotonic()
        gap = read_back_gap(timedelta(seconds=now - doubt.since)).total_seconds()
        return Later(seconds=min(gap, max(0.0, doubt.until - now)))

    def forget(self, key: Key) -> None:
        """It stands, or will not be posted any more."""
        self._open.pop(key, None)

    def _of(self, key: Key) -> _Doubt | None:
        doubt = self._open.get(key)
        return None if doubt is None or doubt.epoch != self.bench.ownership.epoch else doubt

    def _put(self, key: Key, *, sent: int, since: float, until: float) -> _Doubt:
        doubt = self._open[key] = _Doubt(epoch=self.bench.ownership.epoch, sent=sent, since=since, until=until)
        return doubt
