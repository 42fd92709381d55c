"""What people are told beside the card: the line with a clip, private answers, notices."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.budget import Cap, OverCap, Scope, Stage
from bot.domain.capabilities import Misfit, fit
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, AskKind, Door, Gate, Job, State
from bot.domain.lineage import Method, vary
from bot.domain.notice import Notice
from bot.domain.pricing import NoPrice
from bot.domain.recipe import Ratio, Recipe, Resolution
from bot.ports import ClipPost, CommitUnknown, StorageBusy
from bot.services.answers import (
    AlreadyTaken,
    Busy,
    CannotMake,
    ChangeUnknown,
    ClipNotThere,
    Estimated,
    Flagged,
    NoClipsHere,
    NoClipStands,
    NoProvider,
    NoSuchClip,
    NothingToDo,
    NotPromotable,
    NotYours,
    OnACard,
    PressUnknown,
    Refusal,
    Taken,
    TakenBackBeforeOrder,
    TooFew,
    TooLateToTakeBack,
    WhichClip,
)
from bot.vendors import VENDORS
from handlers.blocks.answers import Outcome, answer, explain_error
from handlers.blocks.clip_line import clip_comment, clip_filename, clip_title
from handlers.blocks.kit import Message, cut, escape, local_time
from handlers.blocks.notices import notice
from handlers.blocks.words import price_words, provider_name
from handlers.grammar import ClipRequest, Help, UsageError, parse_clip, parse_reply

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
POISON = "<!channel> *bold* `code` <https://evil.example|click> https://evil.example :boom: &"
LIVE = re.compile(r"<!channel|\*bold\*|`code`|<https?:|https?://|:boom:")

ASK = Ask(
    workspace="T1",
    id="ASK1",
    thread_id="THREAD1",
    channel="C1",
    root_ts="1.0",
    person="UMAYA",
    kind=AskKind.DRAFT,
    door=Door.COMMAND,
    text="a red panda surfing",
    created_at=NOW,
)
JOB = Job(
    workspace="T1",
    id="01JD0000000000000000000000",
    ask_id="ASK1",
    thread_id="THREAD1",
    channel="C1",
    person="UMAYA",
    number=2,
    take=2,
    takes=3,
    recipe=Recipe(prompt="a red panda surfing", seed=7),
    provider="hiapi",
    model="seedance-2-0-mini",
    state=State.DELIVERING,
    price_micro_usd=320_000,
    price_assumed=True,
    stage=Stage.DRAFT,
    as_final_micro_usd=None,
    created_at=NOW,
    updated_at=NOW,
    due_at=NOW,
    submitted_at=NOW + timedelta(seconds=2),
    rendered_at=NOW + timedelta(seconds=40),
    cost_micro_usd=320_000,
)


def post(job: Job = JOB, parent: Job | None = None, **ask: Any) -> ClipPost:
    return ClipPost(ask=replace(ASK, **ask), job=job, parent=parent)


def assert_plain_answer(message: Message) -> None:
    """One section that says the same as the text, inside Slack's limits."""
    assert 0 < len(message.text) <= 3000
    (block,) = message.blocks
    assert block == {"type": "section", "text": {"type": "mrkdwn", "text": message.text}}


# --- somebody's words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("a & b", "a &amp; b"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("*bold*", "∗bold∗"),
        ("_it_ ~no~ `code`", "＿it＿ ∼no∼ ˋcodeˋ"),
        ("> quote\n> more", "&gt; quote &gt; more"),
        ("https://x.y", "https\u2060://x.y"),
        (":boom:", ":\u2060boom:"),
        ("at 9:16: go", "at 9:16: go"),
        ("a red panda, surfing - at 5%!", "a red panda, surfing - at 5%!"),
    ],
)
def test_escaping_leaves_nothing_live_and_plain_words_alone(typed: str, shown: str) -> None:
    assert escape(typed) == shown


def test_cutting_says_that_something_is_missing() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("ab cd", 4) == "ab…"
    assert len(cut("x" * 5000, 100)) == 100


def test_times_are_shown_in_the_readers_zone() -> None:
    assert local_time(NOW) == "<!date^1795176000^{time}|2026-11-20 12:00 UTC>"


# --- the line with a clip --------------------------------------------------------------------------------------------


