"""Where Chromium is, and how it is started: without a network of its own, without a profile, without a gesture before
a clip may play. Chromium comes from the system (Debian: ``apt-get install chromium``); ``CHROMIUM`` names another one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
)


def chromium() -> str:
    """The path of the system's Chromium."""
    named = os.environ.get("CHROMIUM")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, f"this needs a browser: install chromium, or set CHROMIUM; none of {', '.join(NAMES)}"
    return found


@asynccontextmanager
async def chrome() -> AsyncIterator[Browser]:
    """A browser without a profile."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        yield browser
        await browser.close()
