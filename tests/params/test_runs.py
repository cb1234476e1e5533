"""What the notebooks of a run share: its name is that of files, and its seed a whole number."""

from typing import Any

import pytest

from lulc_kit import params
from lulc_kit.errors import ParameterError
from tests.params.refused import refused

RUNS = [model for model in params.NOTEBOOKS.values() if issubclass(model, params.RunParameters)]


@pytest.mark.parametrize("model", RUNS, ids=lambda model: model.notebook)
def test_a_run_is_named_like_a_file_and_has_a_seed(model: type[params.RunParameters]) -> None:
    assert "'../knn'" in refused(model, "run", "../knn")
    assert "found -1" in refused(model, "seed", -1)
    assert model(run="a-b").step == f"{model.notebook[:2]}_a-b"


def test_runs_are_those_of_the_three_notebooks() -> None:
    assert [model.notebook[:2] for model in RUNS] == ["06", "07", "08"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"trained": "rf"}, "trained"),
        ({"trained": "a/b/c"}, "trained"),
        ({"trained": "../a/rf"}, "trained"),
        ({"trained": "s/rf"}, "a run of this study itself"),
        ({"trained": "a/rf", "samples": ["a", "b"]}, "give one of them"),
        ({"trained": "a/rf", "features": ["B2"]}, "those of the model"),
        ({"trained": "a/rf", "learning_curve": True}, "own samples"),
        ({"samples": ["a"]}, "two studies or more"),
        ({"samples": ["a", "a"]}, "each once"),
    ],
)
def test_a_model_has_one_origin(values: dict[str, Any], says: str) -> None:
    for model in RUNS:
        if set(values) <= set(model.model_fields):
            with pytest.raises(ParameterError, match=says):
                model.check({"study": "s", "run": "x"} | values, "x.yaml")


def test_the_studies_that_teach() -> None:
    assert [model(study="s", trained="a/rf").origins for model in RUNS] == [["a"]] * 3  # type: ignore[call-arg]
    assert [model(study="s").origins for model in RUNS] == [[]] * 3  # type: ignore[attr-defined]
    assert params.FCN(study="s", samples=["a", "s"]).origins == ["a", "s"]
    assert "samples" not in params.LSTM.model_fields
