"""A month's money as it was recorded, with everything in it that counts differently: a failed draft, one that was
billed double, one of a tier that has no price as a final, an order of unknown outcome that was ordered again, a clip
that is still being made, and one of the month before."""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.domain.budget import Hold, Stage
from bot.ports import Storage

MONTH = "2026-11"
FILE = Path(__file__).resolve().parents[1] / "fixtures" / "money" / "november.csv"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One order: what was held, and what became of it. ``settled`` is None while nothing has, 0 for what was released;
    ``adjusted`` is what the provider billed in the end."""

    hold: Hold
    settled: int | None
    adjusted: int | None


def recorded(workspace: str = "T1") -> tuple[Recorded, ...]:
    """The orders of the file, as those of that workspace."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        return tuple(_order(row, workspace) for row in csv.DictReader(lines))


async def record(storage: Storage, workspace: str = "T1") -> None:
    """Write the month into a database by the ledger's own doors."""
    async with storage.begin() as tx:
        for order in recorded(workspace):
            key = (workspace, order.hold.job_id, order.hold.attempt)
            await tx.ledger.hold([order.hold], ())
            if order.settled == 0:
                assert await tx.ledger.release(*key, order.hold.at)
            elif order.settled is not None:
                assert await tx.ledger.settle(*key, order.settled, order.hold.at)
            if order.adjusted is not None:
                assert await tx.ledger.adjust(*key, order.adjusted, order.hold.at)


def _order(row: dict[str, str], workspace: str) -> Recorded:
    hold = Hold(
        workspace=workspace,
        job_id=row["job"],
        attempt=int(row["attempt"]),
        channel=row["channel"],
        person=row["person"],
        provider=row["provider"],
        tier=row["tier"],
        stage=Stage(row["stage"]),
        as_final_micro_usd=_whole(row["as_final"]),
        price_assumed=False,
        micro_usd=int(row["held"]),
        at=datetime.fromisoformat(row["at"]),
    )
    return Recorded(hold=hold, settled=_whole(row["settled"]), adjusted=_whole(row["adjusted"]))


def _whole(cell: str) -> int | None:
    return int(cell) if cell else None
