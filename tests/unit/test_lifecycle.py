"""The life of a job: every pair of state and event is either drawn, with exactly these changes, or refused."""

import re
from dataclasses import replace
from typing import Any, get_args

import pytest

from bot.domain import lifecycle
from bot.domain.events import (
    Accepted,
    Declined,
    DeliveryWished,
    Event,
    Hindered,
    Kept,
    Lapsed,
    LinkRenewed,
    NotSent,
    Opened,
    Overdue,
    PassedOn,
    Prepared,
    Progressed,
    Refused,
    Rendered,
    RenderFailed,
    Reordered,
    Rerouted,
    Shared,
    Starved,
    Stopped,
    Stored,
    SubmitIntended,
    Throttled,
    Unhindered,
    Unknown,
    Unshared,
    Uploaded,
    WrittenOff,
)
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import FINAL, IN_FLIGHT, UNFINISHED, Job, State, WaitReason, Wish
from bot.domain.lifecycle import NEXT, Action, IllegalTransition, drawn, first_state, next_action, transition
from bot.domain.recipe import MediaKind, MediaRole, Medium, Ratio, Recipe
from bot.domain.trouble import Trouble
from tests.support.values import PRICE, a_job, a_recipe, at

NOW, DUE, EXPIRES = at(100), at(130), at(7000)
POLICY = Failure(kind=FailureKind.POLICY, detail="no")
BROKE = Failure(kind=FailureKind.OUT_OF_CREDIT)
URL = "https://cdn.example/clip.mp4?signature=1"
FILE = {"key": "clips/abc.mp4", "sha256": "abc", "size": 9}

ADAPTIVE = a_recipe(ratio=Ratio.ADAPTIVE)

STORED_PICTURE = Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url=f"stored:{'a' * 64}.jpeg")
READY = a_recipe(media=(STORED_PICTURE,))
TO_PREPARE = a_recipe(media=(STORED_PICTURE, replace(STORED_PICTURE, role=MediaRole.LAST, url="slack:F1")))

EVENTS: tuple[Event, ...] = (
    Opened(person="U2"),
    Declined(failure=POLICY),
    Starved(failure=BROKE, due_at=DUE),
    SubmitIntended(),
    NotSent(due_at=DUE, trouble=Trouble.PROVIDER_UNREACHABLE),
    Throttled(due_at=DUE),
    Unknown(due_at=DUE),
    Lapsed(due_at=DUE),
    Accepted(task_id="tk-2"),
    Refused(failure=POLICY),
    Progressed(progress="panda.heic (2 of 3)"),
    Prepared(recipe=READY),
    Rerouted(
        provider="muapi",
        model="seedance-2-mini",
        recipe=ADAPTIVE,
        price_micro_usd=400_000,
        price_assumed=True,
        as_final_micro_usd=750_000,
    ),
    Reordered(person="U9"),
    PassedOn(person="U9"),
    Overdue(due_at=DUE),
    Rendered(url=URL, expires_at=EXPIRES, cost_micro_usd=300_000),
    RenderFailed(failure=POLICY, cost_micro_usd=0),
    Stopped(cost_micro_usd=300_000),
    WrittenOff(failure=POLICY, cost_micro_usd=320_000),
    Hindered(due_at=DUE, trouble=Trouble.DOWNLOAD_FAILS),
    Unhindered(),
    LinkRenewed(url=URL, expires_at=EXPIRES, due_at=DUE),
    Stored(key="clips/abc.mp4", sha256="abc", size=9),
    Kept(key="clips/abc.mp4", sha256="abc", size=9),
    DeliveryWished(),
    Uploaded(file_id="F2"),
    Unshared(due_at=DUE, trouble=Trouble.SLACK_DROPPED_FILE),
    Shared(message_ts="1700000002.000300"),
)
BY_KIND = {type(event): event for event in EVENTS}

