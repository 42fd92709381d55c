"""How long a newcomer waits: ``python -m tests.browser.first_minute [--clone]``.

Starts ``make demo`` and prints, in seconds from that start, when the page answers, and when the first clip plays in
Chromium after ``/clip a red panda surfing`` was typed as soon as the page was there. As the tree stands, or with
``--clone`` in a fresh clone of it in a temporary folder, which makes its own virtual environment: that is a newcomer's
first minute with whatever pip has cached.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import expect

from tests.browser.chrome import chrome
from tests.browser.demo import DemoEnded, running
from tests.browser.visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]
LINE = "/clip a red panda surfing"
SUMMARY = re.compile(r"^\d+ repl(y|ies)")
PLAYS = """(video) => new Promise((resolve, reject) => {
    video.addEventListener('error', () => reject(video.error));
    video.addEventListener('timeupdate', () => { if (video.currentTime > 0) resolve(video.currentTime); });
    video.muted = true;
    video.play().catch(reject);
})"""
PATIENCE = 120_000  # milliseconds for anything on the page
_SETUP_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class FirstMinute:
    """Seconds from the start of ``make demo``; ``typed`` is when the command was sent."""

    page: float
    typed: float
    playing: float

    def __str__(self) -> str:
        return (
            f"page answers after      {self.page:6.1f} s\n"
            f"command sent after      {self.typed:6.1f} s\n"
            f"first clip plays after  {self.playing:6.1f} s ({self.playing - self.typed:.1f} s after the command)"
        )


async def measure(tree: Path) -> FirstMinute:
    """``make demo`` in a tree, watched from a browser that is open already."""
    async with chrome() as browser:
        tab = await browser.new_page(viewport={"width": 1280, "height": 800})
        tab.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        started = time.monotonic()
        async with running("make", "demo", place=tree, within=_SETUP_SECONDS) as demo:
            visitor = await Visitor.arrive(tab, demo.origin)
            page = time.monotonic() - started
            await visitor.composer.press_sequentially(LINE)
            await visitor.composer.press("Enter")
            typed = time.monotonic() - started
            await visitor.channel.get_by_role("button", name=SUMMARY).first.click()
            await visitor.thread.locator("video").first.evaluate(PLAYS)
            return FirstMinute(page=page, typed=typed, playing=time.monotonic() - started)


async def clone(place: Path) -> Path:
    """A fresh clone of what is committed here."""
    tree = place / "dailies"
    process = await asyncio.create_subprocess_exec("git", "clone", "--quiet", str(ROOT), str(tree))
    if await process.wait() != 0:
        raise DemoEnded([f"git clone of {ROOT} failed\n"])
    return tree


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.first_minute", description=__doc__)
    parser.add_argument("--clone", action="store_true", help="in a fresh clone with its own virtual environment")
    fresh = parser.parse_args().clone
    with tempfile.TemporaryDirectory(prefix="dailies-first-minute-") if fresh else nullcontext() as place:
        tree = asyncio.run(clone(Path(place))) if place else ROOT
        print(asyncio.run(measure(tree)))  # noqa: T201 - a command line speaks on standard output
    return 0


if __name__ == "__main__":
    sys.exit(main())
