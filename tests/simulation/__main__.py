"""``python -m tests.simulation``: many seeds over all cores, or one of them told line by line."""

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.life import Outcome, live

_BATCH = 20
_SHOWN = 10


def main() -> int:
    """Returns 0 when every promise was kept."""
    arguments = _arguments()
    if arguments.seed is not None:
        return _one(arguments.seed, arguments.jobs, trace=arguments.trace)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    began = time.monotonic()
    total, failed = Counter[str](), list[Outcome]()
    for outcome in outcomes(seeds, arguments.jobs, arguments.processes):
        total.update(
            jobs=outcome.jobs,
            kills=outcome.kills,
            charges=outcome.charges,
            clips=outcome.clips,
            hours=int(outcome.virtual_seconds),
        )
        if outcome.broken:
            failed.append(outcome)
            if len(failed) <= _SHOWN:
                _tell(outcome, arguments.jobs)
    took = time.monotonic() - began
    _say(
        f"| {len(seeds)} seeds from {arguments.first} | {total['jobs']:,} clips asked | {total['charges']:,} charges "
        f"| {total['clips']:,} clips standing | {total['kills']:,} kills | {total['hours'] / 3600:,.0f} virtual hours "
        f"| {len(failed)} seeds with a broken promise | {took:.0f} s |"
    )
    return 1 if failed else 0


def outcomes(seeds: Iterable[int], jobs: int, processes: int) -> Iterator[Outcome]:
    """What came of each seed, in order."""
    with ProcessPoolExecutor(processes, initializer=_begin) as pool:
        yield from pool.map(_quietly, ((seed, jobs) for seed in seeds), chunksize=_BATCH)


def _begin() -> None:
    """Nothing of the program itself is ever garbage, and what a life leaves behind is swept up after it."""
    gc.freeze()
    gc.disable()


def _quietly(what: tuple[int, int]) -> Outcome:
    """Without the lines, which are long."""
    seed, jobs = what
    outcome = live(seed, jobs=jobs)
    gc.collect()
    return Outcome(**{**vars(outcome), "lines": ()})


def _one(seed: int, jobs: int, *, trace: bool) -> int:
    outcome = live(seed, jobs=jobs)
    if trace:
        _say(*outcome.lines)
    _tell(outcome, jobs)
    return 1 if outcome.broken else 0


def _tell(outcome: Outcome, jobs: int) -> None:
    counts = f"{outcome.jobs} jobs, {outcome.kills} kills, {outcome.charges} charges"
    _say(f"seed {outcome.seed}: {counts}, {outcome.digest}", *(f"  {sentence}" for sentence in outcome.broken))
    if outcome.broken:
        _say(f"  again: python -m tests.simulation --jobs {jobs} --seed {outcome.seed} --trace")


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many lives")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=20, help="about how many clips people ask for in each")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: every call, in order")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
