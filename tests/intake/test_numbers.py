"""Numbers in all their spellings: against the same numbers, and never a guess without a word."""

import numpy as np
import pandas as pd
import pytest

from lulc_kit.intake import numbers


@pytest.mark.parametrize(
    ("cells", "sign", "expected"),
    [
        (["0,25", "-1.500,5", "3", "1,5E-02"], ",", [0.25, -1500.5, 3, 0.015]),
        (["0.25", "-1,500.5", "3", "1,234,567"], ".", [0.25, -1500.5, 3, 1_234_567]),
        (["\N{MINUS SIGN}70.5", "13.5°", "+4", " 7 "], ".", [-70.5, 13.5, 4, 7]),
        (["1 234", "1'234.5", "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567", "1"], ".", [1234, 1234.5, 1_234_567, 1]),
        (["12 %", "a", "", "15.06.2023", "1 2", "12 34"], ".", [np.nan] * 6),
    ],
)
def test_spellings_of_a_number(cells, sign, expected):
    np.testing.assert_array_equal(numbers.parse(pd.Series(cells), sign), expected)
    if np.isfinite(expected).all():
        assert sign in numbers.signs(numbers.tidy(pd.Series(cells)))


@pytest.mark.parametrize(
    ("columns", "settled", "doubtful"),
    [
        ({"a": ["1,500", "250"], "b": ["0.25", "3"]}, {"a": ".", "b": "."}, []),
        ({"a": ["1,500", "250"], "b": ["0,25", "3"]}, {"a": ",", "b": ","}, []),
        ({"a": ["1,500", "250"], "b": ["0,25", "3"], "c": ["0.25", "3"]}, {"b": ",", "c": "."}, ["a"]),
        ({"a": ["1,500", "1500"], "b": ["1.500", "2"]}, {"b": "."}, ["a"]),
        ({"a": ["1,500", "250"], "b": ["x", "y"]}, {}, ["a"]),
        ({"a": ["0,25", "0.25"]}, {}, []),
        ({"a": ["12345678901234567890", "1"]}, {}, []),
    ],
)
def test_the_table_decides_what_a_column_leaves_open(columns, settled, doubtful):
    found = numbers.settle({name: numbers.tidy(pd.Series(cells)) for name, cells in columns.items()})
    assert found == (settled, doubtful)


def test_what_a_person_takes_for_a_number():
    cells = pd.Series(["12 %", "0,5", "1'234", "--", "wood", "15.06.2023", None])
    assert numbers.resemble(cells).tolist() == [True, True, True, False, False, False, False]
