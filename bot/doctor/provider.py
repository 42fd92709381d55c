"""Whether each configured provider answers, takes the key, and has credit. The question costs nothing."""

import re

from bot.configuration import make_providers
from bot.doctor.finding import AGAIN, Finding, fail, ok, warn
from bot.domain.failure import Failure, FailureKind
from bot.settings import Settings

_STATUS = re.compile(r"\bHTTP (\d{3})\b")
"""How a provider's check names an answer that it has no class for."""


async def check(settings: Settings) -> list[Finding]:
    """One finding a provider."""
    findings = []
    for name, provider in make_providers(settings).items():
        try:
            failure = await provider.check()
        finally:
            await provider.close()
        findings.append(judge(name, failure))
    return findings


def judge(provider: str, failure: Failure | None) -> Finding:
    """What the answer of ``provider.check()`` means for whoever runs Dailies."""
    name, key = f"provider {provider}", f"{provider.upper()}_API_KEY"
    if failure is None:
        return ok(name, "it answers and takes the key.")
    if failure.kind is FailureKind.KEY_REFUSED:
        return _refused(name, key, failure.detail)
    status = _status(failure)
    if failure.kind is FailureKind.OUT_OF_CREDIT or status == 402:
        mend = f"top up the account that {key} belongs to; the key itself is taken."
        return fail(name, f"it answers, but the account has no credit{_quoted(failure)}.", mend)
    if status == 429:
        text = "it answers that it is asked too often (HTTP 429), which says nothing about the key."
        return warn(name, text, f"wait a minute, and {AGAIN}.")
    if status is None:
        return _away(provider, failure)
    return _answers(provider, status)


def _refused(name: str, key: str, words: str) -> Finding:
    if words:
        return fail(
            name, f"it refuses the key: {words.rstrip('.')}.", f"correct {key}: copy it again from its website."
        )
    mend = f"correct {key}; if it is right, see on its website whether the key or this machine's address is blocked."
    return fail(name, "it refuses us and does not say why.", mend)


def _away(provider: str, failure: Failure) -> Finding:
    base = f"{provider.upper()}_BASE_URL"
    mend = f"see whether this machine reaches the network (DNS, firewall), and correct {base} if it is set."
    return fail(f"provider {provider}", f"{failure.detail.rstrip('.')}.", mend)


def _answers(provider: str, status: int) -> Finding:
    """An answer that no provider gives to whoever has an account there, or one that it gives in trouble."""
    name, base = f"provider {provider}", f"{provider.upper()}_BASE_URL"
    if status >= 500 or status == 408:
        text = f"it is in trouble itself (HTTP {status}), so the key could not be tried."
        return fail(name, text, f"wait, and {AGAIN}; if it stays so, see {base} and the provider's status page.")
    public = Settings.model_fields[base.lower()].default
    text = f"what answers (HTTP {status}) is not its API."
    return fail(name, text, f"correct {base}, or unset it to use {public}.")


def _quoted(failure: Failure) -> str:
    """The provider's own words, where they say more than the status."""
    return f": {failure.detail.rstrip('.')}" if failure.kind is FailureKind.OUT_OF_CREDIT and failure.detail else ""


def _status(failure: Failure) -> int | None:
    found = _STATUS.search(failure.detail) if failure.kind is FailureKind.PROVIDER else None
    return int(found[1]) if found else None
