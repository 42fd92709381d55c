"""What the command line prints about jobs and money, read from a database on disk."""

import asyncio
import csv
import io
import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import time_machine
import yaml
from typer.testing import CliRunner, Result

from bot import report
from bot.cli import cli
from bot.domain.audit import Act, AuditEntry
from bot.domain.budget import Caps, Stage
from bot.domain.failure import Failure, FailureKind
from bot.domain.figures import NoMonth, months_until
from bot.domain.job import AskKind, Job, State, TimelineEntry
from bot.domain.preferences import PreferencesVersion
from bot.domain.recipe import MediaKind, MediaRole, Medium, Resolution
from bot.domain.trouble import Trouble
from bot.ports import Audit, Storage
from bot.report import Form, NotFound
from bot.report.printing import as_csv
from bot.services.holds import hold_for
from bot.services.policy import Policy
from bot.settings import BadSetting
from storage import open_storage
from tests.support.clock import START
from tests.support.month import record
from tests.support.values import AS_FINAL, PRICE, a_hold, a_job, a_recipe, a_thread, an_ask, at

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
    recipe=a_recipe(
        media=(
            Medium(role=MediaRole.FIRST, kind=MediaKind.IMAGE, url="https://cdn.example/mug.png?signature=2"),
            Medium(role=MediaRole.REFERENCE, kind=MediaKind.VIDEO, url="https://cdn.example/pan.mp4?signature=3"),
        )
    ),
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
    stage=Stage.FINAL,
    as_final_micro_usd=None,
    cost_micro_usd=PRICE,
    trouble=Trouble.SLACK_AWAY,
)


def written(folder: Path, write: Callable[[Storage], Awaitable[None]]) -> str:
    """A database in that folder with what was written into it, for every test that only reads it."""

    async def make() -> None:
        async with open_storage(found, alone=True) as storage:
            await write(storage)

    found = f"sqlite:///{folder / 'dailies.db'}"
    asyncio.run(make())
    return found


def copy_of(url: str, folder: Path) -> str:
    """The same database for a test that writes into it."""
    return f"sqlite:///{shutil.copy(url.removeprefix('sqlite:///'), folder)}"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with a draft of two clips and its final, and money settled and released."""
    return written(tmp_path_factory.mktemp("jobs"), three_jobs)


async def three_jobs(storage: Storage) -> None:
    async with storage.begin() as tx:
        await tx.jobs.add_thread(a_thread())
        await tx.jobs.add_ask(an_ask())
        await tx.jobs.add_ask(an_ask(id="a2", kind=AskKind.PROMOTION, parent_job=DONE.id, person="U2"))
        for job in (DONE, BROKEN, FINAL):
            await tx.jobs.add(job, line(job))
            await tx.ledger.hold([hold_for(job, START)], ())
        await tx.ledger.settle("T1", DONE.id, 1, 300_000, at(60))
        await tx.ledger.settle("T1", FINAL.id, 1, PRICE, at(60))
        await tx.ledger.release("T1", BROKEN.id, 1, at(60))


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
    assert (done["files"], broken["files"]) == ("first frame, 1 video reference", None)
    assert "cdn.example" not in text


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
    assert "cdn.example" not in json.dumps(shown) + await report.timeline(url, "01D", as_json=False)
    assert shown["timeline"] == [{"at": START.isoformat(), "event": "accepted", "state": "queued", "detail": "U1"}]


@pytest.mark.parametrize(("prefix", "count"), [("01", 2), ("zz", 0), ("01DONE1", 0)])
async def test_a_job_must_be_named_exactly(url: str, prefix: str, count: int) -> None:
    with pytest.raises(NotFound) as caught:
        await report.timeline(url, prefix, as_json=False)
    assert str(caught.value) == f"{count} jobs have an id that begins with “{prefix}”; name exactly one."


# --- usage -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with a recorded month of one workspace."""
    return written(tmp_path_factory.mktemp("books"), record)


async def usage(
    url: str,
    form: Form,
    *,
    month: str | None = "2026-11",
    months: int = 1,
    caps: Caps | None = None,
    now: datetime = START,
) -> str:
    operator = Policy(caps=caps or Caps())
    return await report.usage(url, month=month, months=months, form=form, operator=operator, now=now)


