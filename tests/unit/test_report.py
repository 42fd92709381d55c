"""What the command line prints about jobs and money, read from a database on disk."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
import yaml

from bot import report
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import AskKind, Job, State, TimelineEntry
from bot.domain.recipe import Resolution
from bot.domain.trouble import Trouble
from bot.report import Form, NotFound
from storage import open_storage
from tests.support.clock import START
from tests.support.values import PRICE, a_hold, a_job, a_recipe, a_thread, an_ask, at

JOB_FIELDS = {
    "id",
    "ask",
    "workspace",
    "channel",
    "thread_ts",
    "number",
    "state",
    "provider",
    "model",
    "task_id",
    "attempt",
    "price_micro_usd",
    "cost_micro_usd",
    "created_at",
    "updated_at",
    "message_ts",
    "parent",
}
USAGE_FIELDS = {"held_micro_usd", "settled_micro_usd", "released_micro_usd"}

DONE = a_job(
    State.DELIVERED,
    id="01DONE",
    task_id="tk-1",
    cost_micro_usd=300_000,
    message_ts="1700000002.000300",
    output_url="https://cdn.example/secret.mp4?signature=1",
)
BROKEN = a_job(
    State.FAILED,
    id="01BROKEN",
    number=2,
    created_at=at(60),
    failure=Failure(kind=FailureKind.FACE, detail="no faces"),
    recipe=a_recipe(prompt="a very long prompt\nover two lines, " + "x" * 60),
)
FINAL = a_job(
    State.DELIVERING,
    id="02FINAL",
    ask_id="a2",
    number=3,
    created_at=at(120),
    recipe=a_recipe(resolution=Resolution.P720),
    trouble=Trouble.SLACK_AWAY,
)


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A database with a draft of two clips, its final, and money held, settled and released."""
    found = f"sqlite:///{tmp_path / 'dailies.db'}"
    async with open_storage(found, alone=True) as storage, storage.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        await tx.jobs.add_ask(an_ask())
        await tx.jobs.add_ask(an_ask(id="a2", kind=AskKind.PROMOTION, parent_job=DONE.id, person="U2"))
        for job in (DONE, BROKEN, FINAL):
            await tx.jobs.add(job, line(job))
            await tx.ledger.hold([a_hold(job_id=job.id)], ())
        await tx.ledger.settle("T1", DONE.id, 1, 300_000, at(60))
        await tx.ledger.release("T1", BROKEN.id, 1, at(60))
    return found


def line(job: Job) -> TimelineEntry:
    return TimelineEntry(workspace="T1", job_id=job.id, at=START, event="accepted", state=State.QUEUED, detail="U1")


# --- jobs ------------------------------------------------------------------------------------------------------------


async def test_jobs_as_a_table_newest_first(url: str) -> None:
    with time_machine.travel(at(3_720), tick=False):
        head, *rows = (await report.jobs(url, state=None, as_json=False, limit=10)).splitlines()
    assert head.split() == ["JOB", "#", "STATE", "PROVIDER", "TASK", "PRICE", "COST", "AGE", "PROMPT"]
    assert [row.split()[0] for row in rows] == ["02FINAL", "01BROKEN", "01DONE"]
    assert rows[2].split() == [
        *("01DONE", "#1", "delivered", "hiapi", "tk-1", "$0.32", "$0.30", "1", "h"),
        *("a", "red", "panda", "surfing"),
    ]
    assert rows[1].endswith("1 h  a very long prompt over two lines, xxxx…")
    columns = {row.index("hiapi") for row in rows}
    assert columns == {head.index("PROVIDER")}


async def test_jobs_as_json_have_the_promised_fields_and_no_secret(url: str) -> None:
    text = await report.jobs(url, state=None, as_json=True, limit=10)
    final, broken, done = json.loads(text)
    assert set(done) >= JOB_FIELDS
    assert (done["id"], done["state"], done["cost_micro_usd"], done["task_id"]) == (
        "01DONE",
        "delivered",
        300_000,
        "tk-1",
    )
    assert (done["thread_ts"], done["message_ts"]) == ("1700000000.000100", "1700000002.000300")
    assert (final["parent"], final["kind"], final["resolution"], final["trouble"]) == (
        "01DONE",
        "promotion",
        "720p",
        "slack_away",
    )
    assert (broken["failure"], broken["cost_micro_usd"]) == ("face", None)
    assert datetime.fromisoformat(done["created_at"]) == START
    assert "secret.mp4" not in text


async def test_jobs_of_one_state_and_so_many(url: str) -> None:
    failed = json.loads(await report.jobs(url, state="failed", as_json=True, limit=10))
    assert [job["id"] for job in failed] == ["01BROKEN"]
    newest = json.loads(await report.jobs(url, state=None, as_json=True, limit=1))
    assert [job["id"] for job in newest] == ["02FINAL"]
    assert json.loads(await report.jobs(url, state="late", as_json=True, limit=10)) == []
    assert await report.jobs(url, state="late", as_json=False, limit=10) == "No jobs."


