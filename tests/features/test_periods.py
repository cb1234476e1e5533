"""Months and seasons: which dates lie in them, by pandas' calendar."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lulc_kit.errors import LulcError
from lulc_kit.features import periods

MONTHS = [f"{m:02d}" for m in range(1, 13)]
DAYS = [d.strftime("%Y-%m-%d") for d in pd.date_range("2018-01-01", "2020-12-31", freq="9D")]


@given(first=st.sampled_from(MONTHS), last=st.sampled_from(MONTHS))
def test_a_season_holds_its_months_of_every_year(first, last):
    # The months that one passes walking from the first to the last, as a calendar on the wall is read.
    walk = [int(first)]
    while walk[-1] != int(last):
        walk.append(walk[-1] % 12 + 1)
    expected = [d for d in DAYS if pd.Timestamp(d).month in walk]
    assert periods.dates_in(f"{first}..{last}", DAYS) == expected


@pytest.mark.parametrize("month", MONTHS)
def test_a_month_of_one_year_and_of_all(month):
    table = pd.Series(DAYS, pd.to_datetime(DAYS))
    assert periods.dates_in(f"2019-{month}", DAYS) == table[f"2019-{month}"].tolist()
    assert periods.dates_in(month, DAYS) == table[table.index.month == int(month)].tolist()


@pytest.mark.parametrize("period", ["7", "2018", "2018-13", "06-08", "2018-07-01", "06..13", "", "07\n"])
def test_what_is_no_period_is_refused(period):
    with pytest.raises(LulcError, match="no month or season"):
        periods.dates_in(period, DAYS)


def test_a_month_without_a_date_is_named_with_those_that_have_some():
    with pytest.raises(LulcError, match=r"2018-03\. It has dates in 2018-07, 2019-01.*widen it to a season"):
        periods.dates_in("2018-03", ["2018-07-04", "2019-01-05"])
