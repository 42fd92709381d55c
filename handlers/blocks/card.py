"""The card of an ask: one message that shows how its clips stand and offers what can be done now."""

from dataclasses import replace
from datetime import datetime
from itertools import accumulate

from bot.domain.failure import Failure, FailureKind
from bot.domain.job import AWAITS_PROVIDER, Ask, AskKind, Decision, Gate, Job, State
from bot.domain.pricing import dollars
from bot.domain.recipe import Recipe
from bot.ports import Balance, Card, Turn
from handlers.blocks.kit import (
    CONTEXT_TEXT,
    MESSAGE_TEXT,
    Block,
    Message,
    button,
    buttons,
    cut,
    dialog,
    escape,
    local_time,
    mrkdwn,
    one_line,
    plain,
    quoted,
    small,
    small_plain,
)
from handlers.blocks.states import OUR_WORDS, explain
from handlers.blocks.words import counted, ordinal, price_note, price_words, provider_name, recipe_words

LONGEST_PROMPT = 1500
"""Characters of a prompt on a card; the whole of it is in the recipe."""

LONGEST_NOTE = 300
OFFERED_AT = "@"
"""Stands between a clip and the price in micro-dollars at which its button offers it."""
MOST_NOTE_LINES = 6
LONGEST_PROMPT_IN_TEXT = 400

STOPPABLE = frozenset({State.WAITING, State.QUEUED, State.SUBMITTING, State.RENDERING, State.LATE, State.DOWNLOADING})
"""Where *Cancel* still changes something. An uncertain clip has *Give up* instead."""

_BETWEEN = " · "
_ORDERED = STOPPABLE - {State.WAITING, State.QUEUED}


_HELD = frozenset({State.WAITING, State.QUEUED, State.SUBMITTING, State.RENDERING, State.LATE, State.UNCERTAIN})
"""Where money is set aside, or would be: once a clip is rendered its cost is known."""


def card(shown: Card) -> Message:
    """The card's message. Pure."""
    shown = _as_decided(shown)
    ask, jobs = shown.ask, shown.jobs
    blocks = [
        mrkdwn(_headline(shown)),
        plain(_prompt(shown), LONGEST_PROMPT),
        *[small_plain(note) for note in _notes(ask.notes)],
        small(_plan(jobs)),
        *_negative(jobs),
        small(_money(shown)),
        *_gate(shown),
    ]
    for job in jobs:
        blocks += _row(shown, job)
    blocks += _ask_buttons(shown)
    if hint := _hint(shown, shown.promote_emoji):
        blocks.append(small(hint))
    return Message(text=_text(shown), blocks=blocks)


def _as_decided(shown: Card) -> Card:
    """Clips of a stopped ask are shown as they will end: the decision stands on disk and none of them can be ordered
    any more, though each is only moved when the runner comes to it."""
    if shown.ask.decision is not Decision.STOP:
        return shown
    ended = tuple(replace(job, state=State.CANCELLED) if job.state is State.WAITING else job for job in shown.jobs)
    return replace(shown, jobs=ended)


# --- words -----------------------------------------------------------------------------------------------------------


def _headline(shown: Card) -> str:
    ask, of = shown.ask, f"#{shown.parent.number}" if shown.parent else "a clip"
    who = f"<@{ask.person}>"
    match ask.kind:
        case AskKind.PROMOTION:
            return f"*Final of {of}*, asked for by {who}: the same recipe again, a re-shoot and not an upscale."
        case AskKind.VARIANT:
            return f"*Variant of {of}*, asked for by {who}."
        case AskKind.DRAFT:
            return f"*Draft*, asked for by {who}."


def _prompt(shown: Card) -> str:
    return _recipe(shown.jobs).prompt if shown.jobs else shown.ask.text or "(no prompt)"


def _recipe(jobs: tuple[Job, ...]) -> Recipe:
    return jobs[0].recipe


def _plan(jobs: tuple[Job, ...]) -> str:
    if not jobs:
        return "Nothing was made of it."
    first = jobs[0]
    parts = [recipe_words(first.recipe), counted(len(jobs), "take")]
    makers = dict.fromkeys(f"{provider_name(job.provider)} ({escape(job.model)})" for job in jobs)
    return " · ".join([*parts, " and ".join(makers)])


