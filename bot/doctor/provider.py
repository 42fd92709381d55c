"""Whether each configured provider answers, takes the key, and has credit, and what none of them can be given. The
questions cost nothing."""

import re
from collections.abc import Iterable

from bot.doctor.finding import AGAIN, Finding, fail, ok, warn
from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure, FailureKind
from bot.domain.pricing import PriceTable, dollars
from bot.domain.recipe import Mode
from bot.ports import Credit, Provider
from bot.pretend import is_wanted
from bot.services.balances import LOW_CLIPS
from bot.services.routing import Router
from bot.settings import BadSetting, Settings
from bot.vendors import known_tiers, make_prices, make_providers

_STATUS = re.compile(r"\bHTTP (\d{3})\b")
"""How a provider's check names an answer that it has no class for."""

_USUAL = frozenset({Mode.TEXT, Mode.FIRST_FRAME, Mode.REFERENCES})
"""What nearly every provider can: it is missed where nobody can."""


async def check(settings: Settings) -> list[Finding]:
    """One finding a provider, and what nobody can."""
    if is_wanted(settings):
        return [
            ok("provider", "pretend providers on this machine; no key is used, nothing is charged, no clip is real.")
        ]
    providers, prices = make_providers(settings), _prices(settings)
    findings = []
    for name, provider in providers.items():
        try:
            findings.append(await _examine(name, provider, prices))
        finally:
            await provider.close()
    tiers = [can for provider in providers.values() for can in provider.capabilities]
    return [*findings, missing(tiers, known_tiers(settings))]


async def _examine(name: str, provider: Provider, prices: PriceTable) -> Finding:
    failure = await provider.check()
    if failure is None and any(can.balance for can in provider.capabilities):
        left, dearest = await provider.balance(), Router({name: provider}, prices).dearest(name)
        if low := little_left(name, left, dearest):
            return low
    return judge(name, failure)


def _prices(settings: Settings) -> PriceTable:
    try:
        return make_prices(settings)
    except BadSetting:
        return PriceTable()  # said by the finding on prices


def little_left(provider: str, left: Credit | None, dearest_micro_usd: int | None) -> Finding | None:
    """A warning when what is left there makes few of the dearest clips; None when there is enough, or nobody knows."""
    if left is None or left.micro_usd is None or dearest_micro_usd is None:
        return None
    if left.micro_usd >= LOW_CLIPS * dearest_micro_usd:
        return None
    rest, clip = dollars(left.micro_usd), dollars(dearest_micro_usd)
    text = f"it takes the key, and {rest} is left there, where a clip costs up to {clip}."
    return warn(f"provider {provider}", text, f"top up the account that {provider.upper()}_API_KEY belongs to.")


def missing(tiers: Iterable[Capabilities], known: Iterable[Capabilities]) -> Finding:
    """What none of these tiers can be given, and which providers that are known could."""
    had = frozenset(mode for can in tiers for mode in can.modes)
    lacking = [mode for mode in Mode if mode not in had]
    if not lacking:
        return ok("modes", f"clips can be made from {_words(Mode)}.")
    text = f"no provider that is set up makes clips from {_words(lacking)}, so that is refused."
    if not _USUAL.intersection(lacking):
        return ok("modes", text)
    keys = sorted({f"{can.provider.upper()}_API_KEY" for can in known if can.modes.intersection(lacking)})
    return warn("modes", text, f"set {' or '.join(keys)}.")


def _words(modes: Iterable[Mode]) -> str:
    return ", ".join(_MODES[mode] for mode in modes)


_MODES = {
    Mode.TEXT: "text",
    Mode.FIRST_FRAME: "a first frame",
    Mode.FIRST_LAST: "a first and a last frame",
    Mode.REFERENCES: "references",
    Mode.EDIT: "a video to change",
    Mode.EXTEND: "a video to go on from",
}


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
