"""``python -m storage.migrations check [DATABASE_URL]``: exit 1 when migrations and tables differ.

Without a URL it looks at a SQLite database of its own; one that is given must be empty.
"""

import sys
import tempfile
from pathlib import Path

from storage.engines import place_of, plain_engine
from storage.migrations.check import differences


def main(arguments: list[str]) -> int:
    """Print what differs; the exit code."""
    urls = [argument for argument in arguments if argument != "check"]
    with tempfile.TemporaryDirectory() as folder:
        url = urls[0] if urls else f"sqlite:///{Path(folder) / 'check.db'}"
        engine = plain_engine(place_of(url), writing=True)
        try:
            found = differences(engine)
        finally:
            engine.dispose()
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
