"""The app manifest: what the workspace is asked for, which is exactly what the listeners and calls here need.

``manifest.yml`` in the repository is this, printed (docs.slack.dev/reference/app-manifest).
"""

from typing import Any
from urllib.parse import urlsplit

from handlers.commands import COMMAND
from handlers.grammar.doors import SETTINGS_COMMAND, USAGE_COMMAND
from handlers.http import PATH

_SCOPES = (
    "app_mentions:read",
    "channels:history",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "im:history",
    "im:write",
    "mpim:history",
    "reactions:read",
    "users:read",
)
_EVENTS = (
    "app_mention",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "reaction_removed",
)
_LONG_DESCRIPTION = (
    "Dailies turns a prompt into short AI video, right where the team talks. Type /clip and what you want to "
    "see, or name the app beside a picture, video or sound: cheap drafts arrive as MP4 files in the thread, each "
    "with its recipe and its price. React with a rocket to render the draft you like properly, or reply with a "
    "setting to make a variant. Prompts go to the video provider that the people who run this app have chosen, "
    "and clips are kept on their own storage. The pictures and sound are made by a machine and can be wrong or "
    "unsuitable: look before you share them."
)


_COMMANDS = (
    (
        COMMAND,
        "Draft a short video from a prompt",
        "a red panda surfing --takes 3 --ratio 9:16 | --estimate PROMPT | help",
    ),
    (USAGE_COMMAND, "What was spent, is held, and is left", "2026-11, or nothing for this month"),
    (SETTINGS_COMMAND, "What holds in this channel, and changing it", "draft.res=720p takes=2 | help"),
)
"""Name, description, and what is shown while somebody types it. ``/clip usage`` and ``/clip settings`` do the same,
where another app has taken the longer names."""

_ON_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class BadAddress(ValueError):
    """Slack cannot send requests there."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(
            f"{address} is no https address that Slack could send requests to, such as https://bot.example."
        )


def request_url(address: str) -> str:
    """Where Slack sends its requests when the server is reached at ``address`` (``https://bot.example``, or with the
    whole path already). Plain http is for this machine alone. Raises BadAddress."""
    try:
        parts = urlsplit(address)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _ON_THIS_MACHINE)
    except ValueError as error:
        raise BadAddress(address) from error
    if not secure or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise BadAddress(address)
    return address.rstrip("/").removesuffix(PATH) + PATH


def manifest(*, history: bool = True, http: str | None = None) -> dict[str, Any]:
    """The manifest for Socket Mode, or with ``http`` for HTTP mode with the server at that address (BadAddress).
    Without ``history`` the app cannot read channels, and hears only replies that name it
    (``THREAD_REPLIES=mention``)."""
    url = request_url(http) if http is not None else None
    told_at = {} if url is None else {"request_url": url}
    scopes = [scope for scope in _SCOPES if history or not scope.endswith(":history")]
    events = [event for event in _EVENTS if history or not event.startswith("message.")]
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "Dailies",
            "description": "Short AI video from a prompt, drafted cheaply and finished when the team picks it.",
            "long_description": _LONG_DESCRIPTION,
            "background_color": "#1b1d2a",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "dailies", "always_online": True},
            "slash_commands": [
                {
                    "command": command,
                    "description": description,
                    "usage_hint": usage_hint,
                    "should_escape": True,
                    **({} if url is None else {"url": url}),
                }
                for command, description, usage_hint in _COMMANDS
            ],
        },
        "oauth_config": {"scopes": {"bot": scopes}},
        "settings": {
            "event_subscriptions": {**told_at, "bot_events": events},
            "interactivity": {"is_enabled": True, **told_at},
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }
