"""How providers are named to people, and what is to be known about a price of theirs; as plain text."""

from collections.abc import Mapping
from types import MappingProxyType

from bot.domain.pretend import is_pretend, real_name

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "apimart": "APIMart",
        "empiriolabs": "EmpirioLabs",
        "hiapi": "HiAPI",
        "muapi": "Muapi",
        "seedanceapi": "seedanceapi.org",
    }
)


def shown_name(provider: str) -> str:
    """How a provider writes itself, and whether it is a pretend one. A name that this release does not know is shown
    as it is."""
    name = _NAMES.get(real_name(provider), real_name(provider))
    return f"Pretend {name}" if is_pretend(provider) else name


def about_price(provider: str, *, assumed: bool) -> str:
    """That a price is pretended or assumed, in brackets; empty when it is neither."""
    if is_pretend(provider):
        return "(pretend: nothing is charged)"
    return f"(assumed: {shown_name(provider)} publishes no price)" if assumed else ""
