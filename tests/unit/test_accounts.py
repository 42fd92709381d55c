"""What was spent, is held and is left: the sums, the saving, and who sees how much of it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.domain.access import AccessRules, Member
from bot.domain.budget import Caps, Scope, Stage, UsageRow
from bot.domain.figures import Breakdown, Figures, NoMonth, Saving, breakdown, read_month, saving, saving_words
from bot.domain.preferences import PreferencesVersion
from bot.domain.pricing import dollars
from bot.domain.statement import Statement, View
from bot.ports import ChatError
from bot.services.accounts import Accounts
from bot.services.gatekeeper import Gatekeeper
from bot.services.policies import Policies
from bot.services.policy import Policy
from storage import MemoryStorage
from tests.support.clock import SettableClock
from tests.support.month import MONTH, Recorded, record, recorded
from tests.support.values import a_hold, at

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "money.md"
CENT = 10_000

# Worked out by hand from tests/fixtures/money/november.csv; the working is in docs/money.md.
DRAFTS_AS_FINALS = 480 * CENT
THOSE_DRAFTS = 288 * CENT
FINALS = 180 * CENT
SAVED = 12 * CENT
SPENT, HELD, GIVEN_BACK = 683 * CENT, 32 * CENT, 32 * CENT


class Slack:
    """``bot.ports.Directory``: Ada is an owner, Gus a guest, and of the unknown nothing can be learned."""

    async def member(self, person: str) -> Member | None:
        if person == "UUNKNOWN":
            raise ChatError("ratelimited")
        return Member(person=person, admin=person == "UADA", guest=person == "UGUS")

    async def admins(self) -> tuple[str, ...]:
        return ("UADA",)


@pytest.fixture
async def storage() -> MemoryStorage:
    """The recorded month of T1, and the same again of another workspace."""
    found = MemoryStorage()
    await record(found)
    await record(found, "T2")
    return found


def accounts(storage: MemoryStorage, policy: Policy | None = None, now: datetime | None = None) -> Accounts:
    clock = SettableClock(now) if now else SettableClock()
    return Accounts(
        storage=storage,
        policies=Policies(storage=storage, operator=policy or Policy()),
        gatekeeper=Gatekeeper(directory=Slack(), clock=clock),
        clock=clock,
    )


async def stated(
    storage: MemoryStorage,
    person: str,
    policy: Policy | None = None,
    *,
    channel: str = "CSHOTS",
    month: str | None = None,
) -> Statement:
    return await accounts(storage, policy).statement(workspace="T1", channel=channel, person=person, month=month)


async def usage(storage: MemoryStorage, workspace: str = "T1") -> list[UsageRow]:
    async with storage.read() as tx:
        return [row for row in await tx.ledger.usage(MONTH) if row.workspace == workspace]


async def month(storage: MemoryStorage) -> Breakdown:
    return breakdown(await usage(storage))


# --- the saving ------------------------------------------------------------------------------------------------------


async def test_the_saving_is_what_a_hand_calculation_says(storage: MemoryStorage) -> None:
    found = saving(await usage(storage))
    assert found == Saving(
        as_finals_micro_usd=DRAFTS_AS_FINALS, drafts_micro_usd=THOSE_DRAFTS, finals_micro_usd=FINALS, left_out=1
    )
    assert found.saved_micro_usd == SAVED == DRAFTS_AS_FINALS - THOSE_DRAFTS - FINALS


async def test_the_document_works_out_the_same_month_with_the_same_result(storage: MemoryStorage) -> None:
    rows = re.findall(
        r"^\| (\w\d+) \| (\w+) \| (\S+) \| ?(\S*?) ?\|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [written(order) for order in recorded() if order.hold.at.month == 11]
    (printed,) = re.findall(r"^> (.+)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    found = saving(await usage(storage))
    assert found is not None
    assert printed == saving_words(found)


def written(order: Recorded) -> tuple[str, str, str, str]:
    """An order as the document's table has it."""
    cost = order.settled if order.adjusted is None else order.adjusted
    unknown = "" if order.hold.stage is Stage.DIRECT else "unknown"
    as_final = order.hold.as_final_micro_usd
    return (
        order.hold.job_id,
        order.hold.stage.value,
        "held" if cost is None else dollars(cost),
        unknown if as_final is None else dollars(as_final),
    )