STARVED = {
    "state": State.WAITING,
    "attempt": 4,
    "submitted_at": None,
    "wait_reason": WaitReason.PROVIDER_CREDIT,
    "failure": BROKE,
    "due_at": DUE,
    "trouble": None,
    "progress": "",
}
BEFORE = 1
"""What an earlier order of the job counts as: costs are added to it."""

STOPPED = {"state": State.CANCELLED, "cost_micro_usd": BEFORE + 300_000, "finished_at": NOW}
ENDED = {"finished_at": NOW, "failure": POLICY, "trouble": None, "progress": ""}
DECLINED = {**ENDED, "state": State.CANCELLED, "wait_reason": None}
REFUSED = {**ENDED, "state": State.FAILED, "cost_micro_usd": BEFORE}
WRITTEN_OFF = {
    "state": State.FAILED,
    "failure": POLICY,
    "cost_micro_usd": BEFORE + 320_000,
    "finished_at": NOW,
    "wish": None,
    "wish_by": None,
}
RENDER_FAILED = {**WRITTEN_OFF, "cost_micro_usd": BEFORE}
RENDERED = {
    "state": State.DOWNLOADING,
    "output_url": URL,
    "output_expires_at": EXPIRES,
    "cost_micro_usd": BEFORE + 300_000,
    "rendered_at": NOW,
    "due_at": NOW,
}
ACCEPTED = {
    "state": State.RENDERING,
    "task_id": "tk-2",
    "rendering_since": NOW,
    "due_at": NOW,
    "tries": 0,
    "trouble": None,
    "wish": None,
    "wish_by": None,
}
HINDERED = {"tries": 3, "due_at": DUE, "trouble": Trouble.DOWNLOAD_FAILS}
UNHINDERED = {"tries": 0, "due_at": NOW, "trouble": None}
BYTES = {"clip_key": "clips/abc.mp4", "clip_sha256": "abc", "clip_bytes": 9}
STORED = {**BYTES, "state": State.DELIVERING, "output_url": None, "due_at": NOW, "tries": 0, "trouble": None}

