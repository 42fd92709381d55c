"""What a card says of a provider that is not set up any more, and of what becomes of a clip that is cancelled there."""

from dataclasses import replace

import pytest

from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Job, State
from bot.domain.trouble import Trouble
from bot.vendors import VENDORS
from handlers.blocks.card import card
from handlers.blocks.states import explain
from handlers.blocks.top_up import top_up
from tests.unit.test_blocks_card import button_of, job_in, live, shown

ORDERED = (State.SUBMITTING, State.RENDERING, State.LATE)


def at_empirio(state: State, **changes: object) -> Job:
    return job_in(state, provider="empiriolabs", **changes)


@pytest.mark.parametrize("state", [State.SUBMITTING, State.UNCERTAIN, State.RENDERING, State.LATE, State.DOWNLOADING])
def test_a_paid_clip_says_that_it_waits_for_its_providers_key(state: State) -> None:
    words = explain(job_in(state, provider="muapi", trouble=Trouble.PROVIDER_ABSENT))
    unanswered = state in {State.SUBMITTING, State.UNCERTAIN}
    assert ("may be paid for" if unanswered else "is ordered from Muapi and paid for") in words
    assert "cannot be looked at until the key of Muapi is set again (`MUAPI_API_KEY`, and `PROVIDERS`" in words
    assert "is rendering" not in words
    assert "takes longer" not in words


def test_a_pretend_clip_names_what_turns_pretending_on() -> None:
    words = explain(job_in(State.RENDERING, provider="pretend-muapi", trouble=Trouble.PROVIDER_ABSENT))
    assert "Pretend Muapi is set again (`PROVIDERS=sandbox`)" in words
    assert "API_KEY" not in words


def test_what_was_never_ordered_there_says_what_it_cost_and_what_to_do() -> None:
    words = explain(job_in(State.FAILED, failure=Failure(kind=FailureKind.NOT_CONFIGURED), provider="muapi"))
    assert words.startswith(
        "Muapi is not set up here any more, so this clip was not ordered there. Nothing was charged."
    )
    assert "Ask again" in words


@pytest.mark.parametrize("state", ORDERED)
@pytest.mark.parametrize("stoppable", [True, False])
def test_a_cancelled_clip_is_said_to_be_charged_for_certain_only_where_it_cannot_be_stopped(
    state: State, stoppable: bool
) -> None:
    words = explain(at_empirio(state, cancel_by="U2"), stoppable=stoppable)
    assert ("charges for it all the same" in words) is not stoppable
    assert ("EmpirioLabs is asked to stop it" in words) is stoppable


@pytest.mark.parametrize("stoppable", [True, False])
def test_a_clip_that_was_ready_before_it_could_be_stopped_is_charged_and_kept(stoppable: bool) -> None:
    words = explain(at_empirio(State.DOWNLOADING, cancel_by="U2"), stoppable=stoppable)
    assert "<@U2> cancelled it, and it was ready all the same: it is charged." in words
    assert "is asked to stop" not in words


def test_what_a_stopped_clip_cost_is_what_is_known_of_it() -> None:
    stopped = at_empirio(State.CANCELLED, cancel_by="U2", task_id="t1", cost_micro_usd=280_000)
    assert explain(stopped) == (
        "Stopped by <@U2> after it was ordered: EmpirioLabs stopped it. It does not say that this is free, so $0.28 is "
        "counted as spent."
    )
    assert explain(replace(stopped, cost_micro_usd=0)).endswith("EmpirioLabs stopped it. Nothing was charged.")


@pytest.mark.parametrize(
    ("stoppable", "asked", "charged"), [({"A", "B"}, True, False), ({"A"}, True, True), (set(), False, True)]
)
def test_the_question_before_cancelling_says_what_each_provider_can_do(
    stoppable: set[str], asked: bool, charged: bool
) -> None:
    jobs = (at_empirio(State.RENDERING, id="A"), at_empirio(State.RENDERING, id="B", number=2))
    message = card(replace(shown(*jobs), stoppable=frozenset(stoppable)))
    words = button_of(message, "clip.cancel")["confirm"]["text"]["text"]
    assert ("EmpirioLabs is asked to stop what it is rendering, and may charge for it." in words) is asked
    assert ("charged all the same" in words) is charged


def test_a_card_says_of_each_of_its_clips_what_becomes_of_it() -> None:
    job = at_empirio(State.RENDERING, id="A", cancel_by="U2")
    assert "is asked to stop it" in live(card(replace(shown(job), stoppable=frozenset({"A"}))))
    assert "all the same" in live(card(shown(job)))


@pytest.mark.parametrize("provider", VENDORS)
def test_only_a_page_that_the_provider_names_itself_is_linked_to(provider: str) -> None:
    assert (top_up(provider) == "<https://muapi.ai/topup|Top up at Muapi>") is (provider == "muapi")
    assert ("http" in top_up(provider)) is (provider == "muapi")
    assert "http" not in top_up(f"pretend-{provider}")
