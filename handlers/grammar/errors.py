"""What a person can get wrong in an ask. Each error quotes what was typed, says what is allowed, that nothing was
charged, and what to type instead.

::

    UsageError
    ├── UnknownOption      --takse 3
    ├── NotAvailableYet    --each
    ├── IllValue           --res 900p
    ├── MissingValue       --seed, promote without a number
    ├── NoValueTaken       --hq=yes
    ├── GivenTwice         --res 480p --res 720p
    ├── NotInAReply        --estimate in a thread
    ├── NoPrompt           options alone
    ├── PromptTooLong
    ├── NoSuchReference    @Image1
    ├── NeedsFirstFrame    --loop
    ├── SeveralClips       a reply that names #1 and #2
    ├── TooManyFiles       thirteen pictures attached
    ├── NotAMedium         a PDF attached
    ├── FilesWithPromotion promote #1 beside a picture
    ├── FileNotHad         an attached file that Slack does not give
    └── NoPictureForCast   cast mug = … beside a video
"""

LONGEST_QUOTE = 60
"""Characters of a person's own words that an error repeats."""

NOTHING_CHARGED = "Nothing was charged."


def quote(text: str) -> str:
    """A person's words in quotation marks, cut short."""
    words = " ".join(text.split())
    cut = words if len(words) <= LONGEST_QUOTE else words[: LONGEST_QUOTE - 1] + "…"
    return f"“{cut}”"


class UsageError(Exception):
    """The ask cannot be read. ``option`` is what it is about, ``value`` what was given for it, ``allowed`` what may
    be given (one phrase), ``suggestion`` a line that works. The text is plain: not yet escaped for Slack."""

    def __init__(
        self, wrong: str, *, option: str, value: str | None = None, allowed: str = "", suggestion: str = ""
    ) -> None:
        self.option, self.value, self.allowed, self.suggestion = option, value, allowed, suggestion
        self.wrong = wrong
        parts = [wrong, f"Allowed: {allowed}." if allowed else "", NOTHING_CHARGED]
        super().__init__(" ".join(part for part in parts if part) + (f" Try: {suggestion}" if suggestion else ""))


class UnknownOption(UsageError):
    """There is no such option; ``nearest`` is the one that was probably meant."""

    def __init__(self, *, option: str, nearest: str, names: tuple[str, ...], suggestion: str) -> None:
        self.nearest = nearest
        super().__init__(
            f"There is no option {quote(option)}. Did you mean --{nearest}?",
            option=option,
            allowed=", ".join(f"--{name}" for name in names),
            suggestion=suggestion,
        )


class NotAvailableYet(UsageError):
    """A thing that Dailies is meant to do and does not do in this release."""

    def __init__(self, *, option: str, instead: str, suggestion: str) -> None:
        super().__init__(
            f"{quote(option)} is not available yet in this release. {instead}", option=option, suggestion=suggestion
        )


class IllValue(UsageError):
    """The option exists and cannot have this value."""

    def __init__(self, *, option: str, value: str, allowed: str, suggestion: str) -> None:
        super().__init__(
            f"{quote(value)} is not a value for {option}.",
            option=option,
            value=value,
            allowed=allowed,
            suggestion=suggestion,
        )


class MissingValue(UsageError):
    """The option (or the word *promote*) needs a value and none follows."""

    def __init__(self, *, option: str, allowed: str, suggestion: str) -> None:
        super().__init__(
            f"{quote(option)} needs a value after it.", option=option, allowed=allowed, suggestion=suggestion
        )


class NoValueTaken(UsageError):
    """The option is a switch; something was given for it."""

    def __init__(self, *, option: str, value: str, suggestion: str) -> None:
        super().__init__(
            f"{quote(option)} is a switch and takes no value, but {quote(value)} was given.",
            option=option,
            value=value,
            allowed=f"{option} alone",
            suggestion=suggestion,
        )


class GivenTwice(UsageError):
    """One option, two different values."""

    def __init__(self, *, option: str, first: str, second: str, suggestion: str) -> None:
        self.first = first
        super().__init__(
            f"{quote(first)} and {quote(second)} contradict each other.",
            option=option,
            value=second,
            allowed="one of the two",
            suggestion=suggestion,
        )


