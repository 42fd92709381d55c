"""From the operator's settings to the values that the services are given, and the way to Slack."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from bot.domain.access import AccessRules
from bot.domain.budget import Caps
from bot.domain.preference_keys import Replies
from bot.services.policy import Policy
from bot.settings import BadSetting, Settings, micro_usd
from bot.vendors import concurrency_of


@dataclass(frozen=True, kw_only=True)
class SlackAccess:
    """How we reach Slack, and it us. With an app token that is Socket Mode, whether or not there is a signing secret;
    with a signing secret alone it is HTTP. One of the two is there, the other may be empty."""

    bot_token: str = field(repr=False)
    app_token: str = field(repr=False)
    signing_secret: str = field(repr=False)

    @property
    def over_http(self) -> bool:
        """Whether Slack sends its requests to our server."""
        return not self.app_token


def slack_access(settings: Settings) -> SlackAccess:
    """Tokens and mode. Raises BadSetting when something is missing."""
    access = SlackAccess(
        bot_token=_secret(settings.slack_bot_token),
        app_token=_secret(settings.slack_app_token),
        signing_secret=_secret(settings.slack_signing_secret),
    )
    missing = [] if access.bot_token else ["SLACK_BOT_TOKEN"]
    if not access.app_token and not access.signing_secret:
        missing.append("SLACK_APP_TOKEN (for HTTP: SLACK_SIGNING_SECRET)")
    if missing:
        raise BadSetting(
            f"{' and '.join(missing)} must be set.",
            "README.md says where to find it (“Set it up in Slack”); write it into .env. `dailies demo` needs none.",
        )
    return access


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def make_policy(settings: Settings) -> Policy:
    """What the operator decided, for the services. Raises BadSetting for a TZ that is no time zone."""
    seconds = settings.poll_interval_seconds
    return Policy(
        caps=Caps(
            workspace_month_micro_usd=micro_usd(settings.budget_workspace_month_usd),
            channel_month_micro_usd=micro_usd(settings.budget_channel_month_usd),
            person_day_micro_usd=micro_usd(settings.budget_user_day_usd),
        ),
        confirm_above_micro_usd=micro_usd(settings.confirm_above_usd) or 0,
        undo=timedelta(seconds=settings.promote_undo_seconds),
        zone=_zone(settings.tz),
        access=AccessRules(admins=frozenset(settings.admin_users)),
        running_per_person=settings.max_running_per_person,
        replies=Replies(settings.thread_replies),
        promote_emoji=settings.reaction_promote,
        cancel_emoji=settings.reaction_cancel,
        concurrency=concurrency_of(settings),
        default_concurrency=settings.provider_concurrency,
        job_timeout=timedelta(seconds=settings.job_timeout_seconds),
        poll_interval=timedelta(seconds=seconds) if seconds is not None else None,
        largest_clip_bytes=settings.max_clip_mb * 1_000_000,
    )


def _zone(name: str) -> tzinfo:
    # POSIX lets a colon stand before a name of the database.
    name = name.strip().removeprefix(":")
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # An unknown name, one that is a path out of the database, a folder in it: each has an error of its own.
        what = f"TZ is {name!r}, which is no time zone that this machine knows."
    raise BadSetting(what, "Give it a name such as Europe/Berlin, or leave it out for UTC.")


_SET_BY: Mapping[str, str] = {
    "undo.seconds": "promote_undo_seconds",
    "replies": "thread_replies",
    "emoji.promote": "reaction_promote",
    "emoji.cancel": "reaction_cancel",
    "confirm.above": "confirm_above_usd",
    "cap.channel.month": "budget_channel_month_usd",
    "cap.person.day": "budget_user_day_usd",
    "cap.workspace.month": "budget_workspace_month_usd",
    "running.per_person": "max_running_per_person",
    "admins": "admin_users",
}
"""Which of the operator's settings is the ground of which preference."""


def set_by_operator(settings: Settings) -> frozenset[str]:
    """The preferences whose ground the operator set; that of others is the default of this release."""
    return frozenset(key for key, name in _SET_BY.items() if name in settings.model_fields_set)
