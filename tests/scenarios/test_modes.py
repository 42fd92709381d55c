"""No scenario is forgotten in one of the two ways in which Slack reaches the bot."""

from collections.abc import Iterator
from typing import TypeVar, get_args

import pytest

from tests.scenarios.bot import Mode

Node = TypeVar("Node", bound=pytest.Item | pytest.Collector)

IN_ONE_MODE = {
    "test_cli": "commands beside the bot, and settings that it refuses before it looks for Slack",
    "test_demo": "`dailies demo` chooses for itself how its pretend Slack reaches its bot",
    "test_doctor": "what is wrong with a set-up; where the mode matters, the set-up says which",
    "test_hostile_http": "what no sender but a hostile one sends, and a socket has no door for",
    "test_http_mode": "what only HTTP has: answers to requests, signatures, clocks, proxies, an address that moves",
    "test_media_links": "links to files, followed while Slack is away",
    "test_modes": "this list",
    "test_two_processes": "Slack hands each event to one of the sockets; over HTTP, whoever balances the load does",
}
"""The modules that do not run in both modes, and why. Everything else here takes `stage` of conftest.py."""


def test_every_scenario_runs_in_both_modes_or_the_list_says_why_not(request: pytest.FixtureRequest) -> None:
    """Looks at the whole folder, whichever tests were asked for."""
    modules = {module.path.stem: module for module in items_of(request.node.parent.parent, pytest.Module)}
    assert sorted(set(IN_ONE_MODE) - set(modules)) == [], "listed, and not there"
    for name, module in modules.items():
        modes: dict[str, set[str]] = {}
        for test in items_of(module, pytest.Function):
            modes.setdefault(test.originalname, set()).update(mode_of(test))
        expected = set() if name in IN_ONE_MODE else set(get_args(Mode))
        assert modes, name
        assert {test: found for test, found in modes.items() if found != expected} == {}, name


def items_of(collector: pytest.Collector, kind: type[Node]) -> Iterator[Node]:
    """Everything of this kind below a folder, a module or a class."""
    for node in collector.collect():
        if isinstance(node, kind):
            yield node
        elif isinstance(node, pytest.Collector):
            yield from items_of(node, kind)


def mode_of(test: pytest.Function) -> set[str]:
    """The mode in which a test runs, if it asks for one."""
    return {str(test.callspec.params["mode"])} if "mode" in test.fixturenames else set()