class NotInAReply(UsageError):
    """The option exists for ``/clip`` and means nothing in a reply to a clip."""

    def __init__(self, *, option: str, instead: str, suggestion: str) -> None:
        super().__init__(f"{quote(option)} cannot be used in a reply: {instead}", option=option, suggestion=suggestion)


class NoPrompt(UsageError):
    """Nothing says what to show."""

    def __init__(self, *, typed: str, suggestion: str) -> None:
        what = quote(typed) if typed.strip() else "The message"
        super().__init__(
            f"{what} does not say what the clip is of: what should the clip show?",
            option="prompt",
            value=typed,
            allowed="a prompt in your own words, before or after the options",
            suggestion=suggestion,
        )


class PromptTooLong(UsageError):
    """The prompt has more characters than any provider reads."""

    def __init__(self, *, prompt: str, longest: int) -> None:
        self.length = len(prompt)
        super().__init__(
            f"The prompt {quote(prompt)} has {len(prompt):,} characters.",
            option="prompt",
            value=prompt,
            allowed=f"at most {longest:,} characters",
        )


class NoSuchReference(UsageError):
    """The prompt names a picture, video or sound that was not given; ``there`` are the names of those that were."""

    def __init__(self, *, name: str, there: tuple[str, ...], suggestion: str) -> None:
        self.there = there
        given = "this ask has none" if not there else f"this ask has {', '.join(there)}"
        super().__init__(
            f"{quote(name)} names a file that was not given: {given}.",
            option=name,
            allowed="the names of references, counted by kind (@Image1, @Image2, @Video1, @Audio1)",
            suggestion=suggestion,
        )


class NeedsFirstFrame(UsageError):
    """A last frame is had beside a first one only."""

    def __init__(self, *, option: str, suggestion: str) -> None:
        why = "to come back to" if option == "--loop" else "to begin with"
        super().__init__(
            f"{quote(option)} needs a first frame {why}.",
            option=option,
            allowed="--first with a picture, beside it",
            suggestion=suggestion,
        )


class SeveralClips(UsageError):
    """A reply is about one clip, and this one names more."""

    def __init__(self, *, numbers: tuple[int, ...]) -> None:
        named = ", ".join(f"#{number}" for number in numbers)
        super().__init__(
            f"{quote(named)}: a reply is about one clip.",
            option="#n",
            value=named,
            allowed="one clip's number at the beginning",
            suggestion=f"#{numbers[0]} 9:16",
        )


class TooManyFiles(UsageError):
    """More files are attached than one ask can have."""

    def __init__(self, *, count: int, most: int) -> None:
        self.count, self.most = count, most
        super().__init__(
            f"{count} files are attached.", option="files", value=str(count), allowed=f"at most {most} files in one ask"
        )


class NotAMedium(UsageError):
    """A file is nothing that a video can be made from, or not ``what`` its option takes; ``allowed`` says what is."""

    def __init__(self, *, name: str, allowed: str, what: str = "picture, video or sound") -> None:
        self.name = name
        super().__init__(
            f"{quote(name)} is no {what}.",
            option="files",
            value=name,
            allowed=allowed,
        )


class FilesWithPromotion(UsageError):
    """Files are attached to a promotion of clip ``number``, which could use none of them."""

    def __init__(self, *, number: int, count: int) -> None:
        self.number = number
        files = "A file is" if count == 1 else f"{count} files are"
        super().__init__(
            f"{files} attached to a promotion, and a final is made of its draft's recipe.",
            option="files",
            value=str(count),
            allowed="to promote without files, or to name the app and say what is to become of them",
            suggestion=f"promote #{number}",
        )


class FileNotHad(UsageError):
    """Slack does not give an attached file. ``why`` and ``mend`` are sentences: what is wrong with it, what helps."""

    def __init__(self, *, why: str, mend: str) -> None:
        self.why, self.mend = why, mend
        super().__init__(f"{why} {mend}".strip(), option="files")


class NoPictureForCast(UsageError):
    """Somebody of the cast has words and at most one picture."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"@{name} cannot be remembered so.",
            option="cast",
            value=name,
            allowed="words, and one attached picture at most",
            suggestion=f"@Dailies cast {name} = a white enamel mug with a blue rim",
        )
