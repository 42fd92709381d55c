"""The five providers as the operator's settings make them, and the pretend ones."""

from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bot.domain.capabilities import Capabilities
from bot.domain.pretend import is_pretend, pretend_name, real_name
from bot.domain.pricing import PUBLISHED
from bot.domain.recipe import MINI, MediaKind, MediaRole, Medium, Resolution
from bot.pretend import pretend_settings
from bot.providers import apimart, empiriolabs, hiapi, muapi, seedanceapi
from bot.providers._empiriolabs_paths import Paths
from bot.sandbox.providers import apimart as emulated_apimart
from bot.sandbox.providers import empiriolabs as emulated_empiriolabs
from bot.sandbox.providers import hiapi as emulated_hiapi
from bot.sandbox.providers import muapi as emulated_muapi
from bot.sandbox.providers import seedanceapi as emulated_seedanceapi
from bot.settings import PROVIDER_NAMES, BadSetting, Settings
from bot.vendors import VENDORS, NoKey, concurrency_of, keyed, known_tiers, make_prices, make_providers
from tests.support.values import a_recipe

FIVE = ("hiapi", "apimart", "muapi", "seedanceapi", "empiriolabs")
KEYS: dict[str, Any] = {f"{name}_api_key": f"key-of-{name}" for name in FIVE}
ADAPTERS = {
    hiapi: "HiAPI",
    apimart: "APIMart",
    muapi: "Muapi",
    seedanceapi: "SeedanceAPI",
    empiriolabs: "EmpirioLabs",
}

EMULATED = {
    "hiapi": emulated_hiapi.SETTINGS,
    "apimart": emulated_apimart.SETTINGS,
    "muapi": emulated_muapi.SETTINGS,
    "seedanceapi": emulated_seedanceapi.SETTINGS,
    "empiriolabs": emulated_empiriolabs.SETTINGS,
}
FILM = Medium(role=MediaRole.REFERENCE, kind=MediaKind.VIDEO, url="https://x.example/a.mp4")


