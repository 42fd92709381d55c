"""Whether the promises were kept, from the books of the providers, of Slack and of the people, and for what came after
a card was deleted from the bot's own rows; and whether the ledger is sound. ``broken`` is asked at the end of a life,
``committed`` after every commit."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from bot.domain.budget import Entry
from bot.domain.failure import FailureKind
from bot.domain.job import FINAL, Ask, Job, State
from bot.domain.ledger_check import unsound
from bot.ports import Card
from bot.services.policy import Policy
from storage.memory.tables import Tables
from tests.simulation.denying import Denying
from tests.simulation.ends import Ends
from tests.simulation.people import Wanted, word_in
from tests.simulation.promptness import Promptness
from tests.simulation.slack_books import SlackBooks, settled
from tests.simulation.stopping import Stopping
from tests.simulation.supporting import Supporting
from tests.simulation.vendor_books import Task, VendorBooks, key_of
from tests.simulation.world import CLIPS, FETCH, STORAGE, World

_REACHABLE = 600.0
"""A clip whose link lived so long while we were up is not lost."""
_GUESSED = frozenset({FailureKind.COUNTED_AS_SPENT, FailureKind.TASK_LOST, FailureKind.LINK_EXPIRED})
_ENDS = frozenset({State.DELIVERED, State.FAILED})

_Limited = tuple[str, str, str]
"""What a cap limits: a scope, whose it is, and its month or day."""


class Check:
    """Looks over one life."""

    def __init__(
        self, world: World, vendors: Mapping[str, VendorBooks], slack: SlackBooks, wanted: Wanted, policy: Policy
    ) -> None:
        self.world, self.vendors, self.slack, self.wanted, self.policy = world, vendors, slack, wanted, policy
        self.ends = Ends(world, vendors, slack, wanted, policy)
        self.promptness = Promptness(world, vendors, slack, wanted, policy)
        self.supporting = Supporting(world, vendors, slack, wanted, policy)
        self.stopping = Stopping(world, vendors, slack, wanted, policy)
        self.denying = Denying(world, vendors, slack, wanted, policy)
        self._entries = 0
        self._over: set[str] = set()
        for books in vendors.values():
            books.charging = self.charged

    @property
    def tasks(self) -> list[Task]:
        return [task for books in self.vendors.values() for task in books.tasks.values()]

    # --- at every commit -------------------------------------------------------------------------------------------

    def committed(self, tables: Tables) -> None:
        """I5: what is held and spent at the price table stays under every cap at every instant."""
        if len(tables.ledger) == self._entries:
            return
        self._entries = len(tables.ledger)
        sums = Counter[_Limited]()
        for entry, counted in _counted(tables):
            sums["workspace", "", entry.month] += counted
            sums["channel", entry.channel, entry.month] += counted
            sums["person", entry.person, entry.day] += counted
        self._see_caps(sums, "held and spent")

    def charged(self) -> None:
        """I5: so does what the providers charge, at the price table, whatever the bot has booked. A life has one day,
        unless the bot's clock leaps: then only the bot knows which. Who pays for a final, or orders again, is not told
        here: such clips are nobody's own."""
        if self.world.leapt:
            return
        sums, now = Counter[_Limited](), self.world.now
        for task in self.tasks:
            word = word_in(task.prompt)
            channel, person = self.wanted.asker.get(word, ("", ""))
            counted = 0 if task.refunded(now) else task.price
            sums["workspace", "", ""] += counted
            sums["channel", channel, ""] += counted
            if not self.wanted.finals[word] and not self.wanted.again[task.job_id]:
                sums["person", person, ""] += counted
        self._see_caps(sums, "charged by providers")

    def _see_caps(self, sums: Mapping[_Limited, int], what: str) -> None:
        caps = self.policy.caps
        limits = {
            "workspace": caps.workspace_month_micro_usd,
            "channel": caps.channel_month_micro_usd,
            "person": caps.person_day_micro_usd,
        }
        for (scope, subject, period), total in sums.items():
            limit = limits[scope]
            if limit is not None and total > limit:
                self._over.add(f"I5: {total} is {what} of the {limit} of {scope} {subject} {period}".rstrip())

    def now(self, tables: Tables) -> list[str]:
        """What must hold at every moment: money, cards, clips and the ledger."""
        return [
            *sorted(self._over),
            *self._charged_once(),
            *self._charged_as_asked(),
            *self._stand_once(),
            *self._final_once(),
            *unsound(tables.ledger.values(), tables.jobs.values()),
        ]

    # --- at the end ------------------------------------------------------------------------------------------------

    def broken(self, tables: Tables) -> list[str]:
        """Every promise that was not kept, a sentence each."""
        rows = {job.id: shown[-1] for job_id, shown in self.slack.shown.items() for job in shown[-1:]}
        asks = {card.ask.id: card.ask for message in self.slack.messages.values() if (card := message.card)}
        return [
            *self.now(tables),
            *self._not_lost(rows),
            *self._not_silent(tables),
            *self._true(rows),
            *self.ends.unexplained(asks, rows),
            *self.promptness.too_slow(asks, rows),
            *self.ends.doubted_in_vain(),
            *self.supporting.unwanted(asks, rows),
            *self.stopping.in_vain(rows),
            *self.denying.untrue(asks, rows),
            *self.stopping.at_the_last_moment(),
        ]

    def _charged_once(self) -> Iterator[str]:
        """I1: one charge a clip beyond *Order again*."""
        for job_id, count in Counter(task.job_id for task in self.tasks).items():
            if count > 1 + self.wanted.again[job_id]:
                yield f"I1: {count} charges for clip {job_id}, ordered again {self.wanted.again[job_id]} times"

    def _charged_as_asked(self) -> Iterator[str]:
        """I1: no more clips than people asked for, told by the words in their prompts."""
        clips: dict[str, set[str]] = defaultdict(set)
        for task in self.tasks:
            clips[word_in(task.prompt)].add(task.job_id)
        for word, made in clips.items():
            asked = self.wanted.clips[word] + self.wanted.finals[word]
            if len(made) > asked:
                yield f"I1: {len(made)} clips ordered of {word}, {asked} asked for"

    def _stand_once(self) -> Iterator[str]:
        """I3: one card an ask, one message a clip, each with the whole bytes of its own task."""
        for ask_id, count in Counter(card.ask_id for card in self.slack.cards()).items():
            if count > 1:
                yield f"I3: ask {ask_id} has {count} cards"
        contents = {task.content: task for task in self.tasks}
        standing = Counter[str]()
        for message in self.slack.clips():
            file = self.slack.files[message.file or ""]
            task = contents.get(file.content)
            if task is None:
                yield f"I2: {file.id} is not a whole clip"
                continue
            standing[task.id] += 1
            if task.job_id != file.job_id and not self._beside(file.job_id):
                yield f"I3: {file.id} of clip {file.job_id} shows task {task.id} of {task.job_id}"
        for task_id, count in standing.items():
            if count > 1:
                yield f"I3: the clip of {task_id} stands {count} times"

    def _beside(self, job_id: str) -> bool:
        """Whether it is the clip of an order that nobody waited for any more."""
        failure = self.slack.shown[job_id][-1].failure if job_id in self.slack.shown else None
        return failure is not None and failure.kind is FailureKind.NOBODY_WAITED

    def _not_lost(self, rows: Mapping[str, Job]) -> Iterator[str]:
        """I2, I7: a clip that was paid for and could be had was posted, or its row says where it is."""
        posted = {file.content for file in self.slack.files.values() if file.message is not None}
        for task in self.tasks:
            row = rows.get(task.job_id)
            if row is None:
                yield f"I4: task {task.id} is of clip {task.job_id}, which no card ever showed"
            elif _in_doubt(task, row) or self._let_go(task, row) or task.content in posted:
                continue
            elif row.task_id != task.id:
                yield f"I7: task {task.id} of clip {task.job_id} ({row.state.value}) is not known"
            elif task.renders and row.state is not State.LATE and not _kept(row) and self._was_reachable(task):
                yield f"I2: the clip of {task.id} is lost: {row.state.value} {row.failure}"

    def _let_go(self, task: Task, row: Job) -> bool:
        """Whether people chose not to know what became of that order."""
        failure = row.failure.kind if row.failure else None
        uncertain = row.id in self.wanted.let_go and failure is FailureKind.COUNTED_AS_SPENT
        return uncertain or (self.wanted.again[row.id] > 0 and row.task_id != task.id)

    def _was_reachable(self, task: Task) -> bool:
        books = next(books for books in self.vendors.values() if task.id in books.tasks)
        begin, end = books.alive(task)
        return self.world.reachable(begin, end, books.name, FETCH, CLIPS, STORAGE) >= _REACHABLE

    def _not_silent(self, tables: Tables) -> Iterator[str]:
        """I4: every card has a last word; where none could be posted, the asker was told."""
        standing = {card.ask_id: card.card for card in self.slack.cards()}
        last = {one.ask_id: one for one in self.slack.messages.values() if one.card is not None}
        told = {ask_id for ask_id, _ in self.slack.notices}
        for ask_id in sorted(set(self.wanted.acknowledged) | {ask_id for ask_id in last if ask_id}):
            card = standing.get(ask_id)
            if card is None and ask_id in told and ask_id in self.slack.refused_asks:
                continue
            if card is None and ask_id in last:
                # A person deleted it, which the bot finds out when there is more to say.
                card = last[ask_id].card
                yield from _left_unsaid(card, tables)
            if card is None:
                yield f"I4: ask {ask_id} has no card, and nobody was told"
                continue
            asked = self.wanted.acknowledged.get(ask_id)
            if asked is not None and len(card.jobs) < asked.clips:
                yield f"I4: the card of {ask_id} shows {len(card.jobs)} of {asked.clips} clips"
            for job in card.jobs:
                if not settled(job) and not self._asked_ahead(card.ask):
                    yield f"I4: the card of {ask_id} leaves #{job.number} ({job.id}) {job.state.value} {job.trouble}"

    def _asked_ahead(self, ask: Ask) -> bool:
        """Whether it was asked while the clock was ahead by days: its question is open until that day."""
        return self.world.leapt and ask.created_at > self.world.moment()

    def _true(self, rows: Mapping[str, Job]) -> Iterator[str]:
        """I9: what a card says was charged was, and what it says stands does."""
        now = self.world.now
        charged = Counter[str]()
        for task in self.tasks:
            charged[task.job_id] += task.kept(now)
        posted = {file.job_id for file in self.slack.files.values() if file.message is not None}
        for job_id, row in rows.items():
            said, truth = row.cost_micro_usd or 0, charged[job_id]
            guessed = row.reordered or (row.failure is not None and row.failure.kind in _GUESSED)
            final = row.state in FINAL and not self._beside(job_id)
            if final and said != truth and not (guessed and said > 0):
                yield f"I9: clip {job_id} ({row.state.value}) is said to have cost {said}, and cost {truth}"
            if (row.state is State.DELIVERED) != (job_id in posted) and row.state in _ENDS:
                yield f"I9: clip {job_id} is said to be {row.state.value}, and was posted: {job_id in posted}"

    def _final_once(self) -> Iterator[str]:
        """I10: what a card said had ended stays so."""
        for job_id, shown in self.slack.shown.items():
            states = [job.state for job in shown]
            for before, after in pairwise(states):
                if before in _ENDS and after is not before:
                    yield f"I10: clip {job_id} was {before.value} and then {after.value}"


