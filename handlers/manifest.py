"""The app manifest: what the workspace is asked for, which is exactly what the listeners and calls here need.

``manifest.yml`` in the repository is this, printed (docs.slack.dev/reference/app-manifest).
"""

from typing import Any

from handlers.commands import COMMAND

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
    "Dailies drafts short AI video where your team talks. Type /clip and a prompt: drafts come cheaply at 480p as MP4s "
    "in the thread, the team picks the winner with a reaction, and Dailies renders it again at 720p. Replies make "
    "variants. Every clip is kept on your own storage with its recipe and its price. Clips are made by an AI model at "
    "the video provider that your operator chose: the prompt is sent there. AI output can be wrong or unsuitable; look "
    "at it before you share it outside your workspace."
)


def manifest(*, history: bool = True) -> dict[str, Any]:
    """The manifest for Socket Mode. Without ``history`` the app cannot read channels, and hears only replies that
    name it (``THREAD_REPLIES=mention``)."""
    scopes = [scope for scope in _SCOPES if history or not scope.endswith(":history")]
    events = [event for event in _EVENTS if history or not event.startswith("message.")]
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "Dailies",
            "description": "Drafts short AI video cheaply, lets the team pick, and keeps every clip.",
            "long_description": _LONG_DESCRIPTION,
            "background_color": "#1f2430",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "dailies", "always_online": False},
            "slash_commands": [
                {
                    "command": COMMAND,
                    "description": "Make a short video clip from a prompt",
                    "usage_hint": "a red panda surfing --takes 2 --dur 4 --ratio 9:16 | help",
                    "should_escape": True,
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": scopes}},
        "settings": {
            "event_subscriptions": {"bot_events": events},
            "interactivity": {"is_enabled": True},
            "org_deploy_enabled": False,
            "socket_mode_enabled": True,
            "token_rotation_enabled": False,
        },
    }
