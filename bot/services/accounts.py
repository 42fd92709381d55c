"""What was spent, is held and is left, for a person who asks in a channel.

How much of it is shown follows from the role: who may configure Dailies sees the whole workspace, by person; who may
spend in the channel sees the channel and their own part; anybody else, and whoever cannot be looked up, sees their
own part alone.
"""

from collections.abc import Iterable
from datetime import datetime

from bot.domain.access import Action
from bot.domain.budget import Cap, Scope, UsageRow, caps_on, month_of
from bot.domain.figures import breakdown, summed
from bot.domain.statement import Balance, Statement, View
from bot.ports import Clock, Storage, Transaction
from bot.services.gatekeeper import Gatekeeper
from bot.services.policies import Policies

_NEWEST = 1_000
"""Lines of the audit in which a workspace is looked for that never held anything."""


class Accounts:
    """Reads the ledger for people; changes nothing."""

    def __init__(self, *, storage: Storage, policies: Policies, gatekeeper: Gatekeeper, clock: Clock) -> None:
        self._storage = storage
        self._policies = policies
        self._gatekeeper = gatekeeper
        self._clock = clock

    async def statement(self, *, workspace: str, channel: str, person: str, month: str | None = None) -> Statement:
        """The figures of the month (``2026-11``; the present one when left out), as far as the person may see them."""
        view = await self._view(workspace, channel, person)
        now = self._clock.now()
        async with self._storage.read() as tx:
            policy = await self._policies.within(tx, workspace, channel)
            present = month_of(now, policy.zone)
            wanted = month or present
            rows = [row for row in await tx.ledger.usage(wanted) if row.workspace == workspace]
            caps = caps_on(policy.caps, workspace=workspace, channel=channel, person=person, now=now, zone=policy.zone)
            bound = wanted == present and view is not View.OWN
            left = await balances(tx, workspace, caps) if bound else ()
        return Statement(
            month=wanted,
            current=wanted == present,
            view=view,
            channel=channel,
            person=person,
            figures=breakdown(_seen(rows, view, channel, person)),
            own=summed(row for row in rows if row.person == person),
            balances=left,
        )

    async def _view(self, workspace: str, channel: str, person: str) -> View:
        policy = await self._policies.of(workspace, channel)

        async def may(action: Action) -> bool:
            why = await self._gatekeeper.may_be_told(action, person=person, channel=channel, policy=policy)
            return why is None

        if await may(Action.CONFIGURE):
            return View.WORKSPACE
        return View.CHANNEL if await may(Action.SPEND) else View.OWN


def _seen(rows: Iterable[UsageRow], view: View, channel: str, person: str) -> list[UsageRow]:
    match view:
        case View.WORKSPACE:
            return list(rows)
        case View.CHANNEL:
            return [row for row in rows if row.channel == channel]
        case View.OWN:
            return [row for row in rows if row.person == person]


async def balances(tx: Transaction, workspace: str, caps: Iterable[Cap]) -> tuple[Balance, ...]:
    """What counts against each of these caps that has a limit, as the transaction sees it."""
    return tuple(
        [
            Balance(cap=cap, committed_micro_usd=await tx.ledger.committed(cap, workspace))
            for cap in caps
            if cap.limit_micro_usd is not None
        ]
    )


async def all_balances(
    tx: Transaction, policies: Policies, rows: Iterable[UsageRow], now: datetime
) -> tuple[tuple[str, Balance], ...]:
    """For the operator: what is left under every cap that has a limit, each with its workspace. Channels are those
    where anything was ever held or set, people those of the month's ``rows``."""
    found: dict[tuple[str, Cap], Balance] = {}
    for workspace, channel, person in await _bound(tx, rows):
        policy = await policies.within(tx, workspace, channel)
        caps = caps_on(policy.caps, workspace=workspace, channel=channel, person=person, now=now, zone=policy.zone)
        fresh = [cap for cap in caps if cap.subject and (workspace, cap) not in found]
        for balance in await balances(tx, workspace, fresh):
            found[workspace, balance.cap] = balance
    order = list(Scope)
    return tuple((key[0], found[key]) for key in sorted(found, key=lambda key: (key[0], order.index(key[1].scope))))


async def _bound(tx: Transaction, rows: Iterable[UsageRow]) -> list[tuple[str, str, str]]:
    """Workspace, channel and person of whatever a cap may bind; no person where only the channel is known, and no
    channel where only the workspace is."""
    places = {(*place, "") for place in await tx.ledger.places()}
    workspaces = {workspace for workspace, _, _ in places}
    workspaces |= {line.workspace for line in await tx.audit.entries(limit=_NEWEST)}
    for workspace in workspaces:
        places |= {(workspace, channel, "") for channel in ("", *await tx.preferences.channels(workspace))}
    return sorted(places | {(row.workspace, row.channel, row.person) for row in rows})
