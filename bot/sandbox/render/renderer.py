"""Rendering beside the event loop, in processes of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from bot.sandbox.render.clip import ClipSpec, encode, scene_of
from bot.sandbox.render.stamp import write_stamped

FIDELITIES = ("full", "cached")


class Renderer:
    """Turns `ClipSpec`s into MP4 files.

    Fidelity ``full`` renders every clip for itself. ``cached`` encodes one clip for each size, length and
    kind of sound and stamps copies of it: for load tests, where the picture does not matter.
    """

    def __init__(self, folder: Path, *, workers: int = 2) -> None:
        self._folder = folder
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._bases: dict[str, asyncio.Task[Path]] = {}

    async def render(self, spec: ClipSpec, path: Path, *, fidelity: str = "full") -> None:
        """Write the clip to `path`, which exists only once it is whole."""
        if fidelity == "full":
            await self._in_pool(encode, spec, path)
            return
        base = await self._base(spec)
        await asyncio.to_thread(write_stamped, base, path, task_id=spec.task_id, prompt=spec.prompt)

    async def still(self, spec: ClipSpec, path: Path) -> None:
        """Write the last frame of the clip as a JPEG."""
        await self._in_pool(_still, spec, path)

    async def close(self) -> None:
        """End the processes; what they have not begun is dropped."""
        for task in self._bases.values():
            task.cancel()
        await asyncio.gather(*self._bases.values(), return_exceptions=True)
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
            self._pool = None

    async def _base(self, spec: ClipSpec) -> Path:
        width, height = spec.size
        name = f"{width}x{height}-{spec.seconds}s-{'sound' if spec.audio else 'silent'}"
        if name not in self._bases:
            self._bases[name] = asyncio.create_task(self._encode_base(spec, name))
        return await asyncio.shield(self._bases[name])

    async def _encode_base(self, spec: ClipSpec, name: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.mp4"
        if path.exists():  # from an earlier run in the same folder
            return path
        base = replace(spec, task_id=name, prompt="A sandbox clip", background=None)
        await self._in_pool(encode, base, path)
        return path

    async def _in_pool(self, work: Callable[[ClipSpec, Path], None], spec: ClipSpec, path: Path) -> None:
        if self._pool is None:
            # Spawned, not forked: the parent has threads and open sockets that a child must not inherit.
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_worker
            )
        await asyncio.get_running_loop().run_in_executor(self._pool, work, spec, path)


def _still(spec: ClipSpec, path: Path) -> None:
    scene_of(spec).photograph(spec.frames - 1).save(path, format="JPEG", quality=85)


def _begin_worker() -> None:
    """A worker leaves Ctrl-C to its parent, gives way to the servers, and dies with a killed parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