DRAWN: dict[tuple[State, type[Event]], dict[str, Any]] = {
    (State.WAITING, Opened): {
        "state": State.QUEUED,
        "person": "U2",
        "wait_reason": None,
        "failure": None,
        "due_at": NOW,
    },
    (State.WAITING, Rerouted): {
        "state": State.QUEUED,
        "provider": "muapi",
        "model": "seedance-2-mini",
        "recipe": ADAPTIVE,
        "price_micro_usd": 400_000,
        "price_assumed": True,
        "as_final_micro_usd": 750_000,
        "wait_reason": None,
        "failure": None,
        "due_at": NOW,
        "tries": 0,
        "trouble": None,
        "progress": "",
        "wish": None,
        "wish_by": None,
    },
    (State.WAITING, Declined): DECLINED,
    (State.WAITING, Refused): REFUSED,
    (State.WAITING, Progressed): {"progress": "panda.heic (2 of 3)", "trouble": None},
    (State.WAITING, Prepared): {
        "state": State.QUEUED,
        "recipe": READY,
        "wait_reason": None,
        "due_at": NOW,
        "tries": 0,
        "trouble": None,
        "progress": "",
    },
    (State.WAITING, Hindered): HINDERED,
    (State.WAITING, Starved): STARVED,
    (State.QUEUED, Hindered): HINDERED,
    (State.QUEUED, Declined): DECLINED,
    (State.QUEUED, Starved): STARVED,
    (State.QUEUED, Refused): REFUSED,
    (State.QUEUED, PassedOn): {"person": "U9", "attempt": 4, "due_at": NOW, "tries": 0, "trouble": None},
    (State.QUEUED, SubmitIntended): {
        "state": State.SUBMITTING,
        "submitted_at": NOW,
        "due_at": NOW,
        "failure": None,
        "wish": None,
    },
    (State.SUBMITTING, NotSent): {
        "state": State.QUEUED,
        "tries": 3,
        "due_at": DUE,
        "trouble": Trouble.PROVIDER_UNREACHABLE,
    },
    (State.SUBMITTING, Throttled): {
        "state": State.QUEUED,
        "tries": 3,
        "due_at": DUE,
        "trouble": Trouble.PROVIDER_BUSY,
    },
    (State.SUBMITTING, Starved): STARVED,
    (State.SUBMITTING, Unknown): {"tries": 3, "due_at": DUE, "trouble": Trouble.UNKNOWN_ORDER},
    (State.SUBMITTING, Lapsed): {"state": State.UNCERTAIN, "tries": 0, "trouble": None, "due_at": DUE},
    (State.SUBMITTING, Accepted): ACCEPTED,
    (State.SUBMITTING, Refused): REFUSED,
    (State.UNCERTAIN, Accepted): ACCEPTED,
    (State.UNCERTAIN, Refused): REFUSED,
    (State.UNCERTAIN, Reordered): {
        "state": State.QUEUED,
        "person": "U9",
        "attempt": 4,
        "cost_micro_usd": BEFORE + PRICE,
        "reordered": True,
        "submitted_at": None,
        "due_at": NOW,
        "tries": 0,
        "trouble": None,
        "wish": None,
        "wish_by": None,
    },
    (State.UNCERTAIN, Hindered): HINDERED,
    **{(state, Hindered): HINDERED for state in sorted(IN_FLIGHT)},
    **{(state, Unhindered): UNHINDERED for state in sorted(IN_FLIGHT | {State.UNCERTAIN})},
    (State.UNCERTAIN, WrittenOff): WRITTEN_OFF,
    (State.RENDERING, Overdue): {"state": State.LATE, "due_at": DUE},
    (State.RENDERING, Rendered): RENDERED,
    (State.RENDERING, RenderFailed): RENDER_FAILED,
    (State.RENDERING, Stopped): STOPPED,
    (State.RENDERING, WrittenOff): WRITTEN_OFF,
    (State.LATE, Rendered): RENDERED,
    (State.LATE, RenderFailed): RENDER_FAILED,
    (State.LATE, Stopped): STOPPED,
    (State.LATE, WrittenOff): WRITTEN_OFF,
    (State.DOWNLOADING, Hindered): HINDERED,
    (State.DOWNLOADING, LinkRenewed): {**HINDERED, "output_url": URL, "output_expires_at": EXPIRES},
    (State.DOWNLOADING, Stored): STORED,
    (State.DOWNLOADING, Kept): {**STORED, "state": State.CANCELLED, "finished_at": NOW},
    (State.DOWNLOADING, WrittenOff): {**WRITTEN_OFF, "cost_micro_usd": BEFORE},
    (State.DELIVERING, Hindered): HINDERED,
    (State.DELIVERING, Kept): {**STORED, "state": State.CANCELLED, "finished_at": NOW},
    (State.DELIVERING, Uploaded): {"file_id": "F2", "shared_at": NOW, "due_at": NOW},
    (State.DELIVERING, Unshared): {
        "file_id": None,
        "shared_at": None,
        "tries": 3,
        "due_at": DUE,
        "trouble": Trouble.SLACK_DROPPED_FILE,
    },
    (State.DELIVERING, Shared): {
        "state": State.DELIVERED,
        "message_ts": "1700000002.000300",
        "finished_at": NOW,
        "trouble": None,
    },
    (State.CANCELLED, DeliveryWished): {
        "state": State.DELIVERING,
        "due_at": NOW,
        "cancel_by": None,
        "wish": None,
        "wish_by": None,
        "finished_at": None,
    },
}
"""What each drawn pair changes, and nothing else, but for ``updated_at``."""

OF_PREPARING = frozenset({Progressed, Prepared, Hindered, Starved})
"""Of waiting jobs only those whose files are prepared take these."""

UNDRAWN = [(state, event) for state in State for event in EVENTS if (state, type(event)) not in DRAWN]


