"""What the notebooks of a run share: its name is that of files, and its seed a whole number."""

import pytest

from lulc_kit import params
from tests.params.refused import refused

RUNS = [model for model in params.NOTEBOOKS.values() if issubclass(model, params.RunParameters)]


@pytest.mark.parametrize("model", RUNS, ids=lambda model: model.notebook)
def test_a_run_is_named_like_a_file_and_has_a_seed(model: type[params.RunParameters]) -> None:
    assert "'../knn'" in refused(model, "run", "../knn")
    assert "found -1" in refused(model, "seed", -1)
    assert model(run="a-b").step == f"{model.notebook[:2]}_a-b"


def test_runs_are_those_of_the_three_notebooks() -> None:
    assert [model.notebook[:2] for model in RUNS] == ["06", "07", "08"]
