"""``python -m bot``, and the console script ``dailies``."""

import gc


def main() -> None:
    """The command line of ``bot.cli``, sooner."""
    # What is imported stays: to look for garbage among it would be a sixth of a start, and part of each look after.
    gc.disable()
    from bot.cli import main as command_line  # noqa: PLC0415 - only now

    gc.freeze()
    gc.enable()
    command_line()


if __name__ == "__main__":
    main()
