"""The one question before every action: may this person do this here?"""

import asyncio
from collections import OrderedDict

import structlog

from bot.domain.access import Action, Member, Why, denial
from bot.ports import ChatError, Clock, Directory
from bot.services.answers import NotAllowed
from bot.services.policy import Policy

log = structlog.get_logger(__name__)

KNOWN_FOR_SECONDS = 600.0
"""How long Slack's word on a person is taken without asking again."""
SERVES_FOR_SECONDS = 3600.0
"""How long it serves while Slack cannot be asked. After that the person is unknown, and unknown is no."""
PATIENCE_SECONDS = 0.9
"""How long somebody waits here for Slack's word: the answer to a command must reach Slack within 3 s, and a busy
database may take 2 s of them. What comes later is remembered for the next try."""
MOST_KNOWN = 10_000
"""People remembered at once; whoever was looked up longest ago is forgotten first."""


class Gatekeeper:
    """Looks people up and remembers what Slack said of them. People asked for twice at once are looked up once."""

    def __init__(self, *, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Member]] = OrderedDict()
        """When Slack said it, and what; whoever was looked up longest ago first."""
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._not_before = float("-inf")
        """Slack asked us to wait so long with the next question."""

    async def check(self, action: Action, *, person: str, channel: str, policy: Policy) -> None:
        """Raises NotAllowed, which says why, unless the person may."""
        why = await self.may_be_told(action, person=person, channel=channel, policy=policy)
        if why is not None:
            raise NotAllowed(why, tuple(sorted(policy.access.admins)))

    async def may_be_told(self, action: Action, *, person: str, channel: str, policy: Policy) -> Why | None:
        """The same as an answer instead of an exception."""
        member = None if action is Action.LOOK else await self._member(person)
        return denial(action, person=person, channel=channel, member=member, rules=policy.access)

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _member(self, person: str) -> Member | None:
        """What is known of the person, asking Slack when it is not fresh; None when it is not known."""
        if not person:
            return None
        known = self._remembered(person, KNOWN_FOR_SECONDS)
        if known is not None:
            return known
        if person in self._under_way or self._clock.monotonic() >= self._not_before:
            await asyncio.wait({self._lookup(person)}, timeout=PATIENCE_SECONDS)
        return self._remembered(person, SERVES_FOR_SECONDS)

    def _remembered(self, person: str, for_seconds: float) -> Member | None:
        at, member = self._known.get(person, (float("-inf"), None))
        return member if self._clock.monotonic() - at < for_seconds else None

    def _lookup(self, person: str) -> asyncio.Task[None]:
        """The question that is under way for the person, or a new one. It goes on when nobody waits for it any more."""
        task = self._under_way.get(person)
        if task is None:
            task = self._under_way[person] = asyncio.create_task(self._ask(person), name=f"who:{person}")
            task.add_done_callback(lambda _: self._under_way.pop(person, None))
        return task

    async def _ask(self, person: str) -> None:
        """Ask Slack, and remember. Whatever goes wrong leaves what was known before."""
        try:
            member = await self._directory.member(person)
        except ChatError as error:
            log.warning("person.unknown", person=person, error=error.code)
            if error.retry_after_seconds is not None:
                self._not_before = self._clock.monotonic() + error.retry_after_seconds
            return
        except Exception:
            log.exception("person.lookup_failed", person=person)
            return
        self._known.pop(person, None)
        if member is None:
            log.warning("person.unknown", person=person, error="nobody of that id")
            return
        self._known[person] = (self._clock.monotonic(), member)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
