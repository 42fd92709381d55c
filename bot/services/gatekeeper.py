"""The one question before every action: may this person do this here?"""

from bot.domain.access import Action, Member, Why, denial
from bot.ports import ChatError, Clock, Directory
from bot.services.answers import NotAllowed
from bot.services.policy import Policy

KNOWN_FOR_SECONDS = 600.0
"""How long Slack's word on a person is taken without asking again."""
SERVES_FOR_SECONDS = 3600.0
"""How long it serves while Slack cannot be asked. After that the person is unknown, and unknown is no."""


class Gatekeeper:
    """Looks people up and remembers what Slack said of them."""

    def __init__(self, *, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._known: dict[str, tuple[float, Member | None]] = {}

    async def check(self, action: Action, *, person: str, channel: str, policy: Policy) -> None:
        """Raises NotAllowed, which says why, unless the person may."""
        member = await self._member(person)
        why = denial(action, person=person, channel=channel, member=member, rules=policy.access)
        if why is not None:
            raise NotAllowed(why)

    async def may_be_told(self, action: Action, *, person: str, channel: str, policy: Policy) -> Why | None:
        """The same as an answer instead of an exception."""
        try:
            await self.check(action, person=person, channel=channel, policy=policy)
        except NotAllowed as error:
            return error.why
        return None

    async def _member(self, person: str) -> Member | None:
        now = self._clock.monotonic()
        at, known = self._known.get(person, (float("-inf"), None))
        if known is not None and now - at < KNOWN_FOR_SECONDS:
            return known
        try:
            member = await self._directory.member(person)
        except ChatError:
            return known if now - at < SERVES_FOR_SECONDS else None
        self._known[person] = (now, member)
        return member
