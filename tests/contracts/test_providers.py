"""``bot.ports.Provider`` on every adapter: what is learned of a task and of the account by each answer. Shapes and
words are of the provider's own dialect; what they come to is not."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.failure import Failure, FailureKind
from bot.ports import Credit, TaskFailed, TaskFinished, TaskMissing, TaskRunning, TaskUnreadable
from tests.contracts.providers import everyone, of, short, unreadable, with_each
from tests.support.adapters import ADAPTERS, APIMART, EMPIRIOLABS, HIAPI, MUAPI, SEEDANCEAPI, WEB_PAGE, Adapter
from tests.support.answers import JSON, UNREADABLE, objects_with, said

# --- how a task is ---------------------------------------------------------------------------------------------------


@with_each("name", lambda one: one.running)
def test_a_task_at_work_is_running(adapter: Adapter, name: str) -> None:
    assert adapter.seen(200, adapter.fixture(name)) == TaskRunning()


@with_each("word", lambda one: one.words)
def test_case_and_blanks_do_not_matter(adapter: Adapter, word: str) -> None:
    assert adapter.seen(200, adapter.task(status=word)) == TaskRunning()


@with_each("word", lambda one: one.odd)
def test_an_unknown_word_is_running_and_odd(adapter: Adapter, word: str) -> None:
    """Also beside a link, and also in capitals."""
    beside_a_link = adapter.task(**adapter.ended(adapter.finished.url) | {"status": word})
    for body in (beside_a_link, adapter.task(status=word), adapter.task(status=word.upper())):
        assert adapter.seen(200, body) == TaskRunning(odd=word)


@everyone
@pytest.mark.parametrize("body", [*UNREADABLE, b'{"data": []}', b'{"data": [[]]}', b'{"data": "x"}'], ids=short)
def test_an_answer_without_a_task_is_no_news(adapter: Adapter, body: bytes) -> None:
    assert adapter.seen(200, body) == TaskUnreadable(why="an answer without a status")


@everyone
@pytest.mark.parametrize("status", [{}, {"status": None}, {"status": ""}, {"status": {}}])
def test_a_task_without_a_status_is_no_news(adapter: Adapter, status: Mapping[str, object]) -> None:
    assert adapter.seen(200, adapter.task(**status)) == TaskUnreadable(why="an answer without a status")


@everyone
def test_a_finished_task_has_its_link_which_is_not_shown(adapter: Adapter) -> None:
    report = adapter.seen(200, adapter.fixture(adapter.done))
    assert report == adapter.finished
    assert adapter.finished.url not in repr(report), "the link is a bearer secret"


@everyone
@pytest.mark.parametrize(
    "link",
    [
        *(None, True, 7, {}, [], [None], [["x"]], ""),
        *("  ", "N/A", "soon", "ftp://clips.example/a.mp4", "file:///etc/passwd", "//clips.example/a.mp4"),
        ["", "pending", "ftp://clips.example/a.mp4"],
    ],
)
def test_success_without_a_link_is_asked_again(adapter: Adapter, link: object) -> None:
    """A clip is fetched from http and https addresses alone."""
    assert adapter.seen(200, adapter.task(**adapter.ended(link))) == TaskUnreadable(why="success without a link")


@everyone
@pytest.mark.parametrize("error", [None, 7.5, [], {}, [None], True, {"message": None}, {"code": None, "message": None}])
def test_a_failure_in_another_shape_is_a_failure(adapter: Adapter, error: object) -> None:
    report = adapter.seen(200, adapter.task(**adapter.broken(error)))
    assert report == TaskFailed(failure=Failure(kind=FailureKind.PROVIDER), charged=False)


@everyone
@pytest.mark.parametrize("error", ["no", 7, {"code": 7, "message": []}, {"code": [], "message": {}}])
def test_a_failure_with_odd_words_is_a_failure(adapter: Adapter, error: object) -> None:
    report = adapter.seen(200, adapter.task(**adapter.broken(error)))
    assert isinstance(report, TaskFailed)
    assert (report.failure.kind, report.charged) == (FailureKind.PROVIDER, False)


@everyone
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Content Moderation failed", FailureKind.POLICY),
        ("NSFW content detected", FailureKind.POLICY),
        ("input text risk not pass", FailureKind.POLICY),
        ("output may violate copyright", FailureKind.POLICY),
        ("upstream rejected the prompt", FailureKind.POLICY),
        ("audio content issue", FailureKind.AUDIO_MODERATION),
        ("audio failed the audit", FailureKind.AUDIO_MODERATION),
        ("a human face was detected", FailureKind.FACE),
        ("a human face was detected by moderation", FailureKind.FACE),
        ("faces are not allowed", FailureKind.FACE),
        ("likeness of a public figure", FailureKind.FACE),
        ("https://files.example/face.png could not be downloaded", FailureKind.BAD_REFERENCE),
        ("https://files.example/risk.png?policy=1: could not be downloaded", FailureKind.BAD_REFERENCE),
        ("audio: https://files.example/content/audio.mp3 could not be downloaded", FailureKind.BAD_REFERENCE),
        ("https://media.example/a.mp4 could not be downloaded", FailureKind.BAD_REFERENCE),
        ("cannot fetch https://files.example/a.png", FailureKind.BAD_REFERENCE),
        ("the video could not be downloaded", FailureKind.BAD_REFERENCE),
        ("image is too small", FailureKind.BAD_REFERENCE),
        ("audio encoder crashed", FailureKind.PROVIDER),
        ("internal error", FailureKind.PROVIDER),
        ("upstream interface error", FailureKind.PROVIDER),
        ("", FailureKind.PROVIDER),
    ],
)
def test_the_words_of_a_failure_tell_its_class(adapter: Adapter, message: str, kind: FailureKind) -> None:
    assert adapter.classify(message).kind is kind


@of(*(one for one in ADAPTERS if one is not HIAPI))
@pytest.mark.parametrize("message", ["request timeout", "upstream timeout", "generation timed out"])
def test_so_do_words_about_time_where_there_is_no_code_for_it(adapter: Adapter, message: str) -> None:
    assert adapter.classify(message).kind is FailureKind.TIMEOUT


@pytest.mark.parametrize("status", [307, 400, 401, 403, 408, 422, 429, 500, 502, 503, 504, 520])
@with_each("body", lambda one: [*UNREADABLE, WEB_PAGE, one.fixture(one.done), one.fixture(one.failed)])
def test_every_other_status_is_no_news(adapter: Adapter, status: int, body: bytes) -> None:
    no_news(adapter, status, body)


@of(*(one for one in ADAPTERS if not one.every_success))
@pytest.mark.parametrize("status", [201, 204])
def test_another_success_is_no_news_where_a_task_is_told_of_with_200(adapter: Adapter, status: int) -> None:
    for body in (*UNREADABLE, WEB_PAGE, adapter.fixture(adapter.done), adapter.fixture(adapter.failed)):
        no_news(adapter, status, body)


def no_news(adapter: Adapter, status: int, body: bytes) -> None:
    """Whatever the body says; when to look again may be said."""
    assert adapter.seen(status, body) == TaskUnreadable(why=f"HTTP {status}")
    slowly = TaskUnreadable(why=f"HTTP {status}", retry_after_seconds=9.0)
    assert adapter.seen(status, body, **{"Retry-After": "9"}) == slowly


@everyone
@pytest.mark.parametrize("word", ["error", "failed", "failure", "FAILED", "cancelled", "fail"])
@pytest.mark.parametrize("more", [{}, {"code": 500}, {"error": {"code": "internal", "message": "no"}}, {"data": None}])
def test_an_error_that_names_no_task_does_not_end_one(adapter: Adapter, word: str, more: Mapping[str, object]) -> None:
    """It is about the look: the task that was paid for goes on."""
    report = adapter.seen(200, {"status": word, "message": "internal error, try again", **more})
    assert isinstance(report, TaskUnreadable | TaskRunning)


@of(APIMART, EMPIRIOLABS, MUAPI)
def test_a_task_that_was_stopped_and_names_no_cost_counts_as_charged(adapter: Adapter) -> None:
    """Who stopped it, and what becomes of its money, none of them documents."""
    report = adapter.seen(200, adapter.task(status="cancelled"))
    assert isinstance(report, TaskFailed)
    assert (report.charged, report.cost_micro_usd) == (True, None)


@pytest.mark.parametrize(
    ("adapter", "cost"),
    [(APIMART, "cost"), (HIAPI, "costUsd"), (SEEDANCEAPI, "consumed_credits")],
    ids=["apimart", "hiapi", "seedanceapi"],
)
def test_no_clip_is_for_nothing(adapter: Adapter, cost: str) -> None:
    """A zero beside a clip is a figure that is not there yet: what is held for it is what is booked."""
    report = adapter.seen(200, adapter.task(**adapter.ended(adapter.finished.url), **{cost: 0}))
    assert isinstance(report, TaskFinished)
    assert report.cost_micro_usd is None


@everyone
@given(status=st.integers(100, 599) | st.sampled_from([200, 404, 429, 500]), data=st.data())
def test_no_answer_about_a_task_makes_the_decoder_stumble(adapter: Adapter, status: int, data: st.DataObject) -> None:
    report = adapter.seen(status, data.draw(adapter.task_bodies))
    told = 200 <= status < 300 if adapter.every_success else status == 200
    assert isinstance(report, TaskUnreadable | TaskMissing) or told


@of(*(one for one in ADAPTERS if one.decode_list))
@given(status=st.integers(100, 599), data=st.data())
def test_no_list_makes_the_decoder_stumble(adapter: Adapter, status: int, data: st.DataObject) -> None:
    assert adapter.decode_list is not None
    lists = JSON.map(lambda one: json.dumps({"data": {"tasks": [one]}, "jobs": [one]}).encode())
    answer = said(status, data.draw(adapter.order_bodies | adapter.task_bodies | lists))
    assert set(adapter.decode_list(answer, [adapter.task_id])) <= {adapter.task_id}


@of(*(one for one in ADAPTERS if one.decode_list))
@unreadable
def test_a_list_that_cannot_be_read_tells_of_none(adapter: Adapter, body: bytes) -> None:
    assert adapter.decode_list is not None
    assert adapter.decode_list(said(200, body), [adapter.task_id, "None"]) == {}


# --- what is left ----------------------------------------------------------------------------------------------------

balancing = of(*(one for one in ADAPTERS if one.decode_balance))


def left(adapter: Adapter, status: int, body: object) -> Credit | None:
    """What is left, by this answer."""
    assert adapter.decode_balance is not None
    return adapter.decode_balance(said(status, body))


def amount_of(adapter: Adapter, amount: object) -> Credit | None:
    """What is left, where this stands for an amount."""
    assert adapter.left is not None
    return left(adapter, 200, adapter.left(amount))


@balancing
@pytest.mark.parametrize(
    ("amount", "micro_usd"),
    [(0, 0), (-3, 0), (7, 7_000_000), ("7", 7_000_000), ("0.075", 75_000), (1.0000019, 1_000_002)],
)
def test_a_balance_in_dollars_is_read_to_the_micro_dollar(adapter: Adapter, amount: object, micro_usd: int) -> None:
    """An account in debt has nothing left."""
    assert amount_of(adapter, amount) == Credit(micro_usd=micro_usd)


@balancing
@pytest.mark.parametrize("amount", [None, True, "", "much", [], [1], {}, float("nan"), float("inf"), 10**30, 1e30])
def test_an_amount_that_is_none_is_not_known(adapter: Adapter, amount: object) -> None:
    """And never taken for no limit."""
    assert amount_of(adapter, amount) is None


@balancing
@unreadable
def test_a_balance_that_cannot_be_read_is_not_known(adapter: Adapter, body: bytes) -> None:
    assert left(adapter, 200, body) is None


@balancing
@pytest.mark.parametrize("status", [500, 503])
def test_a_balance_beside_an_error_is_not_known(adapter: Adapter, status: int) -> None:
    assert left(adapter, status, adapter.fixture("balance")) is None


@balancing
@given(body=objects_with("balance", "currency", "remain_balance", "unlimited_quota", "success"))
def test_no_balance_makes_the_decoder_stumble(adapter: Adapter, body: bytes) -> None:
    known = left(adapter, 200, body)
    if known is None or (known.micro_usd is None and adapter is APIMART):
        return  # nothing limits some of its keys
    assert known.micro_usd is not None
    assert known.micro_usd >= 0
