"""What a person is answered alone: what was taken, what was refused and why, what went wrong.

Each answer is a whole message, to be sent ephemerally. An error says what happened, what it means for the money, and
what to do next.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from bot.domain.budget import OverCap
from bot.domain.job import Ask, AskKind, Gate, State
from bot.domain.pretend import real_name
from bot.domain.pricing import NoPrice, dollars
from bot.ports import CommitUnknown, StorageBusy
from bot.services.answers import (
    AlreadyTaken,
    Busy,
    CannotMake,
    ChangeUnknown,
    ClipNotThere,
    Estimated,
    Flagged,
    NoClipsHere,
    NoClipStands,
    NoProvider,
    NoSuchClip,
    NotAllowed,
    NothingChanges,
    NothingToDo,
    NotPromotable,
    NotYours,
    OnACard,
    PressUnknown,
    Refusal,
    Taken,
    TakenBackBeforeOrder,
    TooFew,
    TooLateToTakeBack,
    WhichClip,
)
from handlers.blocks.access import not_allowed
from handlers.blocks.kit import Message, escape, local_time, quoted, said
from handlers.blocks.words import counted, either, listed, price_words, provider_name, recipe_words
from handlers.grammar import Help, UsageError
from handlers.grammar.doors import SETTINGS_COMMAND, USAGE_COMMAND

_HELP_OPTIONS = (
    "Options: `--takes 1–8` `--dur 4–15|auto` `--res 480p|720p|1080p` "
    "`--ratio 16:9|9:16|1:1|4:3|3:4|21:9|3:2|adaptive` `--audio` `--no-audio` `--seed 7` `--no text, logos` `--hq` "
    "`--tier mini|fast|standard|vip` `--provider auto|hiapi|apimart|muapi|seedanceapi|empiriolabs` `--final` "
    "`--estimate`. No provider has all of them: who can do what was asked and is cheapest makes it, and what nobody "
    "here can is refused with the reason."
)
_HELP_FILES = (
    "Files: attach them and name the app, `@Dailies make it move`. One picture is the first frame, two are first and "
    "last; or say it: `--first`, `--last` (`--loop`: the first frame is the last too), `--ref` for references, which "
    "the prompt calls @Image1, @Video1 and @Audio1, `--edit` for a video to change, `--extend` for one to go on from. "
    "Each also takes an https link, a file's link in Slack, or a clip of the thread (`--first #2`). `@Dailies cast` "
    "lists the names that prompts can use."
)
_HELP_THREAD = (
    "Clips come into the thread of the card. React to one with :rocket: (rocket), press *Promote* or reply "
    "`promote #2` for its final. Reply `#2 9:16` or `#2 8s, no audio` for a variant, or name the app: "
    "`@Dailies #2 same but at night`. *Cancel* on the card stops what is not ordered yet."
)

Outcome = Taken | Estimated | AlreadyTaken | Flagged | Help
"""What a door may have to answer when nothing went wrong."""

_NOTHING_CHARGED = "Nothing was charged."
_BUSY = (
    f"Dailies cannot reach its database just now, so nothing was accepted. {_NOTHING_CHARGED} Try again in a minute."
)
_IN_DOUBT = "The connection to the database broke just as this was written down, so it is not known whether it was"
_ASK_IN_DOUBT = (
    f"{_IN_DOUBT} accepted. Look for its card before you ask again, in the channel and in the thread of the clip or "
    "message that it is about: if there is one, it was accepted, and the card says what it costs. If there is none a "
    f"minute after `{USAGE_COMMAND}` answers again, it was not accepted and costs nothing: then ask again."
)
_PRESS_IN_DOUBT = (
    f"{_IN_DOUBT} heard. The card shows it within a minute if it was, and what it costs. If the card still looks as it "
    "did, press again: the same press is never charged twice."
)
_CHANGE_IN_DOUBT = (
    f"{_IN_DOUBT} changed. It costs nothing either way. `{SETTINGS_COMMAND}` shows what holds: if it was not changed, "
    "send it again."
)


def answer(outcome: Outcome, *, command: str = "/clip") -> Message:
    """The answer to something that was taken, priced, pressed, or asked about. Pure."""
    match outcome:
        case Taken():
            return said(_taken(outcome))
        case Estimated():
            return said(_estimated(outcome))
        case AlreadyTaken():
            return said(_already(outcome.ask))
        case Flagged():
            return said(_flagged(outcome))
        case Help():
            return said(_help(command))


def explain_error(error: Exception, *, reference: str) -> Message:
    """The answer to an error: calm and exact for the known ones; for any other ``reference``, the code under which
    it is in the log. Pure."""
    match error:
        case UsageError():
            return said(_usage(error))
        case OverCap():
            return said(_over_cap(error))
        case NoPrice():
            return said(_no_price(error))
        case Busy() | StorageBusy():
            return said(_BUSY)
        case CommitUnknown():
            return said(_in_doubt(error))
        case Refusal():
            return said(_refusal(error))
        case _:
            return said(_unknown(reference))


# --- taken -----------------------------------------------------------------------------------------------------------


def _taken(taken: Taken) -> str:
    what, price = _what(taken), _price(taken)
    if taken.ask.gate is Gate.CONFIRMATION:
        until = f" until {local_time(taken.ask.decide_by)}" if taken.ask.decide_by else ""
        return (
            f"{what} would cost {price}, which is above what is spent without a question. "
            f"Press *Confirm* on its card{until}. Nothing is charged before that."
        )
    if taken.ask.gate is Gate.UNDO:
        at = f" at {local_time(taken.ask.decide_by, '{time_secs}')}" if taken.ask.decide_by else ""
        return f"{what} starts by itself{at} and then costs {price}. *Undo* on its card stops it for free until then."
    return f"{what} is accepted; {price} is held for it. Its card says how it stands, and clips come into its thread."


def _what(taken: Taken) -> str:
    of = f" of #{taken.parent.number}" if taken.parent else ""
    numbers = listed(tuple(job.number for job in taken.jobs))
    match taken.ask.kind:
        case AskKind.PROMOTION:
            return f"The final{of} ({numbers})"
        case AskKind.VARIANT:
            return f"Your variant{of} ({numbers})"
        case AskKind.DRAFT:
            return f"Your ask for {counted(len(taken.jobs), 'clip')}"


def _price(taken: Taken) -> str:
    if not taken.jobs:
        return dollars(0)
    return price_words(taken.price_micro_usd, assumed=taken.assumed, provider=taken.jobs[0].provider)


def _estimated(estimate: Estimated) -> str:
    each = price_words(estimate.price_each_micro_usd, assumed=estimate.assumed, provider=estimate.provider)
    total = dollars(estimate.price_each_micro_usd * estimate.takes)
    price = f"{each} a take, {total} for {estimate.takes} takes" if estimate.takes > 1 else each
    confirm = " It would wait for *Confirm* first." if estimate.needs_confirmation else ""
    return (
        f"Estimate: {price}. {recipe_words(estimate.recipe)}, made by {provider_name(estimate.provider)} "
        f"({escape(estimate.model)}), for {quoted(estimate.recipe.prompt, 200)}.{confirm} "
        "Nothing was ordered or charged; send it again without `--estimate` to make it."
    )


def _already(ask: Ask | None) -> str:
    what = "The final of that clip" if ask and ask.kind is AskKind.PROMOTION else "This"
    return f"{what} was asked for already, and nothing is made or charged twice. Its card says how it stands."


def _flagged(flagged: Flagged) -> str:
    what = f"clip #{flagged.job.number}" if flagged.job else "this"
    return f"Noted for {what}. The card shows what comes of it."


def _help(command: str) -> str:
    lines = [
        f"*Dailies makes short AI video.* Type `{command}` and what the clip should show; a draft has 480p and 4 s.",
        f"• `{command} a red panda surfing at sunset` makes one draft",
        f"• `{command} a mug on a desk --takes 3 --ratio 9:16 --dur 8` makes three takes, tall, 8 seconds",
        f"• `{command} rain on a window --no-audio --estimate` says the price and spends nothing",
        f"• `{command} our logo unfolding --final` skips the draft",
        _HELP_OPTIONS,
        _HELP_FILES,
        _HELP_THREAD,
        f"`{command}-usage` says what was spent and what is left, `{command}-settings` what holds in this channel.",
        f"A slash command carries no files and does not work in a thread; reply there instead of typing `{command}`.",
        "Clips are made by AI and may be wrong. The prompt goes to the video provider that the card names.",
    ]
    return "\n".join(lines)


# --- refused ---------------------------------------------------------------------------------------------------------


def _usage(error: UsageError) -> str:
    allowed = f"Allowed: {escape(error.allowed)}." if error.allowed else ""
    # A line to type is code, so that Slack keeps its dashes and straight quotes.
    example = f"Try: `{error.suggestion.replace('`', '')}`" if error.suggestion else ""
    wrong = escape(error.wrong)
    return " ".join(part for part in (wrong, allowed, _NOTHING_CHARGED, example) if part)


def _over_cap(over: OverCap) -> str:
    return (
        f"{over.words(person='you', when=_at)} {_NOTHING_CHARGED} Until then: ask for fewer takes or seconds, or have "
        "an admin raise it, up to what whoever runs Dailies allows (`BUDGET_…`)."
    )


def _at(moment: datetime) -> str:
    return local_time(moment, "{date_short_pretty} at {time}")


def _no_price(error: NoPrice) -> str:
    return (
        f"Nobody publishes what {provider_name(error.provider)} takes for tier {escape(error.tier)} at "
        f"{error.resolution.value}, so it cannot be made. {_NOTHING_CHARGED} Choose another `--res` or `--tier`, or "
        "have whoever runs Dailies name the price in `PRICE_FILE`."
    )


def _refusal(error: Refusal) -> str:
    say = _REFUSALS.get(type(error))
    return say(error) if say else f"{escape(str(error))} {_NOTHING_CHARGED}"


def _which_clip(error: WhichClip) -> str:
    example = error.numbers[-1] if error.numbers else 1
    return (
        f"There are several clips here ({listed(error.numbers)}). {_NOTHING_CHARGED} Begin your reply with the one you "
        f"mean, such as `#{example} 9:16`."
    )


def _no_clip_stands(error: NoClipStands) -> str:
    return (
        f"No clip of this thread came about ({listed(error.numbers)}). {_NOTHING_CHARGED} Name the app and say what it "
        f"should show, or begin your reply with the one to try again, such as `#{error.numbers[-1]} 9:16`."
    )


def _nothing_changes(error: NothingChanges) -> str:
    return (
        f"Clip #{error.number} is like that already, so nothing was made. {_NOTHING_CHARGED} For another two takes of "
        f"the same, reply `#{error.number} x2`."
    )


def _nothing_to_do(error: NothingToDo) -> str:
    return (
        f"*{escape(error.verb)}* is no longer possible here: it was done already, or its time is over. "
        f"{_NOTHING_CHARGED} The card as it is now shows what can be done."
    )


def _on_a_card(_: OnACard) -> str:
    return f"This is a card, and only a clip can be promoted: react to the clip itself. {_NOTHING_CHARGED}"


def _too_late_to_take_back(error: TooLateToTakeBack) -> str:
    job = error.job
    if job.state is State.DELIVERED:
        return f"Final #{job.number} is made already: taking your reaction back gives nothing of its price back."
    return (
        f"Your reaction was taken back too late for final #{job.number}: it goes on, and nothing is given back for "
        "that. *Cancel* on its card stops what can still be stopped."
    )


def _taken_back_before_order(error: TakenBackBeforeOrder) -> str:
    return (
        f"Your reaction was taken back after its time for final #{error.job.number} was over. The reactions are read "
        "once more right before its order: unless that has just been done, it costs you nothing, since it is not "
        "ordered without yours, or the next whose reaction stands pays. Its card says what came of it; *Cancel* there "
        "stops it at once."
    )


def _not_yours(error: NotYours) -> str:
    # Who may is written by us, as mentions; the rest is quoted like anybody's words.
    return f"Only {error.who} may {escape(error.verb)}. {_NOTHING_CHARGED} Ask them to press the button."


def _too_few(error: TooFew) -> str:
    missing = error.quorum - error.there
    react = f"react to the draft with :{error.emoji}: ({error.emoji})" if error.emoji else "want it"
    return (
        f"A final needs {error.quorum} people behind it in this channel, and with you there "
        f"{'is' if error.there == 1 else 'are'} {error.there} of them. {_NOTHING_CHARGED} When {missing} more who may "
        f"spend here {react}, press *Confirm* again."
    )


def _no_provider(error: NoProvider) -> str:
    if not error.configured:
        return (
            f"No video provider is set up, so no clip can be made. {_NOTHING_CHARGED} Whoever runs Dailies has to give "
            "it a provider's key (`dailies doctor` says how)."
        )
    names = ", ".join(escape(real_name(name)) for name in error.configured)
    wanted = f"There is no provider {quoted(error.wanted, 60)} here. " if error.wanted else ""
    return f"{wanted}{_NOTHING_CHARGED} Providers set up: {names}. Use one of them with `--provider`, or leave it out."


def _cannot_make(error: CannotMake) -> str:
    lines = [
        f"• {escape(misfit.option)} {quoted(misfit.asked, 60)}: it has {escape(misfit.allowed)}."
        for misfit in error.misfits
    ]
    return "\n".join([f"{provider_name(error.provider)} cannot make this. {_NOTHING_CHARGED}", *lines, _instead(error)])


def _instead(error: CannotMake) -> str:
    """What helps: another provider that is set up, one that could be, or another wish."""
    if error.able:
        others = either(f"`--provider {escape(real_name(name))}`" for name in error.able)
        return f"Ask for {others}, or leave `--provider` out; or change that and ask again."
    if error.would:
        others = either(provider_name(name) for name in error.would)
        return f"Change that and ask again. {others} could make it, if whoever runs Dailies gave it a key."
    return "Change that and ask again."


def _no_such_clip(error: NoSuchClip) -> str:
    there = f"There are {listed(error.numbers)}." if len(error.numbers) > 1 else ""
    there = there or (f"There is only {listed(error.numbers)}." if error.numbers else "There are no clips here yet.")
    return f"There is no clip #{error.number} in this thread. {_NOTHING_CHARGED} {there}"


def _no_clips_here(error: NoClipsHere) -> str:
    return (
        f"#{error.number} names a clip of a thread, and this was not said in one. {_NOTHING_CHARGED} Reply in the "
        f"thread of clip #{error.number} instead, naming the app or with settings."
    )


def _clip_not_there(error: ClipNotThere) -> str:
    job = error.job
    if job.finished:
        why, then = f"there is no file of it (it is {job.state.value})", "Take another clip"
    else:
        why, then = f"its file is not here yet (it is {job.state.value})", "Ask again once it is posted"
    return f"Clip #{job.number} cannot be given: {why}. {_NOTHING_CHARGED} {then}."


def _not_promotable(error: NotPromotable) -> str:
    job = error.job
    if job.state is State.DELIVERED:
        why, then = "is a final already, or as good as one", "Reply with settings for a variant of it"
    elif job.finished:
        why, then = f"was never posted (it is {job.state.value})", "Ask for it again first"
    else:
        why, then = f"is not here yet (it is {job.state.value})", "Promote it once it is posted"
    return f"Clip #{job.number} {why}, so it cannot be promoted. {_NOTHING_CHARGED} {then}."


def _in_doubt(error: CommitUnknown) -> str:
    match error:
        case PressUnknown():
            return _PRESS_IN_DOUBT
        case ChangeUnknown():
            return _CHANGE_IN_DOUBT
        case _:
            return _ASK_IN_DOUBT


def _unknown(reference: str) -> str:
    return (
        "Something went wrong in Dailies, and this could not be done. If a card of it stands in the channel, it was "
        "accepted and goes on; otherwise nothing was ordered or charged. Try again; if it happens again, tell whoever "
        f"runs Dailies this code: `{reference.replace('`', '')}`."
    )


_REFUSALS: Mapping[type[Refusal], Callable[[Any], str]] = MappingProxyType(
    {
        NoProvider: _no_provider,
        CannotMake: _cannot_make,
        NoSuchClip: _no_such_clip,
        NoClipsHere: _no_clips_here,
        ClipNotThere: _clip_not_there,
        WhichClip: _which_clip,
        NoClipStands: _no_clip_stands,
        NothingChanges: _nothing_changes,
        NotPromotable: _not_promotable,
        NothingToDo: _nothing_to_do,
        NotYours: _not_yours,
        NotAllowed: not_allowed,
        OnACard: _on_a_card,
        TooFew: _too_few,
        TakenBackBeforeOrder: _taken_back_before_order,
        TooLateToTakeBack: _too_late_to_take_back,
    }
)