def _notes(notes: tuple[str, ...]) -> list[str]:
    """What the ask has to say beside its recipe, a line each; somebody's words may be among them. What there is no line
    for shares the last one."""
    alone = notes if len(notes) <= MOST_NOTE_LINES else notes[: MOST_NOTE_LINES - 1]
    rest = notes[len(alone) :]
    return [*(cut(one_line(note), LONGEST_NOTE) for note in alone), *([_together(rest)] if rest else [])]


def _together(notes: tuple[str, ...]) -> str:
    """Notes as one line, and how many of them it has no room for."""
    said = [cut(one_line(note), LONGEST_NOTE) for note in notes]
    lengths = accumulate(len(note) + len(_BETWEEN) for note in said)
    shown = sum(length <= CONTEXT_TEXT - len(_BETWEEN) - len("and 99 more") for length in lengths)
    more = [f"and {len(said) - shown} more"] if shown < len(said) else []
    return _BETWEEN.join([*said[:shown], *more])


def _negative(jobs: tuple[Job, ...]) -> list[Block]:
    negative = jobs[0].recipe.negative if jobs else None
    return [small_plain(f"Not to be seen: {negative}", LONGEST_NOTE)] if negative else []


def _money(shown: Card) -> str:
    """What is held and what is spent. A clip whose cost is known is no longer held."""
    jobs = shown.jobs
    going_on = [job for job in jobs if job.state in _HELD]
    priced = sum(job.price_micro_usd for job in going_on)
    each = f" ({len(going_on)} × {dollars(going_on[0].price_micro_usd)})" if len(going_on) > 1 else ""
    if going_on and _undecided(shown.ask):
        return f"Would cost {dollars(priced)}{each}{_note(jobs)}. Nothing is held or charged yet."
    balance = shown.balance or Balance(held=priced, spent=sum(job.cost_micro_usd or 0 for job in jobs))
    if not going_on:
        as_priced = balance.spent == sum(job.price_micro_usd for job in jobs if job.cost_micro_usd)
        if not balance.spent:
            return "Nothing was charged."
        return f"Cost {dollars(balance.spent)}{_note(jobs, as_priced=as_priced)}"
    if not balance.held:
        already = f"{dollars(balance.spent)} spent so far" if balance.spent else "Nothing is held or charged now"
        return f"{already}{_queue(shown)}"
    already = f" · {dollars(balance.spent)} spent" if balance.spent else ""
    return f"Held {dollars(balance.held)}{each if balance.held == priced else ''}{_note(jobs)}{already}{_queue(shown)}"


def _note(jobs: tuple[Job, ...], *, as_priced: bool = True) -> str:
    """What is to be known about the price; a cost of its own is no assumption."""
    return price_note(jobs[0].provider, assumed=as_priced and jobs[0].price_assumed)


def _queue(shown: Card) -> str:
    if not any(job.state is State.QUEUED for job in shown.jobs):
        return ""
    if shown.turn is not None:
        return f" · {_turn(shown.turn)}"
    if shown.ahead is None:
        return ""
    place = "next in line" if shown.ahead == 0 else f"{counted(shown.ahead, 'clip')} ahead in the queue when posted"
    return f" · {place}"


def _turn(turn: Turn) -> str:
    """Nobody is refused for having much under way: it takes turns, and other people's clips are not held up."""
    place = "next" if turn.place == 1 else f"{ordinal(turn.place)} in line"
    running = "1 clip of yours is" if turn.running == 1 else f"{turn.running} clips of yours are"
    return f"{running} running, as many as may at once; this is {place}"


def _undecided(ask: Ask) -> bool:
    return ask.gate is not None and ask.decision is None


def _open(ask: Ask, now: datetime) -> bool:
    """Whether the ask's question can still be answered."""
    return _undecided(ask) and (ask.decide_by is None or now < ask.decide_by)


def _gate(shown: Card) -> list[Block]:
    words = _gate_words(shown)
    return [mrkdwn(words)] if words else []


def _gate_words(shown: Card) -> str:
    ask = shown.ask
    if ask.decision is Decision.STOP:
        if ask.decided_by:
            return f"Stopped by <@{ask.decided_by}> before anything was ordered. Nothing was charged."
        if shown.jobs and all(job.state is State.FAILED for job in shown.jobs):
            # Nobody took it back: each clip says what stood in its way.
            return ""
        return _too_few(shown.jobs) or _EXPIRED[ask.gate]
    if ask.decision is Decision.GO and ask.gate is Gate.CONFIRMATION and ask.decided_by:
        return f"Confirmed by <@{ask.decided_by}>, who pays."
    if not _open(ask, shown.now):
        return ""
    total = dollars(sum(job.price_micro_usd for job in shown.jobs))
    if ask.gate is Gate.CONFIRMATION:
        until = f" The offer ends at {local_time(ask.decide_by)}." if ask.decide_by else ""
        return f"This would cost {total}. {_who_confirms(ask)}{until}"
    at = f" at {local_time(ask.decide_by, '{time_secs}')}" if ask.decide_by else " in a moment"
    return f"It starts by itself{at} and then costs {total}, unless somebody presses *Undo*."