def test_a_take_says_all_that_is_to_know_in_one_line() -> None:
    assert clip_comment(post()) == (
        "*#2* · take 2 of 3 · 480p · 4 s · 16:9 · sound · seed 7 · ready in 38 s · "
        "$0.32 (assumed: HiAPI publishes no price) · HiAPI"
    )


def test_a_price_that_the_provider_named_is_not_assumed() -> None:
    assert "· $0.30 · HiAPI" in clip_comment(post(replace(JOB, cost_micro_usd=300_000)))


def test_a_final_says_that_it_is_a_re_shoot() -> None:
    final = replace(JOB, number=4, takes=1, recipe=replace(JOB.recipe, resolution=Resolution.P720))
    line = clip_comment(post(final, parent=JOB, kind=AskKind.PROMOTION, method=Method.SAME_RECIPE))
    assert line.startswith("*#4* · 720p · 4 s")
    assert line.endswith("Final of #2: same recipe again at 720p, a re-shoot and not an upscale")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ratio": Ratio.TALL}, "Variant of #2: ratio 16:9 → 9:16"),
        ({"seconds": 8, "audio": False}, "Variant of #2: seconds 4 s → 8 s, audio on → off"),
        ({"prompt": "a red panda surfing. same but at night"}, "Variant of #2: prompt now “… same but at night”"),
        ({"prompt": "a fox"}, "Variant of #2: prompt now “a fox”"),
        ({}, "Variant of #2: same recipe again"),
    ],
)
def test_a_variant_says_what_changed(changes: dict[str, Any], words: str) -> None:
    variant = replace(JOB, number=5, recipe=replace(JOB.recipe, **changes))
    assert clip_comment(post(variant, parent=JOB, kind=AskKind.VARIANT)).endswith(words)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (125, "2 min 5 s"), (3600, "1 h 0 min"), (-5, "0 s")],
)
def test_waiting_times_are_in_words(seconds: float, words: str) -> None:
    rendered = replace(JOB, rendered_at=JOB.created_at + timedelta(seconds=seconds), submitted_at=None)
    assert f"ready in {words} ·" in clip_comment(post(rendered))


def test_a_clip_whose_render_time_is_unknown_does_not_claim_one() -> None:
    assert "ready in" not in clip_comment(post(replace(JOB, rendered_at=None)))


@pytest.mark.parametrize("kind", AskKind)
def test_nothing_of_a_prompt_is_live_in_the_line(kind: AskKind) -> None:
    job = replace(JOB, recipe=replace(JOB.recipe, prompt=POISON, negative=POISON, tier=POISON), provider=POISON)
    line = clip_comment(post(job, parent=JOB, kind=kind))
    assert LIVE.search(line) is None
    assert "\n" not in line
    assert len(line) < 1500


def test_the_file_is_named_by_number_resolution_and_job() -> None:
    assert clip_filename(post()) == "dailies-2-480p-01JD0000000000000000000000.mp4"
    assert clip_filename(post(replace(JOB, id="../a b"))) == "dailies-2-480p-ab.mp4"


def test_the_title_is_the_number_and_the_prompt() -> None:
    assert clip_title(post()) == "#2 a red panda surfing"
    assert len(clip_title(post(replace(JOB, recipe=Recipe(prompt="x\n" * 5000))))) <= 120


# --- answers ---------------------------------------------------------------------------------------------------------

GATED = replace(ASK, gate=Gate.CONFIRMATION, decide_by=NOW + timedelta(minutes=10))
UNDOABLE = replace(ASK, kind=AskKind.PROMOTION, gate=Gate.UNDO, decide_by=NOW + timedelta(seconds=20))
ESTIMATE = Estimated(
    recipe=Recipe(prompt="a red panda surfing"),
    takes=3,
    provider="hiapi",
    model="seedance-2-0-mini",
    price_each_micro_usd=320_000,
    assumed=True,
    needs_confirmation=True,
)

