"""``bot.ports.Inbox`` in memory."""

from datetime import datetime

from storage.memory.tables import Tables


class MemoryInbox:
    """Keys of outside events."""

    def __init__(self, tables: Tables) -> None:
        self._inbox = tables.inbox

    async def take(self, workspace: str, key: str, at: datetime) -> bool:
        if (workspace, key) in self._inbox:
            return False
        self._inbox[workspace, key] = at
        return True

    async def was_taken(self, workspace: str, key: str) -> bool:
        return (workspace, key) in self._inbox

    async def forget_before(self, before: datetime) -> int:
        old = [key for key, at in self._inbox.items() if at < before]
        for key in old:
            del self._inbox[key]
        return len(old)
