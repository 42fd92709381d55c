"""Every row of the matrix that can be armed on one case: each alone, and pairs of them, which the seed draws.

What is demanded of a row beside the promises, such as the words on its card, is scripted where its mark stands.
"""

import pytest

from tests.faults.catalogue import PAIRS, ROWS, row_pairs, single_rows
from tests.faults.conftest import Perform

pytestmark = pytest.mark.timeout(400)


@pytest.mark.storm
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("number", range(1, len(ROWS) + 1))
async def test_a_row_alone_keeps_every_promise(perform: Perform, seed: int, number: int) -> None:
    played = await perform(single_rows(seed)[number - 1])
    assert not played.idle, "a row whose fault had no occasion shows nothing"


@pytest.mark.storm
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("number", range(1, PAIRS + 1))
async def test_two_rows_at_once_keep_every_promise(perform: Perform, seed: int, number: int) -> None:
    await perform(row_pairs(seed)[number - 1])


def test_the_catalogue_names_each_row_once_and_the_seed_decides_the_pairs() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS) >= 40
    assert row_pairs(7) == row_pairs(7)
    assert row_pairs(7) != row_pairs(8)
    assert len({script.name.partition(",")[0] for script in row_pairs(7)}) == PAIRS


@pytest.mark.parametrize("seed", [7, 8, 20261121])
def test_two_faults_of_a_pair_never_wait_for_one_another(seed: int) -> None:
    """A call takes one fault."""
    struck = {row.id: {(fault.point, fault.phase) for fault in row.faults} for row in ROWS}
    for script in row_pairs(seed):
        one, other = script.name.partition(",")[0].split(" and ")
        assert not struck[one] & struck[other], script.name
