"""What holds for every test: nobody's real settings are read, and nothing leaves this machine."""

import gc
import ipaddress
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.books import BOOKS, BY_HAND, HALF_MADE, Jobs
from tests.support.storm import OPTION, Storm, today

EXAMPLE = Path(__file__).resolve().parents[1] / ".env.example"

# Slack's client libraries and ours read these from the environment.
SETTING = re.compile(r"SLACK_\w+|https?_proxy|all_proxy", re.IGNORECASE)

LONGEST = frozenset(
    {"test_every_mode.py", "test_many_clips.py", "test_references.py", "test_circuit.py", "test_nth_failure.py"}
)
"""Files with the longest tests of a run. They are begun first, so that no worker is still at one when the others
have nothing left to do."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the storm draws its scripts from; workers are given the one of whoever started them."""
    parser.addoption(OPTION, dest="seed", type=int, default=today(), help="the seed of the storm's scripts")


def pytest_configure(config: pytest.Config) -> None:
    """Runs once in each worker, before any fixture and any import of a test."""
    forget_real_settings()
    sys.addaudithook(refuse_to_leave)
    # Machines that run tests are shared: a slow example is no defect. A failing one prints how to repeat it.
    settings.register_profile("dailies", deadline=None, print_blob=True)
    settings.load_profile("dailies")
    # Twelve thousand tests that stay: to look for garbage among them would be a third of collecting them.
    gc.disable()
    BOOKS.watch()
    config.pluginmanager.register(Storm(config), "storm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rest stays in its order: tests of one file share what they set up."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection_finish() -> None:
    """From now on only what tests leave behind is looked over."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """After each test that passed, the ledgers it wrote are looked over, while its fixtures still have them open."""
    yield
    if item.get_closest_marker(HALF_MADE) is None:
        BOOKS.check(Jobs.TAKEN if item.get_closest_marker(BY_HAND) is None else Jobs.NONE)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """The next test begins with books of its own."""
    BOOKS.forget()


def forget_real_settings() -> None:
    """Drops tokens, keys and proxies of whoever runs the tests; child processes inherit the lack."""
    documented = set(re.findall(r"(?m)^#([A-Z][A-Z0-9_]*)=", EXAMPLE.read_text(encoding="utf-8")))
    for name in list(os.environ):
        if name in documented or SETTING.fullmatch(name):
            del os.environ[name]


class LeftThisMachine(Exception):
    """A test tried to reach another host: a real Slack or a real provider that costs money."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"A test tried to connect to {host}.")


def refuse_to_leave(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: every connection of this process goes to loopback or to a Unix socket."""
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not is_loopback(str(address[0])):
        raise LeftThisMachine(str(address[0]))


def is_loopback(host: str) -> bool:
    """Whether a host, as given to connect, is this machine."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