async def test_usage_as_json_is_in_whole_micro_dollars(url: str) -> None:
    row, final = json.loads(await usage(url, Form.JSON))
    assert set(row) >= USAGE_FIELDS
    assert (final["stage"], final["settled_micro_usd"], final["as_final_micro_usd"]) == ("final", PRICE, 0)
    assert row == {
        "workspace": "T1",
        "month": "2026-11",
        "channel": "C1",
        "person": "U1",
        "provider": "hiapi",
        "tier": "mini",
        "stage": "draft",
        "held_micro_usd": 0,
        "settled_micro_usd": 300_000,
        "released_micro_usd": PRICE + 20_000,
        "clips": 1,
        "as_final_micro_usd": AS_FINAL,
        "compared_micro_usd": 300_000,
        "compared_clips": 1,
        "assumed_micro_usd": 0,
    }


async def test_usage_as_csv_says_the_same(books: str) -> None:
    rows = list(csv.DictReader(io.StringIO(await usage(books, Form.CSV))))
    same = json.loads(await usage(books, Form.JSON))
    assert len(rows) == len(same) == 8
    assert rows == [{name: str(value) for name, value in row.items()} for row in same]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " \r@", "\n+", "\x1b="])
async def test_no_name_is_run_by_a_spreadsheet(tmp_path: Path, start: str) -> None:
    url, name = f"sqlite:///{tmp_path / 'dailies.db'}", f'{start}HYPERLINK("https://evil.example", 1)'
    async with open_storage(url, alone=True) as storage, storage.begin() as tx:
        await tx.ledger.hold([a_hold(tier=name, channel="C-1")], ())
    (row,) = csv.DictReader(io.StringIO(await usage(url, Form.CSV), newline=""))
    assert row["tier"] == f"""'{start[-1]}HYPERLINK("https://evil.example", 1)"""
    assert (row["channel"], row["held_micro_usd"]) == ("C-1", str(PRICE))


async def test_a_negative_number_stays_a_number_and_a_text_that_looks_like_one_does_not() -> None:
    assert as_csv(["a", "b"], [{"a": -1, "b": "-1"}]) == "a,b\n-1,'-1"


async def test_usage_as_text_is_the_recorded_month_in_every_way_with_the_saving_by_hand(books: str) -> None:
    month, figures, saving = (await usage(books, Form.TEXT)).split("\n\n")
    assert month == "2026-11"
    assert [line.split() for line in figures.splitlines()] == [
        ["CLIPS", "SPENT", "HELD", "GIVEN", "BACK"],
        ["all", "12", "$6.83", "$0.32", "$0.32"],
        ["PASS", "drafts", "8", "$3.38", "$0.32", "$0.32"],
        ["PASS", "finals", "3", "$2.70", "$0.00", "$0.00"],
        ["PASS", "without", "a", "draft", "1", "$0.75", "$0.00", "$0.00"],
        ["CHANNEL", "CSHOTS", "7", "$4.04", "$0.00", "$0.32"],
        ["CHANNEL", "CLAUNCH", "5", "$2.79", "$0.32", "$0.00"],
        ["PERSON", "UBEN", "6", "$3.72", "$0.32", "$0.32"],
        ["PERSON", "UMAYA", "6", "$3.11", "$0.00", "$0.00"],
        ["PROVIDER", "hiapi", "9", "$5.44", "$0.32", "$0.32"],
        ["PROVIDER", "muapi", "3", "$1.39", "$0.00", "$0.00"],
        ["TIER", "mini", "10", "$5.43", "$0.32", "$0.32"],
        ["TIER", "standard", "2", "$1.40", "$0.00", "$0.00"],
    ]
    sentence, pointer = saving.splitlines()
    assert sentence == (
        "Drafting first saved $0.12 (the drafts as finals $4.80 − the drafts $2.88 − the finals $1.80). "
        "1 more draft stands outside: no price as a final is known."
    )
    assert pointer == "How that is worked out: docs/money.md."


async def test_usage_as_text_says_what_is_left_of_the_present_month_under_every_cap(books: str) -> None:
    caps = Caps(workspace_month_micro_usd=10_000_000, channel_month_micro_usd=4_500_000, person_day_micro_usd=1_000_000)
    text = await usage(books, Form.TEXT, caps=caps)
    assert {" ".join(line.split()) for line in text.split("\n\n")[-1].splitlines()[1:]} == {
        "$2.85 $10.00 workspace for the month: T1 2026-12-01 00:00 UTC",
        "$0.46 $4.50 channel for the month: CSHOTS (T1) 2026-12-01 00:00 UTC",
        "$1.39 $4.50 channel for the month: CLAUNCH (T1) 2026-12-01 00:00 UTC",
        "$0.68 $1.00 person for the day: UBEN (T1) 2026-11-21 00:00 UTC",
        "$1.00 $1.00 person for the day: UMAYA (T1) 2026-11-21 00:00 UTC",
    }
    earlier = await usage(books, Form.TEXT, month="2026-10", caps=caps)
    assert "LEFT" not in earlier


