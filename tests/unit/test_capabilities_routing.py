"""What a provider can do, and which of them makes a clip: nothing asked is ever dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.capabilities import Capabilities, Misfit, fit, tokens_of
from bot.domain.pricing import NoPrice, PriceTable, Rate
from bot.domain.recipe import MediaKind, MediaRole, Medium, Mode, Ratio, Recipe, Resolution
from bot.services.answers import CannotMake, NoProvider
from bot.services.routing import Route, Router
from tests.support.values import a_recipe, capabilities
from tests.support.vendors import Declared

READ = date(2026, 11, 20)
LIMITED = capabilities(
    resolutions=frozenset({Resolution.P720, Resolution.P480}),
    ratios=frozenset({Ratio.SQUARE, Ratio.WIDE}),
    audio_toggle=False,
    longest_prompt=1000,
)


def priced(**per_second: float) -> PriceTable:
    """Prices in dollars a second by provider, the same at every resolution; the rest is assumed."""
    return PriceTable(
        {
            (name, "mini", resolution, video): Rate(per_second_micro_usd=round(price * 1_000_000), as_of=READ)
            for name, price in per_second.items()
            for resolution in (Resolution.P480, Resolution.P720)
            for video in (False, True)
        }
    )


def router(*providers: Declared, sick: Sequence[str] = (), **per_second: float) -> Router:
    """A router among these, at these prices in dollars a second."""
    return Router(
        {provider.name: provider for provider in providers},
        priced(**per_second),
        healthy=lambda name: name not in sick,
    )


# --- fit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "misfit"),
    [
        ({"tier": "standard"}, Misfit(option="--tier", asked="standard", allowed="mini")),
        ({"resolution": Resolution.P1080}, Misfit(option="--res", asked="1080p", allowed="480p, 720p")),
        ({"ratio": Ratio.TALL}, Misfit(option="--ratio", asked="9:16", allowed="16:9, 1:1")),
        ({"seconds": None}, Misfit(option="--dur", asked="auto", allowed="4–15 seconds")),
        ({"seconds": 3}, Misfit(option="--dur", asked="3", allowed="4–15 seconds")),
        ({"seconds": 16}, Misfit(option="--dur", asked="16", allowed="4–15 seconds")),
        ({"audio": False}, Misfit(option="--no-audio", asked="off", allowed="sound always on")),
        ({"seed": 0}, Misfit(option="--seed", asked="0", allowed="no seeds")),
        (
            {"negative": "rain"},
            Misfit(
                option="--no",
                asked="rain",
                allowed="no negative prompts; say what you do want to see instead",
            ),
        ),
        ({"high_bitrate": True}, Misfit(option="--hq", asked="on", allowed="the standard bitrate")),
        (
            {"prompt": "x" * 1001},
            Misfit(option="the prompt", asked="1,001 characters", allowed="at most 1,000 characters"),
        ),
    ],
)
def test_each_thing_that_is_not_to_be_had_is_named_with_what_is(asked: Mapping[str, Any], misfit: Misfit) -> None:
    assert fit(a_recipe(**asked), LIMITED) == (misfit,)


@pytest.mark.parametrize(
    "asked",
    [{}, {"seconds": 4}, {"seconds": 15}, {"resolution": Resolution.P720}, {"prompt": "x" * 1000}, {"prompt": ""}],
)
def test_what_is_to_be_had_fits(asked: Mapping[str, Any]) -> None:
    assert fit(a_recipe(**asked), LIMITED) == ()


def test_extras_fit_where_they_are_offered() -> None:
    able = capabilities(automatic_seconds=True, seed=True, negative=True, high_bitrate=True, longest_prompt=None)
    asked = a_recipe(seconds=None, seed=7, negative="rain", high_bitrate=True, audio=False, prompt="x" * 100_000)
    assert fit(asked, able) == ()


def test_everything_that_misfits_is_said_at_once() -> None:
    asked = a_recipe(seed=7, ratio=Ratio.TALL, audio=False)
    assert [misfit.option for misfit in fit(asked, LIMITED)] == ["--ratio", "--no-audio", "--seed"]


# --- fit: files ------------------------------------------------------------------------------------------------------


def file(role: MediaRole, kind: MediaKind = MediaKind.IMAGE, number: int = 1) -> Medium:
    return Medium(role=role, kind=kind, url=f"https://x.example/{role}/{kind}/{number}")


def references(images: int = 0, videos: int = 0, audios: int = 0) -> tuple[Medium, ...]:
    counts = ((MediaKind.IMAGE, images), (MediaKind.VIDEO, videos), (MediaKind.AUDIO, audios))
    return tuple(file(MediaRole.REFERENCE, kind, number) for kind, count in counts for number in range(count))


FIRST, LAST = file(MediaRole.FIRST), file(MediaRole.LAST)
EDIT, EXTEND = file(MediaRole.EDIT, MediaKind.VIDEO), file(MediaRole.EXTEND, MediaKind.VIDEO)
ALL_MODES = capabilities(
    modes=frozenset(Mode), reference_images=4, reference_videos=2, reference_audios=1, adaptive_needs_picture=True
)
WORDS_ALONE = capabilities()


@pytest.mark.parametrize(
    ("media", "can", "expected"),
    [
        ((FIRST,), WORDS_ALONE, [("--first", "first frame", "text to video")]),
        ((FIRST, LAST), WORDS_ALONE, [("--last", "first and last frame", "text to video")]),
        (references(1), WORDS_ALONE, [("--ref", "references", "text to video")]),
        ((EDIT,), WORDS_ALONE, [("--edit", "edit", "text to video")]),
        ((EXTEND,), WORDS_ALONE, [("--extend", "extend", "text to video")]),
        (
            (EDIT, *references(1)),
            replace(ALL_MODES, modes=frozenset({Mode.TEXT, Mode.EDIT})),
            [("--ref", "references", "text to video, edit")],
        ),
        ((), replace(ALL_MODES, modes=frozenset({Mode.EDIT})), [("the prompt alone", "text to video", "edit")]),
        ((LAST,), ALL_MODES, [("--last", "a last frame alone", "a last frame beside a first one (--first)")]),
        ((FIRST, *references(1)), ALL_MODES, [("--ref", "with a first or last frame", "either frames or references")]),
        ((EDIT, *references(1)), ALL_MODES, [("--ref", "with --edit or --extend", "the video alone")]),
        ((EDIT, EXTEND), ALL_MODES, [("--extend", "with --edit", "one of the two")]),
        ((EDIT, FIRST), ALL_MODES, [("--first", "with a video", "the video alone")]),
        ((EXTEND, LAST), ALL_MODES, [("--last", "with a video", "the video alone")]),
        ((FIRST, replace(FIRST, url="https://x.example/2")), ALL_MODES, [("--first", "2 files", "one file")]),
        (references(5), ALL_MODES, [("--ref", "5 image references", "at most 4")]),
        (references(0, 3), ALL_MODES, [("--ref", "3 video references", "at most 2")]),
        (
            references(0, 0, 1),
            replace(ALL_MODES, reference_audios=0),
            [("--ref", "1 audio references", "no audio references")],
        ),
        (
            references(1, 1),
            replace(ALL_MODES, images_with_videos=False),
            [("--ref", "pictures with videos", "either pictures or videos")],
        ),
        (
            references(0, 0, 1),
            replace(ALL_MODES, audio_needs_picture=True),
            [("--ref", "a sound alone", "a sound beside a picture or a video")],
        ),
    ],
)
def test_files_that_do_not_fit_are_named(
    media: tuple[Medium, ...], can: Capabilities, expected: list[tuple[str, str, str]]
) -> None:
    assert [(one.option, one.asked, one.allowed) for one in fit(a_recipe(media=media), can)] == expected


@pytest.mark.parametrize(
    ("media", "can"),
    [
        ((FIRST,), ALL_MODES),
        ((FIRST, LAST), ALL_MODES),
        ((FIRST, LAST), replace(ALL_MODES, modes=frozenset({Mode.FIRST_LAST}))),
        (references(4, 2, 1), ALL_MODES),
        ((EDIT,), ALL_MODES),
        ((EXTEND,), ALL_MODES),
        ((EXTEND, LAST), replace(ALL_MODES, last_frame_with_extend=True)),
        ((EXTEND, LAST), replace(ALL_MODES, last_frame_with_extend=True, modes=frozenset({Mode.EXTEND}))),
        ((FIRST, *references(1)), replace(ALL_MODES, frames_with_references=True)),
        ((EDIT, *references(1)), replace(ALL_MODES, references_with_video=True)),
        (references(1, 0, 1), replace(ALL_MODES, audio_needs_picture=True)),
    ],
)
def test_files_that_fit_fit(media: tuple[Medium, ...], can: Capabilities) -> None:
    assert fit(a_recipe(media=media), can) == ()


def test_a_first_frames_shape() -> None:
    adaptive = a_recipe(ratio=Ratio.ADAPTIVE)
    (misfit,) = fit(adaptive, ALL_MODES)
    assert (misfit.option, misfit.asked) == ("--ratio", "adaptive")
    assert misfit.allowed.endswith("3:2 without a first frame")
    assert fit(replace(adaptive, media=(FIRST,)), ALL_MODES) == ()
    fixed = replace(ALL_MODES, fixed_ratio_with_picture=True)
    (misfit,) = fit(a_recipe(media=(FIRST,)), fixed)
    assert (misfit.option, misfit.asked, misfit.allowed) == (
        "--ratio",
        "16:9",
        "the first frame's own shape (adaptive)",
    )
    assert fit(replace(adaptive, media=(FIRST,)), fixed) == ()


def test_a_length_may_be_one_of_a_few() -> None:
    few = capabilities(only_seconds=frozenset({15, 5, 10}))
    assert fit(a_recipe(seconds=10), few) == ()
    assert fit(a_recipe(seconds=4), few) == (Misfit(option="--dur", asked="4", allowed="5, 10, 15 seconds"),)
    assert [one.option for one in fit(a_recipe(seconds=None), few)] == ["--dur"]


def test_a_prompts_names_have_files() -> None:
    recipe = a_recipe(prompt="@Image1 as in @Video1", media=references(1))
    assert fit(recipe, ALL_MODES) == (Misfit(option="the prompt", asked="@Video1", allowed="@Image1"),)
    (misfit,) = fit(a_recipe(prompt="@Image1"), ALL_MODES)
    assert misfit.allowed == "no file to name (give one with --ref)"


@pytest.mark.parametrize(
    ("prompt", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("fox", 1),
        ("foxy", 2),
        ("é", 1),
        ("é fox", 3),
        ("狐狸", 2),
        ("狐狸 fox", 4),
        ("🦊", 1),
        ("x" * 300, 100),
    ],
)
def test_tokens_are_counted_rather_too_many_than_too_few(prompt: str, tokens: int) -> None:
    assert tokens_of(prompt) == tokens
    tight = capabilities(longest_prompt_tokens=tokens)
    assert fit(a_recipe(prompt=prompt), tight) == ()
    (misfit,) = fit(a_recipe(prompt=prompt + "日"), tight)
    assert (misfit.option, misfit.allowed) == ("the prompt", f"at most {tokens:,} tokens")


@given(st.text(), st.text())
def test_a_longer_prompt_has_never_fewer_tokens(one: str, other: str) -> None:
    assert max(tokens_of(one), tokens_of(other)) <= tokens_of(one + other) <= len(one + other)


def test_a_prompt_may_be_too_short() -> None:
    (misfit,) = fit(a_recipe(prompt="ox"), capabilities(shortest_prompt=3))
    assert misfit == Misfit(option="the prompt", asked="2 characters", allowed="at least 3 characters")


FILES = [FIRST, LAST, EDIT, EXTEND, *references(2, 1, 1)]
ASKED = st.builds(
    Recipe,
    prompt=st.sampled_from(["a fox", "", "@Image1 waves", "@Audio2", "狐" * 40]),
    resolution=st.sampled_from(Resolution),
    seconds=st.none() | st.integers(4, 15),
    ratio=st.sampled_from(Ratio),
    audio=st.booleans(),
    tier=st.sampled_from(["mini", "standard"]),
    seed=st.none() | st.integers(0, 9),
    negative=st.sampled_from([None, "rain"]),
    high_bitrate=st.booleans(),
    media=st.lists(st.sampled_from(FILES), max_size=5, unique=True).map(tuple),
)
ABLE = st.builds(
    Capabilities,
    provider=st.just("any"),
    tier=st.sampled_from(["mini", "standard"]),
    model=st.just("m"),
    resolutions=st.frozensets(st.sampled_from(Resolution), min_size=1),
    ratios=st.frozensets(st.sampled_from(Ratio), min_size=1),
    modes=st.frozensets(st.sampled_from(Mode), min_size=1),
    automatic_seconds=st.booleans(),
    only_seconds=st.none() | st.just(frozenset({5, 10})),
    adaptive_needs_picture=st.booleans(),
    fixed_ratio_with_picture=st.booleans(),
    audio_toggle=st.booleans(),
    seed=st.booleans(),
    negative=st.booleans(),
    high_bitrate=st.booleans(),
    reference_images=st.integers(0, 2),
    reference_videos=st.integers(0, 1),
    reference_audios=st.integers(0, 1),
    frames_with_references=st.booleans(),
    images_with_videos=st.booleans(),
    references_with_video=st.booleans(),
    last_frame_with_extend=st.booleans(),
    audio_needs_picture=st.booleans(),
    longest_prompt=st.none() | st.just(10),
    longest_prompt_tokens=st.none() | st.just(5),
)


@given(ASKED, ABLE)
@settings(max_examples=500, deadline=None)
def test_whatever_fits_is_to_be_had_whole_and_whatever_does_not_is_named(recipe: Recipe, can: Capabilities) -> None:
    misfits = fit(recipe, can)
    options = {*("--tier", "--res", "--ratio", "--dur", "--no-audio", "--seed", "--no", "--hq", "the prompt")}
    options |= {"the prompt alone", "--first", "--last", "--ref", "--edit", "--extend"}
    for misfit in misfits:
        assert misfit.option in options
        assert misfit.asked
        assert misfit.allowed
    if misfits:
        return
    roles = {one.role for one in recipe.media}
    assert recipe.tier == can.tier
    assert (recipe.resolution in can.resolutions, recipe.ratio in can.ratios) == (True, True)
    assert can.automatic_seconds if recipe.seconds is None else 4 <= recipe.seconds <= 15
    assert recipe.audio or can.audio_toggle
    assert recipe.seed is None or can.seed
    assert recipe.negative is None or can.negative
    assert can.high_bitrate or not recipe.high_bitrate
    assert recipe.mode in can.modes
    assert not recipe.unmet_names
    assert len(recipe.given(MediaRole.REFERENCE, MediaKind.IMAGE)) <= can.reference_images
    assert len(recipe.given(MediaRole.REFERENCE, MediaKind.VIDEO)) <= can.reference_videos
    assert len(recipe.given(MediaRole.REFERENCE, MediaKind.AUDIO)) <= can.reference_audios
    assert not {MediaRole.EDIT, MediaRole.EXTEND} <= roles
    assert MediaRole.LAST not in roles or roles & {MediaRole.FIRST, MediaRole.EXTEND}
    if len(roles) > 1 and roles != {MediaRole.FIRST, MediaRole.LAST}:
        assert can.frames_with_references or can.references_with_video or can.last_frame_with_extend


# --- routing ---------------------------------------------------------------------------------------------------------


def test_the_cheapest_that_can_is_chosen() -> None:
    dear, cheap = Declared(capabilities("dear")), Declared(capabilities("cheap"))
    route = router(dear, cheap, dear=0.20, cheap=0.10).route(a_recipe(), None)
    assert (route.can.provider, route.price.micro_usd) == ("cheap", 400_000)


def test_one_that_cannot_is_passed_over_however_cheap() -> None:
    able, cheap = Declared(capabilities("able", seed=True)), Declared(capabilities("cheap"))
    assert router(able, cheap, able=0.20, cheap=0.10).route(a_recipe(seed=7), "auto").can.provider == "able"


def test_at_one_price_the_operators_order_decides() -> None:
    first, second = Declared(capabilities("first")), Declared(capabilities("second"))
    assert router(first, second, first=0.1, second=0.1).route(a_recipe(), None).can.provider == "first"
    assert router(second, first, first=0.1, second=0.1).route(a_recipe(), None).can.provider == "second"


def test_an_assumed_price_comes_last_even_where_it_is_lower() -> None:
    unknown, dear = Declared(capabilities("unknown")), Declared(capabilities("dear"))
    chosen = router(unknown, dear, dear=9.0).route(a_recipe(), None)
    assert (chosen.can.provider, chosen.price.assumed) == ("dear", False)
    alone = router(unknown).route(a_recipe(), None)
    assert (alone.can.provider, alone.price.assumed) == ("unknown", True)


def test_one_that_is_not_healthy_is_passed_over() -> None:
    dear, cheap = Declared(capabilities("dear")), Declared(capabilities("cheap"))
    assert router(dear, cheap, sick=["cheap"], dear=0.2, cheap=0.1).route(a_recipe(), None).can.provider == "dear"
    unknown = Declared(capabilities("unknown"))
    choose = router(unknown, cheap, sick=["cheap"], cheap=0.1)
    assert choose.route(a_recipe(), None).can.provider == "unknown", "even at an assumed price"


def test_where_nobody_able_is_healthy_the_order_waits_for_the_cheapest() -> None:
    dear, cheap = Declared(capabilities("dear")), Declared(capabilities("cheap"))
    choose = router(dear, cheap, sick=["dear", "cheap"], dear=0.2, cheap=0.1)
    assert choose.route(a_recipe(), "auto").can.provider == "cheap"


def test_a_named_provider_is_obeyed_even_when_it_is_not_healthy() -> None:
    dear, cheap = Declared(capabilities("dear")), Declared(capabilities("cheap"))
    assert router(dear, cheap, sick=["dear"], dear=0.2, cheap=0.1).route(a_recipe(), "dear").can.provider == "dear"


def test_health_is_asked_anew_for_each_route() -> None:
    sick: list[str] = []
    dear, cheap = Declared(capabilities("dear")), Declared(capabilities("cheap"))
    choose = router(dear, cheap, sick=sick, dear=0.2, cheap=0.1)
    assert choose.route(a_recipe(), None).can.provider == "cheap"
    sick.append("cheap")
    assert choose.route(a_recipe(), None).can.provider == "dear"


def test_a_refusal_says_who_could_and_who_would_with_a_key() -> None:
    named, able, other = (
        Declared(capabilities("named")),
        Declared(capabilities("able", negative=True)),
        Declared(capabilities("other")),
    )
    known = [*named.capabilities, *able.capabilities, capabilities("foreign", negative=True), capabilities("useless")]
    choose = Router({one.name: one for one in (named, able, other)}, priced(), known=known)
    with pytest.raises(CannotMake) as caught:
        choose.route(a_recipe(negative="rain"), "named")
    assert (caught.value.able, caught.value.would) == (("able",), ("foreign",))
    assert str(caught.value) == "named cannot make this: --no. Could: able. Could with a key: foreign."
    alone = Router({"named": named}, priced(), known=known)
    with pytest.raises(CannotMake) as caught:
        alone.route(a_recipe(negative="rain"), None)
    assert (caught.value.provider, caught.value.able, caught.value.would) == ("named", (), ("able", "foreign"))


def test_a_tier_that_is_not_there_is_refused_with_all_there_are() -> None:
    both = Declared(capabilities("both"), capabilities("both", tier="standard"))
    with pytest.raises(CannotMake) as caught:
        Router({"both": both}, priced()).route(a_recipe(tier="vip"), None)
    assert caught.value.misfits == (Misfit(option="--tier", asked="vip", allowed="mini, standard"),)


def test_of_several_tiers_the_one_that_was_asked_for_says_what_it_lacks() -> None:
    both = Declared(capabilities("both", seed=True), capabilities("both", tier="standard"))
    with pytest.raises(CannotMake) as caught:
        Router({"both": both}, priced()).route(a_recipe(tier="standard", seed=7, negative="rain"), None)
    assert [one.option for one in caught.value.misfits] == ["--seed", "--no"]


def test_a_free_ratio_follows_the_first_frame_where_that_is_to_be_had() -> None:
    """The ratio that the provider is given is settled here, since only here the provider is known."""
    adaptive = Declared(replace(ALL_MODES, provider="adaptive", fixed_ratio_with_picture=True))
    rigid = Declared(replace(ALL_MODES, provider="rigid", ratios=frozenset({Ratio.WIDE, Ratio.TALL})))
    choose = router(adaptive, rigid, adaptive=0.1, rigid=0.1)
    framed = a_recipe(ratio=Ratio.TALL, media=(FIRST,))
    assert choose.route(framed, None, free_ratio=True).recipe == replace(framed, ratio=Ratio.ADAPTIVE)
    assert choose.route(framed, "rigid", free_ratio=True).recipe == framed
    assert choose.route(framed, None).can.provider == "rigid", "asked for is asked for"
    plain = a_recipe(ratio=Ratio.TALL)
    assert choose.route(plain, "adaptive", free_ratio=True).recipe == plain, "there is no picture to follow"


def test_a_named_provider_is_obeyed() -> None:
    dear, cheap = Declared(capabilities("dear")), Declared(capabilities("cheap"))
    assert router(dear, cheap, dear=0.20, cheap=0.10).route(a_recipe(), "dear").can.provider == "dear"


def test_a_named_provider_that_cannot_is_refused_rather_than_replaced() -> None:
    able, named = Declared(capabilities("able", seed=True)), Declared(capabilities("named"))
    with pytest.raises(CannotMake) as caught:
        router(able, named, able=0.1, named=0.1).route(a_recipe(seed=7), "named")
    assert caught.value.provider == "named"
    assert [misfit.option for misfit in caught.value.misfits] == ["--seed"]
    assert (caught.value.able, caught.value.would) == (("able",), ())
    assert str(caught.value) == "named cannot make this: --seed. Could: able."


def test_when_nobody_can_the_nearest_says_what_it_lacks() -> None:
    far, near = Declared(capabilities("far")), Declared(capabilities("near", seed=True))
    with pytest.raises(CannotMake) as caught:
        router(far, near, far=0.1, near=0.1).route(a_recipe(seed=7, negative="rain"), None)
    assert (caught.value.provider, [one.option for one in caught.value.misfits]) == ("near", ["--no"])


def test_a_tier_is_chosen_within_a_provider() -> None:
    both = Declared(capabilities("both"), capabilities("both", tier="standard", model="seedance-2-0"))
    own = {
        ("both", tier, Resolution.P480, False): Rate(per_second_micro_usd=80_000, as_of=READ)
        for tier in ("mini", "standard")
    }
    choose = Router({"both": both}, PriceTable(own))
    assert choose.route(a_recipe(tier="standard"), None).can.model == "seedance-2-0"
    assert choose.capabilities("both", "standard").model == "seedance-2-0"


def test_what_is_not_set_up_any_more_is_still_known_for_what_it_declares() -> None:
    """A clip may have been ordered there before."""
    gone = capabilities("gone", cancel=True)
    choose = Router({"both": Declared(capabilities("both"))}, PriceTable(), known=(gone,))
    assert choose.capabilities("gone", "mini") is gone
    unknown = choose.capabilities("unheard-of", "mini")
    assert (unknown.provider, unknown.tier, unknown.cancel, unknown.idempotency) == ("unheard-of", "mini", False, None)
    assert unknown.output_lifetime == timedelta(days=7)
    with pytest.raises(NoProvider):
        choose.route(a_recipe(), "gone")


@pytest.mark.parametrize("wanted", ["muapi", "HIAPI", ""])
def test_an_unknown_provider_is_refused_with_those_there_are(wanted: str) -> None:
    with pytest.raises(NoProvider) as caught:
        router(Declared(capabilities())).route(a_recipe(), wanted)
    assert (caught.value.wanted, caught.value.configured) == (wanted, ("hiapi",))


def test_without_any_provider_nothing_is_made() -> None:
    with pytest.raises(NoProvider) as caught:
        Router({}, PriceTable()).route(a_recipe(), None)
    assert caught.value.configured == ()


def test_what_cannot_be_priced_is_not_made() -> None:
    able = Declared(capabilities("able", tier="fast", resolutions=frozenset({Resolution.P1080})))
    with pytest.raises(NoPrice):
        router(able).route(a_recipe(tier="fast", resolution=Resolution.P1080), None)


def test_one_that_cannot_be_priced_does_not_stand_in_the_way_of_another() -> None:
    can = frozenset({Resolution.P1080})
    unpriced, known = (
        Declared(capabilities("unpriced", resolutions=can)),
        Declared(capabilities("known", resolutions=can)),
    )
    own = {("known", "mini", Resolution.P1080, False): Rate(per_second_micro_usd=500_000, as_of=READ)}
    recipe = a_recipe(resolution=Resolution.P1080)
    route = Router({"unpriced": unpriced, "known": known}, PriceTable(own)).route(recipe, None)
    assert route == Route(can=known.capabilities[0], price=route.price, recipe=recipe)