OUTCOMES: list[tuple[Outcome, tuple[str, ...]]] = [
    (Taken(ask=ASK, jobs=(JOB, JOB)), ("2 clips", "$0.64 (assumed: HiAPI publishes no price)", "is held")),
    (Taken(ask=GATED, jobs=(JOB,)), ("1 clip", "*Confirm*", "<!date^", "Nothing is charged before that")),
    (Taken(ask=UNDOABLE, jobs=(JOB,), parent=JOB), ("final of #2", "*Undo*", "$0.32")),
    (Taken(ask=replace(ASK, kind=AskKind.VARIANT), jobs=(JOB,), parent=JOB), ("variant of #2", "is held")),
    (ESTIMATE, ("$0.32 (assumed", "$0.96 for 3 takes", "480p · 4 s", "*Confirm*", "Nothing was ordered or charged")),
    (replace(ESTIMATE, takes=1, assumed=False, needs_confirmation=False), ("Estimate: $0.32.", "`--estimate`")),
    (AlreadyTaken(ask=ASK), ("asked for already", "charged twice")),
    (AlreadyTaken(), ("asked for already", "charged twice")),
    (AlreadyTaken(ask=UNDOABLE), ("The final of that clip was asked for already",)),
    (Flagged(job=JOB), ("clip #2", "card")),
    (Flagged(ask=ASK), ("card",)),
    (
        Help(),
        ("`/clip a red panda", "--takes", "--estimate", ":rocket:", "does not work in a thread", "no files", "AI"),
    ),
]


@pytest.mark.parametrize(("outcome", "words"), OUTCOMES)
def test_an_answer_says_what_was_taken_and_what_it_costs(outcome: Outcome, words: tuple[str, ...]) -> None:
    message = answer(outcome)
    assert_plain_answer(message)
    for word in words:
        assert word in message.text


def test_help_shows_only_lines_that_work() -> None:
    lines = re.findall(r"`/clip ([^`]+)`", answer(Help()).text)
    assert len(lines) == 4
    for line in lines:
        assert not isinstance(parse_clip(line), Help)
    for reply in re.findall(r"`(#\d[^`]*|promote #\d)`", answer(Help()).text):
        assert parse_reply(reply, bot_user="U").kind.value in {"settings", "promote"}


def test_help_shows_only_options_that_some_provider_takes() -> None:
    options = re.findall(r"`(--[a-z-]+) ?([^`]*)`", answer(Help()).text.partition("Options:")[2].partition("\n")[0])
    lines = [f"a mug {name} {value}".strip() for name, values in options for value in re.split(r"[|–]", values)]
    assert {"a mug --takes 8", "a mug --dur 15", "a mug --res 1080p", "a mug --ratio 3:2", "a mug --hq"} < set(lines)
    tiers = [can for vendor in VENDORS.values() for can in vendor.tiers]
    for line in lines:
        request = parse_clip(line)
        assert isinstance(request, ClipRequest)
        # What is not asked for is as the tier has it.
        wishes = [
            (vary(Recipe(prompt=request.prompt, tier=can.tier, resolution=resolution), request.changes), can)
            for can in tiers
            for resolution in can.resolutions
        ]
        assert [can for wish, can in wishes if not fit(wish, can)], line


NO_SEEDS = Misfit(option="--seed", asked="7", allowed="no seeds")

CAP = Cap(
    scope=Scope.PERSON_DAY,
    subject="UMAYA",
    period="2026-11-20",
    limit_micro_usd=2_000_000,
    renews_at=NOW.replace(hour=23),
)

