"""What is read once more right before the order of a final that reactions asked for: it may have waited long for a
place at its provider, and people think again."""

from collections.abc import Sequence

from bot.domain.budget import OverCap
from bot.domain.events import Declined, PassedOn, Refused
from bot.domain.failure import Failure, FailureKind
from bot.domain.job import Ask, Job
from bot.services.bench import Bench
from bot.services.holds import hold, paid_by_first
from bot.services.standing import Unnamed, who_stands

_WHO_WANTS_IT = "Who still wants it reacts to the draft again, or presses Promote."
_NOT_WANTED = (
    "Right before the order the reactions for this no longer stood as they did when it was decided, so it was not "
    f"ordered. {_WHO_WANTS_IT}"
)
_NOT_NAMED = (
    "Right before the order whoever was to pay for this had taken their reaction back, and Slack did not say whether "
    f"the others may spend, so it was not ordered. {_WHO_WANTS_IT}"
)
_MOST_ASKED = 5
"""So often in a row, for half a minute, Slack is asked who the others are; then unknown is no."""


async def recheck(bench: Bench, job: Job, ask: Ask) -> Job | None:
    """Of a job for whose order reactions alone asked: None when it may go out. Else the job as it was moved: it ended
    since too few stand behind it, or the earliest who still does pays from now on. Raises ChatError while Slack does
    not say who reacts, and Unnamed for some time while it does not say who they are."""
    policy = await bench.policies.of(job.workspace, job.channel)
    standing = await who_stands(bench, ask, policy)
    # Of whom Slack does not say now whether they may, it did when it was decided. That charges nobody else.
    may_stand = {*standing.eligible, *standing.unknown}
    if len(may_stand) >= policy.quorum and job.person in may_stand:
        return None
    if len(standing.eligible) >= policy.quorum:
        return await _pass_on(bench, job, standing.eligible)
    if len(may_stand) < policy.quorum:
        return await _end(bench, job, _NOT_WANTED)
    if job.tries + 1 < _MOST_ASKED:
        raise Unnamed
    return await _end(bench, job, _NOT_NAMED)


async def _end(bench: Bench, job: Job, note: str) -> Job:
    async with bench.storage.begin() as tx:
        moved = await bench.moves.write(tx, job, bench.ownership, Declined(), detail="reactions gone")
        await tx.jobs.add_note(job.workspace, job.ask_id, note)
    bench.moves.announce(job, moved)
    return moved


async def _pass_on(bench: Bench, job: Job, payers: Sequence[str]) -> Job:
    """The hold of whoever took their reaction back is released and another's taken, or nothing happens."""

    async def to(payer: str) -> Job:
        async with bench.storage.begin() as tx:
            policy = await bench.policies.within(tx, job.workspace, job.channel)
            moved = await bench.moves.write(tx, job, bench.ownership, PassedOn(person=payer), detail=payer)
            await hold(tx, [moved], policy, bench.clock.now())
            await tx.jobs.pass_on(job.workspace, job.ask_id, payer)
            return moved

    try:
        moved = await paid_by_first(payers, to)
    except OverCap as over:
        failure = Failure(kind=FailureKind.OVER_CAP, detail=str(over))
        return await bench.move(job, Refused(failure=failure), detail="over a cap")
    bench.moves.announce(job, moved)
    return moved
