"""The words of ``/clip-usage``: what each kind of person reads, within Slack's limits, nothing in them alive."""

from dataclasses import replace
from datetime import UTC, datetime

from bot.domain.budget import Cap, Scope, Stage, UsageRow
from bot.domain.figures import Figures, breakdown, summed
from bot.domain.statement import Balance, Statement, View
from handlers.blocks.kit import MESSAGE_BLOCKS, MESSAGE_TEXT, SECTION_TEXT, Message, local_time
from handlers.blocks.usage import statement_message

RENEWS = datetime(2026, 12, 1, tzinfo=UTC)
MONTH_CAP = Cap(scope=Scope.CHANNEL_MONTH, subject="C1", period="2026-11", limit_micro_usd=10_000_000, renews_at=RENEWS)


def a_row(stage: Stage = Stage.DRAFT, **changes: object) -> UsageRow:
    """Two drafts of U1 in C1 that cost 32 cents each, would have cost 60 as finals, and one more that is held."""
    row = UsageRow(
        workspace="T1",
        month="2026-11",
        channel="C1",
        person="U1",
        provider="hiapi",
        tier="mini",
        stage=stage,
        held_micro_usd=320_000,
        settled_micro_usd=640_000,
        released_micro_usd=0,
        assumed_micro_usd=0,
        clips=2,
        as_final_micro_usd=1_200_000 if stage is Stage.DRAFT else 0,
        compared_micro_usd=640_000 if stage is Stage.DRAFT else 600_000 if stage is Stage.FINAL else 0,
        compared_clips=2 if stage is Stage.DRAFT else 1 if stage is Stage.FINAL else 0,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def a_statement(*rows: UsageRow, view: View = View.CHANNEL, current: bool = True, left: int | None = 1) -> Statement:
    cap = Balance(cap=MONTH_CAP, committed_micro_usd=960_000)
    return Statement(
        month="2026-11",
        current=current,
        view=view,
        channel="C1",
        person="U1",
        figures=breakdown(rows),
        own=summed(row for row in rows if row.person == "U1"),
        balances=(cap,) * (left or 0),
    )


def whole(message: Message) -> str:
    """All that the blocks show, as the text must say it too."""
    parts = [
        block["text"]["text"] if block["type"] == "section" else block["elements"][0]["text"]
        for block in message.blocks
    ]
    return "\n\n".join(parts)


def test_a_maker_reads_the_channel_their_own_part_the_saving_and_what_is_left() -> None:
    final = a_row(Stage.FINAL, held_micro_usd=0, settled_micro_usd=600_000, clips=1, person="U2")
    message = statement_message(a_statement(a_row(), final))
    assert message.text == whole(message)
    lines = message.text.splitlines()
    assert lines[0] == "*<#C1> in 2026-11*: $1.24 spent on 3 clips, $0.32 held"
    assert "Yours in all channels: $0.64 spent on 2 clips, $0.32 held" in lines
    assert "• HiAPI: $1.24 spent on 3 clips, $0.32 held" in lines
    assert "Drafts: $0.64 spent on 2 clips, $0.32 held" in lines
    assert "Finals: $0.60 spent on 1 clip" in lines
    assert (
        "Drafting first saved nothing: it cost $0.04 more than rendering every take as a final "
        "(the drafts as finals $1.20 − the drafts $0.64 − the finals $0.60)." in lines
    )
    renews = local_time(RENEWS, "{date_short_pretty} at {time}")
    assert f"• $9.04 of $10.00 for this channel for the month; renews {renews}" in lines
    assert "<@U2>" not in message.text, "what others spent one by one is for admins"


def test_an_admin_reads_the_workspace_by_channel_and_person() -> None:
    rows = (a_row(), a_row(person="U2", channel="C2", settled_micro_usd=2_000_000))
    message = statement_message(a_statement(*rows, view=View.WORKSPACE))
    lines = message.text.splitlines()
    assert lines[0].startswith("*This workspace in 2026-11*: $2.64 spent on 4 clips")
    assert lines.index("• <@U2>: $2.00 spent on 2 clips, $0.32 held") < lines.index(
        "• <@U1>: $0.64 spent on 2 clips, $0.32 held"
    ), "the most first"
    assert "• <#C2>: $2.00 spent on 2 clips, $0.32 held" in lines


def test_who_sees_only_their_own_part_is_told_so() -> None:
    message = statement_message(a_statement(a_row(), view=View.OWN, left=0))
    assert message.text.startswith("*You in 2026-11*: $0.64")
    assert "Only your own part is shown" in message.text
    assert "ask an admin" in message.text


def test_no_limit_at_all_is_said_for_the_present_month_only() -> None:
    assert "Nothing has a limit here" in statement_message(a_statement(a_row(), left=0)).text
    assert "limit" not in statement_message(a_statement(a_row(), left=0, current=False)).text


def test_a_draft_without_a_price_as_a_final_is_counted_beside_the_saving() -> None:
    unknown = a_row(tier="standard", as_final_micro_usd=0, compared_micro_usd=0, compared_clips=0)
    text = statement_message(a_statement(a_row(), unknown)).text
    assert "saved $0.56" in text
    assert "2 more drafts stand outside: no price as a final is known." in text


def test_nothing_spent_is_one_sentence_and_an_untouched_cap_is_still_shown() -> None:
    nothing = statement_message(a_statement(left=0, current=False))
    assert nothing.text == "Nothing was spent or held in <#C1> in 2026-11."
    capped = statement_message(a_statement())
    assert capped.text.splitlines()[0] == "*<#C1> in 2026-11*: $0.00 spent on 0 clips"
    assert "$9.04 of $10.00" in capped.text
    assert breakdown([]).total == Figures()


def test_a_large_workspace_fits_into_slacks_limits_and_nothing_is_lost_in_the_sum() -> None:
    rows = [
        a_row(person=f"U{number:03}", channel=f"C{number:03}", settled_micro_usd=1_000_000, tier=f"t{number:03}")
        for number in range(200)
    ]
    message = statement_message(a_statement(*rows, view=View.WORKSPACE))
    assert len(message.text) <= MESSAGE_TEXT
    assert len(message.blocks) <= MESSAGE_BLOCKS
    assert all(len(block["text"]["text"]) <= SECTION_TEXT for block in message.blocks if block["type"] == "section")
    assert "• 188 more: $188.00 spent, $60.16 held" in message.text.splitlines()


def test_a_name_that_a_provider_or_an_operator_chose_does_not_come_to_life() -> None:
    message = statement_message(a_statement(a_row(provider="<!channel>", tier="*bold* <https://evil.example|x>")))
    for live in ("<!channel>", "*bold*", "<https://"):
        assert live not in message.text
        assert live not in whole(message)
