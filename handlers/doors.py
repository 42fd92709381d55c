"""What every listener needs: the use-cases, who we are, and a way to answer one person alone.

A listener parses, calls intake, and ends: its answer leaves with the ack, after the commit. Anything that calls Slack
runs in a task of ours that is started when there is something to say, never before the ack depends on it.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, replace

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.access import Why
from bot.domain.budget import OverCap
from bot.domain.lineage import Changes
from bot.domain.pricing import NoPrice
from bot.ports import ChatError, CommitUnknown, FileSource, StorageError
from bot.services.accounts import Accounts
from bot.services.answers import Busy, NotAllowed, Refusal
from bot.services.configuring import Configuring
from bot.services.intake import Intake
from bot.services.policies import Policies
from bot.services.presses import Presses
from bot.services.taking import Sender
from handlers.blocks.answers import explain_error
from handlers.blocks.kit import Message
from handlers.grammar import UsageError
from handlers.grammar.cast import Styled, styled
from handlers.grammar.media import in_slack
from handlers.slack_errors import translated

log = structlog.get_logger(__name__)

EXPECTED = (Refusal, OverCap, NoPrice, UsageError)
"""What a person may run into: answered in words, and not a fault of ours."""

_REMEMBERED_ANSWERS = 1000


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who we are in the workspace, as ``auth.test`` says."""

    workspace: str
    bot_user: str
    bot_id: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a private answer is shown."""

    channel: str
    person: str
    thread_ts: str | None = None


class Doors:
    """Shared by the listeners of one app."""

    def __init__(
        self,
        *,
        intake: Intake,
        presses: Presses,
        policies: Policies,
        accounts: Accounts,
        configuring: Configuring,
        files: FileSource,
        client: AsyncWebClient,
        identity: Identity,
    ) -> None:
        self.intake = intake
        self.presses = presses
        self.policies = policies
        self.accounts = accounts
        self.configuring = configuring
        self.files = files
        self.identity = identity
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered: OrderedDict[str, None] = OrderedDict()

    def in_slack(self, changes: Changes) -> Changes:
        """The changes with the workspace's own links to files read as such, wherever the workspace is."""
        media = tuple(in_slack(medium, api_url=self._client.base_url) for medium in changes.media)
        return replace(changes, media=media)

    async def styled(self, sender: Sender, prompt: str, changes: Changes) -> tuple[Styled, Changes]:
        """A prompt in the style of the channel, and the changes with the files that it brings."""
        policy = await self.policies.of(sender.workspace, sender.channel)
        made = styled(prompt, changes.media, cast=policy.cast, look=policy.look)
        return made, self.in_slack(replace(changes, media=(*changes.media, *made.references)))

    def explain(self, error: Exception) -> Message:
        """The words for what went wrong. A surprise gets a reference code that is in the log too."""
        if isinstance(error, EXPECTED):
            return explain_error(error, reference="")
        if isinstance(error, CommitUnknown):
            log.warning("door.in_doubt", error=str(error))
            return explain_error(error, reference="")
        if isinstance(error, StorageError) and error.may_pass:
            log.warning("door.busy", error=str(error))
            return explain_error(Busy(), reference="")
        reference = secrets.token_hex(4)
        log.error("door.failed", reference=reference, exc_info=error)
        return explain_error(error, reference=reference)

    def tell(self, place: Place, message: Message, *, once: str | None = None) -> None:
        """Show the message to one person, soon. ``once`` is a key under which it is said a single time, since an
        event comes again when Slack did not hear our ack."""
        if once is not None:
            if once in self._answered:
                return
            self._answered[once] = None
            while len(self._answered) > _REMEMBERED_ANSWERS:
                self._answered.popitem(last=False)
        self._start(self._tell(place, message))

    def refuse(self, place: Place, error: Exception, *, once: str | None = None) -> None:
        """Say to one person what went wrong. An app is told nothing: it would not read it."""
        if isinstance(error, NotAllowed) and error.why is Why.APP:
            log.info("door.app_ignored", channel=place.channel, app=place.person)
            return
        self.tell(place, self.explain(error), once=once)

    async def settle(self) -> None:
        """Wait for the answers under way, shortly: the program is ending."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, place: Place, message: Message) -> None:
        try:
            with translated():
                await self._client.chat_postEphemeral(
                    channel=place.channel,
                    user=place.person,
                    thread_ts=place.thread_ts,
                    text=message.text,
                    blocks=message.blocks or None,
                )
        except ChatError as error:
            log.info("answer.not_told", channel=place.channel, error=error.code)
