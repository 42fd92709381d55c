"""``bot.ports.Leases`` in memory."""

from dataclasses import replace
from datetime import datetime

from bot.domain.job import Ownership
from storage.memory.tables import Lease, Tables


class MemoryLeases:
    """One row a process."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def register(
        self,
        owner: str,
        now: datetime,  # noqa: ARG002 - as in ``storage.leases``
        until: datetime,
        *,
        alone: bool,
    ) -> Ownership:
        leases = self._tables.leases
        epoch = max((lease.epoch for lease in leases.values()), default=0) + 1
        if alone:
            leases.clear()
        leases[owner] = Lease(epoch=epoch, until=until)
        return Ownership(owner=owner, epoch=epoch)

    async def renew(self, ownership: Ownership, until: datetime) -> bool:
        lease = self._tables.leases.get(ownership.owner)
        if lease is None or lease.epoch != ownership.epoch or lease.until is None:
            return False
        self._tables.leases[ownership.owner] = replace(lease, until=until)
        return True

    async def holds(self, ownership: Ownership, now: datetime) -> bool:
        return self._tables.valid(ownership.owner, ownership.epoch, now)

    async def release(
        self,
        ownership: Ownership,
        now: datetime,  # noqa: ARG002 - as above
    ) -> None:
        lease = self._tables.leases.get(ownership.owner)
        if lease is not None and lease.epoch == ownership.epoch:
            self._tables.leases[ownership.owner] = replace(lease, until=None)
