"""The sandbox as a whole: two servers on loopback, one for Slack and its control, one for the providers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiohttp import web

from .changes import Changes
from .control import Control
from .faults import Faults
from .page import Page, refuse_strangers
from .providers import make_providers
from .slack.settings import Settings
from .slack.slack import Slack, error_body, facts_of, point_of

_HOST = "127.0.0.1"
_SHUTDOWN_SECONDS = 0.5


class Sandbox:
    """Start it, read `environment`, close it. ``data_dir`` holds files of the workspace and of the
    providers."""

    def __init__(
        self,
        *,
        data_dir: Path,
        slack_port: int = 0,
        providers_port: int = 0,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.faults = Faults()
        self.changes = Changes()
        self._ports = (slack_port, providers_port)
        self._stack = AsyncExitStack()
        self.slack = Slack(data_dir=data_dir, faults=self.faults, settings=Settings(), changed=self.changes.mark)
        self.slack.configure(config or {})
        self.providers = make_providers(data_dir=data_dir, faults=self.faults, changed=self.changes.mark)
        self.slack_origin = ""
        self.providers_origin = ""

    async def start(self) -> None:
        """Binds both ports. Raises `OSError` when one is taken."""
        control = Control(slack=self.slack, providers=self.providers, faults=self.faults, changes=self.changes)
        app = web.Application(
            middlewares=[
                refuse_strangers,
                self.faults.middleware(point_of, facts_of=facts_of, error_body=error_body),
            ],
            client_max_size=1 << 30,
        )
        app.add_routes(self.slack.routes())
        app.add_subapp("/control/", control.app())
        page = Page(slack=self.slack, providers=self.providers, faults=self.faults, changes=self.changes)
        page.mount(app)
        try:
            self.slack_origin = await self._serve(app, self._ports[0])
            self.slack.located_at(self.slack_origin)
            self._stack.push_async_callback(self.slack.close)
            self.providers_origin = await self._serve(self.providers.app, self._ports[1])
            await self.providers.start(self.providers_origin)
            self._stack.push_async_callback(self.providers.close)
        except BaseException:
            await self.close()
            raise

    async def _serve(self, app: web.Application, port: int) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, _HOST, port, backlog=1024)
        await site.start()
        host, bound = runner.addresses[0][:2]
        return f"http://{host}:{bound}"

    def environment(self) -> dict[str, str]:
        """The environment in which the bot finds this sandbox."""
        hosts = ",".join(origin.removeprefix("http://") for origin in (self.slack_origin, self.providers_origin))
        return self.slack.environment() | self.providers.credentials() | {"ALLOWED_FETCH_HOSTS": hosts}

    async def close(self) -> None:
        """Stops everything; safe to call twice."""
        await self._stack.aclose()
