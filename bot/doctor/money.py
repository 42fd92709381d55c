"""Whether spending is limited, and whether every price is known."""

from bot.configuration import make_policy
from bot.doctor.finding import Finding, bad_setting, ok, warn
from bot.domain.budget import Caps
from bot.domain.pricing import NoPrice, PriceTable
from bot.domain.recipe import Resolution
from bot.ports import Provider
from bot.pretend import is_wanted
from bot.settings import BadSetting, Settings
from bot.vendors import make_prices, make_providers


async def check_caps(settings: Settings) -> list[Finding]:
    """One cap is enough."""
    if make_policy(settings).caps == Caps():
        mend = "set BUDGET_WORKSPACE_MONTH_USD, BUDGET_CHANNEL_MONTH_USD or BUDGET_USER_DAY_USD, in US dollars."
        return [warn("caps", "nothing limits what a team can spend in total.", mend)]
    return [ok("caps", "spending is limited.")]


async def check_prices(settings: Settings) -> list[Finding]:
    """Every price that could be held, of every configured provider."""
    try:
        table = make_prices(settings)
    except BadSetting as error:
        mend = error.mend or "Correct the file or PRICE_FILE, or unset PRICE_FILE to use published prices."
        return [bad_setting("prices", BadSetting(error.what, mend))]
    if is_wanted(settings):
        return [ok("prices", "pretended, as published; nothing is charged.")]
    try:
        providers = make_providers(settings)
    except BadSetting:
        # Said by the provider's own finding.
        return [ok("prices", "the table can be read.")]
    findings = []
    for name, provider in providers.items():
        findings.append(_prices_of(name, provider, table))
        await provider.close()
    return findings


def _prices_of(name: str, provider: Provider, table: PriceTable) -> Finding:
    assumed, unknown = [], []
    for tier in provider.capabilities:
        for resolution in (one for one in Resolution if one in tier.resolutions):
            words = f"{tier.tier} at {resolution.value}"
            try:
                if table.rate(name, tier.tier, resolution).assumed:
                    assumed.append(words)
            except NoPrice:
                unknown.append(words)
    mend = f"write what your account pays under [{name}.TIER] into a file, and name that in PRICE_FILE (.env.example)."
    if unknown:
        return warn("prices", f"{name} has no price for {', '.join(unknown)}, so that is refused.", mend)
    if assumed:
        text = f"{name} publishes none for {', '.join(assumed)}; the dearest of other providers is assumed."
        return warn("prices", text, mend)
    return ok("prices", f"{name} has a price for everything it makes.")