def laden(state: State, reason: WaitReason = WaitReason.UNDO_WINDOW) -> Job:
    """A job in which no field has the value that an event gives it: whatever changes is seen."""
    return a_job(
        state,
        wait_reason=reason,
        progress="fox.png (1 of 3)",
        attempt=3,
        tries=2,
        task_id="tk-1",
        submitted_at=at(1),
        rendering_since=at(2),
        rendered_at=at(3),
        finished_at=at(4),
        output_url="https://cdn.example/old.mp4",
        output_expires_at=at(5),
        cost_micro_usd=BEFORE,
        clip_key="clips/old.mp4",
        clip_sha256="old",
        clip_bytes=1,
        file_id="F1",
        shared_at=at(6),
        message_ts="1700000001.000200",
        trouble=Trouble.NO_NEWS,
        failure=Failure(kind=FailureKind.FACE),
        owner="process-1",
        epoch=7,
        version=9,
        cancel_by="U3",
        wish=Wish.CHECK_AGAIN,
        wish_by="U4",
    )


def pair(state: State, event: type[Event]) -> str:
    return f"{state.value}-{event.__name__}"


@pytest.mark.parametrize(("state", "kind"), DRAWN, ids=[pair(*key) for key in DRAWN])
def test_a_drawn_event_changes_exactly_this(state: State, kind: type[Event]) -> None:
    before = laden(state, WaitReason.PREPARING if kind in OF_PREPARING else WaitReason.UNDO_WINDOW)
    after = transition(before, BY_KIND[kind], NOW)
    assert after == replace(before, updated_at=NOW, **DRAWN[state, kind])
    assert drawn(state, kind)


@pytest.mark.parametrize(("state", "event"), UNDRAWN, ids=[pair(state, type(event)) for state, event in UNDRAWN])
def test_an_event_that_is_not_drawn_is_refused(state: State, event: Event) -> None:
    job = laden(state)
    with pytest.raises(IllegalTransition) as caught:
        transition(job, event, NOW)
    assert (caught.value.job, caught.value.event) == (job, event)
    assert str(caught.value) == f"Job j1 is {state.value} (undo_window) and cannot take {type(event).__name__}."
    assert not drawn(state, type(event))


def test_every_event_has_an_example_here() -> None:
    assert set(BY_KIND) == set(get_args(Event))
    assert len(EVENTS) == len(BY_KIND)
    assert len(DRAWN) + len(UNDRAWN) == len(State) * len(EVENTS)


def test_every_unfinished_state_has_exactly_one_next_action_and_a_final_one_none() -> None:
    assert set(NEXT) == UNFINISHED
    assert set(State) == UNFINISHED | FINAL
    assert not UNFINISHED & FINAL
    assert set(NEXT.values()) | {Action.PREPARE} == set(Action)
    for state in State:
        assert next_action(a_job(state)) is NEXT.get(state)
    for reason in WaitReason:
        preparing = reason is WaitReason.PREPARING
        assert next_action(a_job(State.WAITING, wait_reason=reason)) is (Action.PREPARE if preparing else Action.DECIDE)


@pytest.mark.parametrize("reason", WaitReason)
def test_what_waits_for_its_files_takes_other_events_than_what_waits_for_people_or_a_provider(
    reason: WaitReason,
) -> None:
    job, preparing = laden(State.WAITING, reason), reason is WaitReason.PREPARING
    for kind, event in BY_KIND.items():
        taken = (State.WAITING, kind) in DRAWN and (kind is not Opened if preparing else kind not in OF_PREPARING)
        if taken:
            transition(job, event, NOW)
        else:
            with pytest.raises(IllegalTransition, match=rf"^Job j1 is waiting \({reason.value}\) and cannot take"):
                transition(job, event, NOW)


