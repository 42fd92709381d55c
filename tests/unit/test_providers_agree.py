"""What the five adapters make alike of what their providers say in different shapes."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest

from bot.domain.failure import FailureKind
from bot.ports import OrderOutcome, OrderRefused, TaskFailed, TaskFinished, TaskReport, TaskRunning, TaskUnreadable
from bot.providers import apimart, empiriolabs, hiapi, muapi, seedanceapi
from bot.providers._http import Answer
from tests.faults.troubles import BODIES

NOW = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
CLIP = "https://clips.example/a.mp4"
OrderDecoder = Callable[[Answer, datetime], OrderOutcome]
TaskDecoder = Callable[[Answer, datetime], TaskReport]
ORDERS: Mapping[str, OrderDecoder] = {
    one.NAME: one.decode_order for one in (apimart, empiriolabs, hiapi, muapi, seedanceapi)
}
TASKS: Mapping[str, TaskDecoder] = {
    one.NAME: one.decode_task for one in (apimart, empiriolabs, hiapi, muapi, seedanceapi)
}


def said(status: int, body: object) -> Answer:
    return Answer(status=status, headers={}, body=json.dumps(body).encode())


# --- a refusal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ORDERS)
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Prompt policy violation", FailureKind.POLICY),
        ("the input image may contain a real person's face", FailureKind.FACE),
        ("the generated audio may contain sensitive content", FailureKind.AUDIO_MODERATION),
        ("the reference image could not be downloaded", FailureKind.BAD_REFERENCE),
        ("this key may not use the model", FailureKind.INVALID),
        ("insufficient quota for this model", FailureKind.OUT_OF_CREDIT),
        ("access denied", FailureKind.KEY_REFUSED),
    ],
)
def test_a_403_is_about_the_key_only_where_it_is_about_nothing_else(
    provider: str, words: str, kind: FailureKind
) -> None:
    """The key is everybody's: to refuse it pauses the provider for the whole team."""
    outcome = ORDERS[provider](said(403, BODIES[provider](403, words)), NOW)
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is kind


@pytest.mark.parametrize("provider", ORDERS)
@pytest.mark.parametrize("words", ["Prompt policy violation", "no such model", "Invalid API key"])
def test_a_401_is_about_the_key_whatever_its_words(provider: str, words: str) -> None:
    outcome = ORDERS[provider](said(401, BODIES[provider](401, words)), NOW)
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is FailureKind.KEY_REFUSED


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("apimart", {"error": {"code": "content_policy", "message": "z " * 5_000}}),
        ("empiriolabs", {"error": {"code": "content_policy", "message": "z " * 5_000}}),
        ("hiapi", {"code": 400, "error_code": "content_policy", "message": "z " * 5_000}),
    ],
)
def test_no_message_is_too_long_for_its_code_to_be_read(provider: str, body: Mapping[str, object]) -> None:
    outcome = ORDERS[provider](said(400, body), NOW)
    assert isinstance(outcome, OrderRefused)
    assert outcome.failure.kind is FailureKind.POLICY


# --- a look ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", TASKS)
@pytest.mark.parametrize("word", ["error", "failed", "failure", "FAILED", "cancelled", "fail"])
@pytest.mark.parametrize("more", [{}, {"code": 500}, {"error": {"code": "internal", "message": "no"}}, {"data": None}])
def test_an_error_that_names_no_task_does_not_end_one(provider: str, word: str, more: Mapping[str, object]) -> None:
    """It is about the look: the task that was paid for goes on."""
    report = TASKS[provider](said(200, {"status": word, "message": "internal error, try again", **more}), NOW)
    assert isinstance(report, TaskUnreadable | TaskRunning)


STOPPED = {
    "apimart": {"code": 200, "data": {"id": "t1", "status": "cancelled"}},
    "empiriolabs": {"job_id": "t1", "status": "cancelled"},
    "muapi": {"id": "t1", "status": "cancelled"},
}


@pytest.mark.parametrize("provider", STOPPED)
def test_a_task_that_was_stopped_and_names_no_cost_counts_as_charged(provider: str) -> None:
    """Who stopped it, and what becomes of its money, none of them documents."""
    report = TASKS[provider](said(200, STOPPED[provider]), NOW)
    assert isinstance(report, TaskFailed)
    assert (report.charged, report.cost_micro_usd) == (True, None)


FOR_NOTHING = {
    "apimart": {"id": "t1", "status": "completed", "cost": 0, "result": {"videos": [{"url": [CLIP]}]}},
    "hiapi": {"taskId": "t1", "status": "success", "costUsd": 0, "output": [{"type": "video", "url": CLIP}]},
    "seedanceapi": {"task_id": "t1", "status": "SUCCESS", "consumed_credits": 0, "response": [CLIP]},
}


@pytest.mark.parametrize("provider", FOR_NOTHING)
def test_no_clip_is_for_nothing(provider: str) -> None:
    """A zero beside a clip is a figure that is not there yet: what is held for it is what is booked."""
    report = TASKS[provider](said(200, {"code": 200, "data": FOR_NOTHING[provider]}), NOW)
    assert isinstance(report, TaskFinished)
    assert report.cost_micro_usd is None