async def test_a_state_that_there_is_not_is_refused_with_those_there_are(url: str) -> None:
    with pytest.raises(NotFound) as caught:
        await report.jobs(url, state="done", as_json=False, limit=10)
    assert "“done”" in str(caught.value)
    assert all(state.value in str(caught.value) for state in State)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_600, "1 h"), (86_400, "1 d"), (200_000, "2 d")]
)
async def test_ages_in_words(url: str, seconds: int, words: str) -> None:
    with time_machine.travel(at(120 + seconds), tick=False):
        text = await report.jobs(url, state="delivering", as_json=False, limit=10)
    assert f"  {words}" in text.splitlines()[1]


# --- one job ---------------------------------------------------------------------------------------------------------


async def test_a_job_is_shown_by_the_beginning_of_its_id(url: str) -> None:
    text = await report.timeline(url, "02", as_json=False)
    assert "id: 02FINAL" in text.splitlines()
    assert "parent: 01DONE" in text.splitlines()
    assert text.splitlines()[-1].split() == ["2026-11-20", "21:30:15.123", "accepted", "queued", "U1"]


async def test_a_job_as_json_has_its_timeline(url: str) -> None:
    shown = json.loads(await report.timeline(url, "01D", as_json=True))
    assert set(shown) >= JOB_FIELDS
    assert shown["timeline"] == [{"at": START.isoformat(), "event": "accepted", "state": "queued", "detail": "U1"}]


@pytest.mark.parametrize(("prefix", "count"), [("01", 2), ("zz", 0), ("01DONE1", 0)])
async def test_a_job_must_be_named_exactly(url: str, prefix: str, count: int) -> None:
    with pytest.raises(NotFound) as caught:
        await report.timeline(url, prefix, as_json=False)
    assert str(caught.value) == f"{count} jobs have an id that begins with “{prefix}”; name exactly one."


# --- usage -----------------------------------------------------------------------------------------------------------


async def test_usage_as_json_is_in_whole_micro_dollars(url: str) -> None:
    (row,) = json.loads(await report.usage(url, month="2026-11", form=Form.JSON))
    assert set(row) >= USAGE_FIELDS
    assert row == {
        "workspace": "T1",
        "month": "2026-11",
        "channel": "C1",
        "person": "U1",
        "provider": "hiapi",
        "tier": "mini",
        "held_micro_usd": PRICE,
        "settled_micro_usd": 300_000,
        "released_micro_usd": PRICE + 20_000,
        "clips": 1,
    }


async def test_usage_as_csv_says_the_same(url: str) -> None:
    (row,) = csv.DictReader(io.StringIO(await report.usage(url, month="2026-11", form=Form.CSV)))
    (same,) = json.loads(await report.usage(url, month="2026-11", form=Form.JSON))
    assert row == {name: str(value) for name, value in same.items()}


async def test_usage_as_a_table_ends_in_the_sum(url: str) -> None:
    month, head, row, total = (await report.usage(url, month="2026-11", form=Form.TEXT)).splitlines()
    assert month == "2026-11"
    assert head.split() == [
        *("WORKSPACE", "CHANNEL", "PERSON", "PROVIDER", "TIER", "CLIPS", "SPENT", "HELD", "GIVEN", "BACK"),
    ]
    assert row.split() == ["T1", "C1", "U1", "hiapi", "mini", "1", "$0.30", "$0.32", "$0.34"]
    assert total.split() == ["all", "1", "$0.30", "$0.32", "$0.34"]


@pytest.mark.parametrize(
    ("form", "nothing"),
    [
        (Form.TEXT, lambda text: text == "Nothing was held or spent in 2026-10."),
        (Form.JSON, lambda text: json.loads(text) == []),
        (Form.CSV, lambda text: text.startswith("workspace,month,channel") and "\n" not in text),
    ],
)
async def test_a_month_without_spending(url: str, form: Form, nothing: Callable[[str], bool]) -> None:
    assert nothing(await report.usage(url, month="2026-10", form=form))


async def test_without_a_month_it_is_this_one(url: str) -> None:
    with time_machine.travel(datetime(2026, 11, 30, 23, 59, tzinfo=UTC), tick=False):
        assert len(json.loads(await report.usage(url, month=None, form=Form.JSON))) == 1
    with time_machine.travel(datetime(2026, 12, 1, tzinfo=UTC), tick=False):
        assert json.loads(await report.usage(url, month=None, form=Form.JSON)) == []


# --- manifest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [True, False])
def test_a_manifest_reads_back_as_it_was_in_its_order(as_json: bool) -> None:
    contents = {"zeta": {"name": "Dailies — café", "on": True}, "alpha": ["x" * 200, 1]}
    text = report.manifest(contents, as_json=as_json)
    read = json.loads(text) if as_json else yaml.safe_load(text)
    assert read == contents
    assert list(read) == ["zeta", "alpha"]
    assert "café" in text
