"""What holds in a channel now: the operator's policy, changed by what admins set for the workspace and the channel.

This is the one place where a preference has an effect: each key is a view on one field of the policy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from bot.domain.preference_keys import CAST, Key, find
from bot.domain.preferences import WHOLE_WORKSPACE
from bot.ports import Storage, Transaction
from bot.services.policy import Policy


@dataclass(frozen=True, kw_only=True)
class View:
    """How a key reads the policy, and the policy with another value of it."""

    get: Callable[[Policy], Any]
    put: Callable[[Policy, Any], Policy]


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
        """The channel's policy as the transaction sees it; for WHOLE_WORKSPACE what holds where no channel differs."""
        policy = self.operator
        for subject in dict.fromkeys((WHOLE_WORKSPACE, channel)):
            version = await tx.preferences.current(workspace, subject)
            if version is not None:
                policy = narrowed(policy, version.values)
        return policy

    async def winners_of(self, tx: Transaction, workspace: str, channel: str, *, public: bool) -> str | None:
        """Where finals of the channel are linked too. What the workspace says is for channels that everybody may look
        into: a link carries the prompt, and who else reads it a private channel decides by itself."""
        if public:
            return (await self.within(tx, workspace, channel)).winners_channel
        version = await tx.preferences.current(workspace, channel)
        return None if version is None else narrowed(Policy(), version.values).winners_channel


def narrowed(policy: Policy, values: Mapping[str, str]) -> Policy:
    """The policy with what one subject's stored preferences change. Pure.

    Of a cap or a limit the lower value counts, lists of people and channels are joined, anything else is replaced.
    What this release cannot read (see ``unread``) changes nothing.
    """
    for name, text in values.items():
        key = find(name)
        if key is not None and _readable(name, text):
            policy = _with(policy, key, key.kind.read(text))
    return policy


def unread(values: Mapping[str, str]) -> tuple[str, ...]:
    """The stored keys that this release does not know, or whose value it does not allow: another one wrote them."""
    return tuple(name for name, text in values.items() if not _readable(name, text))


def _readable(name: str, text: str) -> bool:
    key = find(name)
    if key is None:
        return False
    try:
        key.kind.read(text)
    except ValueError:
        return False
    return True


def value_of(policy: Policy, key: Key) -> Any:
    """What the key is in that policy."""
    return view_of(key.name).get(policy)


def view_of(name: str) -> View:
    """The view of a key, by its name."""
    return _cast(name.removeprefix(CAST)) if name.startswith(CAST) else VIEWS[name]


def _with(policy: Policy, key: Key, value: Any) -> Policy:
    view = view_of(key.name)
    there = view.get(policy)
    if key.lowest and there is not None:
        value = min(there, value)
    elif key.kind.several:
        value = there | value
    return view.put(policy, value)


def _field(name: str) -> View:
    return View(get=lambda policy: getattr(policy, name), put=lambda policy, value: replace(policy, **{name: value}))


def _part(whole: str, name: str) -> View:
    """A field of one of the policy's own values."""

    def put(policy: Policy, value: Any) -> Policy:
        return replace(policy, **{whole: replace(getattr(policy, whole), **{name: value})})

    return View(get=lambda policy: getattr(getattr(policy, whole), name), put=put)


def _cast(name: str) -> View:
    return View(
        get=lambda policy: policy.cast.get(name, ""),
        put=lambda policy, value: replace(policy, cast={**policy.cast, name: value}),
    )


VIEWS: Mapping[str, View] = MappingProxyType(
    {
        "draft.res": _part("draft", "resolution"),
        "draft.dur": _part("draft", "seconds"),
        "draft.ratio": _part("draft", "ratio"),
        "draft.tier": _part("draft", "tier"),
        "draft.audio": _part("draft", "audio"),
        "takes": _field("takes"),
        "final.res": _part("final", "resolution"),
        "final.dur": _field("final_seconds"),
        "final.tier": _part("final", "tier"),
        "winners.channel": _field("winners_channel"),
        "quorum": _field("quorum"),
        "undo.seconds": _field("undo"),
        "replies": _field("replies"),
        "emoji.promote": _field("promote_emoji"),
        "emoji.cancel": _field("cancel_emoji"),
        "confirm.above": _field("confirm_above_micro_usd"),
        "cap.channel.month": _part("caps", "channel_month_micro_usd"),
        "cap.person.day": _part("caps", "person_day_micro_usd"),
        "cap.workspace.month": _part("caps", "workspace_month_micro_usd"),
        "running.per_person": _field("running_per_person"),
        "look": _field("look"),
        "admins": _part("access", "admins"),
        "people.allow": _part("access", "people_allow"),
        "people.deny": _part("access", "people_deny"),
        "guests.allow": _part("access", "guests_allow"),
        "channels.allow": _part("access", "channels_allow"),
        "channels.deny": _part("access", "channels_deny"),
    }
)
"""What each key means in a policy; the cast's are made by ``view_of``."""