def _who_confirms(ask: Ask) -> str:
    """Whose press it takes, and whose money it is then."""
    if ask.kind is AskKind.PROMOTION:
        return "Press *Confirm* to spend it, or *Cancel*: whoever may spend here can confirm it, and then pays."
    return f"Press *Confirm* to spend it, or *Cancel*: only <@{ask.person}> can confirm it."


def _too_few(jobs: tuple[Job, ...]) -> str:
    """Why a promotion did not go ahead although somebody stood behind it."""
    failure = next((job.failure for job in jobs if job.failure and job.failure.kind is FailureKind.TOO_FEW), None)
    if failure is None:
        return ""
    return (
        f"Not started: the reactions of {escape(failure.detail)} people who may spend here stood when its time was "
        "over. Nothing was charged."
    )


_EXPIRED = {
    Gate.CONFIRMATION: "Nobody confirmed this in time. Nothing was charged.",
    Gate.UNDO: "This was taken back before anything was ordered. Nothing was charged.",
    None: "Stopped before anything was ordered. Nothing was charged.",
}


def _row_words(shown: Card, job: Job) -> str:
    take = f" · take {job.take} of {job.takes}" if job.takes > 1 else ""
    return f"*#{job.number}*{take} · *{job.state.value}*{_row_price(job)}\n{_explained(shown, job)}"


def _explained(shown: Card, job: Job) -> str:
    return explain(job, stoppable=job.id in shown.stoppable)


def _row_price(job: Job) -> str:
    if job.cost_micro_usd is None:
        return ""
    assumed = job.price_assumed and job.cost_micro_usd == job.price_micro_usd
    return f" · {price_words(job.cost_micro_usd, assumed=assumed, provider=job.provider)}"


def _row(shown: Card, job: Job) -> list[Block]:
    words = [mrkdwn(_row_words(shown, job)), *_provider_words(job, job.failure)]
    return [*words, *buttons(_clip_buttons(shown, job))]


def _provider_words(job: Job, failure: Failure | None) -> list[Block]:
    if failure is None or not failure.detail or job.state not in {State.FAILED, State.WAITING}:
        return []
    if failure.kind in OUR_WORDS:
        return []
    return [small_plain(f"In {provider_name(job.provider)}'s words: {failure.detail}")]


# --- buttons ---------------------------------------------------------------------------------------------------------


def _clip_buttons(shown: Card, job: Job) -> list[Block]:
    ask, clip, value = shown.ask, f"clip #{job.number}", f"{job.id}:{job.attempt}"
    if job.state is State.UNCERTAIN:
        return _uncertain_buttons(job, value)
    if job.state is State.DELIVERED and ask.kind is not AskKind.PROMOTION:
        says = f"Promote {clip}: render its final"
        return [button("Promote", value=f"{job.id}:{ask.version}", says=says, style="primary")]
    if job.state is State.WAITING and job.wait_reason in AWAITS_PROVIDER and not job.cancel_by:
        return [_elsewhere_button(shown, job)]
    kept = job.state is State.CANCELLED and job.clip_key is not None and job.message_ts is None
    stuck = job.state is State.DELIVERING and job.trouble is not None
    if kept or stuck:
        return [button("Deliver again", value=value, says=f"Deliver {clip} again")]
    return []


def _elsewhere_button(shown: Card, job: Job) -> Block:
    """It carries the price that it shows: by then it may cost less, and not more."""
    offer, here = shown.elsewhere.get(job.id), provider_name(job.provider)
    if offer is None:
        most = job.price_micro_usd
        words = (
            "No other provider that can make it takes orders now. One that does when you press makes it, unless it "
            f"costs more than the {dollars(most)} that it would cost at {here}."
        )
    else:
        most = offer.price_micro_usd
        price = price_words(most, assumed=offer.price_assumed, provider=offer.provider)
        words = (
            f"{provider_name(offer.provider)} makes it at {price}, or a cheaper one if there is one by then, as far as "
            f"the caps allow. At {here} it would cost {dollars(job.price_micro_usd)}; nothing is charged there."
        )
    other = dialog(f"Use another provider for #{job.number}?", words, yes="Use another", no="Wait")
    value = f"{job.id}{OFFERED_AT}{most}:{job.attempt}"
    return button(
        "Use another provider", value=value, says=f"Use another provider for clip #{job.number}", confirm=other
    )


