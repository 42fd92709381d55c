"""The cast of a channel, shown to one person."""

from collections.abc import Mapping

from handlers.blocks.kit import Message, escape, said
from handlers.grammar.cast import in_words


def cast_message(cast: Mapping[str, str]) -> Message:
    """Who and what prompts can name here, and how that is changed."""
    lines = [f"• `@{name}`: {escape(in_words(value))}" for name, value in sorted(cast.items())]
    head = "*The cast of this channel.* A name in a prompt stands for these words, and brings its picture along."
    how = (
        "`@Dailies cast mug = a white enamel mug with a blue rim`, with a picture attached if there is one, remembers "
        "somebody or something; `@Dailies cast mug =` forgets it."
    )
    return said("\n".join([head, *(lines or ["Nobody is in it yet."]), how]))
