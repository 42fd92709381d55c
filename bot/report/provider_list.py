"""What ``dailies providers`` prints: what each provider can do and asks for it, and how it is as far as the database
knows: what is under way, whether a running bot paused it, and the clips that wait for it."""

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.capabilities import Capabilities
from bot.domain.job import AWAITS_PROVIDER, IN_FLIGHT, Job, State
from bot.domain.outage import Outage
from bot.domain.pretend import is_pretend
from bot.domain.pricing import NoPrice, PriceTable, Rate, dollars
from bot.domain.recipe import MediaKind, Mode, Ratio, Resolution
from bot.ports import Credit, Provider, StorageError
from bot.report.printing import table
from bot.services.policy import Policy
from storage import open_storage

_MOST_WAITING = 1000


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How a provider is, by the rows of the database."""

    in_flight: int
    queued: int
    uncertain: int
    outage: Outage | None
    """Why and since when a bot sends it no orders; None when none is known not to."""
    waiting: tuple[Job, ...]
    """Jobs that wait because it takes no orders."""

    @property
    def first(self) -> Job | None:
        """The job that waits longest."""
        return min(self.waiting, key=lambda job: job.updated_at, default=None)

    def words(self) -> str:
        """For the table."""
        parts = [f"{self.in_flight} in flight, {self.queued} queued, {self.uncertain} uncertain"]
        if self.outage is not None:
            parts.insert(0, f"paused ({self.outage.failure.kind.value}) since {_minute(self.outage.since)}")
        if self.first is not None:
            why = self.first.failure.kind.value if self.first.failure else "no orders taken"
            parts.append(f"{len(self.waiting)} waiting for it ({why}) since {_minute(self.first.updated_at)}")
        return "; ".join(parts)


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


async def providers(
    url: str,
    *,
    tiers: Iterable[Capabilities],
    configured: Mapping[str, Provider],
    keyed: Collection[str],
    prices: PriceTable,
    policy: Policy,
    balance: bool,
    as_json: bool,
) -> str:
    """Every provider there is, the configured ones first and in the operator's order. ``tiers`` are those of all,
    ``keyed`` the names of those with a key; ``balance`` asks the configured ones what is left there."""
    declared = [can for provider in configured.values() for can in provider.capabilities]
    declared += [can for can in tiers if can.provider not in configured]
    names = list(dict.fromkeys(can.provider for can in declared))
    seen, left = await _look(url, names), await _balances(configured) if balance else {}
    rows = [
        {
            "name": name,
            "configured": name in configured,
            "key": name in keyed,
            "pretend": is_pretend(name),
            "concurrency": policy.places(name),
            "health": None if seen is None else _health(seen[name]),
            "balance_micro_usd": credit.micro_usd if (credit := left.get(name)) else None,
            "balance_unlimited": credit is not None and credit.micro_usd is None,
            "tiers": [_tier(can, prices) for can in declared if can.provider == name],
        }
        for name in names
    ]
    return json.dumps(rows, indent=2) if as_json else _text(rows, seen, asked=balance)


async def _look(url: str, names: Iterable[str]) -> Mapping[str, Seen] | None:
    """What the database says; None where there is none (yet) that this release can read."""
    try:
        async with open_storage(url, alone=False) as storage, storage.read() as tx:
            counts = await tx.jobs.count_by_state()
            listed = await tx.jobs.listing(state=State.WAITING, limit=_MOST_WAITING)
            outages = {outage.provider: outage for outage in await tx.outages.standing()}
    except StorageError:
        return None
    return {
        name: Seen(
            in_flight=sum(counts.get((name, state), 0) for state in IN_FLIGHT),
            queued=counts.get((name, State.QUEUED), 0),
            uncertain=counts.get((name, State.UNCERTAIN), 0),
            outage=outages.get(name),
            waiting=tuple(job for job, _ in listed if job.provider == name and job.wait_reason in AWAITS_PROVIDER),
        )
        for name in names
    }


async def _balances(configured: Mapping[str, Provider]) -> Mapping[str, Credit | None]:
    """What is left at each; None where it does not say, or not now."""
    credits_ = await asyncio.gather(*(provider.balance() for provider in configured.values()))
    return dict(zip(configured, credits_, strict=True))


def _health(seen: Seen) -> dict[str, Any]:
    return {
        "in_flight": seen.in_flight,
        "queued": seen.queued,
        "uncertain": seen.uncertain,
        "waiting": len(seen.waiting),
        "waiting_since": seen.first.updated_at.isoformat() if seen.first else None,
        "paused_by": seen.outage.failure.kind.value if seen.outage else None,
        "paused_since": seen.outage.since.isoformat() if seen.outage else None,
    }


def _tier(can: Capabilities, prices: PriceTable) -> dict[str, Any]:
    """One tier as JSON has it: durations in seconds, money in micro-dollars."""
    return {
        "tier": can.tier,
        "model": can.model,
        "modes": [mode.value for mode in Mode if mode in can.modes],
        "resolutions": [one.value for one in Resolution if one in can.resolutions],
        "ratios": [one.value for one in Ratio if one in can.ratios],
        "seconds": sorted(can.only_seconds or range(can.shortest_seconds, can.longest_seconds + 1)),
        "automatic_seconds": can.automatic_seconds,
        "references": {"image": can.reference_images, "video": can.reference_videos, "audio": can.reference_audios},
        "audio_toggle": can.audio_toggle,
        "seed": can.seed,
        "negative": can.negative,
        "high_bitrate": can.high_bitrate,
        "returns_last_frame": can.returns_last_frame,
        "longest_prompt": can.longest_prompt,
        "longest_prompt_tokens": can.longest_prompt_tokens,
        "idempotency": can.idempotency
        and {"seconds": can.idempotency.window.total_seconds(), "verified": can.idempotency.verified},
        "callback": can.callback and can.callback.value,
        "cancel": can.cancel,
        "lists_tasks": can.lists_tasks,
        "balance": can.balance,
        "requests_per_minute": can.requests_per_minute,
        "uploads": [kind.value for kind in MediaKind if kind in can.uploads],
        "data_uris": [kind.value for kind in MediaKind if kind in can.data_uris],
        "output_lifetime_seconds": can.output_lifetime.total_seconds(),
        "prices": [
            {
                "resolution": resolution.value,
                "video_input": video,
                "per_second_micro_usd": rate.per_second_micro_usd,
                "input_seconds": rate.input_seconds,
                "as_of": rate.as_of.isoformat(),
                "assumed": rate.assumed,
            }
            for resolution, video, rate in _rates(can, prices)
        ],
    }


def _rates(can: Capabilities, prices: PriceTable) -> list[tuple[Resolution, bool, Rate]]:
    """Those that are known, with and without a video given where that can be."""
    kinds = (False, True) if can.takes_video else (False,)
    found = []
    for resolution in (one for one in Resolution if one in can.resolutions):
        for video in kinds:
            try:
                found.append((resolution, video, prices.rate(can.provider, can.tier, resolution, video_input=video)))
            except NoPrice:
                continue
    return found


# --- as text ---------------------------------------------------------------------------------------------------------


def _text(rows: list[dict[str, Any]], seen: Mapping[str, Seen] | None, *, asked: bool) -> str:
    parts = []
    for row in rows:
        key, known = _standing(row), "nothing known: no database yet"
        if seen is not None:
            known = seen[row["name"]].words() if row["configured"] or row["pretend"] else "not used"
        head = f"{row['name']}: {key}; {known}"
        if asked and row["configured"]:
            head += f"; balance {_balance(row)}"
        lines: list[tuple[str, ...]] = [("TIER", "MODEL", "MODES", "SIZES", "SECONDS", "$/SECOND", "ALSO")]
        lines += [_line(tier) for tier in row["tiers"]]
        parts.append(f"{head}\n{table(lines)}")
    dates = sorted({price["as_of"] for row in rows for tier in row["tiers"] for price in tier["prices"]})
    note = "* assumed: no price is published; held at the dearest known for the like, until PRICE_FILE says better."
    read = f"Prices of {dates[0]}." if len(dates) == 1 else f"Prices of {dates[0]} to {dates[-1]} (--json says which)."
    return "\n\n".join([*parts, f"{note}\n{read} With “+video”: when a video is given."])


def _standing(row: dict[str, Any]) -> str:
    """Whether clips are made there."""
    if row["pretend"]:
        return "pretended by `dailies run`, without a key; nothing is charged"
    if row["configured"]:
        return "configured"
    return "has a key, but PROVIDERS does not name it" if row["key"] else "no key"


def _balance(row: dict[str, Any]) -> str:
    if row["balance_unlimited"]:
        return "no limit"
    left = row["balance_micro_usd"]
    return "not told" if left is None else dollars(left)


def _line(tier: dict[str, Any]) -> tuple[str, ...]:
    seconds = tier["seconds"]
    whole = seconds == list(range(seconds[0], seconds[-1] + 1))
    lengths = f"{seconds[0]}–{seconds[-1]}" if whole else ", ".join(map(str, seconds))
    return (
        tier["tier"],
        tier["model"],
        ", ".join(tier["modes"]),
        ", ".join(tier["resolutions"]),
        lengths + (", auto" if tier["automatic_seconds"] else ""),
        _prices(tier["prices"]),
        ", ".join(_extras(tier)) or "–",
    )


def _prices(prices: list[dict[str, Any]]) -> str:
    """``480p $0.08, 480p+video $0.167*``: a star where the price is assumed; with the seconds of the given video that
    are held for too, where there are any."""
    words = [
        f"{one['resolution']}{'+video' if one['video_input'] else ''} {dollars(one['per_second_micro_usd'])}"
        f"{'*' if one['assumed'] else ''}"
        f"{' (and {} s of it)'.format(one['input_seconds']) if one['input_seconds'] else ''}"
        for one in prices
    ]
    return ", ".join(words) or "not known: set PRICE_FILE"


def _extras(tier: dict[str, Any]) -> list[str]:
    idempotency = tier["idempotency"]
    has = {
        "seed": tier["seed"],
        "negative prompt": tier["negative"],
        "high bitrate": tier["high_bitrate"],
        "returns its last frame": tier["returns_last_frame"],
        "sound on or off": tier["audio_toggle"],
        "idempotency key": bool(idempotency and idempotency["verified"]),
        "idempotency key (not verified)": bool(idempotency and not idempotency["verified"]),
        f"callback ({tier['callback']})": bool(tier["callback"]),
        "cancel": tier["cancel"],
        "list": tier["lists_tasks"],
        "balance": tier["balance"],
        f"uploads ({', '.join(tier['uploads'])})": bool(tier["uploads"]),
        f"data URIs ({', '.join(tier['data_uris'])})": bool(tier["data_uris"]),
    }
    references = [f"{count} {kind}" for kind, count in tier["references"].items() if count]
    given = [f"references: {', '.join(references)}"] if references else []
    return [*given, *(name for name, is_so in has.items() if is_so)]
