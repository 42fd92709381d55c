"""How a pretend provider is named: what it makes and holds stands in the books under that name, so that it is never
taken for a real provider's, on a card, in the figures or by a program with real keys."""

_PREFIX = "pretend-"


def pretend_name(provider: str) -> str:
    """``hiapi`` as ``pretend-hiapi``."""
    return f"{_PREFIX}{provider}"


def is_pretend(provider: str) -> bool:
    """Whether the name is a pretend provider's: whatever it costs, nobody is charged."""
    return provider.startswith(_PREFIX)


def real_name(provider: str) -> str:
    """The name that people know, with and without pretence."""
    return provider.removeprefix(_PREFIX)
