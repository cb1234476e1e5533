"""Months and seasons as layers: what a pixel looked like in a part of the year, from its clear observations."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lulc_kit.errors import ParameterError
from lulc_kit.params.features import PERIOD


def dates_in(period: str, dates: Sequence[str]) -> list[str]:
    """Return the dates that lie in a period.

    Parameters
    ----------
    period
        See `lulc_kit.params.features.PERIOD`.
    dates
        ``YYYY-MM-DD``, in order.

    Raises
    ------
    LulcError
        If the period is not written like that, or no date lies in it.

    Examples
    --------
    >>> days = ["2018-01-12", "2018-07-04", "2018-12-30", "2019-07-09"]
    >>> dates_in("07", days), dates_in("2018-07", days), dates_in("11..02", days)
    (['2018-07-04', '2019-07-09'], ['2018-07-04'], ['2018-01-12', '2018-12-30'])
    """
    written = re.fullmatch(PERIOD, period)
    if written is None:
        raise ParameterError(
            f"time_months: {period!r} is no month or season. Write 2018-07 for that month, 07 for July of any year, "
            f"or 06..08 for June to August of any year (as text, in quotes)."
        )
    found = [day for day in dates if _within(written, day)]
    if not found:
        months = sorted({day[:7] for day in dates})
        raise ParameterError(
            f"time_months: no date of the cube lies in {period}. It has dates in {', '.join(months) or 'no month'}. "
            f"Leave {period} out, widen it to a season (06..08), or widen 'dates' in 02_preprocess.yaml."
        )
    return found


def _within(period: re.Match[str], day: str) -> bool:
    year, month = day[:4], day[5:7]
    if period["month"]:
        return month == period["month"] and period["year"] in (None, year)
    first, last = period["first"], period["last"]
    return first <= month <= last if first <= last else month >= first or month <= last
