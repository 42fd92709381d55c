"""Every provider there is: how each is made from the operator's settings, and what it can do without any."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from bot.clock import SystemClock
from bot.domain.capabilities import Capabilities
from bot.domain.pretend import pretend_name
from bot.domain.pricing import PriceTable
from bot.ports import Provider
from bot.pretend import SANDBOX, Pretend, is_wanted, pretend_capabilities, pretend_prices, pretend_settings
from bot.providers import apimart, empiriolabs, hiapi, muapi, seedanceapi
from bot.providers._empiriolabs_paths import Paths
from bot.settings import NOWHERE, BadSetting, Settings, read_prices


class NoKey(BadSetting):
    """Nobody set a key yet, nor named a provider: nothing is wrong but that."""

    def __init__(self) -> None:
        *others, last = (f"{name.upper()}_API_KEY" for name in VENDORS)
        mend = f"Set {', '.join(others)} or {last}; PROVIDERS={SANDBOX} and `dailies demo` need none."
        super().__init__("No provider has a key.", mend)


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One provider: ``make`` gives its adapter with that key, ``tiers`` are those that it documents."""

    make: Callable[[Settings, str], Provider]
    tiers: tuple[Capabilities, ...]


def make_providers(settings: Settings, emulation: Mapping[str, str] | None = None) -> Mapping[str, Provider]:
    """The configured providers by name, in the operator's order; ``emulation`` is where the pretend ones are, if these
    are wanted. Raises BadSetting for one that cannot be had, NoKey when there is none."""
    if is_wanted(settings):
        pretended = pretend_settings(settings, emulation or {})
        made = [Pretend(vendor.make(pretended, _key(pretended, name))) for name, vendor in VENDORS.items()]
        return {provider.name: provider for provider in made}
    return {name: VENDORS[name].make(settings, _key(settings, name)) for name in _wanted(settings)}


def known_tiers(settings: Settings) -> tuple[Capabilities, ...]:
    """The tiers of every provider there is, with a key or without: who could make what nobody here can."""
    tiers = tuple(can for vendor in VENDORS.values() for can in vendor.tiers)
    return pretend_capabilities(tiers) if is_wanted(settings) else tiers


def make_prices(settings: Settings) -> PriceTable:
    """What clips are held at. Raises BadSetting for a PRICE_FILE that cannot be read."""
    own = read_prices(settings.price_file)
    return pretend_prices(own) if is_wanted(settings) else PriceTable(own)


def concurrency_of(settings: Settings) -> dict[str, int]:
    """Jobs in flight at the providers for which the operator set a number of their own."""
    named = pretend_name if is_wanted(settings) else str
    numbers = {named(name): getattr(settings, f"{name}_concurrency") for name in VENDORS}
    return {name: int(number) for name, number in numbers.items() if number is not None}


def keyed(settings: Settings) -> tuple[str, ...]:
    """The providers with a key, used or not."""
    return tuple(name for name in VENDORS if _key(settings, name))


def _wanted(settings: Settings) -> tuple[str, ...]:
    with_key = keyed(settings)
    if SANDBOX in settings.providers:
        real = ", ".join(name for name in settings.providers if name != SANDBOX)
        mend = f"Leave either {SANDBOX} or the others: what is pretended must not stand beside what is charged."
        raise BadSetting(f"PROVIDERS names {SANDBOX} beside {real}.", mend)
    for name in settings.providers:
        if name not in VENDORS:
            what = f"PROVIDERS names {name}, which this release does not have."
            raise BadSetting(what, f"Name only these, or leave PROVIDERS out: {', '.join(VENDORS)}.")
        if name not in with_key:
            variable = f"{name.upper()}_API_KEY"
            what = f"PROVIDERS names {name}, but {variable} is not set."
            raise BadSetting(what, f"Set {variable}, or take {name} out.")
    if not settings.providers and not with_key:
        raise NoKey
    return settings.providers or with_key


def _key(settings: Settings, name: str) -> str:
    key: SecretStr | None = getattr(settings, f"{name}_api_key")
    return key.get_secret_value() if key is not None else ""