class Recorder:
    """In an adapter's place: what it was made with."""

    capabilities: tuple[Capabilities, ...] = ()

    def __init__(self, **given: Any) -> None:
        self.given = given


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters that are not made but noted."""
    for module, name in ADAPTERS.items():
        recorder = type(name, (Recorder,), {"name": module.NAME})
        monkeypatch.setattr(module, name, recorder)


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


def made_with(name: str, **given: Any) -> dict[str, Any]:
    """What the adapter of that provider is made with, but for the clock."""
    provider = make_providers(settings(**KEYS, **given))[name]
    assert isinstance(provider, Recorder)
    return {key: value for key, value in provider.given.items() if key != "clock"}


def test_every_provider_with_a_key_is_used_in_the_usual_order() -> None:
    assert tuple(make_providers(settings(**KEYS))) == FIVE == PROVIDER_NAMES == tuple(VENDORS)
    assert tuple(make_providers(settings(muapi_api_key="k", apimart_api_key="k"))) == ("apimart", "muapi")


def test_the_operators_order_holds_and_leaves_out_whoever_is_not_named() -> None:
    assert tuple(make_providers(settings(**KEYS, providers="muapi, hiapi"))) == ("muapi", "hiapi")


@pytest.mark.parametrize(
    ("given", "what", "mend"),
    [
        ({}, "No provider has a key.", "Set HIAPI_API_KEY, APIMART_API_KEY, "),
        ({"providers": "muapi"}, "PROVIDERS names muapi, but MUAPI_API_KEY is not set.", "Set MUAPI_API_KEY, or "),
        ({"providers": "sora"}, "PROVIDERS names sora, which this release does not have.", "Name only these, or "),
        ({"providers": "sandbox,hiapi"}, "PROVIDERS names sandbox beside hiapi.", "Leave either sandbox or "),
    ],
)
def test_providers_that_cannot_be_had_are_named(given: dict[str, Any], what: str, mend: str) -> None:
    with pytest.raises(BadSetting) as caught:
        make_providers(settings(**given))
    assert caught.value.what == what
    assert caught.value.mend.startswith(mend)


@pytest.mark.parametrize("module", ADAPTERS, ids=lambda module: module.NAME)
def test_the_defaults_are_the_adapters_own(module: ModuleType) -> None:
    """Settings lie below the adapters and repeat their defaults: the two must not part."""
    provider = make_providers(settings(**KEYS))[module.NAME]
    assert provider.capabilities == VENDORS[module.NAME].tiers
    assert settings().model_dump()[f"{module.NAME}_base_url"] == module.PUBLIC_BASE


def test_the_fields_and_paths_of_the_defaults_are_the_adapters_own(recorded: None) -> None:
    assert made_with("muapi")["fields"] == muapi.Fields()
    assert made_with("muapi")["auth"] is muapi.Auth.BEARER
    assert made_with("seedanceapi")["user_agent"] == seedanceapi.USER_AGENT
    assert made_with("empiriolabs")["paths"] == Paths()
    assert made_with("apimart")["dialect"] is apimart.Dialect.GUIDE


def test_hiapis_settings_reach_its_adapter(recorded: None) -> None:
    given = made_with(
        "hiapi",
        hiapi_base_url="https://h.example",
        hiapi_model="m",
        hiapi_standard_model="s",
        hiapi_idempotency=False,
        hiapi_webhook_secret=" signing-key ",
        hiapi_mixed_references=True,
    )
    assert given == {
        "key": "key-of-hiapi",
        "base_url": "https://h.example",
        "model": "m",
        "standard_model": "s",
        "idempotent": False,
        "webhook_secret": "signing-key",
        "mixed_references": True,
    }


def test_apimarts_settings_reach_its_adapter(recorded: None) -> None:
    given = made_with(
        "apimart",
        apimart_base_url="https://a.example",
        apimart_model="m",
        apimart_standard_model="s",
        apimart_dialect="docs",
        apimart_idempotency=False,
        apimart_callbacks=False,
        apimart_response_version="2026-01-01",
    )
    assert given == {
        "key": "key-of-apimart",
        "base_url": "https://a.example",
        "model": "m",
        "standard_model": "s",
        "dialect": apimart.Dialect.DOCS,
        "idempotent": False,
        "callbacks": False,
        "response_version": "2026-01-01",
    }


def test_apimart_is_asked_for_answers_that_tell_a_replay_unless_none_is_wanted(recorded: None) -> None:
    """Its own client asks for them; without them a repeat that is charged anew would look like any other."""
    assert made_with("apimart")["response_version"] == apimart.RESPONSE_VERSION
    assert made_with("apimart", apimart_response_version="none")["response_version"] is None


def test_muapis_settings_reach_its_adapter(recorded: None) -> None:
    given = made_with(
        "muapi",
        muapi_base_url="https://m.example",
        muapi_model="m",
        muapi_standard_model="s",
        muapi_vip_model="v",
        muapi_auth="both",
        muapi_image_field="images_list",
        muapi_images_field="pictures",
        muapi_videos_field="films",
        muapi_audios_field="sounds",
    )
    assert given == {
        "key": "key-of-muapi",
        "base_url": "https://m.example",
        "model": "m",
        "standard_model": "s",
        "vip_model": "v",
        "auth": muapi.Auth.BOTH,
        "fields": muapi.Fields(image="images_list", images="pictures", videos="films", audios="sounds"),
    }


def test_seedanceapis_settings_reach_its_adapter(recorded: None) -> None:
    given = made_with(
        "seedanceapi",
        seedanceapi_base_url="https://s.example",
        seedanceapi_model="m",
        seedanceapi_standard_model="s",
        seedanceapi_mixed_references=True,
        seedanceapi_user_agent="Studio",
    )
    assert given == {
        "key": "key-of-seedanceapi",
        "base_url": "https://s.example",
        "model": "m",
        "standard_model": "s",
        "mixed_references": True,
        "user_agent": "Studio",
    }


def test_empiriolabs_settings_reach_its_adapter(recorded: None) -> None:
    given = made_with(
        "empiriolabs",
        empiriolabs_base_url="https://e.example",
        empiriolabs_model="m",
        empiriolabs_fast_model="f",
        empiriolabs_standard_model="s",
        empiriolabs_auth="x-api-key",
        empiriolabs_job_path="/v2/jobs/{job_id}",
        empiriolabs_jobs_path="none",
        empiriolabs_cancel_path="/v2/jobs/{job_id}",
        empiriolabs_cancel_method="DELETE",
        empiriolabs_usage_path="none",
    )
    paths = given.pop("paths")
    assert given == {
        "key": "key-of-empiriolabs",
        "base_url": "https://e.example",
        "model": "m",
        "fast_model": "f",
        "standard_model": "s",
        "api_key_header": True,
    }
    told = {"job": "/v2/jobs/{job_id}", "jobs": None, "cancel": "/v2/jobs/{job_id}", "usage": None}
    assert asdict(paths) == {**asdict(Paths()), **told, "cancel_method": "DELETE"}


def test_every_setting_of_a_provider_is_in_one_of_these_tests() -> None:
    """A new one is to be passed on, and to be seen passed on."""
    source = Path(__file__).read_text(encoding="utf-8")
    ours = [name for name in Settings.model_fields if name.startswith(tuple(f"{one}_" for one in FIVE))]
    usual = ("_api_key", "_concurrency")
    assert [name for name in ours if not name.endswith(usual) and f"{name}=" not in source] == []


def test_only_that_there_is_no_key_at_all_is_a_set_up_without_providers() -> None:
    """What ``dailies providers`` lets pass: the others are mistakes, and said."""
    with pytest.raises(NoKey):
        make_providers(settings())
    for given in (
        {"hiapi_api_key": "k", "providers": "hiapi,typo"},
        {"hiapi_api_key": "k", "providers": "hiapi,muapi"},
        {"hiapi_api_key": "k", "providers": "sandbox,hiapi"},
        {"providers": "muapi"},
    ):
        with pytest.raises(BadSetting) as caught:
            make_providers(settings(**given))
        assert not isinstance(caught.value, NoKey)


def test_keys_are_seen_whether_they_are_used_or_not() -> None:
    assert keyed(settings(hiapi_api_key="k", muapi_api_key="k", providers="muapi")) == ("hiapi", "muapi")


def test_places_of_their_own_are_those_that_were_set() -> None:
    assert concurrency_of(settings(muapi_concurrency=3, hiapi_concurrency=1)) == {"hiapi": 1, "muapi": 3}


def test_places_that_were_set_hold_for_the_pretend_provider_of_that_name_too() -> None:
    given = settings(providers="sandbox", hiapi_concurrency=1)
    assert concurrency_of(given) == {"pretend-hiapi": 1}


def test_pretend_clips_are_held_at_what_the_emulated_providers_bill() -> None:
    """Whatever is asked of them: every tier, resolution and length, with a video and without."""
    given = settings(providers="sandbox")
    prices, short = make_prices(given), []
    for can in known_tiers(given):
        emulated = EMULATED[real_name(can.provider)]
        for resolution in can.resolutions:
            for video in {False, can.takes_video}:
                for seconds in sorted(can.only_seconds or range(can.shortest_seconds, can.longest_seconds + 1)):
                    media = (FILM,) if video else ()
                    recipe = a_recipe(tier=can.tier, resolution=resolution, seconds=seconds, media=media)
                    billed = emulated.price(can.model, resolution.value, seconds, video_input=video)
                    if prices.quote(recipe, can.provider).micro_usd < billed:
                        short.append((can.provider, can.tier, resolution.value, video, seconds))
    assert short == []


def test_pretend_providers_are_all_five_under_names_of_their_own(recorded: None) -> None:
    """Real keys and addresses are set, and nobody gets them."""
    emulation = {f"{name.upper()}_BASE_URL": f"http://127.0.0.1:4/{name}" for name in FIVE}
    emulation |= {f"{name.upper()}_API_KEY": f"pretend-key-of-{name}" for name in FIVE}
    given = settings(**KEYS, providers="sandbox", hiapi_base_url="https://h.example", hiapi_model="dear")

    assert tuple(make_providers(given, emulation)) == tuple(pretend_name(name) for name in FIVE)
    pretended = pretend_settings(given, emulation)

    assert pretended.hiapi_base_url == "http://127.0.0.1:4/hiapi"
    assert pretended.hiapi_model == settings().hiapi_model
    secrets = [getattr(pretended, f"{name}_api_key").get_secret_value() for name in FIVE]
    assert secrets == [f"pretend-key-of-{name}" for name in FIVE]


def test_pretend_providers_without_an_emulation_lead_nowhere() -> None:
    pretended = pretend_settings(settings(**KEYS, providers="sandbox"), {})
    assert {getattr(pretended, f"{name}_base_url") for name in FIVE} == {"http://127.0.0.1:9"}
    assert {getattr(pretended, f"{name}_api_key").get_secret_value() for name in FIVE} == {"sandbox"}


def test_pretend_tiers_and_prices_stand_under_pretend_names(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('[muapi.mini]\n"480p" = 0.01\n', encoding="utf-8")
    given = settings(providers="sandbox", price_file=path)
    tiers, prices = known_tiers(given), make_prices(given)

    assert {can.provider for can in tiers} == {pretend_name(name) for name in FIVE}
    drafts = {
        real_name(can.provider): prices.rate(can.provider, MINI, Resolution.P480) for can in tiers if can.tier == MINI
    }
    assert set(drafts) == set(FIVE)
    assert [name for name, rate in drafts.items() if rate.assumed] == []
    assert drafts["muapi"].per_second_micro_usd == 10_000
    assert drafts["apimart"] == PUBLISHED["apimart", MINI, Resolution.P480, False]


def test_a_pretend_name_is_told_from_a_real_one() -> None:
    for name in FIVE:
        assert (is_pretend(name), real_name(name)) == (False, name)
        assert (is_pretend(pretend_name(name)), real_name(pretend_name(name))) == (True, name)
