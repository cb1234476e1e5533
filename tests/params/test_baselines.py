"""Parameters of 06: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from lulc_kit.errors import LulcError
from tests.params.refused import refused


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("trees", "100", "'100'"),
        ("trees", 10.5, "10.5"),
        ("trees", 0, "found 0"),
        ("trees", True, "True"),
        ("model", "xgboost", "'xgboost'; known: knn, rf, hgb, svm, logreg"),
        ("model", "os.system", "sklearn.naive_bayes.GaussianNB"),
        ("class_weight", "auto", "'auto'"),
        ("tune", -1, "found -1"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(name: str, value: Any, says: str) -> None:
    assert says in refused(params.Baselines, name, value)


def test_tuning_is_for_models_that_know_what_to_draw_from() -> None:
    values = {"model": "sklearn.naive_bayes.GaussianNB", "tune": 5}
    with pytest.raises(LulcError, match="write tune: 0 and give 'settings'"):
        params.Baselines.check(values, "06_x.yaml")