async def test_several_months_are_told_one_by_one_and_together(books: str) -> None:
    text = await usage(books, Form.TEXT, months=3)
    assert text.splitlines()[0] == "2026-09 to 2026-11"
    assert [line.split()[:4] for line in text.splitlines() if line.startswith(("MONTH", " "))][1:] == [
        ["all", "13", "$7.15", "$0.32"],
        ["MONTH", "2026-10", "1", "$0.32"],
        ["MONTH", "2026-11", "12", "$6.83"],
    ]
    rows = json.loads(await usage(books, Form.JSON, months=3))
    assert [row["month"] for row in rows] == ["2026-10"] + 8 * ["2026-11"]
    assert len(await usage(books, Form.CSV, months=3)) > len(await usage(books, Form.CSV))


async def test_the_summary_is_an_object_with_each_month_the_saving_and_what_is_left(books: str) -> None:
    found = json.loads(await usage(books, Form.SUMMARY, months=2, caps=Caps(channel_month_micro_usd=4_500_000)))
    assert [(month["workspace"], month["month"], month["settled_micro_usd"]) for month in found["months"]] == [
        ("T1", "2026-10", 320_000),
        ("T1", "2026-11", 6_830_000),
    ]
    assert found["months"][1]["saving"] == {
        "saved_micro_usd": 120_000,
        "as_finals_micro_usd": 4_800_000,
        "drafts_micro_usd": 2_880_000,
        "finals_micro_usd": 1_800_000,
        "left_out": 1,
        "assumed": False,
    }
    assert found["left"][0] == {
        "workspace": "T1",
        "scope": "channel_month",
        "subject": "CLAUNCH",
        "period": "2026-11",
        "limit_micro_usd": 4_500_000,
        "committed_micro_usd": 3_110_000,
        "left_micro_usd": 1_390_000,
        "renews_at": "2026-12-01T00:00:00+00:00",
    }
    assert len(found["left"]) == 2
    earlier = json.loads(await usage(books, Form.SUMMARY, month="2026-08", caps=Caps(channel_month_micro_usd=1)))
    assert earlier == {"months": [], "left": []}


async def test_a_month_without_spending_says_what_is_left_all_the_same(books: str) -> None:
    caps = Caps(workspace_month_micro_usd=10_000_000, channel_month_micro_usd=4_500_000, person_day_micro_usd=1_000_000)
    text = await usage(books, Form.TEXT, month=None, caps=caps, now=datetime(2027, 1, 5, tzinfo=UTC))
    first, left = text.split("\n\n")
    assert first == "Nothing was held or spent in 2027-01."
    assert [" ".join(line.split()) for line in left.splitlines()[1:]] == [
        "$10.00 $10.00 workspace for the month: T1 2027-02-01 00:00 UTC",
        "$4.50 $4.50 channel for the month: CLAUNCH (T1) 2027-02-01 00:00 UTC",
        "$4.50 $4.50 channel for the month: CSHOTS (T1) 2027-02-01 00:00 UTC",
    ]


async def test_a_channel_with_a_cap_of_its_own_is_told_of_before_anything_is_spent_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'dailies.db'}"
    values = {"cap.channel.month": "2"}
    async with open_storage(url, alone=True) as storage, storage.begin() as tx:
        await tx.preferences.put(
            PreferencesVersion(workspace="T1", subject="CNEW", version=1, values=values, changed_by="U1", at=START)
        )
        await tx.audit.add(AuditEntry(workspace="T1", at=START, act=Act.CONFIGURED, channel="CNEW"))
    text = await usage(url, Form.TEXT, caps=Caps(workspace_month_micro_usd=10_000_000))
    assert [line.split()[:6] for line in text.splitlines()[-2:]] == [
        ["$10.00", "$10.00", "workspace", "for", "the", "month:"],
        ["$2.00", "$2.00", "channel", "for", "the", "month:"],
    ]


