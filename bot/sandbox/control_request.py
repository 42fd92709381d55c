"""Requests to the control API: reading them, and answering misuse with a sentence instead of a stack
trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .faults import BadRule
from .slack.wire import Misuse, SlackError, truth


@dataclass(kw_only=True)
class ControlRequest:
    """One request with its JSON body; every reader raises `Misuse` for what is missing or of another type."""

    request: web.Request
    body: dict[str, Any] = field(default_factory=dict)

    def word(self, name: str) -> str:
        """A text that must be there."""
        value = self.body.get(name)
        if not isinstance(value, str) or not value:
            raise Misuse("missing_argument", name)
        return value

    def optional(self, name: str) -> str | None:
        """A text, or None."""
        value = self.body.get(name)
        return str(value) if value is not None else None

    def words(self, name: str) -> list[str]:
        """A list of texts; absent is empty."""
        value = self.body.get(name, [])
        if not isinstance(value, list):
            raise Misuse("bad_argument", name)
        return [str(one) for one in value]

    def flag(self, name: str) -> bool:
        """True or false; absent is false."""
        return truth(self.body.get(name))

    def number(self, name: str, default: int) -> int:
        """A whole number."""
        try:
            return int(self.body.get(name, default))
        except (TypeError, ValueError) as problem:
            raise Misuse("bad_argument", name) from problem

    def query(self, name: str) -> str:
        """A query parameter, empty when absent."""
        return self.request.query.get(name, "")

    def path(self, name: str) -> str:
        """A part of the path."""
        return self.request.match_info[name]


Run = Callable[[ControlRequest], Awaitable[dict[str, Any]]]


def handler(run: Run) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A web handler around a function of a control request."""

    async def handle(request: web.Request) -> web.Response:
        try:
            body = await _body(request)
            return web.json_response(await run(ControlRequest(request=request, body=body)))
        except Misuse as problem:
            return web.json_response({"error": problem.error, "detail": problem.detail}, status=400)
        except SlackError as refusal:
            return web.json_response({"error": refusal.error, "detail": str(refusal.fields or "")}, status=400)
        except BadRule as problem:
            return web.json_response({"error": "bad_rule", "detail": str(problem)}, status=400)

    return handle


async def _body(request: web.Request) -> dict[str, Any]:
    if not request.body_exists or request.content_type.startswith("multipart/"):
        return {}
    try:
        body = await request.json()
    except ValueError as problem:
        raise Misuse("invalid_json", str(problem)) from problem
    if not isinstance(body, dict):
        raise Misuse("invalid_json", "not an object")
    return body
