"""HiAPI's list of tasks: one request tells of many clips, and what it does not tell of is asked for by itself."""

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.timeout(120)

CLIPS = 8
POLL_SECONDS = 0.2

NOTHING = {"code": 200, "message": "success", "data": {"tasks": [], "page": 1, "size": 100, "total": 0}}
"""A list without our tasks."""


async def looks_alone(rig: Rig) -> float:
    """So many requests would be made of this case's clips, if each were asked for by itself until its end."""
    tasks = (await rig.studio.get("/providers/hiapi/tasks"))["tasks"]
    ours = [task for task in tasks if rig.marker in task["prompt"]]
    return sum(float(task["completed"] - task["created"]) for task in ours) / POLL_SECONDS


@pytest.mark.storm
async def test_one_list_serves_many_clips_and_what_it_lacks_is_asked_for_alone(rig: Rig) -> None:
    await rig.settings(render_seconds=2.0)
    settings = {"POLL_INTERVAL_SECONDS": str(POLL_SECONDS), "HIAPI_CONCURRENCY": "10"}
    await rig.start(MAX_RUNNING_PER_PERSON="10", CONFIRM_ABOVE_USD="9", **settings)
    before = await rig.requests()
    await rig.accepted(f"--takes {CLIPS}")
    await rig.delivered(clips=CLIPS)
    after = await rig.requests()
    lists, looks = (after.get(kind, 0) - before.get(kind, 0) for kind in ("list", "get"))
    assert lists >= 3
    assert looks <= 2 * CLIPS, "a task is asked for alone before a list can have it"
    assert lists + looks < await looks_alone(rig) / 2

    # Lists that do not have our tasks, and then none at all.
    await rig.settings(render_seconds=2.5)
    await rig.arm("hiapi:list", "before", "status", status=200, body=NOTHING, times=2)
    await rig.arm("hiapi:list", "before", "status", status=503, times=-1)
    await rig.accepted("another --takes 2")
    await rig.ended(asks=2)
    await rig.check(clips=CLIPS + 2, asks=2)
    assert await rig.fired() > 2
    assert (await rig.requests())["get"] - after["get"] >= 2 * 2
