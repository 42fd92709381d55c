"""The program of a worker: reads tasks from standard input, writes answers to standard output, one JSON line each.

It opens files that were made to do harm, so it is given little: a clean environment, a limit on memory, on the size of
what it writes and on open files, and for each task a time after which it ends itself. It ends when its input does.
"""

import contextlib
import os
import resource
import signal
import sys
from typing import BinaryIO

from bot.media import work
from bot.media.bounds import LARGEST_OUTPUT_BYTES
from bot.media.damage import Unreadable, is_no_space
from bot.media.messages import (
    ANSWERS,
    READY,
    TASKS,
    Answer,
    FrameTask,
    HinderedAnswer,
    PreparedAnswer,
    RefusedAnswer,
    Task,
)

_OPEN_FILES = 64
_BROKEN = RefusedAnswer(figure="cannot be read", limit="it is damaged or not what it says it is")


def main(memory_bytes: int) -> None:
    """Work until the input ends."""
    answers = _own_output()
    _limit(memory_bytes)
    answers.write(READY)
    answers.flush()
    for line in sys.stdin.buffer:
        task = TASKS.validate_json(line)
        signal.setitimer(signal.ITIMER_REAL, task.seconds)
        answer = _done(task)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(ANSWERS.dump_json(answer) + b"\n")
        answers.flush()


def _done(task: Task) -> Answer:
    try:
        if isinstance(task, FrameTask):
            return PreparedAnswer(prepared=work.frame(task.file, last=task.last, output=task.output))
        prepared = work.prepare(task.file, wanted=task.wanted, limits=task.limits, output=task.output)
        return PreparedAnswer(prepared=prepared)
    except Unreadable as error:
        return RefusedAnswer(figure=error.figure, limit=error.limit)
    except MemoryError:
        return RefusedAnswer(figure="needs more memory than one file is given", limit="a smaller one may do")
    except OSError as error:
        return HinderedAnswer() if is_no_space(error) else _BROKEN
    except Exception:  # noqa: BLE001 - readers raise whatever a broken file leads them to; that is the answer about it
        return _BROKEN


def _own_output() -> BinaryIO:
    """Standard output for answers alone: what a library prints goes where errors go."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _limit(memory_bytes: int) -> None:
    """Limits that the system keeps. Where it does not know one (macOS: memory), the others hold."""
    wanted = {
        resource.RLIMIT_DATA: memory_bytes,
        resource.RLIMIT_FSIZE: LARGEST_OUTPUT_BYTES,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in wanted.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main(int(sys.argv[1]))
