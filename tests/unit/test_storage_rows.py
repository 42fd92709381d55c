"""Values survive the way into a row and back, whatever is in them."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.announcement import Announcement
from bot.domain.audit import AuditEntry
from bot.domain.budget import Entry
from bot.domain.job import Ask, Attempt, Evidence, Job, Thread, TimelineEntry
from bot.domain.preferences import PreferencesVersion
from storage import rows

UTC_TIMES = st.datetimes(timezones=st.just(UTC))
st.register_type_strategy(datetime, UTC_TIMES)


@given(st.from_type(Thread))
def test_a_thread_survives(thread: Thread) -> None:
    assert repr(rows.thread_from_row(rows.thread_to_row(thread))) == repr(thread)


@given(st.from_type(Ask))
def test_an_ask_survives_with_the_root_of_its_thread(ask: Ask) -> None:
    back = rows.ask_from_row(rows.ask_to_row(ask), ask.root_ts)

    assert back == ask
    assert repr(back) == repr(ask)


@given(st.from_type(Job))
def test_a_job_survives(job: Job) -> None:
    back = rows.job_from_row(rows.job_to_row(job))

    assert back == job
    assert repr(back) == repr(job)


@given(st.from_type(Attempt))
def test_an_attempt_survives(attempt: Attempt) -> None:
    assert repr(rows.attempt_from_row(rows.attempt_to_row(attempt))) == repr(attempt)


@given(st.from_type(Evidence))
def test_evidence_survives(evidence: Evidence) -> None:
    assert repr(rows.evidence_from_row(rows.evidence_to_row(evidence))) == repr(evidence)


@given(st.from_type(TimelineEntry))
def test_a_line_of_a_timeline_survives(entry: TimelineEntry) -> None:
    assert repr(rows.timeline_from_row(rows.timeline_to_row(entry))) == repr(entry)


@given(st.from_type(Entry))
def test_a_ledger_entry_survives(entry: Entry) -> None:
    assert repr(rows.entry_from_row(rows.entry_to_row(entry))) == repr(entry)


@given(st.from_type(AuditEntry))
def test_a_line_of_the_audit_survives(entry: AuditEntry) -> None:
    assert repr(rows.audit_from_row(rows.audit_to_row(entry))) == repr(entry)


@given(st.from_type(PreferencesVersion))
def test_preferences_survive(version: PreferencesVersion) -> None:
    assert rows.preferences_from_row(rows.preferences_to_row(version)) == version


@given(st.from_type(Announcement))
def test_an_announcement_survives(announcement: Announcement) -> None:
    back = rows.announcement_from_row(rows.announcement_to_row(announcement))

    assert back == announcement
    assert type(back.topic) is type(announcement.topic)


def test_a_recipe_of_an_earlier_release_takes_the_defaults_of_what_it_lacks() -> None:
    stored = {"prompt": "a fox", "resolution": "720p", "ratio": "1:1"}

    recipe = rows.recipe_from_json(stored)

    assert (recipe.prompt, recipe.audio, recipe.high_bitrate) == ("a fox", True, False)
    assert rows.recipe_from_json(rows.recipe_to_json(recipe)) == recipe


def test_the_way_back_does_not_change_what_is_stored() -> None:
    stored = {"prompt": "a fox", "resolution": "720p", "ratio": "1:1"}
    rows.recipe_from_json(stored)

    assert stored == {"prompt": "a fox", "resolution": "720p", "ratio": "1:1"}
