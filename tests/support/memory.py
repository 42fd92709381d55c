"""How much memory a process holds, by what the kernel says of it (proc(5))."""

from pathlib import Path

LARGE_RISE_KB = 20_480
"""How much a clip of a hundred megabytes may add to the peak of an ordinary one: batches and socket buffers in both
directions, which are the same for any size. Held in memory once, it would add five times as much."""


def resident_kb(pid: int, name: str) -> int:
    """``VmRSS`` now, or ``VmHWM`` at its peak."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise AssertionError(name)


def forget_peak(pid: int) -> None:
    """Let ``VmHWM`` begin again from now (proc_pid_clear_refs(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
