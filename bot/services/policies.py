"""What holds in a channel now: the operator's policy, narrowed by what admins set for the workspace and the channel."""

from bot.domain.preferences import WHOLE_WORKSPACE
from bot.ports import Storage, Transaction
from bot.services.policy import Policy


class Policies:
    """Reads the stored preferences each time, since another process may have changed them."""

    def __init__(self, *, storage: Storage, operator: Policy) -> None:
        self._storage = storage
        self.operator = operator
        """The environment's values, the same in every channel."""

    async def of(self, workspace: str, channel: str) -> Policy:
        """The channel's policy, in a reading transaction of its own."""
        async with self._storage.read() as tx:
            return await self.within(tx, workspace, channel)

    async def within(self, tx: Transaction, workspace: str, channel: str) -> Policy:
        """The channel's policy as the transaction sees it."""
        policy = self.operator
        for subject in (WHOLE_WORKSPACE, channel):
            version = await tx.preferences.current(workspace, subject)
            if version is not None:
                policy = narrowed(policy, version.values)
        return policy
