"""Whether people's files can get to the providers."""

from bot.doctor.finding import Finding, ok, skip, warn
from bot.domain.handing import without_links
from bot.links import check_links
from bot.settings import BadSetting, Settings
from bot.vendors import make_providers

_NAME = "files"


async def check(settings: Settings) -> list[Finding]:
    """Asks nobody: what the providers take is declared. Raises BadSetting."""
    if settings.public_url:
        check_links(settings)
        return [ok(_NAME, "every provider can fetch them from us under PUBLIC_URL.")]
    try:
        providers = make_providers(settings)
    except BadSetting:
        return [skip(_NAME, "there has to be a provider first")]
    for provider in providers.values():
        await provider.close()
    text = without_links(can for provider in providers.values() for can in provider.capabilities)
    if not text:
        return [ok(_NAME, "the providers take all of them by upload.")]
    return [warn(_NAME, text, "set PUBLIC_URL to the https address under which the world reaches this server.")]