REFUSALS: list[tuple[Exception, tuple[str, ...]]] = [
    (OverCap(CAP, 1_500_000, 640_000), ("$0.64", "$0.50 of $2.00", "you for the day", "<!date^", "renews")),
    (OverCap(CAP, 1_500_000, 640_000), ("have an admin raise it", "up to what whoever runs Dailies allows")),
    (TooFew(quorum=3, there=1, emoji="ship"), ("3 people", "1 of them", "2 more", ":ship:", "*Confirm* again")),
    (TooFew(quorum=2, there=1, emoji="rocket"), ("2 people", "1 more")),
    (OverCap(replace(CAP, scope=Scope.CHANNEL_MONTH), 0, 9_000_000), ("this channel for the month",)),
    (OverCap(replace(CAP, scope=Scope.WORKSPACE_MONTH), 0, 9_000_000), ("this workspace for the month",)),
    (NoPrice("hiapi", "standard", Resolution.P1080), ("HiAPI", "standard", "1080p", "PRICE_FILE")),
    (NoProvider("sora", ("hiapi", "muapi")), ("“sora”", "hiapi, muapi", "--provider")),
    (NoProvider(None, ()), ("No video provider", "dailies doctor")),
    (
        CannotMake("hiapi", (NO_SEEDS,)),
        ("HiAPI cannot make this", "--seed “7”: it has no seeds", "Change that and ask again."),
    ),
    (
        CannotMake("hiapi", (NO_SEEDS,), able=("apimart", "muapi"), would=("empiriolabs",)),
        ("Ask for `--provider apimart` or `--provider muapi`, or leave `--provider` out; or change that",),
    ),
    (
        CannotMake("hiapi", (NO_SEEDS,), would=("apimart", "muapi", "empiriolabs")),
        ("APIMart, Muapi or EmpirioLabs could make it, if whoever runs Dailies gave it a key.",),
    ),
    (
        CannotMake("pretend-hiapi", (NO_SEEDS,), able=("pretend-apimart",)),
        ("Pretend HiAPI cannot make this", "Ask for `--provider apimart`, or leave"),
    ),
    (NoProvider("sora", ("pretend-hiapi", "pretend-muapi")), ("Providers set up: hiapi, muapi.",)),
    (NoSuchClip(9, (1, 2, 4)), ("no clip #9", "#1, #2 and #4")),
    (NoSuchClip(9, (1,)), ("no clip #9", "only #1")),
    (NoSuchClip(9, ()), ("no clip #9", "no clips here yet")),
    (NoClipsHere(4), ("#4 names a clip of a thread", "Reply in the thread of clip #4")),
    (
        ClipNotThere(replace(JOB, state=State.RENDERING)),
        ("#2 cannot be given", "(it is rendering)", "once it is posted"),
    ),
    (ClipNotThere(replace(JOB, state=State.FAILED)), ("#2 cannot be given", "no file of it", "another clip")),
    (WhichClip((1, 2)), ("#1 and #2", "`#2 9:16`")),
    (NoClipStands((1, 2)), ("came about (#1 and #2)", "`#2 9:16`", "Name the app")),
    (NotPromotable(replace(JOB, state=State.RENDERING)), ("#2 is not here yet (it is rendering)", "once it is posted")),
    (NotPromotable(replace(JOB, state=State.FAILED)), ("#2 was never posted (it is failed)",)),
    (NotPromotable(replace(JOB, state=State.DELIVERED)), ("#2 is a final already",)),
    (OnACard(), ("This is a card", "react to the clip itself")),
    (NothingToDo("Undo"), ("*Undo* is no longer possible",)),
    (NotYours("cancel this", "<@UMAYA> or an admin"), ("Only <@UMAYA> or an admin may cancel this",)),
    (Busy(), ("database", "Try again")),
    (StorageBusy("locked"), ("database", "Try again")),
    (Refusal("Some new reason."), ("Some new reason.",)),
    (
        UsageError("“x” is wrong.", option="--x", allowed="y", suggestion="/clip a --x y"),
        ("“x”", "y", "`/clip a --x y`"),
    ),
]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.RENDERING, ("too late for final #2", "it goes on", "nothing is given back", "*Cancel* on its card")),
        (State.UNCERTAIN, ("too late for final #2", "nothing is given back", "*Cancel* on its card")),
        (State.DELIVERED, ("Final #2 is made already", "gives nothing of its price back")),
    ],
)
def test_who_takes_a_reaction_back_too_late_is_told_that_it_gives_nothing_back(
    state: State, words: tuple[str, ...]
) -> None:
    text = explain_error(TooLateToTakeBack(replace(JOB, state=state)), reference="").text
    assert [word for word in words if word not in text] == []
    assert "Nothing was charged" not in text


def test_who_takes_a_reaction_back_before_the_order_is_told_that_it_may_still_count() -> None:
    text = explain_error(TakenBackBeforeOrder(replace(JOB, state=State.QUEUED)), reference="").text
    words = ("final #2", "once more right before its order", "costs you nothing", "*Cancel* there")
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            CommitUnknown(),
            ("accepted", "Look for its card", "the thread of the clip", "costs nothing: then ask again"),
        ),
        (PressUnknown(), ("heard", "The card shows it within a minute", "press again", "never charged twice")),
        (ChangeUnknown(), ("changed", "costs nothing either way", "`/clip-settings` shows", "send it again")),
    ],
    ids=["an ask", "a press", "a change"],
)
def test_of_what_nobody_knows_nothing_is_denied(error: Exception, words: tuple[str, ...]) -> None:
    message = explain_error(error, reference="never shown")
    assert_plain_answer(message)
    assert [word for word in ("not known whether", *words) if word not in message.text] == []
    assert not any(word in message.text for word in ("nothing was", "Nothing was", "never shown"))


