"""Cards: for every state a whole and lawful message, in which nobody's words come to life."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from bot.domain.budget import Stage
from bot.domain.failure import LONGEST_DETAIL, Failure, FailureKind
from bot.domain.job import Ask, AskKind, Decision, Door, Gate, Job, State, WaitReason
from bot.domain.lineage import Method
from bot.domain.recipe import Ratio, Recipe, Resolution
from bot.domain.trouble import Trouble
from bot.ports import Balance, Card, Turn
from handlers.blocks.card import card
from handlers.blocks.kit import (
    BUTTON_LABEL,
    BUTTON_VALUE,
    CONFIRM_BUTTON,
    CONFIRM_TEXT,
    CONFIRM_TITLE,
    CONTEXT_TEXT,
    MESSAGE_BLOCKS,
    MESSAGE_TEXT,
    SECTION_TEXT,
    Block,
    Message,
)
from tests.support.block_kit import assert_lawful

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
POISON = (
    "<!channel> *bold* _it_ ~no~ `code` ```pre``` <https://evil.example|click> https://evil.example :boom: > & <@U9>"
)

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
    version=3,
)
JOB = Job(
    workspace="T1",
    id="JOB1",
    ask_id="ASK1",
    thread_id="THREAD1",
    channel="C1",
    person="UMAYA",
    number=1,
    take=1,
    takes=1,
    recipe=Recipe(prompt="a red panda surfing"),
    provider="hiapi",
    model="seedance-2-0-mini",
    state=State.QUEUED,
    price_micro_usd=324_000,
    price_assumed=True,
    stage=Stage.DRAFT,
    as_final_micro_usd=1_500_000,
    created_at=NOW,
    updated_at=NOW,
    due_at=NOW,
)
PARENT = replace(JOB, id="JOB0", number=7, state=State.DELIVERED, message_ts="1.5", cost_micro_usd=324_000)

GATES: list[tuple[Gate | None, Decision | None]] = [
    (None, None),
    *product([Gate.CONFIRMATION, Gate.UNDO], [None, Decision.GO, Decision.STOP]),
]


def job_in(state: State, **changes: Any) -> Job:
    """A job as it is in that state."""
    typical: dict[State, dict[str, Any]] = {
        State.WAITING: {"wait_reason": WaitReason.CONFIRMATION},
        State.RENDERING: {"rendering_since": NOW, "task_id": "t1"},
        State.LATE: {"rendering_since": NOW, "task_id": "t1"},
        State.DOWNLOADING: {"cost_micro_usd": 324_000, "rendered_at": NOW},
        State.DELIVERING: {"cost_micro_usd": 324_000, "clip_key": "k"},
        State.DELIVERED: {"cost_micro_usd": 324_000, "clip_key": "k", "message_ts": "2.0"},
        State.FAILED: {"failure": Failure(kind=FailureKind.POLICY, detail="no brands"), "cost_micro_usd": 0},
    }
    return replace(JOB, state=state, **{**typical.get(state, {}), **changes})


def shown(*jobs: Job, now: datetime = NOW, ahead: int | None = None, parent: Job | None = None, **ask: Any) -> Card:
    return Card(ask=replace(ASK, **ask), jobs=jobs, parent=parent, ahead=ahead, now=now)


def everything(message: Message) -> str:
    return message.text + json.dumps(message.blocks, ensure_ascii=False)


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from strings(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)


def live(message: Message) -> str:
    """Everything that Slack reads as mrkdwn."""
    return "\n".join([message.text, *_mrkdwn(message.blocks)])


def _mrkdwn(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value["text"]
        for one in value.values():
            yield from _mrkdwn(one)
    elif isinstance(value, list):
        for one in value:
            yield from _mrkdwn(one)


def button_of(message: Message, action: str) -> Block:
    (found,) = [button for button in buttons_of(message) if button["action_id"] == action]
    return found


def buttons_of(message: Message) -> list[Block]:
    return [one for block in message.blocks if block["type"] == "actions" for one in block["elements"]]


def offered(message: Message) -> list[str]:
    return [button["action_id"].removeprefix("clip.") for button in buttons_of(message)]


def test_our_limits_are_slacks() -> None:
    assert (MESSAGE_BLOCKS, SECTION_TEXT, CONTEXT_TEXT, MESSAGE_TEXT) == (50, 3000, 2000, 4000)
    assert (BUTTON_LABEL, BUTTON_VALUE, CONFIRM_TITLE, CONFIRM_TEXT, CONFIRM_BUTTON) == (75, 2000, 100, 300, 30)


# --- every card ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", AskKind)
@pytest.mark.parametrize(("gate", "decision"), GATES)
@pytest.mark.parametrize("state", State)
def test_a_card_is_lawful_and_whole_in_every_state(
    state: State, gate: Gate | None, decision: Decision | None, kind: AskKind
) -> None:
    """The state's word and the clip's number stand in the blocks and in the text alike."""
    for cancel_by, trouble, late in product([None, "USAM"], [None, *Trouble], [False, True]):
        message = card(
            shown(
                job_in(state, cancel_by=cancel_by, trouble=trouble),
                kind=kind,
                gate=gate,
                decision=decision,
                decided_by="USAM" if decision else None,
                decide_by=NOW + timedelta(seconds=20) if gate else None,
                now=NOW + timedelta(seconds=60 if late else 0),
                ahead=2,
                parent=PARENT if kind is not AskKind.DRAFT else None,
                method=Method.SAME_RECIPE if kind is AskKind.PROMOTION else None,
            )
        )
        assert_lawful(message)
        ended = decision is Decision.STOP and state is State.WAITING
        for words in (message.text, json.dumps(message.blocks)):
            assert f"*{State.CANCELLED if ended else state}*" in words
            assert "*#1*" in words
            assert "<@UMAYA>" in words
            assert "a red panda surfing" in words
            assert "480p · 4 s · 16:9 · sound" in words.replace("\\u00b7", "·")


@pytest.mark.parametrize("state", State)
def test_eight_takes_of_the_longest_of_everything_are_lawful(state: State) -> None:
    recipe = Recipe(prompt="x " * 10_000, negative="y " * 5_000, seed=7, tier="t" * 40, seconds=None, high_bitrate=True)
    jobs = tuple(
        job_in(
            state,
            id="J" * 26,
            number=100 + take,
            take=take,
            takes=8,
            recipe=recipe,
            model="m" * 500,
            provider="p" * 40,
            cancel_by="U" * 11,
            failure=Failure(kind=FailureKind.INVALID, detail="z" * LONGEST_DETAIL),
        )
        for take in range(1, 9)
    )
    message = card(shown(*jobs, notes=("n" * 5000,) * 10, text="x " * 10_000))
    assert_lawful(message)
    assert "#108" in json.dumps(message.blocks)


def test_no_note_is_dropped_in_silence() -> None:
    mends = [f"IMG_{number:04}.HEIC: HEIC made JPEG, turned upright" for number in range(12)]
    message = card(shown(job_in(State.QUEUED), notes=("@mug: a red mug", *mends)))
    said = [block["elements"][0]["text"] for block in message.blocks if block["type"] == "context"]
    assert said[:6] == ["@mug: a red mug", *mends[:4], " · ".join(mends[4:])]

    long = card(shown(job_in(State.QUEUED), notes=tuple(f"{number} {'n' * 5000}" for number in range(14))))
    assert_lawful(long)
    last = [block["elements"][0]["text"] for block in long.blocks if block["type"] == "context"][5]
    assert last.startswith("5 nnn")
    assert last.endswith("nn… · and 3 more")


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.NOBODY_WAITED])
@pytest.mark.parametrize("cost", [0, 324_000])
def test_a_failure_says_what_happened_what_it_costs_and_what_to_do(kind: FailureKind, cost: int) -> None:
    failed = job_in(State.FAILED, failure=Failure(kind=kind, detail="their words"), cost_micro_usd=cost)
    message = card(shown(failed))
    assert_lawful(message)
    row = next(text for text in _mrkdwn(message.blocks) if text.startswith("*#1*"))
    money = "$0.32" if cost else "Nothing was charged."
    if kind is FailureKind.COUNTED_AS_SPENT:
        money = "$0.32"
    assert money in row
    assert row.count(". ") >= 2
    assert "{provider}" not in everything(message)
    assert "their words" in json.dumps(message.blocks)


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        (State.QUEUED, {}),
        (State.QUEUED, {"cancel_by": "USAM"}),
        (State.QUEUED, {"trouble": Trouble.PROVIDER_BUSY}),
        (State.QUEUED, {"trouble": Trouble.PROVIDER_UNREACHABLE}),
        (
            State.WAITING,
            {"wait_reason": WaitReason.PROVIDER_CREDIT, "failure": Failure(kind=FailureKind.OUT_OF_CREDIT)},
        ),
        (State.WAITING, {"wait_reason": WaitReason.PROVIDER_CREDIT, "cancel_by": "USAM"}),
        (State.FAILED, {"failure": Failure(kind=FailureKind.POLICY)}),
        (State.CANCELLED, {"cancel_by": "USAM"}),
    ],
)
def test_after_a_second_order_the_first_is_counted_as_spent(state: State, changes: dict[str, Any]) -> None:
    """Nobody knows whether the first order was charged: no sentence may say that nothing was."""
    message = card(shown(job_in(state, attempt=2, reordered=True, cost_micro_usd=320_000, **changes)))
    assert_lawful(message)
    assert "Nothing was charged" not in everything(message)
    row = next(text for text in _mrkdwn(message.blocks) if text.startswith("*#1*"))
    assert re.search(r"\$0\.32\b.* is counted as spent\.", row)


@pytest.mark.parametrize("trouble", Trouble)
@pytest.mark.parametrize(
    "state", [State.QUEUED, State.SUBMITTING, State.UNCERTAIN, State.DOWNLOADING, State.DELIVERING]
)
def test_a_trouble_is_explained(trouble: Trouble, state: State) -> None:
    plain, troubled = card(shown(job_in(state))), card(shown(job_in(state, trouble=trouble)))
    assert everything(plain) != everything(troubled)
    assert "{provider}" not in everything(troubled)
    assert trouble.value not in everything(troubled)


@pytest.mark.parametrize(
    ("reason", "failure", "words"),
    [
        (WaitReason.CONFIRMATION, None, "Confirm"),
        (WaitReason.UNDO_WINDOW, None, "Undo"),
        (WaitReason.PROVIDER_CREDIT, FailureKind.OUT_OF_CREDIT, "account at HiAPI is empty"),
        (WaitReason.PROVIDER_CREDIT, FailureKind.KEY_REFUSED, "HiAPI refuses the key"),
        (WaitReason.PREPARING, None, "Preparing the files of this ask"),
    ],
)
def test_a_waiting_clip_says_for_what(reason: WaitReason, failure: FailureKind | None, words: str) -> None:
    job = job_in(State.WAITING, wait_reason=reason, failure=Failure(kind=failure) if failure else None)
    row = next(text for text in _mrkdwn(card(shown(job)).blocks) if text.startswith("*#1*"))
    assert words in row
    assert "charged" in row


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"progress": "panda.heic (2 of 3)"}, "Preparing panda.heic (2 of 3): fetched, checked, and mended"),
        (
            {"progress": "panda.heic (2 of 3)", "trouble": Trouble.FILE_AWAY},
            "panda.heic (2 of 3) cannot be fetched at the moment. It is tried again by itself.",
        ),
        ({"trouble": Trouble.FILE_AWAY}, "A file of this ask cannot be fetched at the moment."),
        ({"progress": "a.png", "trouble": Trouble.FILE_NOT_CHECKED}, "a.png cannot be checked or kept at the moment."),
    ],
)
def test_a_clip_whose_files_are_prepared_says_which_and_what_holds_it_up(changes: dict[str, Any], words: str) -> None:
    job = job_in(State.WAITING, wait_reason=WaitReason.PREPARING, **changes)
    row = next(text for text in _mrkdwn(card(shown(job)).blocks) if text.startswith("*#1*"))
    assert words in row
    assert "Nothing was charged so far." in row


def test_a_file_that_cannot_be_used_is_named_with_the_figure_and_the_limit() -> None:
    why = "mouse.png is 120×90 pixels; at least 300 are needed."
    failed = job_in(State.FAILED, failure=Failure(kind=FailureKind.UNUSABLE_FILE, detail=why))
    message = card(shown(failed))
    row = next(text for text in _mrkdwn(message.blocks) if text.startswith("*#1*"))
    assert why in row
    assert "Nothing was charged." in row
    assert "words" not in everything(message), "the provider said nothing"


# --- injection -------------------------------------------------------------------------------------------------------

LIVE = [
    re.compile(r"<!"),
    re.compile(r"<@U9"),
    re.compile(r"<https?:"),
    re.compile(r"https?://"),
    re.compile(r"\*bold\*|_it_|~no~|`code`|```"),
    re.compile(r":boom:"),
]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", AskKind)
def test_nobodys_words_come_to_life(state: State, kind: AskKind) -> None:
    recipe = Recipe(prompt=POISON, negative=POISON, tier=POISON)
    job = job_in(
        state,
        recipe=recipe,
        provider=POISON,
        model=POISON,
        failure=Failure(kind=FailureKind.PROVIDER, detail=POISON),
        wait_reason=WaitReason.PREPARING if kind is AskKind.DRAFT else WaitReason.PROVIDER_CREDIT,
        progress=POISON,
        trouble=Trouble.FILE_AWAY if kind is AskKind.VARIANT else None,
    )
    assert any(pattern.search(POISON) for pattern in LIVE)
    parent = replace(PARENT, recipe=recipe)
    message = card(shown(job, kind=kind, text=POISON, notes=(f"prompt: a → {POISON}",), parent=parent))
    assert_lawful(message)
    for pattern in LIVE:
        found = pattern.search(re.sub(r"<!date\^\d+\^[^|>]*\|[^>]*>", "", live(message)))
        assert found is None, f"{found} in {live(message)}"
    assert POISON in list(strings(message.blocks)), "the prompt is shown as typed, in plain text"


# --- buttons ---------------------------------------------------------------------------------------------------------

CONFIRMING: dict[str, Any] = {"gate": Gate.CONFIRMATION, "decide_by": NOW + timedelta(minutes=10)}
UNDOING: dict[str, Any] = {"gate": Gate.UNDO, "decide_by": NOW + timedelta(seconds=20)}


@pytest.mark.parametrize(
    ("state", "changes", "buttons"),
    [
        (State.WAITING, {"wait_reason": WaitReason.PROVIDER_CREDIT}, ["use_another_provider", "cancel"]),
        (State.WAITING, {"wait_reason": WaitReason.PROVIDER_DOWN}, ["use_another_provider", "cancel"]),
        (State.QUEUED, {}, ["cancel"]),
        (State.SUBMITTING, {}, ["cancel"]),
        (State.RENDERING, {}, ["cancel"]),
        (State.LATE, {}, ["cancel"]),
        (State.DOWNLOADING, {}, ["cancel"]),
        (State.RENDERING, {"cancel_by": "USAM"}, []),
        (State.UNCERTAIN, {}, ["check_again", "order_again", "give_up"]),
        (State.DELIVERING, {}, []),
        (State.DELIVERING, {"trouble": Trouble.SLACK_REFUSES_PLACE}, ["deliver_again"]),
        (State.DELIVERED, {}, ["promote"]),
        (State.FAILED, {}, []),
        (State.CANCELLED, {}, []),
        (State.CANCELLED, {"clip_key": "k"}, ["deliver_again"]),
        (State.CANCELLED, {"clip_key": "k", "message_ts": "2.0"}, []),
    ],
)
def test_a_card_offers_what_can_be_done_now(state: State, changes: dict[str, Any], buttons: list[str]) -> None:
    assert offered(card(shown(job_in(state, **changes)))) == buttons


def test_a_final_cannot_be_promoted() -> None:
    assert offered(card(shown(job_in(State.DELIVERED), kind=AskKind.PROMOTION, parent=PARENT))) == []
    assert offered(card(shown(job_in(State.DELIVERED), kind=AskKind.VARIANT, parent=PARENT))) == ["promote"]


def test_a_question_can_be_answered_until_it_is_decided_or_over() -> None:
    waiting = job_in(State.WAITING)
    assert offered(card(shown(waiting, **CONFIRMING))) == ["confirm", "cancel"]
    assert offered(card(shown(waiting, **CONFIRMING, decision=Decision.GO))) == ["cancel"]
    assert offered(card(shown(waiting, **CONFIRMING, now=NOW + timedelta(minutes=10)))) == ["cancel"]
    assert offered(card(shown(job_in(State.CANCELLED), **CONFIRMING, decision=Decision.STOP))) == []


def test_an_undo_window_shows_undo_until_it_closes() -> None:
    waiting = job_in(State.WAITING, wait_reason=WaitReason.UNDO_WINDOW)
    message = card(shown(waiting, **UNDOING))
    assert offered(message) == ["undo"]
    assert f"<!date^{int(NOW.timestamp()) + 20}^{{time_secs}}|2026-11-20 12:00 UTC>" in live(message)
    assert offered(card(shown(waiting, **UNDOING, now=NOW + timedelta(seconds=20)))) == ["cancel"]


def test_buttons_carry_what_they_are_about_and_the_generation_they_were_drawn_with() -> None:
    message = card(shown(job_in(State.QUEUED), job_in(State.DELIVERED, id="JOB2", number=2), **CONFIRMING))
    assert button_of(message, "clip.cancel")["value"] == "ASK1:3"
    assert button_of(message, "clip.confirm")["value"] == "ASK1:3"
    assert button_of(message, "clip.promote")["value"] == "JOB2:3"
    uncertain = card(shown(job_in(State.UNCERTAIN, attempt=2)))
    assert {button["value"] for button in buttons_of(uncertain)} == {"JOB1:2"}


def test_ordering_again_asks_first_and_says_that_it_may_charge_twice() -> None:
    button = button_of(card(shown(job_in(State.UNCERTAIN))), "clip.order_again")
    assert button["style"] == "danger"
    assert "charge $0.324 (assumed: HiAPI publishes no price) a second time" in button["confirm"]["text"]["text"]


def test_cancelling_asks_first_only_when_money_is_gone() -> None:
    assert "confirm" not in button_of(card(shown(job_in(State.QUEUED))), "clip.cancel")
    confirm = button_of(card(shown(job_in(State.RENDERING), job_in(State.UNCERTAIN))), "clip.cancel")["confirm"]
    assert "charged all the same" in confirm["text"]["text"]
    assert "counted as spent" in confirm["text"]["text"]


def test_repeated_buttons_are_told_apart_by_screen_readers() -> None:
    jobs = [job_in(State.DELIVERED, id=f"J{number}", number=number) for number in range(1, 9)]
    labels = [button["accessibility_label"] for button in buttons_of(card(shown(*jobs)))]
    assert len(set(labels)) == 8
    assert all(f"#{number}" in label for number, label in enumerate(labels, 1))


# --- money and words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (shown(JOB), "Held $0.324 (assumed: HiAPI publishes no price)"),
        (shown(replace(JOB, price_assumed=False)), "Held $0.324"),
        (shown(JOB, replace(JOB, number=2)), "Held $0.648 (2 × $0.324) (assumed: HiAPI publishes no price)"),
        (shown(job_in(State.WAITING), **CONFIRMING), "Would cost $0.324 (assumed: HiAPI publishes no price)."),
        (shown(job_in(State.DELIVERED)), "Cost $0.324 (assumed: HiAPI publishes no price)"),
        (shown(job_in(State.DELIVERED, cost_micro_usd=300_000)), "Cost $0.30"),
        (shown(job_in(State.CANCELLED)), "Nothing was charged."),
        (shown(JOB, job_in(State.FAILED)), "Held $0.324 (assumed: HiAPI publishes no price)"),
        (shown(JOB, job_in(State.DELIVERING)), "Held $0.324 (assumed: HiAPI publishes no price) · $0.324 spent"),
        (shown(job_in(State.DELIVERED), job_in(State.FAILED)), "Cost $0.324 (assumed: HiAPI publishes no price)"),
        (shown(JOB, ahead=0), "Held $0.324 (assumed: HiAPI publishes no price) · next in line"),
        (shown(JOB, ahead=3), "· 3 clips ahead in the queue when posted"),
        (shown(job_in(State.RENDERING), ahead=3), "Held $0.324 (assumed: HiAPI publishes no price)"),
    ],
)
def test_the_money_line_says_what_is_held_asked_or_spent(given: Card, words: str) -> None:
    starts = ("Held", "Would", "Cost", "Nothing")
    (line,) = [line for line in _mrkdwn(card(given).blocks) if line.startswith(starts)]
    assert line.removesuffix(" Nothing is held or charged yet.").endswith(words)


def test_a_final_says_that_it_is_a_re_shoot_of_its_draft() -> None:
    message = card(shown(JOB, kind=AskKind.PROMOTION, parent=PARENT))
    assert "*Final of #7*" in message.text
    assert "a re-shoot and not an upscale" in message.text


def test_gestures_are_explained_once_and_only_while_they_help() -> None:
    jobs = [replace(JOB, number=number) for number in (1, 2, 3)]
    assert everything(card(shown(*jobs))).count(":rocket:") == 1
    assert "`#1 9:16`" in everything(card(shown(*jobs)))
    assert ":star:" in everything(card(replace(shown(*jobs), promote_emoji="star")))
    assert ":rocket:" not in everything(card(shown(JOB, kind=AskKind.PROMOTION, parent=PARENT)))
    assert ":rocket:" not in everything(card(shown(job_in(State.FAILED))))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({**CONFIRMING, "decision": Decision.STOP, "decided_by": "USAM"}, "Stopped by <@USAM>"),
        ({**CONFIRMING, "decision": Decision.STOP}, "Nobody confirmed this in time. Nothing was charged."),
        ({**UNDOING, "decision": Decision.STOP}, "taken back before anything was ordered. Nothing was charged."),
        ({**CONFIRMING, "decision": Decision.GO, "decided_by": "USAM"}, "Confirmed by <@USAM>, who pays."),
    ],
)
def test_a_decision_says_whose_it_was(changes: dict[str, Any], words: str) -> None:
    assert words in live(card(shown(job_in(State.CANCELLED), **changes)))


@pytest.mark.parametrize("by", [None, "USAM"])
@pytest.mark.parametrize("gate", ["confirm", "undo"])
def test_a_clip_of_a_stopped_ask_is_shown_as_it_ends_before_it_has_ended(gate: str, by: str | None) -> None:
    """The decision stands at once and the clip follows a little later: no card says both."""
    changes = {"confirm": CONFIRMING, "undo": UNDOING}[gate] | {"decision": Decision.STOP, "decided_by": by}
    reason = {"confirm": WaitReason.CONFIRMATION, "undo": WaitReason.UNDO_WINDOW}[gate]
    takes = [job_in(State.WAITING, wait_reason=reason, cancel_by=by, take=take, takes=2) for take in (1, 2)]

    at_once = card(shown(*takes, **changes))

    assert at_once == card(shown(*[replace(job, state=State.CANCELLED) for job in takes], **changes))
    assert offered(at_once) == []
    assert live(at_once).count("*cancelled*") == 4
    assert not re.search(r"waiting|being stopped|Starts by itself|Waits for|Held|Would cost", live(at_once))


def test_an_ask_without_clips_still_has_a_card() -> None:
    assert_lawful(card(shown()))


def test_a_draft_with_three_takes_looks_like_this(snapshot: SnapshotAssertion) -> None:
    recipe = Recipe(prompt="a red panda surfing", ratio=Ratio.TALL, audio=False, negative="text")
    jobs = [
        job_in(state, id=f"JOB{number}", number=number, take=number, takes=3, recipe=recipe)
        for number, state in enumerate([State.DELIVERED, State.UNCERTAIN, State.QUEUED], 1)
    ]
    assert card(shown(*jobs, ahead=2)) == snapshot


def test_a_promotion_in_its_undo_window_looks_like_this(snapshot: SnapshotAssertion) -> None:
    recipe = Recipe(prompt="a red panda surfing", resolution=Resolution.P720)
    job = job_in(State.WAITING, number=8, wait_reason=WaitReason.UNDO_WINDOW, recipe=recipe)
    notes = ("resolution: 480p → 720p",)
    assert card(shown(job, kind=AskKind.PROMOTION, parent=PARENT, notes=notes, **UNDOING)) == snapshot


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (Turn(running=6, place=1), "6 clips of yours are running, as many as may at once; this is next"),
        (Turn(running=6, place=3), "6 clips of yours are running, as many as may at once; this is 3rd in line"),
        (Turn(running=1, place=12), "1 clip of yours is running, as many as may at once; this is 12th in line"),
    ],
)
def test_a_clip_held_back_by_its_payers_limit_says_which_in_line_it_is(turn: Turn, words: str) -> None:
    message = card(replace(shown(JOB, ahead=9), turn=turn))
    assert words in message.text
    assert "9 clips ahead" not in everything(message)
    assert words not in everything(card(replace(shown(job_in(State.RENDERING)), turn=turn)))


def test_a_promotion_with_too_few_behind_it_says_how_many_there_were() -> None:
    few = Failure(kind=FailureKind.TOO_FEW, detail="1 of 2")
    stopped = shown(job_in(State.CANCELLED, failure=few), gate=Gate.UNDO, decision=Decision.STOP)
    assert "the reactions of 1 of 2 people who may spend here stood" in card(stopped).text
    assert "Nothing was charged" in card(stopped).text


@pytest.mark.parametrize("kind", [FailureKind.OVER_CAP, FailureKind.NOT_IN_CHANNEL])
@pytest.mark.parametrize("gate", [Gate.UNDO, Gate.CONFIRMATION])
def test_nobody_is_said_to_have_stopped_what_could_not_be_paid_or_shown(kind: FailureKind, gate: Gate) -> None:
    failed = job_in(State.FAILED, failure=Failure(kind=kind, detail=""))
    words = everything(card(shown(failed, gate=gate, decision=Decision.STOP)))
    assert "taken back" not in words
    assert "Nobody confirmed" not in words
    assert "Nothing was charged" in words


def test_a_card_names_no_reaction_where_none_promotes() -> None:
    words = card(replace(shown(job_in(State.DELIVERED)), promote_emoji=None)).text
    assert everything(card(replace(shown(job_in(State.DELIVERED)), promote_emoji=None))).count("react to it") == 0
    assert "None" not in words


def test_what_a_cap_says_is_not_put_into_the_providers_mouth() -> None:
    over = Failure(kind=FailureKind.OVER_CAP, detail="A provider billed more than its price, or the cap was lowered.")
    message = everything(card(shown(job_in(State.FAILED, failure=over))))
    assert "A provider billed more" in message
    assert "HiAPI's words" not in message


@pytest.mark.parametrize(
    ("job", "balance", "words"),
    [
        (job_in(State.RENDERING), Balance(held=0, spent=648_000), "$0.648 spent so far"),
        (job_in(State.RENDERING), Balance(held=324_000, spent=324_000), "Held $0.324 "),
        (job_in(State.WAITING, wait_reason=WaitReason.PROVIDER_CREDIT), Balance(held=0, spent=0), "Nothing is held"),
        (job_in(State.DELIVERED, cost_micro_usd=648_000), Balance(held=0, spent=648_000), "Cost $0.648."),
    ],
)
def test_what_the_ledger_says_is_shown_and_not_the_price(job: Job, balance: Balance, words: str) -> None:
    """A provider charged double before the clip was there; another refused the order for lack of credit."""
    assert words in card(replace(shown(job), balance=balance)).text
