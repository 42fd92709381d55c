"""``PROVIDERS=sandbox``: the providers emulated beside the bot, for trying the real Slack app without a key or money.

The adapters are the real ones and speak HTTP to the emulation; only their names, keys and addresses are others.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace

from pydantic import SecretStr

from bot.domain.capabilities import Capabilities
from bot.domain.failure import Failure
from bot.domain.pretend import pretend_name
from bot.domain.pricing import PUBLISHED, PriceTable, Rate, RateKey
from bot.domain.recipe import MINI, STANDARD, MediaKind, Recipe, Resolution
from bot.ports import Credit, Order, OrderOutcome, Provider, TaskReport, UploadOutcome
from bot.settings import PROVIDER_NAMES, Settings

SANDBOX = "sandbox"
"""What PROVIDERS is set to."""
_NOWHERE = "http://127.0.0.1:9"
"""Where the pretend providers are while no emulation runs: never at a real provider's address."""
_AS_OF = PUBLISHED["muapi", MINI, Resolution.P480, False].as_of
_BILLED: Mapping[tuple[str, str], Mapping[Resolution, int]] = {
    ("hiapi", MINI): {Resolution.P480: 80_000, Resolution.P720: 150_000},
    ("hiapi", STANDARD): {Resolution.P480: 160_000, Resolution.P720: 300_000, Resolution.P1080: 600_000},
    ("empiriolabs", STANDARD): {Resolution.P480: 140_000, Resolution.P720: 300_000, Resolution.P1080: 600_000},
}
"""Micro-dollars a second that the emulated providers charge where the real ones publish no price. With a video given
they charge no more."""


def is_wanted(settings: Settings) -> bool:
    """Whether the operator wants pretend providers, which stand beside no real one."""
    return settings.providers == (SANDBOX,)


def pretend_settings(settings: Settings, emulation: Mapping[str, str]) -> Settings:
    """The settings with nothing of the operator's about providers: their keys and addresses are the emulation's, which
    gives them as an environment; without one they lead nowhere. No real key is used in any case."""
    changes: dict[str, object] = {
        name: field.default
        for name, field in Settings.model_fields.items()
        if name.startswith(tuple(f"{provider}_" for provider in PROVIDER_NAMES))
    }
    for provider in PROVIDER_NAMES:
        changes[f"{provider}_base_url"] = emulation.get(f"{provider.upper()}_BASE_URL", _NOWHERE)
        changes[f"{provider}_api_key"] = SecretStr(emulation.get(f"{provider.upper()}_API_KEY", SANDBOX))
    return settings.model_copy(update=changes)


def pretend_capabilities(tiers: Iterable[Capabilities]) -> tuple[Capabilities, ...]:
    """The tiers of the pretend provider that stands for the one with these."""
    return tuple(replace(can, provider=pretend_name(can.provider)) for can in tiers)


def pretend_prices(own: Mapping[RateKey, Rate]) -> PriceTable:
    """The prices under pretend names: the operator's own, those that are published, and what is billed without one."""
    billed = {
        (provider, tier, resolution, video): Rate(per_second_micro_usd=price, as_of=_AS_OF)
        for (provider, tier), rates in _BILLED.items()
        for resolution, price in rates.items()
        for video in (False, True)
    }
    return PriceTable(_renamed(own), _renamed({**billed, **PUBLISHED}))


def _renamed(rates: Mapping[RateKey, Rate]) -> dict[RateKey, Rate]:
    return {
        (pretend_name(provider), tier, resolution, video): rate
        for (provider, tier, resolution, video), rate in rates.items()
    }


class Pretend:
    """An adapter that speaks to an emulation, under the pretend name."""

    def __init__(self, real: Provider) -> None:
        self._real = real
        self.name = pretend_name(real.name)
        self.capabilities: tuple[Capabilities, ...] = pretend_capabilities(real.capabilities)

    def order(self, recipe: Recipe, key: str, callback_url: str | None = None) -> Order:
        """As the adapter's."""
        return self._real.order(recipe, key, callback_url)

    async def upload(
        self, kind: MediaKind, *, name: str, mime: str, size: int, chunks: AsyncIterator[bytes]
    ) -> UploadOutcome:
        """As the adapter's."""
        return await self._real.upload(kind, name=name, mime=mime, size=size, chunks=chunks)

    async def submit(self, order: Order) -> OrderOutcome:
        """As the adapter's."""
        return await self._real.submit(order)

    async def look(self, task_id: str) -> TaskReport:
        """As the adapter's."""
        return await self._real.look(task_id)

    async def look_at_all(self, task_ids: Sequence[str]) -> Mapping[str, TaskReport]:
        """As the adapter's."""
        return await self._real.look_at_all(task_ids)

    async def cancel(self, task_id: str) -> bool:
        """As the adapter's."""
        return await self._real.cancel(task_id)

    async def balance(self) -> Credit | None:
        """As the adapter's."""
        return await self._real.balance()

    async def check(self) -> Failure | None:
        """As the adapter's."""
        return await self._real.check()

    def told(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """As the adapter's."""
        return self._real.told(headers, body)

    async def close(self) -> None:
        """As the adapter's."""
        await self._real.close()