@pytest.mark.parametrize(
    ("recipe", "stands"),
    [
        (a_recipe(), (State.QUEUED, None)),
        (READY, (State.WAITING, WaitReason.PREPARING)),
        (TO_PREPARE, (State.WAITING, WaitReason.PREPARING)),
    ],
    ids=["no files", "all ours", "one in Slack"],
)
def test_files_are_prepared_before_the_queue_also_those_that_were_for_another_provider(
    recipe: Recipe, stands: tuple[State, WaitReason | None]
) -> None:
    assert first_state(recipe) == stands
    opened = transition(
        a_job(State.WAITING, wait_reason=WaitReason.CONFIRMATION, recipe=recipe), Opened(person="U2"), NOW
    )
    elsewhere = Rerouted(
        provider="muapi", model="m", recipe=recipe, price_micro_usd=1, price_assumed=False, as_final_micro_usd=None
    )
    rerouted = transition(a_job(State.WAITING, wait_reason=WaitReason.PROVIDER_DOWN), elsewhere, NOW)
    assert [(one.state, one.wait_reason) for one in (opened, rerouted)] == [stands, stands]


def test_trouble_with_a_file_is_over_with_the_file() -> None:
    hindered = transition(
        a_job(State.WAITING, wait_reason=WaitReason.PREPARING, progress="panda.heic (2 of 3)"),
        Hindered(due_at=DUE, trouble=Trouble.FILE_AWAY),
        NOW,
    )
    same = transition(hindered, Progressed(progress="panda.heic (2 of 3)"), NOW)
    further = transition(hindered, Progressed(progress="fox.png (3 of 3)"), NOW)
    assert (same.trouble, further.trouble) == (Trouble.FILE_AWAY, None)

    kept_out = transition(a_job(State.QUEUED), Hindered(due_at=DUE, trouble=Trouble.FILE_NOT_TAKEN), NOW)
    assert transition(kept_out, SubmitIntended(), NOW).trouble is None


@pytest.mark.parametrize("state", State)
def test_finished_means_a_final_state(state: State) -> None:
    assert a_job(state).finished is (state in FINAL)


def test_only_a_kept_clip_leaves_a_final_state() -> None:
    assert [(state, kind) for state, kind in DRAWN if state in FINAL] == [(State.CANCELLED, DeliveryWished)]


def test_an_uncertain_order_gives_its_place_back() -> None:
    assert frozenset({State.SUBMITTING, State.RENDERING, State.LATE}) == IN_FLIGHT


def test_every_state_can_be_reached_and_every_unfinished_one_can_end() -> None:
    edges = [(before, change.get("state", before)) for (before, _), change in DRAWN.items()]
    assert closure({State.WAITING, State.QUEUED}, edges) == set(State)
    for state in UNFINISHED:
        assert closure({state}, edges) & FINAL, state


def closure(start: set[State], edges: list[tuple[State, State]]) -> set[State]:
    reached = set(start)
    while more := {after for before, after in edges if before in reached} - reached:
        reached |= more
    return reached


def test_the_drawing_names_every_state_and_every_event_and_no_other() -> None:
    drawing = (lifecycle.__doc__ or "").split("::", 1)[1].split("Every unfinished job", 1)[0]
    assert set(re.findall(r"\b[A-Z]{4,}\b", drawing)) == {state.name for state in State}
    assert set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)*\b", drawing)) == {kind.__name__ for kind in BY_KIND}


def test_what_a_starved_order_waits_for_is_told_by_why_it_was_refused() -> None:
    waits = {
        kind: transition(a_job(State.QUEUED), Starved(failure=Failure(kind=kind), due_at=DUE), NOW).wait_reason
        for kind in (FailureKind.OUT_OF_CREDIT, FailureKind.KEY_REFUSED, FailureKind.PROVIDER)
    }
    assert list(waits.values()) == [
        WaitReason.PROVIDER_CREDIT,
        WaitReason.PROVIDER_CREDIT,
        WaitReason.PROVIDER_DOWN,
    ]


def test_a_starved_order_begins_again_with_a_hold_and_a_key_of_its_own() -> None:
    """A released hold is closed: ordered again under the same attempt, the clip would cost money nobody counts."""
    starved = transition(a_job(State.SUBMITTING, submitted_at=at(1)), Starved(failure=BROKE, due_at=DUE), NOW)
    opened = transition(starved, Opened(person="U1"), NOW)
    assert (opened.state, opened.attempt) == (State.QUEUED, 2)