def _counted(tables: Tables) -> Iterator[tuple[Entry, int]]:
    """The first row of each attempt, and what counts of it: its hold while that is open, then what was charged, up to
    what it was held at; what a provider bills beyond its price no table can foresee."""
    spent = Counter[tuple[str, int]]()
    for entry in tables.ledger.values():
        spent[entry.job_id, entry.attempt] += entry.settled_micro_usd
    for (workspace, job_id, attempt, seq), entry in tables.ledger.items():
        if seq == 0:
            is_open = (workspace, job_id, attempt, 1) not in tables.ledger
            yield entry, entry.held_micro_usd if is_open else min(entry.held_micro_usd, spent[job_id, attempt])


def _left_unsaid(card: Card | None, tables: Tables) -> Iterator[str]:
    """What came of the clips after that card was deleted, by the bot's own rows."""
    for shown in card.jobs if card is not None else ():
        now = tables.jobs[shown.workspace, shown.id]
        if (now.state, now.attempt, now.cost_micro_usd) != (shown.state, shown.attempt, shown.cost_micro_usd):
            yield f"I4: the deleted card says {shown.id} is {shown.state.value}, and none that it is {now.state.value}"


def _in_doubt(task: Task, row: Job) -> bool:
    """Whether the order of that very task is called uncertain."""
    return row.state is State.UNCERTAIN and task.key == key_of(row)


def _kept(row: Job) -> bool:
    """Whether the clip is on our storage, with its button."""
    return row.state is State.CANCELLED and row.clip_key is not None
