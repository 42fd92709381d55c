"""How a clip stands, as one or more full sentences: what happened, what it means for the money, what to do next.

Every sentence is mrkdwn of our own; a provider's words never stand in it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bot.domain.failure import FailureKind
from bot.domain.job import Job, State, WaitReason
from bot.domain.pretend import is_pretend
from bot.domain.pricing import dollars
from bot.domain.trouble import Trouble
from handlers.blocks.kit import escape, local_time
from handlers.blocks.top_up import top_up
from handlers.blocks.words import price_words, provider_name

_BY_ITSELF = "It is tried again by itself."

TROUBLES: Mapping[Trouble, str] = MappingProxyType(
    {
        Trouble.UNKNOWN_ORDER: "{provider} has not confirmed the order. It is asked again under the same order number, "
        "which cannot be charged twice.",
        Trouble.PROVIDER_UNREACHABLE: f"{{provider}} could not be reached. {_BY_ITSELF}",
        Trouble.PROVIDER_BUSY: f"{{provider}} is busy and asks us to wait. {_BY_ITSELF}",
        Trouble.FILE_AWAY: f"{{file}} cannot be fetched at the moment. {_BY_ITSELF}",
        Trouble.FILE_NOT_CHECKED: f"{{file}} cannot be checked or kept at the moment. {_BY_ITSELF} Whoever runs "
        "Dailies may have to make room.",
        Trouble.FILE_NOT_TAKEN: f"{{provider}} does not take the files of this ask at the moment. {_BY_ITSELF}",
        Trouble.PROVIDER_ABSENT: "{paid}, and cannot be looked at until the key of {provider} is set again "
        "({setting}): whoever runs Dailies has to do that. It then goes on by itself, while {provider} still has it.",
        Trouble.REACTIONS_UNREAD: "Slack does not say whose reactions still stand behind this, so it is not ordered "
        f"yet. {_BY_ITSELF} *Cancel* stops it for free.",
        Trouble.NO_NEWS: "Checked: nothing more is known about the order than before.",
        Trouble.DOWNLOAD_FAILS: "The clip is rendered and charged, and could not be downloaded from {provider} so far. "
        "It is tried again by itself until {provider} deletes it.",
        Trouble.NOT_A_CLIP: "The clip is rendered and charged, but what {provider} hands out so far is not a whole "
        "video. It is fetched again by itself until {provider} deletes it.",
        Trouble.TOO_LARGE: "The clip is rendered and charged, and larger than Dailies may store. It is fetched by "
        "itself when whoever runs Dailies raises `MAX_CLIP_MB` before {provider} deletes it.",
        Trouble.STORE_FULL: "The clip is rendered and charged, and our own storage could not take or give it. "
        f"{_BY_ITSELF} Whoever runs Dailies may have to make room.",
        Trouble.SLACK_AWAY: f"The clip is safe on our storage, and Slack did not answer. {_BY_ITSELF}",
        Trouble.SLACK_REFUSES_PLACE: "The clip is safe on our storage, and Slack does not let it into this channel. "
        "Invite the app here (or unarchive the channel), then press *Deliver again*; it is also tried again by itself.",
        Trouble.SLACK_REFUSES_APP: "The clip is safe on our storage, and Slack refuses the app's token or permissions. "
        f"Whoever runs Dailies has to mend that (`dailies doctor` says how). {_BY_ITSELF}",
        Trouble.SLACK_DROPPED_FILE: "The clip is safe on our storage; Slack took the file and did not show it. "
        "It is being sent again.",
    }
)

FAILURES: Mapping[FailureKind, tuple[str, str]] = MappingProxyType(
    {
        FailureKind.POLICY: ("{provider} refused this prompt under its content rules.", "Reword it and ask again."),
        FailureKind.AUDIO_MODERATION: (
            "{provider} refused the sound of this clip.",
            "Ask again with `--no-audio` and without `--provider`, or reword what is to be heard.",
        ),
        FailureKind.FACE: (
            "{provider} refuses to show this person's face.",
            "Describe somebody who is no real person, and ask again.",
        ),
        FailureKind.BAD_REFERENCE: (
            "{provider} could not use a file that the ask refers to.",
            "Ask again without it, or with another.",
        ),
        FailureKind.UNUSABLE_FILE: (
            "A file of this ask could not be used.",
            "Ask again without it, or with another.",
        ),
        FailureKind.INVALID: (
            "{provider} could not read the order. That is a fault of Dailies, not of your prompt.",
            "Tell whoever runs Dailies; another provider may take it (`--provider`).",
        ),
        FailureKind.KEY_REFUSED: ("{provider} refuses the key of Dailies.", "Whoever runs Dailies has to renew it."),
        FailureKind.OUT_OF_CREDIT: ("The account at {provider} is empty.", "Whoever runs Dailies has to top it up."),
        FailureKind.NOT_CONFIGURED: (
            "{provider} is not set up here any more, so this clip was not ordered there.",
            "Ask again: another provider may make it, or whoever runs Dailies sets the key of this one again.",
        ),
        FailureKind.PROVIDER: (
            "{provider} tried to render this clip and could not.",
            "Ask again; it often works then.",
        ),
        FailureKind.TIMEOUT: (
            "{provider} gave up because rendering took too long.",
            "Ask again, or for fewer seconds.",
        ),
        FailureKind.TASK_LOST: (
            "{provider} took the order and does not know it any more.",
            "Whoever runs Dailies can claim the money back there with the task number in `dailies jobs show`.",
        ),
        FailureKind.LINK_EXPIRED: (
            "The clip was rendered, and {provider} deleted it before it could be downloaded.",
            "Ask again if it is still wanted.",
        ),
        FailureKind.OVER_CAP: (
            "The money for this clip no longer fits under a spending cap.",
            "Ask again when the cap renews, or have an admin raise it, up to what whoever runs Dailies allows.",
        ),
        FailureKind.TOO_FEW: (
            "Fewer people stood behind this final than the channel asks for.",
            "React to the draft again, with others.",
        ),
        FailureKind.NOT_IN_CHANNEL: (
            "Slack did not let Dailies show its card here, so the clip was not ordered.",
            "Ask again; if it is refused again, invite Dailies here.",
        ),
        FailureKind.COUNTED_AS_SPENT: (
            "Nobody could find out whether {provider} took this order, and it was given up.",
            "Ask again if it is still wanted.",
        ),
        FailureKind.NOBODY_WAITED: (
            "{provider} had taken an order that nobody waited for any more.",
            "*Deliver again* posts its clip.",
        ),
    }
)
"""What happened, and what to do next. What it means for the money stands between them."""

OUR_WORDS = frozenset({FailureKind.OVER_CAP, FailureKind.UNUSABLE_FILE})
"""Here a failure's detail is a sentence of our own, with the figures; elsewhere it is the provider's."""


def explain(job: Job, *, stoppable: bool = False) -> str:
    """The sentences for a clip's row; ``stoppable`` says whether its provider can be asked to stop what is ordered.
    Pure."""
    stopping = _stopping(job, stoppable=stoppable) if job.state in _RUNNING else ""
    return _joined(_SENTENCES[job.state](job), stopping)


def money_sentence(job: Job) -> str:
    """What was charged for a clip that is over."""
    if job.failure and job.failure.kind is FailureKind.NOBODY_WAITED:
        more = f", and {dollars(job.cost_micro_usd)} more was charged" if job.cost_micro_usd else ""
        return f"What it cost is counted with {escape(job.failure.detail)}{more}."
    if (job.failure and job.failure.kind is FailureKind.COUNTED_AS_SPENT) or (job.reordered and job.cost_micro_usd):
        # Of several orders, what the earlier ones cost is not known: they count in full.
        return f"{dollars(job.cost_micro_usd or job.price_micro_usd)} is counted as spent."
    if job.cost_micro_usd:
        return f"{dollars(job.cost_micro_usd)} was charged."
    # Of the clip of an order that nobody waited for the price was counted with another clip.
    return "Nothing was charged." if job.price_micro_usd else "Nothing more was charged."


def _so_far(job: Job) -> str:
    """What counts as spent while the clip is still to be ordered (again)."""
    if job.cost_micro_usd:
        return f"{dollars(job.cost_micro_usd)} for the order before is counted as spent."
    return "Nothing was charged so far."


def _trouble(job: Job) -> str:
    if job.trouble is None:
        return ""
    provider = provider_name(job.provider)
    paid = f"The clip is ordered from {provider} and paid for"
    if job.state in _UNANSWERED:
        paid = f"The order was sent to {provider} and may be paid for"
    setting = f"`{job.provider.upper()}_API_KEY`, and `PROVIDERS` where that is used"
    if is_pretend(job.provider):
        setting = "`PROVIDERS=sandbox`"
    file = escape(job.progress) or "A file of this ask"
    return TROUBLES[job.trouble].format(provider=provider, paid=paid, setting=setting, file=file)


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _waiting(job: Job) -> str:
    provider = provider_name(job.provider)
    if job.cancel_by:
        return f"<@{job.cancel_by}> cancelled it: it is being stopped. {_so_far(job)}"
    if job.wait_reason is WaitReason.CONFIRMATION:
        return "Waits for somebody to press *Confirm*. Nothing is charged until then."
    if job.wait_reason is WaitReason.UNDO_WINDOW:
        return "Starts by itself when the time for *Undo* is over. Nothing is charged until then."
    if job.wait_reason is WaitReason.PREPARING:
        return _joined(_trouble(job) or _preparing(job), _so_far(job))
    if job.failure and job.failure.kind is FailureKind.KEY_REFUSED:
        why = f"{provider} refuses the key of Dailies. Whoever runs Dailies has to renew it."
    elif job.wait_reason is WaitReason.PROVIDER_DOWN:
        why = f"{provider} does not answer orders properly at the moment. It is tried again all the while."
    else:
        why = f"The account at {provider} is empty. Whoever runs Dailies has to top it up: {top_up(job.provider)}."
    then = "The clip starts by itself when that is over"
    return f"{why} {_so_far(job)} {then}; *Use another provider* does not wait, and *Cancel* gives it up."


def _preparing(job: Job) -> str:
    what = escape(job.progress) if job.progress else "the files of this ask"
    return f"Preparing {what}: fetched, checked, and mended where it has to be."


def _queued(job: Job) -> str:
    if job.cancel_by:
        return f"<@{job.cancel_by}> cancelled it: it is being stopped. {_so_far(job)}"
    again = "A second order is about to be sent." if job.cost_micro_usd else ""
    turn = _trouble(job) or f"Waits for its turn at {provider_name(job.provider)}."
    return _joined(again, turn, _so_far(job))


def _submitting(job: Job) -> str:
    return _trouble(job) or f"The order is being sent to {provider_name(job.provider)}."


def _rendering(job: Job) -> str:
    since = f" since {local_time(job.rendering_since)}" if job.rendering_since else ""
    return _trouble(job) or f"{provider_name(job.provider)} is rendering{since}."


def _late(job: Job) -> str:
    return _trouble(job) or (
        f"{provider_name(job.provider)} takes longer than it should; sorry. It is asked every few minutes, and nothing "
        "needs to be done. The money stays held until the outcome is known."
    )


def _stopping(job: Job, *, stoppable: bool) -> str:
    """What becomes of a clip that somebody cancelled after it was ordered."""
    if not job.cancel_by or job.file_id is not None:
        return ""
    provider, cancelled = provider_name(job.provider), f"<@{job.cancel_by}> cancelled it"
    if job.state in _RENDERED:
        return f"{cancelled}, and it was ready all the same: it is charged. The clip will be kept and not posted."
    if stoppable:
        return (
            f"{cancelled}, and {provider} is asked to stop it; what that costs is shown here when it is known. Should "
            "it be ready before, it is charged, kept and not posted."
        )
    return (
        f"{cancelled} after it was ordered: {provider} charges for it all the same. The clip will be kept and not "
        "posted."
    )


def _uncertain(job: Job) -> str:
    provider, price = provider_name(job.provider), dollars(job.price_micro_usd)
    charge = price_words(job.price_micro_usd, assumed=job.price_assumed, provider=job.provider)
    return _joined(
        f"The order was sent and {provider}'s answer was lost: it may have been taken and charged, or not. It is never "
        "sent a second time by itself.",
        _trouble(job),
        f"*Check again* costs nothing; *Order again* may charge {charge} a second time; *Give up* counts {price} as "
        "spent.",
    )


def _downloading(job: Job) -> str:
    return _trouble(job) or "Rendered. The clip is being downloaded to our storage."


def _delivering(job: Job) -> str:
    return _trouble(job) or "Rendered and safe on our storage. It is being posted into the thread."


def _delivered(job: Job) -> str:
    return f"Posted in the thread. {money_sentence(job)}"


def _failed(job: Job) -> str:
    if job.failure is None:
        return money_sentence(job)
    what, then = FAILURES[job.failure.kind]
    said = escape(job.failure.detail) if job.failure.kind in OUR_WORDS else ""
    return _joined(what.format(provider=provider_name(job.provider)), said, money_sentence(job), then)


def _stopped_money(job: Job) -> str:
    """What a clip cost that its provider stopped."""
    if not job.cost_micro_usd:
        return money_sentence(job)
    return f"It does not say that this is free, so {dollars(job.cost_micro_usd)} is counted as spent."


def _cancelled(job: Job) -> str:
    by = f" by <@{job.cancel_by}>" if job.cancel_by else ""
    if job.failure and job.failure.kind is FailureKind.NOBODY_WAITED:
        return (
            f"{provider_name(job.provider)} had taken an order of {escape(job.failure.detail)} that nobody waited for "
            f"any more. {money_sentence(job)} The clip is kept: *Deliver again* posts it for free."
        )
    if job.clip_key is None and job.task_id is not None:
        return f"Stopped{by} after it was ordered: {provider_name(job.provider)} stopped it. {_stopped_money(job)}"
    if job.clip_key is None:
        return f"Stopped{by} before it was ordered{' again' if job.cost_micro_usd else ''}. {money_sentence(job)}"
    return (
        f"Stopped{by} after it was ordered. {money_sentence(job)} The clip is kept: *Deliver again* posts it for free."
    )


_UNANSWERED = frozenset({State.SUBMITTING, State.UNCERTAIN})
"""Ordered, and nobody knows yet whether the order was taken."""
_RENDERED = frozenset({State.DOWNLOADING, State.DELIVERING})
_RUNNING = frozenset({State.SUBMITTING, State.RENDERING, State.LATE}) | _RENDERED
"""Ordered and going on."""

_SENTENCES: Mapping[State, Callable[[Job], str]] = MappingProxyType(
    {
        State.WAITING: _waiting,
        State.QUEUED: _queued,
        State.SUBMITTING: _submitting,
        State.RENDERING: _rendering,
        State.LATE: _late,
        State.UNCERTAIN: _uncertain,
        State.DOWNLOADING: _downloading,
        State.DELIVERING: _delivering,
        State.DELIVERED: _delivered,
        State.FAILED: _failed,
        State.CANCELLED: _cancelled,
    }
)
