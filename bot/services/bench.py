"""What every step needs, and what a step answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.capabilities import Capabilities
from bot.domain.events import Event
from bot.domain.job import Job, Ownership
from bot.ports import Chat, Clips, Clock, Directory, Fetcher, Provider, Storage, TaskReport, TaskUnreadable
from bot.services.circuit import Circuit
from bot.services.gatekeeper import Gatekeeper
from bot.services.lease import Lease
from bot.services.moving import Moves
from bot.services.places import Places
from bot.services.policies import Policies
from bot.services.policy import Policy
from bot.services.routing import Router


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The collaborators of the steps."""

    storage: Storage
    clips: Clips
    fetcher: Fetcher
    chat: Chat
    providers: Mapping[str, Provider]
    router: Router
    policy: Policy
    """The operator's, for what is the same in every channel; a channel's own is in ``policies``."""
    policies: Policies
    gatekeeper: Gatekeeper
    directory: Directory
    clock: Clock
    lease: Lease
    moves: Moves
    places: Places
    circuit: Circuit
    ring: Callable[[], None]
    """Called after a commit that gave the runner something to do and was no job's move."""
    public_url: str = ""
    """Our own origin as providers reach it, without a slash at its end; empty where they cannot."""

    @property
    def ownership(self) -> Ownership:
        """Under which this process moves jobs now."""
        return self.lease.ownership

    async def move(self, job: Job, *events: Event, detail: str = "") -> Job:
        """Write the events in one transaction and return the job as it is then. Raises Fenced, StorageError."""
        return await self.moves.move(job, self.ownership, *events, detail=detail)

    def can(self, job: Job) -> Capabilities:
        """What its provider can in its tier."""
        return self.router.capabilities(job.provider, job.recipe.tier)

    async def prove(self, job: Job) -> None:
        """Return when the job is ours at this moment, under the epoch in which it was read; raise Fenced otherwise.
        Right before an effect that cannot be taken back."""
        await self.lease.fresh(Ownership(owner=job.owner or "", epoch=job.epoch))

    def has(self, provider: str) -> bool:
        """Whether the provider is set up: the one of a job from before may not be any more."""
        return provider in self.providers

    async def look(self, provider: str, task_id: str) -> TaskReport:
        """Ask once how the task is; of a provider that is not set up there is no news."""
        if not self.has(provider):
            return TaskUnreadable(why="its provider is not set up")
        return await self.providers[provider].look(task_id)


LONGEST_SLEEP_SECONDS = 60.0
"""A due time is looked at again at least this often, so that a stepped clock cannot put work to sleep."""


@dataclass(frozen=True, kw_only=True)
class Later:
    """Nothing changed and nothing was written: look again after that many seconds."""

    seconds: float

    @classmethod
    def until(cls, due: datetime, now: datetime) -> "Later":
        """When it is due by the wall clock; sooner where that is long, since it may have been set back and be put
        right."""
        return cls(seconds=min((due - now).total_seconds(), LONGEST_SLEEP_SECONDS))


StepResult = Job | Later
"""A step returns the moved job, whose ``due_at`` says when it goes on, or Later."""
