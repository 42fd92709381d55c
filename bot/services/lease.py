"""This process's right to move jobs: one row, renewed all the while, looked at again right before every effect that
cannot be taken back."""

import secrets
from datetime import timedelta

import structlog

from bot.domain.job import Ownership
from bot.ports import Clock, Fenced, Storage, StorageError

log = structlog.get_logger(__name__)

VALID = timedelta(seconds=6)
RENEW_EVERY_SECONDS = 2.0
TRUSTED_SECONDS = 1.0
"""A renewal this young proves the lease; an older one is proved again from the row."""


class Lease:
    """Register once, then renew from a timer; ``fresh`` before an effect."""

    def __init__(self, *, storage: Storage, clock: Clock, alone: bool) -> None:
        self._storage = storage
        self._clock = clock
        self._alone = alone
        self._renewed = 0.0
        self.ownership = Ownership(owner=f"dailies-{secrets.token_hex(4)}", epoch=0)

    async def register(self) -> Ownership:
        """Begin a new epoch."""
        now = self._clock.now()
        async with self._storage.begin() as tx:
            self.ownership = await tx.leases.register(self.ownership.owner, now, now + VALID, alone=self._alone)
        self._renewed = self._clock.monotonic()
        return self.ownership

    async def renew(self) -> None:
        """Prolong the lease; when it was lost (this process slept too long), begin a new epoch: the jobs are claimed
        again by the ordinary loop, and what was read under the old epoch is fenced."""
        began = self._clock.monotonic()
        try:
            async with self._storage.begin() as tx:
                renewed = await tx.leases.renew(self.ownership, self._clock.now() + VALID)
        except StorageError as error:
            log.warning("lease.not_renewed", error=str(error))
            return
        if renewed:
            self._renewed = began
        else:
            log.warning("lease.lost", owner=self.ownership.owner, epoch=self.ownership.epoch)
            await self.register()

    async def fresh(self, ownership: Ownership) -> None:
        """Return when the lease is provably still held under this ownership; raise Fenced otherwise."""
        if ownership != self.ownership:
            raise Fenced("the lease began a new epoch")
        if self._clock.monotonic() - self._renewed <= TRUSTED_SECONDS:
            return
        began = self._clock.monotonic()
        async with self._storage.begin() as tx:
            if not await tx.leases.renew(ownership, self._clock.now() + VALID):
                raise Fenced("the lease has lapsed")
        self._renewed = began

    async def release(self) -> None:
        """Let go, so that others may take over at once."""
        async with self._storage.begin() as tx:
            await tx.leases.release(self.ownership, self._clock.now())
