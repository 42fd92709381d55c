"""Many at once: connections that say nothing, as fast as a machine can open them, and few files for the other side."""

import contextlib
import resource
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator


@contextlib.contextmanager
def open_files(soft: int) -> Iterator[None]:
    """No more than ``soft`` files may be open for this process meanwhile, and for ever in those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Flood:
    """Connections to a port of this machine from another thread; those that are older than the newest ``most`` are
    closed by us, or sooner by the other side."""

    def __init__(self, port: int, *, most: int) -> None:
        self.opened = 0
        self._port, self._most = port, most
        self._over = threading.Event()

    def run(self) -> None:
        """Open connections until ``stop``."""
        held: deque[socket.socket] = deque()
        while not self._over.is_set():
            try:
                held.append(socket.create_connection(("127.0.0.1", self._port), timeout=0.5))
                self.opened += 1
            except OSError:
                time.sleep(0.01)  # the other side's queue is full
            if len(held) > self._most:
                held.popleft().close()
        for one in held:
            one.close()

    def stop(self) -> None:
        """Make ``run`` return."""
        self._over.set()


@contextlib.contextmanager
def flooding(port: int, *, most: int) -> Iterator[Flood]:
    """A flood for the block."""
    flood = Flood(port, most=most)
    thread = threading.Thread(target=flood.run, daemon=True)
    thread.start()
    try:
        yield flood
    finally:
        flood.stop()
        thread.join()
