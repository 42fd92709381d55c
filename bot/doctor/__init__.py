"""``dailies doctor``: what is wrong with a set-up, and how to mend it.

One finding a line; nothing is ordered, posted or changed. A part that cannot be looked at is a finding too, but one
cause is one failing line. What is printed goes through the same redaction as the log, and no value of a secret setting
survives it.
"""

import asyncio
from collections.abc import Awaitable, Callable

from pydantic import SecretStr

from bot.doctor import database, files, media, money, port, provider, slack
from bot.doctor.finding import Finding, Level, bad_setting, fail, ok, warn
from bot.log import HIDDEN, redact
from bot.settings import BadSetting, Settings, misspelt_settings, unread_lines

__all__ = ["Finding", "Level", "examine", "unreadable"]

_CHECK_SECONDS = 30.0
_SHORTEST_SECRET = 6
"""Anything shorter is no secret, and hiding it would leave holes in plain words."""

Check = Callable[[Settings], Awaitable[list[Finding]]]


def unreadable(error: BadSetting) -> Finding:
    """The only finding when the settings themselves cannot be read."""
    return bad_setting("settings", error)


async def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order in which things are set up. Raises nothing."""
    checks: list[tuple[str, Check]] = [
        ("settings", _settings),
        ("database", database.check),
        ("media", media.check),
        ("caps", money.check_caps),
        ("prices", money.check_prices),
        ("provider", provider.check),
        ("files", files.check),
        ("slack", slack.check),
        ("port", port.check),
    ]
    findings = [finding for name, check in checks for finding in await _guarded(name, check, settings)]
    return [_without_secrets(finding, settings) for finding in findings]


async def _settings(_: Settings) -> list[Finding]:
    """They can be read, or nobody could pass them on; but some of what was written may be read by nobody."""
    found = [*_lines_without_effect(), *_names_without_effect()]
    return found or [ok("settings", "the environment and .env can be read.")]


def _lines_without_effect() -> list[Finding]:
    """By number alone: what stands there may be a key."""
    lines = unread_lines()
    if not lines:
        return []
    which = f"line {lines[0]} of .env is" if len(lines) == 1 else f"lines {', '.join(map(str, lines))} of .env are"
    has = "has" if len(lines) == 1 else "have"
    text = f"{which} not NAME=value and {has} no effect."
    return [warn("settings", text, "write NAME=value there, or # before what is a note.")]


def _names_without_effect() -> list[Finding]:
    misspelt = misspelt_settings()
    if not misspelt:
        return []
    does = "is no setting and has" if len(misspelt) == 1 else "are no settings and have"
    right = ", ".join(f"{name} instead of {wrong}" for wrong, name in misspelt.items())
    return [warn("settings", f"{', '.join(misspelt)} {does} no effect.", f"write {right}, or take it away.")]


async def _guarded(name: str, check: Check, settings: Settings) -> list[Finding]:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await check(settings)
    except BadSetting as error:
        return [bad_setting(name, error)]
    except TimeoutError:
        text = f"nothing answered within {_CHECK_SECONDS:.0f} s."
        return [fail(name, text, "see whether this machine reaches the network, and run `dailies doctor` again.")]
    except Exception as error:  # noqa: BLE001 - a check that breaks must not hide the findings of the others
        return [fail(name, f"this check broke with {type(error).__name__}.", "report this, with how you set it up.")]


def _without_secrets(finding: Finding, settings: Settings) -> Finding:
    hidden = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]

    def clean(text: str) -> str:
        for secret in hidden:
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, HIDDEN)
        return str(redact(text))

    return Finding(level=finding.level, name=finding.name, text=clean(finding.text), mend=clean(finding.mend))