def _uncertain_buttons(job: Job, value: str) -> list[Block]:
    clip, price = f"clip #{job.number}", dollars(job.price_micro_usd)
    charge = price_words(job.price_micro_usd, assumed=job.price_assumed, provider=job.provider)
    twice = dialog(
        f"Order #{job.number} again?",
        f"The first order may have been taken and charged. A second one may charge {charge} a second time.",
        yes="Order again",
        no="Leave it",
        danger=True,
    )
    lost = dialog(
        f"Give #{job.number} up?",
        f"{price} is counted as spent, and the clip is not waited for any longer.",
        yes="Give up",
        no="Leave it",
    )
    return [
        button("Check again", value=value, says=f"Check {clip} again"),
        button("Order again", value=value, says=f"Order {clip} again; may charge twice", style="danger", confirm=twice),
        button("Give up", value=value, says=f"Give {clip} up", confirm=lost),
    ]


def _ask_buttons(shown: Card) -> list[Block]:
    ask, value = shown.ask, f"{shown.ask.id}:{shown.ask.version}"
    if _open(ask, shown.now) and ask.gate is Gate.UNDO:
        return buttons([button("Undo", value=value, says="Undo: nothing is ordered or charged", style="danger")])
    found = []
    if _open(ask, shown.now) and ask.gate is Gate.CONFIRMATION:
        total = dollars(sum(job.price_micro_usd for job in shown.jobs))
        found.append(button("Confirm", value=value, says=f"Confirm: spend {total}", style="primary"))
    if cancellable(shown.jobs):
        found.append(button("Cancel", value=value, says="Cancel this ask", confirm=_cancel_dialog(shown)))
    return buttons(found)


def cancellable(jobs: tuple[Job, ...]) -> bool:
    """Whether *Cancel* would still change something."""
    return any(job.state in STOPPABLE and not job.cancel_by for job in jobs)


def _cancel_dialog(shown: Card) -> Block | None:
    """Stopping what is free needs no question; stopping what is paid for does."""
    ordered = [job for job in shown.jobs if job.state in _ORDERED]
    stoppable = [job for job in ordered if job.id in shown.stoppable and job.state is not State.DOWNLOADING]
    uncertain = any(job.state is State.UNCERTAIN for job in shown.jobs)
    if not ordered and not uncertain:
        return None
    parts = ["Clips that are not ordered yet are stopped for free."]
    if stoppable:
        parts.append(
            f"{provider_name(stoppable[0].provider)} is asked to stop what it is rendering, and may charge for it."
        )
    if len(stoppable) < len(ordered):
        parts.append("Clips that are ordered already are charged all the same; they are kept and not posted.")
    if uncertain:
        parts.append("Uncertain ones are counted as spent.")
    return dialog("Cancel this ask?", " ".join(parts), yes="Cancel it", no="Go on")


def _hint(shown: Card, emoji: str | None) -> str:
    """Which gesture does what, once."""
    living = [job for job in shown.jobs if job.state not in {State.FAILED, State.CANCELLED}]
    if not living or shown.ask.decision is Decision.STOP:
        return ""
    number = living[0].number
    reply = f"reply `#{number} 9:16` or `#{number} 8s` for a variant"
    if shown.ask.kind is AskKind.PROMOTION:
        return f"Once it is posted: {reply}."
    gesture = f"react to it with :{emoji}: ({emoji}) or press *Promote*" if emoji else "press *Promote*"
    return f"Once a clip is posted: {gesture} for its final; {reply}."


# --- the whole as text -----------------------------------------------------------------------------------------------


def _text(shown: Card) -> str:
    parts = [
        _headline(shown),
        quoted(_prompt(shown), LONGEST_PROMPT_IN_TEXT),
        *[escape(note) for note in _notes(shown.ask.notes)],
        _plan(shown.jobs) + ".",
        _money(shown).rstrip(".") + ".",
        _gate_words(shown),
        *[_row_words(shown, job).replace("\n", ": ") for job in shown.jobs],
    ]
    return cut("\n".join(part for part in parts if part), MESSAGE_TEXT)
