"""Files that fail on order, however the program comes by them.

Python announces most of what it is about to do with a file (https://docs.python.org/3/library/audit_events.html), by
``open``, ``os.open``, ``pathlib`` or anything else, and lets it be refused. What is not announced, writing and syncing,
gets something that fails in its place.

This is about files that the program itself handles, by way of what Python has for that. What the database, the media
store and other libraries do with files by themselves is theirs, as is what Python reads to import; and what is to be
removed can be.
"""

import builtins
import errno
import functools
import inspect
import io
import os
import sys
from collections.abc import Callable
from types import FrameType, SimpleNamespace
from typing import Any

import obstore
from obstore.exceptions import GenericError

Fails = Callable[[str, str], bool]
"""Whether an operation of this kind is to fail; the second says which one it is."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_THE_PROGRAM = frozenset({"bot", "storage", "handlers"})
_ON_THE_WAY = frozenset({"contextlib", "io", "os", "pathlib", "shutil", "tempfile"})

_ERRORS = {"file": errno.ENOSPC, "fsync": errno.EIO, "rename": errno.EIO, "read": errno.EIO}
"""How the operations of a kind fail."""

_ANNOUNCED = {
    "open": "file",
    "os.mkdir": "file",
    "os.truncate": "file",
    "os.rename": "rename",
    "os.link": "rename",
    "os.symlink": "rename",
}
"""The kind of what Python announces; an ``open`` that only reads is a ``read``."""

_UNANNOUNCED = {"write": "file", "writev": "file", "pwrite": "file", "fsync": "fsync", "fdatasync": "fsync"}
"""The kind of functions of ``os`` that Python does not announce."""


def break_files(fails: Fails) -> None:
    """From now on, as ``fails`` says."""
    sys.addaudithook(_refusing(fails))
    for name, kind in _UNANNOUNCED.items():
        setattr(os, name, _failing(fails, kind, getattr(os, name)))
    opened = _opening(fails, io.open)
    for module in (io, builtins):
        _put(module, "open", opened)
    _put(obstore, "get_async", _reading(fails, obstore.get_async))


def _refusing(fails: Fails) -> Callable[[str, tuple[Any, ...]], None]:
    """What Python asks before it does anything with a file."""

    def announced(event: str, given: tuple[Any, ...]) -> None:
        if event not in _ANNOUNCED or not _by_the_program():
            return
        kind = "read" if event == "open" and not given[2] & _WRITES else _ANNOUNCED[event]
        _perhaps(fails, kind, f"{event} {given[:2]}")

    return announced


def _failing(fails: Fails, kind: str, really: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(really)
    def call(*given: Any) -> Any:
        if _by_the_program():
            _perhaps(fails, kind, f"{really.__name__} {given[0]}")
        return really(*given)

    return call


def _opening(fails: Fails, really: Callable[..., Any]) -> Callable[..., Any]:
    """``open``, but that the writes of files that the program opens fail, with a buffer before them or without."""
    signature = inspect.signature(really)

    class RawFile(io.FileIO):
        """A file of the program's."""

        def write(self, content: Any, /) -> int:
            _perhaps(fails, "file", f"write {self.name!r}")
            return super().write(content) or 0

    @functools.wraps(really)
    def opened(*given: Any, **named: Any) -> Any:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        asked = SimpleNamespace(**bound.arguments)
        if not set(asked.mode) & set("wxa+") or not _by_the_program():
            return really(*given, **named)
        raw = RawFile(asked.file, asked.mode.translate({ord("b"): None, ord("t"): None}), asked.closefd, asked.opener)
        if asked.buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in asked.mode else io.BufferedWriter(raw)
        if "b" in asked.mode:
            return buffered
        return io.TextIOWrapper(buffered, asked.encoding, asked.errors, asked.newline, asked.buffering == 1)

    return opened


def _reading(fails: Fails, really: Callable[..., Any]) -> Callable[..., Any]:
    """The media store's files, which are not opened by Python."""

    async def get_async(store: Any, key: str, **options: Any) -> Any:
        if fails("read", key):
            raise GenericError(f"{key}: {os.strerror(errno.EIO)}")
        return await really(store, key, **options)

    return get_async


def _perhaps(fails: Fails, kind: str, what: str) -> None:
    """Raises OSError if it is to fail."""
    if fails(kind, what):
        raise OSError(_ERRORS[kind], os.strerror(_ERRORS[kind]))


def _by_the_program() -> bool:
    """Whether the program does this, perhaps by way of what Python has for files."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if name in _THE_PROGRAM:
            return True
        if name not in _ON_THE_WAY and frame.f_globals is not globals():
            return False
        frame = frame.f_back
    return False


def _put(owner: object, name: str, replacement: Callable[..., Any]) -> None:
    """In place of what a module has under that name."""
    setattr(owner, name, replacement)