async def test_what_rests_on_assumed_prices_has_a_column_and_a_field(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'dailies.db'}"
    async with open_storage(url, alone=True) as storage, storage.begin() as tx:
        await tx.ledger.hold([a_hold(price_assumed=True), a_hold(job_id="j2", provider="muapi")], ())
        await tx.ledger.settle("T1", "j1", 1, PRICE, at(60))
    lines = (await usage(url, Form.TEXT)).splitlines()
    assert lines[2].split()[-1] == "ASSUMED"
    assert [line.split()[-1] for line in lines if line.startswith("PROVIDER")] == ["$0.32", "$0.00"]
    assert "Some of the prices are assumed." in "\n".join(lines)
    assert [row["assumed_micro_usd"] for row in json.loads(await usage(url, Form.JSON))] == [PRICE, 0]
    (month,) = json.loads(await usage(url, Form.SUMMARY))["months"]
    assert (month["assumed_micro_usd"], month["saving"]["assumed"]) == (PRICE, True)


async def test_several_workspaces_are_told_apart(books: str, tmp_path: Path) -> None:
    books = copy_of(books, tmp_path)
    async with open_storage(books, alone=True) as storage:
        await record(storage, "T2")
    text = await usage(books, Form.TEXT)
    assert [line.split()[1:4] for line in text.splitlines() if line.startswith("WORKSPACE")] == [
        ["T1", "12", "$6.83"],
        ["T2", "12", "$6.83"],
    ]


@pytest.mark.parametrize(
    ("form", "nothing"),
    [
        (Form.TEXT, lambda text: text == "Nothing was held or spent in 2026-09."),
        (Form.JSON, lambda text: json.loads(text) == []),
        (Form.CSV, lambda text: text.startswith("workspace,month,channel") and "\n" not in text),
    ],
)
async def test_a_month_without_spending(url: str, form: Form, nothing: Callable[[str], bool]) -> None:
    assert nothing(await usage(url, form, month="2026-09"))


async def test_without_a_month_it_is_this_one(url: str) -> None:
    eve = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    assert len(json.loads(await usage(url, Form.JSON, month=None, now=eve))) == 2
    assert json.loads(await usage(url, Form.JSON, month=None, now=datetime(2026, 12, 1, tzinfo=UTC))) == []


