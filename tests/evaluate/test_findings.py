"""All that 09 found, as tables: what was asked for and nothing else, with the numbers of their sources."""

import numpy as np
import pandas as pd

from lulc_kit.evaluate.agreement import Agreement
from lulc_kit.evaluate.findings import Findings
from tests.evaluate.test_report import GOOD, evaluation


def test_without_more_there_are_the_tables_of_the_runs():
    judged = evaluation(GOOD, poor=GOOD.T)
    tables = Findings(judged, {}).tables()
    of_runs = {f"{kind}_{run}" for kind in ("classes", "confusion") for run in ("rf", "poor")}
    assert set(tables) == {"runs", "comparison", "calibration"} | of_runs
    np.testing.assert_array_equal(tables["confusion_poor"].to_numpy(), 40 * GOOD.T)
    rows = tables["runs"].reset_index().query("score == 'macro'").set_index(["run", "split"])["value"]
    assert set(rows.index) == {("rf", "apart_in_space"), ("poor", "apart_in_space"), ("rf", "random_pixels")}
    precision, recall = np.diag(GOOD) / GOOD.sum(axis=0), np.diag(GOOD) / GOOD.sum(axis=1)
    f1 = 2 * precision * recall / (precision + recall)
    np.testing.assert_allclose(rows["rf", "apart_in_space"], f1.mean())


def test_another_map_is_a_table_by_both_classes():
    matrix = np.arange(16).reshape(4, 4)
    other = pd.Series(0)  # where they differ: no table
    tables = Findings(evaluation(), {}, agreed={"rf_esri": (Agreement("esri", "rf", matrix), other)}).tables()
    table = tables["agreement_rf_esri"]
    assert table.index.name == "ours" and list(table.index) == list(table.columns)
    np.testing.assert_array_equal(table.to_numpy(), matrix)
