"""The answer to ``/clip-usage``: a month's money in words, for one person alone."""

from bot.domain.budget import whose
from bot.domain.figures import Figures, saving_words
from bot.domain.pricing import dollars
from bot.domain.statement import Balance, Statement, View
from handlers.blocks.kit import MESSAGE_TEXT, Message, cut, escape, local_time, mrkdwn, said, small
from handlers.blocks.words import counted, provider_name

_MOST_LINES = 12
"""Of one list; what is beyond is summed up. The command line prints all of it."""


def statement_message(statement: Statement) -> Message:
    """The whole answer. Pure."""
    if statement.figures.total.nothing and not statement.balances:
        return said(_nothing(statement))
    paragraphs = [part for part in (_head(statement), *_lists(statement), _passes(statement), _left(statement)) if part]
    blocks = [mrkdwn(part) for part in paragraphs]
    if note := _note(statement):
        blocks.append(small(note))
    text = "\n\n".join([*paragraphs, note] if note else paragraphs)
    return Message(text=cut(text, MESSAGE_TEXT), blocks=blocks)


def _head(statement: Statement) -> str:
    whose = {
        View.WORKSPACE: "This workspace",
        View.CHANNEL: f"<#{statement.channel}>",
        View.OWN: "You",
    }[statement.view]
    lines = [f"*{whose} in {statement.month}*: {_figures(statement.figures.total)}"]
    if statement.view is not View.OWN:
        where = "" if statement.view is View.WORKSPACE else " in all channels"
        lines.append(f"Yours{where}: {_figures(statement.own)}")
    return "\n".join(lines)


def _lists(statement: Statement) -> list[str]:
    figures = statement.figures
    people = [(f"<@{person}>", line) for person, line in figures.by_person]
    channels = [(f"<#{channel}>", line) for channel, line in figures.by_channel]
    providers = [(provider_name(name), line) for name, line in figures.by_provider]
    tiers = [(f"tier {escape(name)}", line) for name, line in figures.by_tier]
    lists = [("By provider", providers), ("By tier", tiers)]
    if statement.view is View.WORKSPACE:
        lists = [("By channel", channels), ("By person", people), *lists]
    if statement.view is View.OWN:
        lists = [("By channel", channels), *lists]
    return [_list(title, lines) for title, lines in lists if lines]


def _list(title: str, lines: list[tuple[str, Figures]]) -> str:
    shown = [f"• {name}: {_figures(figures)}" for name, figures in lines[:_MOST_LINES]]
    rest = lines[_MOST_LINES:]
    if rest:
        spent = sum(figures.spent_micro_usd for _, figures in rest)
        held = sum(figures.held_micro_usd for _, figures in rest)
        shown.append(f"• {len(rest)} more: {dollars(spent)} spent, {dollars(held)} held")
    return "\n".join([f"*{title}*", *shown])


def _figures(figures: Figures) -> str:
    held = f", {dollars(figures.held_micro_usd)} held" if figures.held_micro_usd else ""
    return f"{dollars(figures.spent_micro_usd)} spent on {counted(figures.clips, 'clip')}{held}{figures.assumed_words}"


def _passes(statement: Statement) -> str:
    figures = statement.figures
    stages = (("Drafts", figures.drafts), ("Finals", figures.finals), ("Without a draft", figures.direct))
    lines = [f"{name}: {_figures(line)}" for name, line in stages if not line.nothing]
    if figures.saving is not None:
        lines.append(saving_words(figures.saving))
    return "\n".join(lines)


def _left(statement: Statement) -> str:
    if not statement.balances:
        return ""
    return "\n".join(["*Left*", *(f"• {_balance(balance)}" for balance in statement.balances)])


def _balance(balance: Balance) -> str:
    limit = dollars(balance.cap.limit_micro_usd or 0)
    return (
        f"{dollars(balance.left_micro_usd)} of {limit} for {whose(balance.cap.scope)}; "
        f"renews {local_time(balance.cap.renews_at, '{date_short_pretty} at {time}')}"
    )


def _note(statement: Statement) -> str:
    if statement.view is View.OWN:
        return (
            "Only your own part is shown: the channel's figures are for people who may spend in it. "
            "If you should be one of them, ask an admin of this workspace."
        )
    if statement.current and not statement.balances:
        return "Nothing has a limit here: whoever runs Dailies can set one (`BUDGET_…`), and so can admins."
    return ""


def _nothing(statement: Statement) -> str:
    whose = {View.WORKSPACE: "in this workspace", View.CHANNEL: f"in <#{statement.channel}>", View.OWN: "by you"}
    note = _note(statement)
    return f"Nothing was spent or held {whose[statement.view]} in {statement.month}." + (f" {note}" if note else "")
