"""One simulated study for all tests of the room."""

import pytest

from lulc_kit.simulated import SimulatedStudy, simulate
from tests.simulated.seen import SIZE


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimulatedStudy:
    """Two tiles and ten dates; whoever changes something makes one of their own."""
    return simulate(tmp_path_factory.mktemp("simulated") / "study", size=SIZE, seed=5)
