"""What is left at providers that tell it: asked rarely, beside the work, and told to the admins when it is little."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog

from bot.domain.job import Job
from bot.ports import Clock, Provider, Storage, StorageError
from bot.services.news import tell_low_balance
from bot.services.policies import Policies
from bot.services.routing import Router

log = structlog.get_logger(__name__)

ASK_EVERY = timedelta(hours=1)
"""While a provider is used; a refusal for want of credit is a reason to ask at once."""

_AGAIN = timedelta(minutes=1)

LOW_CLIPS = 10
"""Little is left when it is less than so many of the dearest clips there cost."""


class Balances:
    """One for the process. Nothing waits for it: what cannot be asked or written now is not known, and that is all."""

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        router: Router,
        storage: Storage,
        policies: Policies,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._providers = providers
        self._router = router
        self._storage = storage
        self._policies = policies
        self._clock = clock
        self._wake = wake
        self._asked: dict[str, float] = {}
        self._asking: set[asyncio.Task[None]] = set()

    def ask(self, job: Job, *, anew: bool = False) -> None:
        """An order of this job was answered: see what is left at its provider, unless that was asked within the hour,
        or (``anew``) within the minute."""
        provider = self._providers.get(job.provider)
        if provider is None or not any(can.balance for can in provider.capabilities):
            return
        now, gap = self._clock.monotonic(), _AGAIN if anew else ASK_EVERY
        if now - self._asked.get(job.provider, float("-inf")) < gap.total_seconds():
            return
        self._asked[job.provider] = now
        task = asyncio.create_task(self.look(job), name=f"balance:{job.provider}")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def look(self, job: Job) -> None:
        """Ask now, and tell the admins of the job's workspace when little is left."""
        credit = await self._providers[job.provider].balance()
        dearest = self._router.dearest(job.provider)
        if credit is None:
            # Not known now: it may be asked again in a minute.
            self._asked[job.provider] = self._clock.monotonic() - (ASK_EVERY - _AGAIN).total_seconds()
        if credit is None or credit.micro_usd is None or dearest is None:
            return
        log.info("provider.balance", provider=job.provider, left_micro_usd=credit.micro_usd)
        if credit.micro_usd >= LOW_CLIPS * dearest:
            return
        try:
            async with self._storage.begin() as tx:
                policy = await self._policies.within(tx, job.workspace, job.channel)
                await tell_low_balance(
                    tx, job, policy, self._clock.now(), left_micro_usd=credit.micro_usd, clip_micro_usd=dearest
                )
        except StorageError as error:
            log.warning("provider.balance_not_told", provider=job.provider, error=str(error))
        self._wake()

    async def close(self) -> None:
        """Ask no more."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
