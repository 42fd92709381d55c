"""Whether Slack takes the tokens, whether they may do enough, and whether its requests find the way in."""

from datetime import UTC, datetime

from bot.configuration import SlackAccess, slack_access
from bot.doctor.finding import AGAIN, Finding, fail, ok, skip, warn
from bot.ports import ChatError, ChatUnauthorized
from bot.settings import Settings
from handlers.directory import SCOPE as WHO_SCOPE
from handlers.manifest import manifest
from handlers.workspace import Introduction, SlackWorkspace

CLOCK_SECONDS = 60
"""Slack's requests are refused at 300 seconds; a clock that is one minute off will be five some day."""

_UNREACHABLE = "unreachable"
_SECRET_LENGTH = 32
_HEXADECIMAL = frozenset("0123456789abcdef")
_NOT_SLACK = frozenset({"http_0", "http_200", "http_301", "http_302", "http_307", "http_308", "http_403", "http_404",
                        "http_405", "unknown_method"})  # fmt: skip
"""What comes of asking something that is not Slack's Web API; Slack itself says errors in its own words."""

_INSTALL = "OAuth & Permissions of the app at https://api.slack.com/apps"
_BASIC = "Basic Information of the app at https://api.slack.com/apps"


async def check(settings: Settings) -> list[Finding]:
    """Ask who we are, and for a socket's address, which is not opened. Nothing is posted."""
    access = slack_access(settings)
    workspace = SlackWorkspace(
        bot_token=access.bot_token,
        app_token=access.app_token,
        signing_secret=access.signing_secret,
        api_url=settings.slack_api_url,
    )
    told = await workspace.introduce()
    token = _token(told)
    if told.identity is None and not isinstance(told.refusal, ChatUnauthorized):
        # Whatever keeps Slack from answering this keeps it from answering the rest: one cause, one failing line.
        rest = ("slack scopes", "signing secret" if access.over_http else "app token", "clock")
        return [token, *(skip(name, "Slack has to answer first") for name in rest)]
    return [token, _scopes(settings, access, told), await _way_in(settings, access, workspace), _clock(told)]


def _token(told: Introduction) -> Finding:
    name = "slack token"
    if told.identity is not None and told.identity.bot_id:
        return ok(name, f"it is a bot's, in workspace {told.identity.workspace}.")
    if told.identity is not None:
        mend = f"set SLACK_BOT_TOKEN to the Bot User OAuth Token (it begins with xoxb), from {_INSTALL}."
        return fail(name, "it is a person's token, and not the app's.", mend)
    code = told.refusal.code if told.refusal is not None else "nothing"
    if isinstance(told.refusal, ChatUnauthorized):
        mend = (
            f"set SLACK_BOT_TOKEN to the Bot User OAuth Token (it begins with xoxb), from {_INSTALL}; if it is that "
            "one, install the app again there and copy the new one."
        )
        return fail(name, f"Slack refuses SLACK_BOT_TOKEN with {code}.", mend)
    if told.date is None:
        mend = "see whether this machine reaches the network (DNS, firewall), and correct SLACK_API_URL if it is set."
        why = "" if code == _UNREACHABLE else f": {code}"
        return fail(name, f"Slack cannot be reached{why}.", mend)
    return fail(name, f"Slack answers {code}, which says nothing about the token.", _mend_of_answer(code))


def _mend_of_answer(code: str) -> str:
    """What helps against an answer that is not about a token."""
    if code in _NOT_SLACK:
        public = Settings.model_fields["slack_api_url"].default
        return f"correct SLACK_API_URL, or unset it to use {public}: what answers there is not Slack."
    if code == "ratelimited":
        return f"wait a minute, and {AGAIN}."
    return f"wait, and {AGAIN}; if it stays so, see https://slack-status.com and SLACK_API_URL."


def _scopes(settings: Settings, access: SlackAccess, told: Introduction) -> Finding:
    name, history = "slack scopes", settings.thread_replies == "smart"
    if told.identity is None or not told.identity.bot_id:
        return skip(name, "the token has to be right first")
    wanted = manifest(history=history)["oauth_config"]["scopes"]["bot"]
    missing = [scope for scope in wanted if scope not in told.scopes]
    if not missing:
        return ok(name, "the token has every scope of the manifest.")
    command = "dailies manifest" + (" --http https://YOUR-HOST" if access.over_http else "")
    command += "" if history else " --replies mention"
    mend = f"paste the output of `{command}` under App Manifest of the app, and install it anew under Install App."
    so = f" Without {WHO_SCOPE} Slack does not say who people are, and nobody may spend." * (WHO_SCOPE in missing)
    return fail(name, f"the token lacks {', '.join(missing)}.{so}", mend)


async def _way_in(settings: Settings, access: SlackAccess, workspace: SlackWorkspace) -> Finding:
    if access.over_http:
        return _signing_secret(access)
    try:
        await workspace.try_socket()
    except ChatUnauthorized as error:
        mend = (
            "set SLACK_APP_TOKEN to an App-Level Token with the scope connections:write (it begins with xapp), "
            f"from {_BASIC}."
        )
        return fail("app token", f"Slack refuses SLACK_APP_TOKEN with {error.code}.", mend)
    except ChatError as error:
        return fail("app token", f"Slack opens no socket and answers {error.code}.", _mend_of_answer(error.code))
    unused = "; SLACK_SIGNING_SECRET is set too, and not used" if settings.slack_signing_secret else ""
    return ok("app token", f"Socket Mode; a socket may be opened{unused}.")


def _signing_secret(access: SlackAccess) -> Finding:
    name, secret = "signing secret", access.signing_secret
    if len(secret) != _SECRET_LENGTH or not set(secret) <= _HEXADECIMAL:
        mend = f"set SLACK_SIGNING_SECRET to the Signing Secret, from {_BASIC}."
        return warn(name, "HTTP mode; the secret is not 32 hexadecimal digits as Slack's are.", mend)
    return ok(name, "HTTP mode; whether the secret is the app's shows with Slack's first request.")


def _clock(told: Introduction) -> Finding:
    if told.date is None:
        return skip("clock", "Slack's answer does not say the time")
    apart = (datetime.now(UTC) - told.date).total_seconds()
    if abs(apart) > CLOCK_SECONDS:
        direction = "ahead of" if apart > 0 else "behind"
        mend = "let this machine set its clock from the network (NTP): requests that look 5 minutes old are refused."
        return warn("clock", f"it is {abs(apart):.0f} s {direction} Slack's.", mend)
    return ok("clock", "it agrees with Slack's.")
