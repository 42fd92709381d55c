"""A database whose connection breaks at a commit, so that nobody is told whether it was made."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bot.ports import CommitUnknown, Storage, StorageBusy, Transaction


class Breaking:
    """A storage whose connection breaks once, at a commit: after it was written, or before. With ``away`` nobody gets
    through to write any more after that."""

    alone = True

    def __init__(self, storage: Storage, *, written: bool, away: bool = False) -> None:
        self._storage, self._written, self._away, self.broke = storage, written, away, False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """As the storage's, but for the once."""
        if self.broke and self._away:
            raise StorageBusy
        breaks, self.broke = not self.broke, True
        async with self._storage.begin() as tx:
            yield tx
            if breaks and not self._written:
                raise CommitUnknown
        if breaks:
            raise CommitUnknown

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """As the storage's."""
        return self._storage.read()
