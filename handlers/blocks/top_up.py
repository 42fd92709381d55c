"""Where money is put into an account at a provider: their public pages, for whoever runs Dailies."""

from collections.abc import Mapping
from types import MappingProxyType

from handlers.blocks.words import provider_name

_PAGES: Mapping[str, str] = MappingProxyType(
    {
        "apimart": "https://apimart.ai",
        "empiriolabs": "https://platform.empiriolabs.ai",
        "hiapi": "https://www.hiapi.ai",
        "muapi": "https://muapi.ai/topup",
        "seedanceapi": "https://seedanceapi.org",
    }
)
"""Muapi's documentation names its page; of the others it is the site, where the account is."""


def top_up(provider: str) -> str:
    """``<https://…|Top up at Muapi>`` in mrkdwn; without a link for a provider whose page is not known."""
    page = _PAGES.get(provider)
    return f"<{page}|Top up at {provider_name(provider)}>" if page else f"Top up at {provider_name(provider)}"
