"""What must be true of every ledger at every moment, and which of it is not. Nothing here mends anything.

The rows of one attempt are its *account*: a hold, at most one row that closes it, and adjustments after that. What
the accounts of a job must be follows from where the job stands (``bot.domain.lifecycle``), at each commit: a bot that
is killed between any two lines leaves no other ledger behind than one that runs.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.domain.budget import Entry, EntryKind, Stage
from bot.domain.job import Job, State, WaitReason, Wish

_SAME = ("channel", "person", "provider", "tier", "stage", "as_final_micro_usd", "price_assumed", "month", "day")
_KINDS = {0: {EntryKind.HOLD}, 1: {EntryKind.SETTLE, EntryKind.RELEASE}}
_LATER = {EntryKind.ADJUST}

_PLEDGED = frozenset({State.QUEUED, State.SUBMITTING, State.UNCERTAIN})
"""States in which an order may still be charged: its money is set aside."""
_AT_WORK = frozenset({State.RENDERING, State.LATE})
"""As above, but the provider may have said already what it charges."""
_RENDERED = frozenset({State.DOWNLOADING, State.DELIVERING, State.DELIVERED})
"""States after the charge: it is known, or counted at its price."""


@dataclass(frozen=True, kw_only=True)
class _Account:
    """The rows of one attempt in their order."""

    workspace: str
    job_id: str
    attempt: int
    rows: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """As breaches name it."""
        return f"{self.workspace}/{self.job_id}/{self.attempt}"

    @property
    def open(self) -> bool:
        """Whether money is still set aside."""
        return len(self.rows) == 1

    @property
    def settled_micro_usd(self) -> int:
        """What counts as spent."""
        return sum(row.settled_micro_usd for row in self.rows)

    @property
    def given_back(self) -> bool:
        """Whether it is closed and cost nothing."""
        return not self.open and self.settled_micro_usd == 0


def unsound(entries: Iterable[Entry], jobs: Iterable[Job] = ()) -> tuple[str, ...]:
    """Every breach of the ledger's invariants, a sentence each; empty when it is sound. ``entries`` are all rows of the
    jobs they are about; with ``jobs`` it is also looked whether each job's money is where the job is."""
    accounts = _accounts(entries)
    by_job: dict[tuple[str, str], list[_Account]] = defaultdict(list)
    for account in accounts:
        by_job[account.workspace, account.job_id].append(account)
    breaches = [breach for account in accounts for breach in _of_account(account)]
    breaches += [breach for together in by_job.values() for breach in _of_attempts(together)]
    for job in jobs:
        breaches += _of_job(job, {account.attempt: account for account in by_job.get((job.workspace, job.id), ())})
    return tuple(breaches)


def _accounts(entries: Iterable[Entry]) -> list[_Account]:
    rows: dict[tuple[str, str, int], list[Entry]] = defaultdict(list)
    for entry in entries:
        rows[entry.workspace, entry.job_id, entry.attempt].append(entry)
    return [
        _Account(
            workspace=workspace,
            job_id=job_id,
            attempt=attempt,
            rows=tuple(sorted(rows[workspace, job_id, attempt], key=lambda row: row.seq)),
        )
        for workspace, job_id, attempt in sorted(rows)
    ]


# --- one attempt ------------------------------------------------------------------------------------------------------


def _of_account(account: _Account) -> Iterator[str]:
    numbers = [row.seq for row in account.rows]
    if numbers != list(range(len(numbers))):
        yield f"{account.name}: its rows are numbered {numbers}"
        return
    for row in account.rows:
        if row.kind not in _KINDS.get(row.seq, _LATER):
            yield f"{account.name}: row {row.seq} is of the kind {row.kind.value}"
    first = account.rows[0]
    for row in account.rows[1:]:
        for field in _SAME:
            if getattr(row, field) != getattr(first, field):
                yield f"{account.name}: row {row.seq} has another {field} than the hold"
    if not first.day.startswith(first.month):
        yield f"{account.name}: the day {first.day} is not in the month {first.month}"
    if first.stage is Stage.DIRECT and first.as_final_micro_usd is not None:
        yield f"{account.name}: a price as a final on what has no draft"
    if first.stage is Stage.FINAL and first.as_final_micro_usd not in {None, first.held_micro_usd}:
        yield f"{account.name}: the final of a draft has another price as a final than its own"
    yield from _of_sums(account)