def test_the_command_takes_months_and_a_summary(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    def run(*options: str) -> Result:
        return CliRunner().invoke(cli, ["usage", "--month", "2026-11", *options])

    found = json.loads(run("--months", "12", "--summary", "--json").output)
    assert [month["settled_micro_usd"] for month in found["months"]] == [300_000 + PRICE]
    assert len(json.loads(run("--json").output)) == 2
    for other in ("--json", "--summary"):
        assert isinstance(run("--csv", other).exception, BadSetting)
    assert run("--months", "0").exit_code == 2


@pytest.mark.parametrize(
    ("last", "count", "found"),
    [
        ("2026-11", 1, ("2026-11",)),
        ("2026-02", 4, ("2025-11", "2025-12", "2026-01", "2026-02")),
        ("2026-12", 2, ("2026-11", "2026-12")),
    ],
)
def test_months_until_one(last: str, count: int, found: tuple[str, ...]) -> None:
    assert months_until(last, count) == found


async def test_the_audit_s_month_follows_the_operators_calendar(tmp_path: Path) -> None:
    url, berlin = f"sqlite:///{tmp_path / 'dailies.db'}", ZoneInfo("Europe/Berlin")
    late = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    async with open_storage(url, alone=True) as storage, storage.begin() as tx:
        await tx.audit.add(AuditEntry(workspace="T1", at=late, act=Act.ASKED, micro_usd=PRICE, price_assumed=True))
    there = await report.audit(url, month="2026-11", limit=None, as_json=False, zone=berlin)
    assert "$0.32 assumed" in there
    assert "assumed" not in await report.audit(url, month="2026-10", limit=None, as_json=False, zone=berlin)


async def test_what_is_no_month_is_refused(url: str) -> None:
    with pytest.raises(NoMonth):
        await usage(url, Form.TEXT, month="November")
    with pytest.raises(NoMonth):
        await report.audit(url, month="2026-13", limit=None, as_json=False)


# --- audit -----------------------------------------------------------------------------------------------------------

ASKED = AuditEntry(
    workspace="T1",
    at=START,
    act=Act.ASKED,
    person="U1",
    channel="C1",
    ask_id="a1",
    provider="hiapi",
    micro_usd=2 * PRICE,
    detail="waits: undo",
)
ORDERED = AuditEntry(
    workspace="T1",
    at=at(1),
    act=Act.ORDERED,
    channel="C1",
    ask_id="a1",
    job_id="j1",
    provider="hiapi",
    task_id="tk-1\n\x1b[2J",
    micro_usd=PRICE,
)
LATER = replace(ASKED, at=at(60 * 60 * 24 * 20), person="U2", ask_id="a2")


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with three lines, the last of them in the month after."""
    return written(tmp_path_factory.mktemp("trail"), three_lines)


async def three_lines(storage: Storage) -> None:
    async with storage.begin() as tx:
        await tx.audit.add(ASKED, ORDERED, LATER)


async def test_the_audit_shows_no_links_which_may_be_secrets(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/links.db"
    detail = "cast.bag: not set → a bag https://x.example/bag.png?sig=SECRET in red"
    async with open_storage(url, alone=True) as storage, storage.begin() as tx:
        await tx.audit.add(AuditEntry(workspace="T1", at=START, act=Act.CONFIGURED, channel="C1", detail=detail))
    for as_json in (False, True):
        shown = await report.audit(url, month=None, limit=None, as_json=as_json)
        assert "SECRET" not in shown
        assert "a bag (a link) in red" in shown


async def test_the_audit_as_json_says_who_what_where_and_at_what_price(trail: str) -> None:
    asked, ordered, _ = json.loads(await report.audit(trail, month=None, limit=None, as_json=True))
    assert asked == {
        "at": START.isoformat(),
        "workspace": "T1",
        "person": "U1",
        "act": "asked",
        "channel": "C1",
        "micro_usd": 2 * PRICE,
        "price_assumed": False,
        "provider": "hiapi",
        "task_id": None,
        "ask": "a1",
        "job": None,
        "detail": "waits: undo",
    }
    assert (ordered["person"], ordered["task_id"], ordered["job"]) == (None, ORDERED.task_id, "j1")


async def test_the_audit_as_a_table_keeps_each_line_a_line(trail: str) -> None:
    head, asked, ordered, _ = (await report.audit(trail, month=None, limit=None, as_json=False)).splitlines()
    assert head.split() == ["AT", "WHO", "ACT", "WHERE", "PRICE", "PROVIDER", "TASK", "ASK", "JOB", "DETAIL"]
    assert asked.split()[2:] == ["U1", "asked", "C1", "$0.64", "hiapi", "-", "a1", "-", "waits:", "undo"]
    assert ordered.split()[2:8] == ["-", "ordered", "C1", "$0.32", "hiapi", "tk-1"]
    assert "\x1b" not in ordered


async def test_the_audit_of_a_month_and_its_newest_lines(trail: str) -> None:
    november = json.loads(await report.audit(trail, month="2026-11", limit=None, as_json=True))
    assert [line["act"] for line in november] == ["asked", "ordered"]
    newest = json.loads(await report.audit(trail, month=None, limit=2, as_json=True))
    assert [(line["act"], line["ask"]) for line in newest] == [("ordered", "a1"), ("asked", "a2")]
    assert json.loads(await report.audit(trail, month="2026-10", limit=None, as_json=True)) == []
    assert await report.audit(trail, month="2026-10", limit=None, as_json=False) == "Nothing was done yet."


async def test_no_door_of_the_audit_touches_a_line_that_is_there(trail: str, tmp_path: Path) -> None:
    """Whatever the port can do was done to a database with lines: they are the same afterwards, and only more."""
    doors = {name for name in vars(Audit) if not name.startswith("_")}
    assert doors == {"add", "entries"}
    async with open_storage(copy_of(trail, tmp_path), alone=True) as storage:
        async with storage.begin() as tx:
            before = await tx.audit.entries()
            await tx.audit.add(ASKED, replace(ASKED, detail="otherwise", micro_usd=1))
            for door in ({"workspace": "T1"}, {"month": "2026-11"}, {"limit": 1}):
                await tx.audit.entries(**door)
        async with storage.read() as tx:
            after = await tx.audit.entries()
    assert before == (ASKED, ORDERED, LATER)
    assert after == (*before, ASKED, replace(ASKED, detail="otherwise", micro_usd=1))


# --- manifest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [True, False])
def test_a_manifest_reads_back_as_it_was_in_its_order(as_json: bool) -> None:
    contents = {"zeta": {"name": "Dailies — café", "on": True}, "alpha": ["x" * 200, 1]}
    text = report.manifest(contents, as_json=as_json)
    read = json.loads(text) if as_json else yaml.safe_load(text)
    assert read == contents
    assert list(read) == ["zeta", "alpha"]
    assert "café" in text
