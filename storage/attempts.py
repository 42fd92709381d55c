"""The part of ``bot.ports.Jobs`` about what is known of a job: attempts, evidence and timeline, in SQL."""

from sqlmodel import col, select

from bot.domain.job import Attempt, Evidence, TimelineEntry
from storage.rows import (
    attempt_from_row,
    attempt_to_row,
    evidence_from_row,
    evidence_to_row,
    timeline_from_row,
)
from storage.sql import Sql
from storage.tables import AttemptRow, EvidenceRow, TimelineRow


class SqlAttempts:
    """Attempts, evidence and timelines: rows that are only ever added."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add_attempt(self, attempt: Attempt) -> None:
        key = ("workspace", "job_id", "number")
        await self._sql.insert_new(attempt_to_row(attempt), index=key)

    async def attempt(self, workspace: str, job_id: str, number: int) -> Attempt | None:
        key = (
            col(AttemptRow.workspace) == workspace,
            col(AttemptRow.job_id) == job_id,
            col(AttemptRow.number) == number,
        )
        row = await self._sql.scalar(select(AttemptRow).where(*key))
        return None if row is None else attempt_from_row(row)

    async def by_callback_token(self, token: str) -> Attempt | None:
        row = await self._sql.scalar(select(AttemptRow).where(col(AttemptRow.callback_token) == token))
        return None if row is None else attempt_from_row(row)

    async def add_evidence(self, evidence: Evidence) -> None:
        await self._sql.insert(evidence_to_row(evidence))

    async def evidence(self, workspace: str, job_id: str) -> tuple[Evidence, ...]:
        of_job = (col(EvidenceRow.workspace) == workspace, col(EvidenceRow.job_id) == job_id)
        rows = await self._sql.scalars(select(EvidenceRow).where(*of_job).order_by(col(EvidenceRow.seq)))
        return tuple(evidence_from_row(row) for row in rows)

    async def timeline(self, workspace: str, job_id: str) -> tuple[TimelineEntry, ...]:
        of_job = (col(TimelineRow.workspace) == workspace, col(TimelineRow.job_id) == job_id)
        rows = await self._sql.scalars(select(TimelineRow).where(*of_job).order_by(col(TimelineRow.seq)))
        return tuple(timeline_from_row(row) for row in rows)