async def test_a_promotion_of_every_draft_costs_more_and_is_said_as_such() -> None:
    storage = MemoryStorage()
    async with storage.begin() as tx:
        await tx.ledger.hold([a_hold(stage=Stage.DRAFT, micro_usd=320_000, as_final_micro_usd=600_000)], ())
        final = a_hold(job_id="j2", stage=Stage.FINAL, micro_usd=600_000, as_final_micro_usd=600_000)
        await tx.ledger.hold([final], ())
        await tx.ledger.settle("T1", "j1", 1, 320_000, at(60))
        await tx.ledger.settle("T1", "j2", 1, 600_000, at(60))
    found = saving(await usage(storage))
    assert found is not None
    assert found.saved_micro_usd == -320_000
    assert saving_words(found) == (
        "Drafting first saved nothing: it cost $0.32 more than rendering every take as a final "
        "(the drafts as finals $0.60 − the drafts $0.32 − the finals $0.60)."
    )


async def test_without_any_price_as_a_final_no_saving_is_claimed() -> None:
    storage = MemoryStorage()
    async with storage.begin() as tx:
        await tx.ledger.hold([a_hold(stage=Stage.DRAFT, as_final_micro_usd=None)], ())
        await tx.ledger.settle("T1", "j1", 1, 320_000, at(60))
    found = saving(await usage(storage))
    assert found is not None
    assert "cannot be said" in saving_words(found)
    assert "$" not in saving_words(found)


async def test_the_final_of_a_draft_that_is_left_out_is_left_out_with_it() -> None:
    storage = MemoryStorage()
    async with storage.begin() as tx:
        for number, stage in enumerate((Stage.DRAFT, Stage.FINAL), start=1):
            await tx.ledger.hold([a_hold(job_id=f"j{number}", stage=stage, as_final_micro_usd=None)], ())
            await tx.ledger.settle("T1", f"j{number}", 1, 320_000, at(60))
    rows = await usage(storage)
    found = saving(rows)
    assert found is not None
    assert (found.saved_micro_usd, found.left_out) == (0, 1)
    assert "cannot be said" in saving_words(found)
    # In another month than its draft there is nothing that it could be compared with.
    assert saving(row for row in rows if row.stage is Stage.FINAL) is None


async def test_a_final_in_the_month_after_its_draft_is_a_loss_in_that_month() -> None:
    storage = MemoryStorage()
    async with storage.begin() as tx:
        await tx.ledger.hold([a_hold(stage=Stage.FINAL, micro_usd=600_000, as_final_micro_usd=600_000)], ())
        await tx.ledger.settle("T1", "j1", 1, 600_000, at(60))
    found = saving(await usage(storage))
    assert found is not None
    assert saving_words(found).startswith("Drafting first saved nothing: it cost $0.60 more")


async def test_clips_rendered_without_a_draft_are_nothing_to_compare() -> None:
    storage = MemoryStorage()
    async with storage.begin() as tx:
        await tx.ledger.hold([a_hold(stage=Stage.DIRECT, as_final_micro_usd=None)], ())
        await tx.ledger.settle("T1", "j1", 1, 320_000, at(60))
    assert saving(await usage(storage)) is None
    assert saving([]) is None


# --- sums ------------------------------------------------------------------------------------------------------------


async def test_a_month_is_summed_in_every_way_and_each_way_adds_up(storage: MemoryStorage) -> None:
    found = await month(storage)
    assert found.total == Figures(clips=12, spent_micro_usd=SPENT, held_micro_usd=HELD, released_micro_usd=GIVEN_BACK)
    assert [(name, line.clips, line.spent_micro_usd) for name, line in found.by_person] == [
        ("UBEN", 6, 372 * CENT),
        ("UMAYA", 6, 311 * CENT),
    ]
    assert dict(found.by_channel)["CLAUNCH"] == Figures(clips=5, spent_micro_usd=279 * CENT, held_micro_usd=HELD)
    assert [(name, line.spent_micro_usd) for name, line in found.by_provider] == [
        ("hiapi", 544 * CENT),
        ("muapi", 139 * CENT),
    ]
    assert [(name, line.spent_micro_usd) for name, line in found.by_tier] == [
        ("mini", 543 * CENT),
        ("standard", 140 * CENT),
    ]
    assert (found.drafts.clips, found.finals.clips, found.direct.clips) == (8, 3, 1)
    assert [line.spent_micro_usd for line in (found.drafts, found.finals, found.direct)] == [
        338 * CENT,
        270 * CENT,
        75 * CENT,
    ]
    for part in (found.by_channel, found.by_person, found.by_provider, found.by_tier, found.by_workspace):
        assert sum(line.spent_micro_usd for _, line in part) == SPENT
        assert sum(line.held_micro_usd for _, line in part) == HELD
        assert sum(line.clips for _, line in part) == 12


@pytest.mark.parametrize("text", ["2026-11", "2000-01", "2999-12"])
def test_a_month_is_read(text: str) -> None:
    assert read_month(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13", "2026-00", "0001-01", "9999-12", "26-11", "2026-1", "2026-11-20", "٢٠٢٦-11", " 2026-11"],
)
def test_what_is_no_month_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(NoMonth) as caught:
        read_month(text)
    assert f"“{text}”" in str(caught.value)


