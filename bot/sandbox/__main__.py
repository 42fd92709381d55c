"""``python -m bot.sandbox``: runs the sandbox until it is told to stop.

When ready it prints one line of JSON: its addresses and the environment for the bot.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from .server import Sandbox


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bot.sandbox", description=__doc__)
    parser.add_argument("--slack-port", type=int, default=0, help="port of Slack and of the control API (0: any)")
    parser.add_argument("--providers-port", type=int, default=0, help="port of the providers (0: any)")
    parser.add_argument("--data", type=Path, help="folder for files (default: a temporary one)")
    parser.add_argument("--config", type=json.loads, default={}, help="settings of the workspace, as JSON")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when stdin ends")
    options = parser.parse_args()
    if options.data is not None:
        asyncio.run(_run(options, options.data))
        return
    with tempfile.TemporaryDirectory(prefix="dailies-sandbox-") as folder:
        asyncio.run(_run(options, Path(folder)))


async def _run(options: argparse.Namespace, folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.exit_with_parent:
        await _stop_at_end_of_stdin(stop)
    sandbox = Sandbox(
        data_dir=folder,
        slack_port=options.slack_port,
        providers_port=options.providers_port,
        config=options.config,
    )
    await sandbox.start()
    try:
        ready = {
            "ready": True,
            "pid": os.getpid(),
            "slack": sandbox.slack_origin,
            "providers": sandbox.providers_origin,
            "env": sandbox.environment(),
        }
        print(json.dumps(ready), flush=True)
        await stop.wait()
    finally:
        await sandbox.close()


async def _stop_at_end_of_stdin(stop: asyncio.Event) -> None:
    """Sets ``stop`` when stdin closes: the parent that held its other end is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def watch() -> None:
        while await reader.read(1024):
            continue
        stop.set()

    _WATCHERS.add(asyncio.create_task(watch()))


_WATCHERS: set[asyncio.Task[None]] = set()
"""Keeps the watching task alive: the event loop holds tasks only weakly."""


if __name__ == "__main__":
    main()
