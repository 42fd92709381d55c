"""A sandbox for all cases of a worker, and for each case a channel and a bot of its own."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from tests.faults.company import Company, as_new, company_at
from tests.faults.rig import Rig, Sandbox, new_channel, next_case, running_sandbox
from tests.faults.scripts import Played, Script
from tests.sandbox.driver import Json, Workspace
from tests.scenarios.bot import Bot, environment
from tests.support.storm import PROPERTY


class RigOf(Protocol):
    """Makes a case whose bot has these providers alone; what is counted is counted at the first."""

    def __call__(self, provider: str, *others: str) -> Awaitable[Rig]: ...


Perform = Callable[[Script], Awaitable[Played]]
"""Plays a script, and fails by the promises that it broke."""


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One for the whole worker: its cases stay apart by channel and prompt."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
async def studio(sandbox: Sandbox) -> AsyncIterator[Workspace]:
    """The people of the sandbox, which is as new but for old channels."""
    people = sandbox.people()
    await as_new(people)
    yield people
    await people.heal()
    await people.close()


@pytest.fixture
async def rig_of(sandbox: Sandbox, studio: Workspace, tmp_path: Path) -> AsyncIterator[RigOf]:
    """Makes cases whose bots are not started yet; they are killed at the end."""
    bots: list[Bot] = []

    async def make(provider: str, *others: str) -> Rig:
        number = next_case()
        name = f"case-{number}"
        home = tmp_path / ("bot" if not bots else f"bot-{len(bots) + 1}")
        home.mkdir()
        bot = Bot(
            place=home, environment=environment(home, studio.environment, PROVIDERS=",".join((provider, *others)))
        )
        bots.append(bot)
        return Rig(
            studio=studio,
            bot=bot,
            channel=f"#{name}",
            channel_id=await new_channel(studio, name),
            marker=f"case-{number}x",
            rendered=sandbox.rendered,
            provider=provider,
        )

    yield make
    for bot in bots:
        if bot.running():
            await bot.kill()


@pytest.fixture
async def rig(rig_of: RigOf) -> Rig:
    """A case whose bot has HiAPI alone, and is not started yet."""
    return await rig_of("hiapi")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def company(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    """Who plays the scripts of a module, in a sandbox of its own."""
    async with company_at(tmp_path_factory.mktemp("company")) as playing:
        yield playing


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What this run's scripts are drawn from."""
    return int(request.config.getoption("seed"))


@pytest.fixture
def perform(company: Company, request: pytest.FixtureRequest) -> Perform:
    """Plays a script, hands its figures to the storm's summary, and fails by what it broke."""

    async def performed(script: Script) -> Played:
        said: Json = {"family": script.family, "name": f"{request.node.nodeid}: {script.name}"}
        # Said before it is played, so that a script that never ends is named too.
        request.node.user_properties.append((PROPERTY, json.dumps(said)))
        played = await company.play(script)
        said["figures"] = played.figures()
        request.node.user_properties[-1] = (PROPERTY, json.dumps(said))
        played.verdict.raise_if_broken()
        assert played.struck == len(script.deaths), "a script of kills without its kills shows nothing"
        return played

    return performed