# --- who sees how much -----------------------------------------------------------------------------------------------


async def test_an_admin_sees_the_workspace_by_person_and_no_other_workspace(storage: MemoryStorage) -> None:
    found = await stated(storage, "UADA")
    assert (found.view, found.month, found.current) == (View.WORKSPACE, MONTH, True)
    assert found.figures == await month(storage)
    assert found.own == Figures()


async def test_a_maker_sees_the_channel_and_their_own_part_of_everything(storage: MemoryStorage) -> None:
    found = await stated(storage, "UMAYA")
    assert found.view is View.CHANNEL
    assert [name for name, _ in found.figures.by_channel] == ["CSHOTS"]
    assert found.figures.total.spent_micro_usd == 404 * CENT
    assert found.own == Figures(clips=6, spent_micro_usd=311 * CENT)


@pytest.mark.parametrize("person", ["UGUS", "UUNKNOWN", "UDENIED"])
async def test_who_may_not_spend_sees_their_own_part_alone(storage: MemoryStorage, person: str) -> None:
    async with storage.begin() as tx:
        await tx.ledger.hold([a_hold(job_id="old", person=person, channel="COLD")], ())
    policy = Policy(
        access=AccessRules(people_deny=frozenset({"UDENIED"})), caps=Caps(workspace_month_micro_usd=10_000_000)
    )
    found = await stated(storage, person, policy)
    assert found.view is View.OWN
    assert found.figures.total == found.own == Figures(held_micro_usd=HELD)
    assert [name for name, _ in found.figures.by_person] == [person]
    assert found.balances == ()


async def test_another_month_is_shown_without_what_is_left(storage: MemoryStorage) -> None:
    policy = Policy(caps=Caps(workspace_month_micro_usd=10_000_000))
    found = await stated(storage, "UMAYA", policy, month="2026-10")
    assert (found.month, found.current, found.balances) == ("2026-10", False, ())
    assert found.figures.total == Figures(clips=1, spent_micro_usd=32 * CENT)


# --- what is left ----------------------------------------------------------------------------------------------------


async def test_what_is_left_counts_held_and_spent_and_renews_with_its_period(storage: MemoryStorage) -> None:
    caps = Caps(workspace_month_micro_usd=10_000_000, channel_month_micro_usd=4_500_000, person_day_micro_usd=1_000_000)
    found = await stated(storage, "UBEN", Policy(caps=caps))
    left = {balance.cap.scope: balance for balance in found.balances}
    assert {scope: balance.left_micro_usd for scope, balance in left.items()} == {
        Scope.WORKSPACE_MONTH: 10_000_000 - SPENT - HELD,
        Scope.CHANNEL_MONTH: 4_500_000 - 404 * CENT,
        Scope.PERSON_DAY: 1_000_000 - HELD,
    }
    assert left[Scope.PERSON_DAY].cap.renews_at == datetime(2026, 11, 21, tzinfo=UTC)
    assert left[Scope.CHANNEL_MONTH].cap.renews_at == datetime(2026, 12, 1, tzinfo=UTC)


async def test_only_limits_that_there_are_are_balances_and_none_is_below_zero(storage: MemoryStorage) -> None:
    found = await stated(storage, "UBEN", Policy(caps=Caps(workspace_month_micro_usd=1_000_000)))
    assert [(balance.cap.scope, balance.left_micro_usd) for balance in found.balances] == [(Scope.WORKSPACE_MONTH, 0)]
    assert (await stated(storage, "UBEN")).balances == ()


async def test_an_admins_lower_cap_binds_in_the_figures_too(storage: MemoryStorage) -> None:
    async with storage.begin() as tx:
        await tx.preferences.put(
            PreferencesVersion(
                workspace="T1",
                subject="CSHOTS",
                version=1,
                values={"cap.channel.month": "4.10"},
                changed_by="UADA",
                at=at(),
            )
        )
    policy = Policy(caps=Caps(channel_month_micro_usd=50_000_000))
    (here,) = (await stated(storage, "UBEN", policy)).balances
    (elsewhere,) = (await stated(storage, "UBEN", policy, channel="CLAUNCH")).balances
    assert (here.cap.limit_micro_usd, here.left_micro_usd) == (4_100_000, 6 * CENT)
    assert elsewhere.cap.limit_micro_usd == 50_000_000


async def test_the_month_is_that_of_the_operators_calendar() -> None:
    storage = MemoryStorage()
    policy = Policy(zone=ZoneInfo("Asia/Tokyo"))
    eve = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
    for now, wanted in ((eve - timedelta(seconds=1), "2026-11"), (eve, "2026-12")):
        found = await accounts(storage, policy, now).statement(workspace="T1", channel="C1", person="U1")
        assert found.month == wanted
