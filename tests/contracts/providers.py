"""On which adapters a rule of the port is shown, as marks."""

from collections.abc import Callable, Iterable

import pytest

from tests.support.adapters import ADAPTERS, Adapter
from tests.support.answers import UNREADABLE


def of(*adapters: Adapter) -> pytest.MarkDecorator:
    """The test holds for these."""
    return pytest.mark.parametrize("adapter", adapters, ids=[one.name for one in adapters])


def with_each(argument: str, values: Callable[[Adapter], Iterable[object]]) -> pytest.MarkDecorator:
    """The test holds for every adapter and each of these values of it."""
    rows = [
        pytest.param(one, value, id=f"{one.name}-{value if isinstance(value, str | int) else number}")
        for one in ADAPTERS
        for number, value in enumerate(values(one))
    ]
    return pytest.mark.parametrize(("adapter", argument), rows)


def short(body: bytes) -> str:
    """A name for a body: some are long."""
    return repr(body[:20])


everyone = of(*ADAPTERS)
unreadable = pytest.mark.parametrize("body", UNREADABLE, ids=short)
