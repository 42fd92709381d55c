"""What intake says back to a person: answers when something was taken, refusals when nothing was.

A refusal is an exception, and always means: nothing was charged and nothing will be. The words for each are
written in ``handlers.blocks``.
"""

from dataclasses import dataclass

from bot.domain.access import Why
from bot.domain.capabilities import Misfit
from bot.domain.job import Ask, Job
from bot.domain.recipe import Recipe
from bot.ports import CommitUnknown


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The ask is on disk, with its hold or with its question (see ``ask.gate``)."""

    ask: Ask
    jobs: tuple[Job, ...]
    parent: Job | None = None

    @property
    def price_micro_usd(self) -> int:
        """What all its jobs together are held at, or would be."""
        return sum(job.price_micro_usd for job in self.jobs)

    @property
    def assumed(self) -> bool:
        """True when the provider publishes no price and the dearest known one was taken."""
        return any(job.price_assumed for job in self.jobs)


@dataclass(frozen=True, kw_only=True)
class Estimated:
    """The answer to ``--estimate``: nothing was or will be spent."""

    recipe: Recipe
    takes: int
    provider: str
    model: str
    price_each_micro_usd: int
    assumed: bool
    needs_confirmation: bool


@dataclass(frozen=True, kw_only=True)
class AlreadyTaken:
    """The same thing was asked before and is under way (or done): nothing new was made. ``ask`` is None when the
    very same request came a second time."""

    ask: Ask | None = None


@dataclass(frozen=True, kw_only=True)
class Flagged:
    """What was pressed is on disk; the card will show what came of it."""

    job: Job | None = None
    ask: Ask | None = None


class Refusal(Exception):
    """Nothing was charged. Subclasses carry what the sentence needs."""


class NoProvider(Refusal):
    """No provider is configured, or none of that name. ``configured`` lists those there are."""

    def __init__(self, wanted: str | None, configured: tuple[str, ...]) -> None:
        self.wanted, self.configured = wanted, configured
        super().__init__(f"No provider {wanted or ''} is configured.")


class CannotMake(Refusal):
    """Nobody who may be chosen can do all that was asked; ``misfits`` is what the named or nearest provider lacks.
    ``able`` are the other configured providers that could make it, ``would`` those that could if they had a key."""

    def __init__(
        self, provider: str, misfits: tuple[Misfit, ...], *, able: tuple[str, ...] = (), would: tuple[str, ...] = ()
    ) -> None:
        self.provider, self.misfits, self.able, self.would = provider, misfits, able, would
        others = f" Could: {', '.join(able)}." if able else ""
        others += f" Could with a key: {', '.join(would)}." if would else ""
        super().__init__(f"{provider} cannot make this: {', '.join(misfit.option for misfit in misfits)}.{others}")


class NoSuchClip(Refusal):
    """``#n`` names no clip of the thread. ``numbers`` are those there are."""

    def __init__(self, number: int, numbers: tuple[int, ...]) -> None:
        self.number, self.numbers = number, numbers
        super().__init__(f"There is no clip #{number} here.")


class WhichClip(Refusal):
    """The thread has several clips and the reply names none."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.numbers = numbers
        super().__init__(f"Which clip is meant: {numbers}?")


class NoClipStands(WhichClip):
    """Every clip of the thread failed or was stopped, and the reply names none. One of them can be tried again, changed
    or not."""


class NoClipsHere(Refusal):
    """``#n`` names a clip of a thread, and this was not said in one."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"#{number} names a clip of a thread, and this is not in one.")


class ClipNotThere(Refusal):
    """The clip that is to be given as a file is not on our storage: not rendered yet, or never."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"Clip #{job.number} is {job.state.value}: there is no file of it.")


class NothingChanges(Refusal):
    """The reply asks for exactly what the clip is: a full price for nothing new, probably not meant."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"Clip #{number} is like that already.")


class NotPromotable(Refusal):
    """The clip is not one that can be promoted: not delivered, or a final already."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"Clip #{job.number} is {job.state.value} and cannot be promoted.")


class OnACard(Refusal):
    """Somebody reacted to a card of ours in order to promote: only a clip can be promoted."""

    def __init__(self) -> None:
        super().__init__("A card cannot be promoted, only a clip.")


class TooLateToTakeBack(Refusal):
    """Whoever pays for a final took their reaction back when its time for that was over."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"Final #{job.number} is {job.state.value} and cannot be taken back.")


class TakenBackBeforeOrder(Refusal):
    """Whoever pays for a final took their reaction back when its time for that was over, and it is not ordered yet: it
    is read once more right before that."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"Final #{job.number} is {job.state.value}: the reactions are read again before its order.")


class NothingToDo(Refusal):
    """The button is from an older card: what it offered is over."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        super().__init__(f"{verb} is no longer possible.")


class NotYours(Refusal):
    """Only some people may press this; ``who`` says who."""

    def __init__(self, verb: str, who: str) -> None:
        self.verb, self.who = verb, who
        super().__init__(f"Only {who} may {verb}.")


class TooFew(Refusal):
    """A final that reactions asked for needs the ``quorum`` of people who may spend there. With whoever pressed
    ``there`` are; more react to the draft with ``emoji``; None where no emoji promotes."""

    def __init__(self, *, quorum: int, there: int, emoji: str | None) -> None:
        self.quorum, self.there, self.emoji = quorum, there, emoji
        super().__init__(f"{there} of {quorum} people stand behind this final.")


class NotAllowed(Refusal):
    """This person may not do this here; ``why`` is the rule that says so, ``admins`` are those who are known to be
    able to change it, if any."""

    def __init__(self, why: Why, admins: tuple[str, ...] = ()) -> None:
        self.why, self.admins = why, admins
        super().__init__(f"Not allowed: {why.value.replace('_', ' ')}.")


class Busy(Refusal):
    """The database is locked or away: nothing was accepted."""


class PressUnknown(CommitUnknown):
    """Nobody knows whether what somebody pressed is on disk. The same press again does no harm."""


class ChangeUnknown(CommitUnknown):
    """Nobody knows whether a change of settings is on disk."""
