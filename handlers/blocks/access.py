"""Why somebody may not: what it means, that nothing was charged, and whom to ask for what."""

from collections.abc import Mapping
from types import MappingProxyType

from bot.domain.access import Why
from bot.services.answers import NotAllowed
from handlers.grammar.doors import SETTINGS_COMMAND

_ADMINS_NAMED = 3
"""More names would read like a list of people to blame."""

_MEANS: Mapping[Why, str] = MappingProxyType(
    {
        Why.UNKNOWN: "Slack did not say just now who you are, and Dailies spends only for people it knows.",
        Why.GUEST: "You are a guest in this workspace, and here guests look on and do not spend.",
        Why.OUTSIDER: "You are from another organisation, and here its people look on and do not spend.",
        Why.APP: "Apps do not spend: only people ask for clips.",
        Why.GONE: "Slack says that this account is deactivated, so it cannot do anything here.",
        Why.PERSON_DENIED: "The admins of Dailies have taken spending away from you here.",
        Why.PERSON_NOT_LISTED: "In this workspace only some people may spend, and you are not one of them yet.",
        Why.CHANNEL_DENIED: "No clips are paid for in this channel.",
        Why.CHANNEL_NOT_LISTED: "Clips are paid for in some channels only, and this is not one of them.",
        Why.NOT_ADMIN: "Only admins of Dailies may do this.",
    }
)

_OPENS: Mapping[Why, tuple[str, str]] = MappingProxyType(
    {
        Why.GUEST: ("let you", "guests.allow+=@you"),
        Why.OUTSIDER: ("let you", "guests.allow+=@you"),
        Why.PERSON_DENIED: ("give it back", "people.deny-=@you"),
        Why.PERSON_NOT_LISTED: ("add you", "people.allow+=@you"),
        Why.CHANNEL_DENIED: ("open it", "channels.deny-=#channel"),
        Why.CHANNEL_NOT_LISTED: ("open it", "channels.allow+=#channel"),
        Why.NOT_ADMIN: ("do it, or make you one", "admins+=@you"),
    }
)
"""What an admin can do about it, and the setting that does it."""

_INSTEAD: Mapping[Why, str] = MappingProxyType(
    {
        Why.UNKNOWN: (
            "Try again in a moment. If it stays so, tell whoever runs Dailies: `dailies doctor` says whether the app "
            "lacks Slack's `users:read`."
        ),
        Why.APP: "Let a person ask.",
        Why.GONE: "Ask from an account that is in use.",
    }
)
"""What to do where no setting helps."""


def not_allowed(error: NotAllowed) -> str:
    """The whole sentence for the person alone. Pure."""
    return f"{_MEANS[error.why]} Nothing was charged or changed. {_advice(error)}"


def _advice(error: NotAllowed) -> str:
    if error.why not in _OPENS:
        return _INSTEAD[error.why]
    can, setting = _OPENS[error.why]
    return f"{_whom(error.admins)} can {can}: `{SETTINGS_COMMAND} workspace {setting}`."


def _whom(admins: tuple[str, ...]) -> str:
    """The admins by name where they are known; in an ephemeral answer nobody is notified of it."""
    named = [f"<@{admin}>" for admin in admins[:_ADMINS_NAMED]]
    return " or ".join(named) if named else "An owner or admin of this workspace"
