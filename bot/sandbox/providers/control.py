"""The back door of an emulated provider, for tests and onlookers: ledger, tasks, requests, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import web

from bot.sandbox.providers.farm import Farm
from bot.sandbox.providers.settings import MICRO, BadSetting


def control_routes(farm: Farm) -> list[web.RouteDef]:
    """Routes below ``/<provider>``.

    ``GET /ledger`` the charges
    ``GET /tasks`` every task with its request and answer
    ``GET /requests`` how many calls of each kind came
    ``GET /settings``, ``POST /settings`` fields of `ProviderSettings`, and ``balance`` in dollars
    ``POST /top_up`` ``{"usd": 5}``
    """

    async def ledger(_request: web.Request) -> web.Response:
        return web.json_response({"balance_micro_usd": farm.ledger.balance, "charges": farm.ledger.listing()})

    async def tasks(_request: web.Request) -> web.Response:
        return web.json_response({"tasks": farm.describe(recorded=True)})

    async def requests(_request: web.Request) -> web.Response:
        return web.json_response(dict(farm.requests))

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(farm.settings.as_json())

    async def change(request: web.Request) -> web.Response:
        changes = await _body(request)
        balance = changes.pop("balance", None)
        try:
            farm.use(farm.settings.changed(changes))
            if balance is not None:
                farm.ledger.balance = _micro("balance", balance)
        except BadSetting as refused:
            return web.json_response({"error": str(refused)}, status=400)
        farm.changed()
        return web.json_response(farm.settings.as_json())

    async def top_up(request: web.Request) -> web.Response:
        try:
            farm.ledger.balance += _micro("usd", (await _body(request)).get("usd"))
        except BadSetting as refused:
            return web.json_response({"error": str(refused)}, status=400)
        farm.changed()
        return web.json_response({"balance_micro_usd": farm.ledger.balance})

    base = f"/{farm.name}"
    return [
        web.get(f"{base}/ledger", ledger),
        web.get(f"{base}/tasks", tasks),
        web.get(f"{base}/requests", requests),
        web.get(f"{base}/settings", show),
        web.post(f"{base}/settings", change),
        web.post(f"{base}/top_up", top_up),
    ]


async def _body(request: web.Request) -> dict[str, object]:
    try:
        body = await request.json()
    except json.JSONDecodeError:
        body = None
    if not isinstance(body, Mapping):
        raise web.HTTPBadRequest(text="expected a JSON object")
    return dict(body)


def _micro(name: str, dollars: object) -> int:
    if isinstance(dollars, int | float) and not isinstance(dollars, bool) and dollars >= 0:
        return round(dollars * MICRO)
    raise BadSetting(name, "dollars, at least 0")