def _hiapi(settings: Settings, key: str) -> hiapi.HiAPI:
    secret = settings.hiapi_webhook_secret
    return hiapi.HiAPI(
        key=key,
        clock=SystemClock(),
        base_url=settings.hiapi_base_url,
        model=settings.hiapi_model,
        standard_model=settings.hiapi_standard_model,
        idempotent=settings.hiapi_idempotency,
        webhook_secret=secret.get_secret_value() if secret is not None else "",
        mixed_references=settings.hiapi_mixed_references,
    )


def _apimart(settings: Settings, key: str) -> apimart.APIMart:
    return apimart.APIMart(
        key=key,
        clock=SystemClock(),
        base_url=settings.apimart_base_url,
        model=settings.apimart_model,
        standard_model=settings.apimart_standard_model,
        dialect=apimart.Dialect(settings.apimart_dialect),
        idempotent=settings.apimart_idempotency,
        callbacks=settings.apimart_callbacks,
        response_version=_unless_none(settings.apimart_response_version),
    )


def _muapi(settings: Settings, key: str) -> muapi.Muapi:
    return muapi.Muapi(
        key=key,
        clock=SystemClock(),
        base_url=settings.muapi_base_url,
        model=settings.muapi_model,
        standard_model=settings.muapi_standard_model,
        vip_model=settings.muapi_vip_model,
        auth=muapi.Auth(settings.muapi_auth),
        fields=muapi.Fields(
            image=settings.muapi_image_field,
            images=settings.muapi_images_field,
            videos=settings.muapi_videos_field,
            audios=settings.muapi_audios_field,
        ),
    )


def _seedanceapi(settings: Settings, key: str) -> seedanceapi.SeedanceAPI:
    return seedanceapi.SeedanceAPI(
        key=key,
        clock=SystemClock(),
        base_url=settings.seedanceapi_base_url,
        model=settings.seedanceapi_model,
        standard_model=settings.seedanceapi_standard_model,
        mixed_references=settings.seedanceapi_mixed_references,
        user_agent=settings.seedanceapi_user_agent,
    )


def _empiriolabs(settings: Settings, key: str) -> empiriolabs.EmpirioLabs:
    return empiriolabs.EmpirioLabs(
        key=key,
        clock=SystemClock(),
        base_url=settings.empiriolabs_base_url,
        model=settings.empiriolabs_model,
        fast_model=settings.empiriolabs_fast_model,
        standard_model=settings.empiriolabs_standard_model,
        api_key_header=settings.empiriolabs_auth == "x-api-key",
        paths=Paths(
            job=settings.empiriolabs_job_path,
            jobs=_unless_none(settings.empiriolabs_jobs_path),
            cancel=_unless_none(settings.empiriolabs_cancel_path),
            cancel_method=settings.empiriolabs_cancel_method,
            usage=_unless_none(settings.empiriolabs_usage_path),
        ),
    )


def _unless_none(value: str) -> str | None:
    """A value of the operator's, or that there is to be none."""
    return None if value == NOWHERE else value


VENDORS: Mapping[str, Vendor] = {
    hiapi.NAME: Vendor(make=_hiapi, tiers=(hiapi.capabilities(), hiapi.standard_capabilities())),
    apimart.NAME: Vendor(make=_apimart, tiers=apimart.capabilities()),
    muapi.NAME: Vendor(
        make=_muapi, tiers=(muapi.capabilities(), muapi.standard_capabilities(), muapi.vip_capabilities())
    ),
    seedanceapi.NAME: Vendor(
        make=_seedanceapi, tiers=(seedanceapi.capabilities(), seedanceapi.standard_capabilities())
    ),
    empiriolabs.NAME: Vendor(
        make=_empiriolabs,
        tiers=(
            empiriolabs.capabilities(),
            empiriolabs.fast_capabilities(),
            empiriolabs.standard_capabilities(),
        ),
    ),
}
"""In the order of preference that holds where PROVIDERS names none."""
