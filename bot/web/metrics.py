"""``/metrics``: what an operator's monitoring wants to know, as Prometheus text.

Figures are read from the rows when they are asked for, so that they are the same from every process and after every
restart; nothing is counted in memory. Money is in US dollars, as Prometheus wants base units.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.domain.budget import UsageRow
from bot.domain.job import State
from bot.domain.pricing import MICRO
from bot.ports import StorageError


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is shown. ``jobs`` counts by provider and state; ``usage`` are this month's sums; ``up`` says of each part
    whether it works."""

    jobs: Mapping[tuple[str, State], int]
    usage: tuple[UsageRow, ...]
    up: Mapping[str, bool]


Read = Callable[[], Awaitable[Figures]]
"""Reads the figures now; raises when the database is away."""


def metrics_route(read: Read) -> Route:
    """The route; 503 when the figures cannot be read, rather than figures that are not true."""

    async def metrics(_: Request) -> Response:
        try:
            figures = await read()
        except StorageError as error:
            # A scrape must not fail loudly again and again; whoever needed the database has logged it.
            return PlainTextResponse(f"not readable now: {type(error).__name__}\n", status_code=503)
        return Response(render(figures), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", metrics)


def render(figures: Figures) -> bytes:
    """The figures in Prometheus's text format."""
    registry = CollectorRegistry()
    jobs = Gauge("dailies_jobs", "Jobs by provider and state.", ["provider", "state"], registry=registry)
    for (provider, state), count in figures.jobs.items():
        jobs.labels(provider=provider, state=state.value).set(count)
    money = Gauge(
        "dailies_month_dollars", "This month's money.", ["workspace", "provider", "tier", "kind"], registry=registry
    )
    for row in figures.usage:
        for kind, micro_usd in _kinds(row):
            money.labels(workspace=row.workspace, provider=row.provider, tier=row.tier, kind=kind).inc(
                micro_usd / MICRO
            )
    up = Gauge("dailies_part_up", "1 while that part works.", ["part"], registry=registry)
    for part, works in figures.up.items():
        up.labels(part=part).set(int(works))
    return generate_latest(registry)


def _kinds(row: UsageRow) -> tuple[tuple[str, int], ...]:
    return (("held", row.held_micro_usd), ("spent", row.settled_micro_usd), ("released", row.released_micro_usd))