def _of_sums(account: _Account) -> Iterator[str]:
    hold = account.rows[0].held_micro_usd
    if hold < 0:
        yield f"{account.name}: {hold} is held"
    held = settled = released = 0
    for row in account.rows:
        held += row.held_micro_usd
        settled += row.settled_micro_usd
        released += row.released_micro_usd
        wanted = (hold, 0, 0) if row.seq == 0 else (0, max(0, settled), max(0, hold - settled))
        if (held, settled, released) != wanted:
            yield (
                f"{account.name}: after row {row.seq} {held} is held, {settled} settled and {released} released "
                f"of a hold of {hold}"
            )
        if row.kind is EntryKind.RELEASE and row.settled_micro_usd != 0:
            yield f"{account.name}: a release settles {row.settled_micro_usd}"
        if row.kind is EntryKind.ADJUST and row.settled_micro_usd == 0:
            yield f"{account.name}: row {row.seq} adjusts nothing"


# --- the attempts of one job ------------------------------------------------------------------------------------------


def _of_attempts(accounts: Sequence[_Account]) -> Iterator[str]:
    """An attempt follows another one only when that is decided or, while nobody knows, is about to be."""
    first = accounts[0]
    numbers = [account.attempt for account in accounts]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"{first.workspace}/{first.job_id}: its attempts are numbered {numbers}"
    for account in accounts[:-2]:
        if account.open:
            yield f"{account.name}: open, with two attempts after it"


def _of_job(job: Job, accounts: dict[int, _Account]) -> Iterator[str]:
    """Whether the money of a job is where the job is."""
    name = f"{job.workspace}/{job.id}"
    present = accounts.get(job.attempt)
    preparing = job.state is State.WAITING and job.wait_reason is WaitReason.PREPARING
    pledged = preparing or job.state in _PLEDGED
    yield from _of_other_attempts(job, accounts)
    if present is None:
        if pledged or job.state in _AT_WORK | _RENDERED:
            yield f"{name}: {job.state.value} without a hold"
        return
    if job.finished and present.open:
        yield f"{present.name}: {job.state.value}, and its hold is open"
    if pledged and not present.open:
        yield f"{present.name}: {job.state.value}, and its hold is closed"
    if job.state in _AT_WORK and present.given_back:
        yield f"{present.name}: {job.state.value}, and its money was given back"
    if job.state in _RENDERED and present.open:
        yield f"{present.name}: {job.state.value}, and its charge was never settled"
    unordered = job.state is State.CANCELLED and job.clip_key is None and job.task_id is None
    if unordered and present.settled_micro_usd:
        yield f"{present.name}: cancelled before it was ordered, and {present.settled_micro_usd} is settled"
    if pledged or job.state is not State.WAITING:
        yield from _of_terms(job, present)
    spent = sum(account.settled_micro_usd for account in accounts.values())
    if (job.finished or job.state in _RENDERED) and spent != (job.cost_micro_usd or 0):
        yield f"{name}: it is said to have cost {job.cost_micro_usd}, and {spent} is settled"


def _of_other_attempts(job: Job, accounts: dict[int, _Account]) -> Iterator[str]:
    for account in accounts.values():
        if account.attempt < job.attempt and account.open:
            yield f"{account.name}: open, and the job is at attempt {job.attempt}"
        if account.attempt > job.attempt and account.settled_micro_usd:
            yield f"{account.name}: settled, and the job is at attempt {job.attempt}"
        again = job.state is State.UNCERTAIN and job.wish is Wish.ORDER_AGAIN and account.attempt == job.attempt + 1
        if account.attempt > job.attempt and account.open and not again:
            yield f"{account.name}: open, and nobody asked to order again"


def _of_terms(job: Job, account: _Account) -> Iterator[str]:
    """Whether the hold was taken for this job: from its payer, at its price."""
    hold = account.rows[0]
    for what, held, wanted in (
        ("person", hold.person, job.person),
        ("channel", hold.channel, job.channel),
        ("provider", hold.provider, job.provider),
        ("tier", hold.tier, job.recipe.tier),
        ("stage", hold.stage.value, job.stage.value),
        ("price", hold.held_micro_usd, job.price_micro_usd),
        ("price as a final", hold.as_final_micro_usd, job.as_final_micro_usd),
        ("mark of an assumed price", hold.price_assumed, job.price_assumed),
    ):
        if held != wanted:
            yield f"{account.name}: the {what} is {held} in the ledger, and {wanted} in the job"
