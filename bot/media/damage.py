"""What is wrong with a file, told from inside the worker, which does not know what people call the file."""

import errno

from bot.domain.reference import Unusable


def is_no_space(error: OSError) -> bool:
    """Whether our own disk is full: nothing that the file can help."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


class Unreadable(Exception):
    """The file cannot be used: ``figure`` is what it is, ``limit`` what it would have to be."""

    def __init__(self, figure: str, limit: str) -> None:
        self.figure = figure
        self.limit = limit
        super().__init__(f"The file {figure}; {limit}.")

    @classmethod
    def because(cls, verdict: Unusable) -> "Unreadable":
        """A verdict, as an exception."""
        return cls(verdict.figure, verdict.limit)


class CutShort(Unreadable):
    """The file ends before what it announces: a download or an upload that broke off, or a false header."""

    def __init__(self, figure: str) -> None:
        super().__init__(figure, "a whole file is needed (send it again)")


class Damaged(Unreadable):
    """The file begins like one of its kind and cannot be read as one."""

    def __init__(self, label: str) -> None:
        super().__init__(f"cannot be read as {label}", "it is damaged or not what it says it is")
