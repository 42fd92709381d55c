"""Where money is put into an account at a provider, for whoever runs Dailies, as far as the provider names the page."""

from collections.abc import Mapping
from types import MappingProxyType

from handlers.blocks.words import provider_name

_PAGES: Mapping[str, str] = MappingProxyType({"muapi": "https://muapi.ai/topup"})
"""Muapi's guide names its page at error 402. The other documents name none, and none is guessed."""


def top_up(provider: str) -> str:
    """``<https://…|Top up at Muapi>`` in mrkdwn; without a link for a provider whose page is not known."""
    page = _PAGES.get(provider)
    return f"<{page}|Top up at {provider_name(provider)}>" if page else f"Top up at {provider_name(provider)}"