@pytest.mark.parametrize(("error", "words"), REFUSALS)
def test_a_refusal_says_why_that_nothing_was_charged_and_what_to_do(error: Exception, words: tuple[str, ...]) -> None:
    message = explain_error(error, reference="never shown")
    assert_plain_answer(message)
    assert "Nothing was charged." in message.text
    assert "never shown" not in message.text
    for word in words:
        assert word in message.text


def test_a_surprise_is_answered_with_a_code_and_without_its_words() -> None:
    message = explain_error(RuntimeError("secret detail"), reference="c0ffee")
    assert_plain_answer(message)
    assert "`c0ffee`" in message.text
    assert "secret" not in message.text


@pytest.mark.parametrize(
    "error",
    [
        NoProvider(POISON, (POISON,)),
        CannotMake(POISON, (Misfit(option=POISON, asked=POISON, allowed=POISON),), able=(POISON,)),
        CannotMake(POISON, (Misfit(option=POISON, asked=POISON, allowed=POISON),), would=(POISON,)),
        NoPrice(POISON, POISON, Resolution.P480),
        NothingToDo(POISON),
        Refusal(POISON),
        UsageError(POISON, option=POISON, value=POISON, allowed=POISON, suggestion="/clip"),
    ],
)
def test_nobodys_words_are_live_in_an_answer(error: Exception) -> None:
    assert LIVE.search(explain_error(error, reference="").text) is None
    assert LIVE.search(answer(replace(ESTIMATE, recipe=Recipe(prompt=POISON), model=POISON)).text) is None


@pytest.mark.parametrize(
    "typed", ["a cat --res `900p`", "a cat --res <!channel>", "a cat --x*bold*", "a --takes :boom:"]
)
def test_a_mistake_is_quoted_without_coming_to_life(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_clip(typed)
    text = explain_error(caught.value, reference="").text
    assert LIVE.search(text.partition("Try:")[0]) is None
    assert "Nothing was charged." in text


# --- notices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Notice.NOT_IN_CHANNEL, ("<#C1>", "/invite @Dailies", "Nothing was ordered or charged")),
        (Notice.CARD_REFUSED, ("<#C1>", "stays charged", "unarchive")),
        (Notice.DELIVERY_REFUSED, ("Clip #2", "<#C1>", "$0.32 was charged", "*Deliver again*")),
        (Notice.NO_CARD, ("<#C1>", "Nothing was ordered or charged", "again in a moment")),
        (Notice.OVER_CAP, ("Clip #2", "*Undo*", "$0.10 of $2.00", "Nothing was charged")),
    ],
)
def test_a_notice_says_what_happened_what_it_costs_and_what_to_do(kind: Notice, words: tuple[str, ...]) -> None:
    failure = Failure(kind=FailureKind.OVER_CAP, detail=str(OverCap(CAP, 1_900_000, 640_000)))
    message = notice(kind, ASK, replace(JOB, failure=failure))
    assert_plain_answer(message)
    for word in words:
        assert word in message.text


@pytest.mark.parametrize("kind", Notice)
def test_a_notice_needs_no_clip_and_brings_no_words_to_life(kind: Notice) -> None:
    for job in (
        None,
        replace(JOB, recipe=Recipe(prompt=POISON), failure=Failure(kind=FailureKind.FACE, detail=POISON)),
    ):
        message = notice(kind, replace(ASK, text=POISON), job)
        assert_plain_answer(message)
        assert LIVE.search(message.text) is None


def test_what_is_pretended_says_so_wherever_a_provider_or_a_price_is_named() -> None:
    assert provider_name("pretend-muapi") == "Pretend Muapi"
    assert price_words(320_000, assumed=True, provider="pretend-muapi") == "$0.32 (pretend: nothing is charged)"
    assert price_words(320_000, assumed=True, provider="hiapi") == "$0.32 (assumed: HiAPI publishes no price)"
    assert price_words(320_000, assumed=False, provider="hiapi") == "$0.32"
