"""Pieces of made-up histories, for tests of those who judge them."""

import json

from tests.sandbox.driver import Json
from tests.support.history import Clip, task_of
from tests.support.links import box


def film(task_id: str) -> bytes:
    """As much of a film as is looked at, with the stamp of its task."""
    stamp = b"\x00" * 16 + json.dumps({"task_id": task_id, "prompt": "a red panda"}).encode()
    return box(b"ftyp", b"isom") + box(b"moov", b"index") + box(b"mdat", b"frames") + box(b"uuid", stamp)


def clip(task_id: str = "task-1", number: int = 1, thread_ts: str = "1.0") -> Clip:
    """A clip that stands in a thread."""
    return Clip(
        number=number,
        file_id=f"F{number}",
        thread_ts=thread_ts,
        content=film(task_id),
        task_id=task_of(film(task_id)),
    )


def charge(task_id: str = "task-1", status: str = "settled") -> Json:
    """A charge in a provider's books."""
    return {"task_id": task_id, "status": status, "micro_usd": 320_000, "prompt": "a red panda", "key": task_id}
