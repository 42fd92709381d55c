"""What ``/clip`` understands, and what it says when it does not."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.lineage import Changes, vary
from bot.domain.recipe import HIGHEST_SEED, MediaKind, MediaRole, Ratio, Recipe, Resolution
from handlers.grammar import ClipRequest, Help, SettingsRequest, UsageError, UsageRequest, parse_clip, parse_usage
from handlers.grammar.clip import LONGEST_PROMPT
from handlers.grammar.doors import BadMonth
from handlers.grammar.errors import (
    GivenTwice,
    IllValue,
    MissingValue,
    NoPrompt,
    NotAvailableYet,
    NoValueTaken,
    PromptTooLong,
    UnknownOption,
)
from handlers.grammar.options import AUTO, NOT_YET, OPTIONS
from tests.support.clip_lines import FILM, FIRST, LAST, PHOTO, SOUND, asked, assert_whole, medium, refused

# --- what is understood ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "   ", "help", "Help", " HELP ", "--help", "\u200b", "\u00a0"])
def test_nothing_or_help_asks_for_help(text: str) -> None:
    assert parse_clip(text) == Help()


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ("--takes 3", Changes(takes=3)),
        ("--takes=3", Changes(takes=3)),
        ("--takes 8", Changes(takes=8)),
        ("-n 2", Changes(takes=2)),
        ("-n2", Changes(takes=2)),
        ("-n=2", Changes(takes=2)),
        ("--res 720p", Changes(resolution=Resolution.P720)),
        ("--res 1080P", Changes(resolution=Resolution.P1080)),
        ("--dur 4", Changes(seconds=4)),
        ("--dur 15", Changes(seconds=15)),
        ("--dur 8s", Changes(seconds=8)),
        ("--dur auto", Changes(automatic_seconds=True)),
        ("--ratio 9:16", Changes(ratio=Ratio.TALL)),
        ("--ar 1:1", Changes(ratio=Ratio.SQUARE)),
        ('--ratio="21:9"', Changes(ratio=Ratio.CINEMA)),
        ("--ratio Adaptive", Changes(ratio=Ratio.ADAPTIVE)),
        ("--seed 0", Changes(seed=0)),
        (f"--seed {HIGHEST_SEED}", Changes(seed=HIGHEST_SEED)),
        ("--audio", Changes(audio=True)),
        ("--no-audio", Changes(audio=False)),
        ("--hq", Changes(high_bitrate=True)),
        ("--tier Standard", Changes(tier="standard")),
        ('--no "text, logos"', Changes(negative="text, logos")),
        ('--no="a b"', Changes(negative="a b")),
        ("--RES 480p", Changes(resolution=Resolution.P480)),
        ("--takes 3,", Changes(takes=3)),
        ("--res 480p --res 480p", Changes(resolution=Resolution.P480)),
        ("—takes 3", Changes(takes=3)),
        ("–res=720p", Changes(resolution=Resolution.P720)),
        ("——dur 8", Changes(seconds=8)),
        ("-–dur 8", Changes(seconds=8)),
        ("―no-audio", Changes(audio=False)),
    ],
)
@pytest.mark.parametrize("order", ["{options} a red panda", "a {options} red panda", "a red panda {options}"])
def test_an_option_is_read_wherever_it_stands(options: str, changes: Changes, order: str) -> None:
    request = asked(order.format(options=options))
    assert request == ClipRequest(prompt="a red panda", changes=changes, provider=None, final=False, estimate=False)


def test_switches_and_the_provider_are_not_part_of_the_recipe() -> None:
    request = asked("a cat --final --estimate --provider HiAPI")
    assert (request.final, request.estimate, request.provider) == (True, True, "hiapi")
    assert request.changes.empty


def test_provider_auto_leaves_the_choice() -> None:
    assert asked("a cat --provider auto").provider is None


def test_no_takes_the_words_up_to_the_next_option() -> None:
    request = asked("a street --no cars, people —dur 8s at night")
    assert request.changes == Changes(negative="cars, people", seconds=8)
    assert request.prompt == "a street at night"


@pytest.mark.parametrize(
    "prose",
    [
        "a mug — steam",
        "a mug —steam rising",
        "open 9–5",
        "9 – 5",
        "sci-fi city, low-angle",
        "a mug -- steam",
        "a -- b",
        "--",
        "a ---rule",
        "-5 degrees, a lake",
        "a sign that says --5",
        "—nobody home",
        "—notes on a desk",
        "—final! a finish line",
        'he says "--res 900p" loudly',
        'he says "go —dur 99 now"',
        '("--foo" on a wall)',
        'a tube of 5" and one of 7"',
        "it's a dog's life, rock 'n' roll",
        "email me at a@b.c, mail@image1x",
        "50% off & more <now>",
        "{smile} on a face",
        "x3 speed, 720p look, 9:16 phone",
        "a+b=c",
        "🐼 🏄",
    ],
)
def test_prose_stays_prose(prose: str) -> None:
    """Nothing of it is taken for an option, lost or rewritten."""
    text = html.escape(f"a film: {prose}", quote=False)
    assert asked(text) == ClipRequest(
        prompt=f"a film: {prose}", changes=Changes(), provider=None, final=False, estimate=False
    )


@pytest.mark.parametrize(
    ("sent", "prompt"),
    [
        ("salt &amp; pepper", "salt & pepper"),
        ("a &lt;b&gt; c", "a <b> c"),
        ("&amp;lt;", "&lt;"),
        ("<@U1|bob> waves", "@bob waves"),
        ("<@U1> waves", "@U1 waves"),
        ("in <#C1|ads>", "in #ads"),
        ("in <#C1|>", "in #C1"),
        ("<!channel> look", "channel look"),
        ("<!here> look", "here look"),
        ("<!everyone> look", "everyone look"),
        ("<!subteam^S1|@designers> look", "designers look"),
        ("<!subteam^S1> look", "subteam look"),
        ("<!date^1392734382^{date}|Feb 18> snow", "Feb 18 snow"),
        ("<https://x.y/z|our site> scrolls", "our site scrolls"),
        ("<https://x.y/z> scrolls", "https://x.y/z scrolls"),
        ("<mailto:a@b.c|a@b.c> letter", "a@b.c letter"),
        ("<https://x.y|--takes 3> cat", "takes 3 cat"),
        ("a <!--takes 3> b", "a takes 3 b"),
        ("a <> b <!|> c", "a <> b c"),
        ("<!>--takes 2 cat", "cat"),
        ("<https://x.y|-->A --<!b> -<!n> cat", "A b n cat"),
        ("“Hello” she said", '"Hello" she said'),
        ("it’s", "it's"),
        ("a\u00a0b\u2003c\u3000d", "a b c d"),
        ("a\nb\r\n\tc", "a b c"),
        ("a\u200bb\ufeffc\u2060d", "abcd"),
        ("a\u202eb\u0007c", "abc"),
        ("a\ud800b", "ab"),
        ("  two   words ", "two words"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👨\u200d👩\u200d👧 dance", "👨\u200d👩\u200d👧 dance"),
        ("--ta\u200dkes 2 cat", "cat"),
        ("&lt;!channel&gt; cat", "<!channel> cat"),
    ],
)
def test_what_slack_and_phones_mangled_is_undone(sent: str, prompt: str) -> None:
    assert asked(sent).prompt == prompt


def test_a_curly_quotation_fences_options_too() -> None:
    assert asked("she says “--loop forever” softly").prompt == 'she says "--loop forever" softly'


def test_an_option_in_a_value_of_slack_s_making_is_read_by_its_label() -> None:
    """Phones make telephone links of long numbers."""
    assert asked("cat --seed <tel:2147483647|2147483647>").changes.seed == 2147483647


# --- what is refused -------------------------------------------------------------------------------------------------

BAD_VALUES = [
    ("--takes 0", "0", "from 1 to 8"),
    ("--takes 9", "9", "from 1 to 8"),
    ("--takes -1", "-1", "from 1 to 8"),
    ("--takes 2.5", "2.5", "from 1 to 8"),
    ("--takes three", "three", "from 1 to 8"),
    ("--takes ٣", "٣", "from 1 to 8"),
    ("--takes 1_0", "1_0", "from 1 to 8"),
    ("--takes 99999999999999999999", "99999999999999999999", "from 1 to 8"),
    ("-n 0", "0", "from 1 to 8"),
    ("-n=lots", "lots", "from 1 to 8"),
    ("—takes off", "off", "from 1 to 8"),
    ("--res 900p", "900p", "480p, 720p, 1080p"),
    ("--res 720", "720", "480p, 720p, 1080p"),
    ("--res 4k", "4k", "480p, 720p, 1080p"),
    ("--res=<https://x.y|720p>", "https://x.y", "480p, 720p, 1080p"),
    ("--dur 3", "3", "from 4 to 15"),
    ("--dur 16", "16", "from 4 to 15"),
    ("--dur 0", "0", "from 4 to 15"),
    ("--dur -4", "-4", "from 4 to 15"),
    ("--dur 8.5", "8.5", "from 4 to 15"),
    ("--dur 8sec", "8sec", "from 4 to 15"),
    ("--dur long", "long", "or auto"),
    ("--ratio 9x16", "9x16", "9:16"),
    ("--ratio 16/9", "16/9", "16:9"),
    ("--ratio 5:4", "5:4", "21:9"),
    ("--ar wide", "wide", "16:9"),
    ("--seed -1", "-1", "from 0 to 2147483647"),
    ("--seed 2147483648", "2147483648", "from 0 to 2147483647"),
    ("--seed abc", "abc", "from 0 to 2147483647"),
    ("--tier mini!", "mini!", "the name of a tier"),
    ("--tier /etc", "/etc", "the name of a tier"),
    ("--provider ../x", "../x", "the name of a provider, or auto"),
    (f"--provider {'x' * 41}", "x" * 41, "the name of a provider, or auto"),
]


@pytest.mark.parametrize(("options", "value", "allowed"), BAD_VALUES)
def test_an_ill_value_is_quoted_with_what_is_allowed(options: str, value: str, allowed: str) -> None:
    error = refused(f"a cat {options}")
    assert isinstance(error, IllValue)
    assert error.value == value
    assert f"“{value}”" in str(error)
    assert allowed in error.allowed
    assert_whole(error)


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("--takse", "takes"),
        ("--resolution", "res"),
        ("--duration", "dur"),
        ("--length", "dur"),
        ("--aspect", "ratio"),
        ("--mute", "no-audio"),
        ("--negative", "no"),
        ("--rato", "ratio"),
        ("--estmate", "estimate"),
        ("--finale", "final"),
        ("--res,", "res"),
        ("--model", "provider"),
        ("--image", "ref"),
        ("--first-frame", "first"),
        ("--end", "last"),
        ("--extnd", "extend"),
        ("--dur8", "dur"),
        ("--audi", "audio"),
    ],
)
def test_an_unknown_option_is_an_error_that_names_the_nearest(typed: str, nearest: str) -> None:
    error = refused(f"a cat {typed} 3")
    assert isinstance(error, UnknownOption)
    assert (error.option, error.nearest) == (typed, nearest)
    assert f"“{typed}”" in str(error)
    assert f"--{nearest}" in str(error)
    assert all(f"--{name}" in error.allowed for name in OPTIONS)
    assert_whole(error)


@pytest.mark.parametrize("name", sorted(NOT_YET))
@pytest.mark.parametrize("dashes", ["--", "—"])
def test_an_option_of_a_later_release_says_so(name: str, dashes: str) -> None:
    error = refused(f"a cat {dashes}{name} <https://x.y/cat.png>")
    assert isinstance(error, NotAvailableYet)
    assert f"“--{name}” is not available yet" in str(error)
    assert_whole(error)


@pytest.mark.parametrize(
    "option",
    [
        *("--takes", "--res", "--dur", "--ratio", "--seed", "--no", "--tier", "--provider", "-n"),
        *("--first", "--last", "--ref", "--edit", "--extend"),
    ],
)
@pytest.mark.parametrize("form", ["a cat {}", "a cat {} --hq", "a cat {}=", '{}="" a cat'])
def test_an_option_without_its_value_says_what_it_needs(option: str, form: str) -> None:
    error = refused(form.format(option))
    assert isinstance(error, MissingValue)
    assert f"“{option}” needs a value" in str(error)
    assert error.allowed
    assert_whole(error)


@pytest.mark.parametrize(
    "text",
    ["a cat --audio=off", "a cat --audio off", "a cat --hq yes --final", "--no-audio=1 a cat", "a cat --final no"],
)
def test_a_switch_takes_no_value(text: str) -> None:
    error = refused(text)
    assert isinstance(error, NoValueTaken)
    assert "takes no value" in str(error)
    assert_whole(error)


def test_a_switch_before_the_words_on_and_off_of_a_prompt_is_fine() -> None:
    assert asked("--audio off the coast of Maine").prompt == "off the coast of Maine"


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("a cat --res 480p --res 720p", "--res 480p", "--res 720p"),
        ("a cat -n 2 --takes 3", "-n 2", "--takes 3"),
        ("a cat --audio --no-audio", "--audio", "--no-audio"),
        ("a cat --dur 8 --dur auto", "--dur 8", "--dur auto"),
        ("a cat --ratio 1:1 --ar 16:9", "--ratio 1:1", "--ar 16:9"),
        ("a cat --no cars --no people", "--no cars", "--no people"),
    ],
)
def test_contradictions_are_errors(text: str, first: str, second: str) -> None:
    error = refused(text)
    assert isinstance(error, GivenTwice)
    assert f"“{first}”" in str(error)
    assert f"“{second}”" in str(error)
    assert_whole(error)


@pytest.mark.parametrize(
    "text", ["--res 720p", "--takes 3 --hq", "--no cars", "--", "...", '""', "—", "<https://x.y|>--hq"]
)
def test_options_alone_are_asked_what_to_show(text: str) -> None:
    if text.startswith("<"):
        assert asked(text).prompt == "https://x.y--hq"
        return
    error = refused(text)
    assert isinstance(error, NoPrompt)
    assert "what should the clip show?" in str(error)
    assert_whole(error)


def test_a_prompt_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert len(asked("x" * LONGEST_PROMPT).prompt) == LONGEST_PROMPT
    error = refused("x" * (LONGEST_PROMPT + 1))
    assert isinstance(error, PromptTooLong)
    assert error.length == LONGEST_PROMPT + 1
    assert "20,001 characters" in str(error)
    assert "at most 20,000 characters" in str(error)
    assert len(str(error)) < 300


@pytest.mark.parametrize("text", ["jobs", "Jobs ", "a {red, blue} cat"])
def test_what_would_spend_money_on_a_misunderstanding_is_refused(text: str) -> None:
    error = refused(text)
    assert isinstance(error, NotAvailableYet)
    assert_whole(error)


@pytest.mark.parametrize(
    ("text", "month"),
    [("usage", None), (" Usage\u00a0", None), ("usage 2026-10", "2026-10"), ("\u200busage  2026-10 ", "2026-10")],
)
def test_usage_is_a_question_and_no_prompt(text: str, month: str | None) -> None:
    assert parse_clip(text) == UsageRequest(month=month)


@pytest.mark.parametrize(("text", "month"), [("", None), (" \u00a0", None), (" 2026-10\u200b ", "2026-10")])
def test_the_command_for_usage_takes_a_month_or_nothing(text: str, month: str | None) -> None:
    assert parse_usage(text) == UsageRequest(month=month)


@pytest.mark.parametrize("text", ["2026-13", "october", "2026-10 2026-11", "<!channel>"])
def test_the_command_for_usage_takes_nothing_else(text: str) -> None:
    with pytest.raises(BadMonth) as caught:
        parse_usage(text)
    assert "such as 2026-11" in str(caught.value)


@pytest.mark.parametrize("text", ["usage 2026-13", "usage 2026-1", "usage 0000-00"])
def test_a_month_that_there_is_not_is_refused_and_not_rendered(text: str) -> None:
    error = refused(text)
    assert isinstance(error, BadMonth)
    assert f"“{text.split()[1]}”" in str(error)
    assert_whole(error)


@pytest.mark.parametrize(
    ("text", "behind"),
    [
        ("settings", ""),
        (" Settings ", ""),
        ("settings help", "help"),
        ("settings workspace", "workspace"),
        ("settings draft.res=720p takes=2", "draft.res=720p takes=2"),
        ("settings workspace cap.person.day=5", "workspace cap.person.day=5"),
        ("settings people.deny+=<@U123>", "people.deny+=<@U123>"),
        ("settings cast.mug=\u201ca red mug\u201d", "cast.mug=\u201ca red mug\u201d"),
        ("\u200bsettings look=a\nb", "look=a\nb"),
    ],
)
def test_settings_are_read_as_such_with_what_stands_behind_as_it_was_sent(text: str, behind: str) -> None:
    assert parse_clip(text) == SettingsRequest(text=behind)


@pytest.mark.parametrize(
    "text",
    ["settings of a film noir office", "usage of colour", "usage 2026", "jobs at a desk", "a usage", "unsettings x=1"],
)
def test_a_sentence_that_begins_with_a_doors_name_is_a_prompt(text: str) -> None:
    assert asked(text).prompt == text


# --- for any input ---------------------------------------------------------------------------------------------------

FRAGMENTS = [
    *(f"--{name}" for name in [*OPTIONS, *NOT_YET, "ar", "wat"]),
    *("--takes 3", "--res=720p", "—dur", "–takes", "--no", "-n", "--", "—", '"', "“", "”", "'", "=", "3", "8s", "9:16"),
    *("<", ">", "<@U1|bob>", "<!channel>", "<https://x.y|a b>", '<https://x.y|">', "&lt;", "&amp;", "&", "@Image1"),
    *("https://x.y/a.png", "<https://x.y/b.mp4|b>", "--first https://x.y/a", "--ref <https://x.y/c.mp3|c>", "@Image2"),
    *("a", "red panda", "\u200b", "\u00a0", "\n", "#2", "{a, b}", "no audio", "seed 7", "(", ")", "off"),
]
TYPED = st.one_of(
    st.text(),
    st.lists(st.sampled_from(FRAGMENTS)).map(" ".join),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3))).map("".join),
)


def as_sent(line: str) -> str:
    """What Slack sends for a typed line."""
    return re.sub(r"[&<>]", lambda sign: html.escape(sign[0]), line)


@given(TYPED)
@settings(max_examples=400, deadline=None)
def test_any_text_is_understood_or_refused_in_words(text: str) -> None:
    try:
        request = parse_clip(text)
    except UsageError as error:
        refusal = error
    else:
        if isinstance(request, ClipRequest):
            assert request.prompt
            assert request.prompt == " ".join(request.prompt.split())
            assert request.prompt.encode().decode() == request.prompt
        return
    assert "Nothing was charged." in str(refusal)


@given(TYPED)
@settings(max_examples=400, deadline=None)
def test_the_line_of_whatever_was_understood_asks_for_the_same_recipe(text: str) -> None:
    try:
        request = parse_clip(text)
    except UsageError:
        return
    if isinstance(request, ClipRequest):
        recipe = vary(Recipe(prompt=request.prompt), request.changes)
        assert again(recipe) == recipe


@given(
    st.builds(
        Recipe,
        prompt=st.sampled_from(["a red panda", 'she says "--loop"', "on", "a <b> & c", "x --", 'a " b', "no audio"]),
        resolution=st.sampled_from(Resolution),
        seconds=st.one_of(st.none(), st.integers(4, 15)),
        ratio=st.sampled_from(Ratio),
        audio=st.booleans(),
        tier=st.sampled_from(["mini", "standard", "fast-2.0"]),
        seed=st.one_of(st.none(), st.integers(0, HIGHEST_SEED)),
        negative=st.sampled_from([None, "text", "text, logos -- and 'cars'", "50% <grey> & noise"]),
        high_bitrate=st.booleans(),
        media=st.sampled_from(
            [
                (),
                (FIRST,),
                (FIRST, LAST),
                (medium(MediaRole.EDIT, FILM, MediaKind.VIDEO),),
                (medium(MediaRole.REFERENCE, PHOTO), medium(MediaRole.REFERENCE, SOUND, MediaKind.AUDIO)),
            ]
        ),
    )
)
def test_a_recipe_written_as_a_line_reads_as_the_same_recipe(recipe: Recipe) -> None:
    assert again(recipe) == recipe


def again(recipe: Recipe) -> Recipe:
    request = asked(as_sent(line_of(recipe)))
    # The line names everything, so that it does not depend on what a preset says.
    other = Recipe(prompt="", resolution=Resolution.P1080, seconds=9, ratio=Ratio.PHOTO, tier="other")
    return vary(Recipe(**{**vars(other), "prompt": request.prompt}), request.changes)


def line_of(recipe: Recipe) -> str:
    """What to type to get the recipe. Options stand before the prompt, switches first, so that nothing of the prompt
    can be taken for a value."""
    words = ["--audio" if recipe.audio else "--no-audio"]
    if recipe.high_bitrate:
        words.append("--hq")
    if recipe.negative:
        words.append(f'--no="{recipe.negative}"')
    if recipe.seed is not None:
        words.append(f"--seed {recipe.seed}")
    words += [f"--{'ref' if one.role is MediaRole.REFERENCE else one.role.value} {one.url}" for one in recipe.media]
    words += [f"--tier {recipe.tier}", f"--res {recipe.resolution.value}", f"--dur {recipe.seconds or AUTO}"]
    return " ".join([*words, f"--ratio {recipe.ratio.value}", recipe.prompt])
