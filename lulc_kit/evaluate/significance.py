"""Are two models told apart, or is it luck? Tests of pairs on the same pixels, and what many pairs ask for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def mcnemar(only_first: npt.ArrayLike, only_second: npt.ArrayLike) -> tuple[float, float]:
    """Test whether two models are right equally often, by the pixels that only one of them has right.

    The pixels of a block are near-copies, so blocks are what counts (Durkalski et al. 2003, doi:10.1002/sim.1438); with
    blocks of one pixel it is McNemar's test of 1947 (doi:10.1007/BF02295996), which takes pixels for independent and
    sees differences where there are none.

    Parameters
    ----------
    only_first, only_second
        For each block: pixels that only the first, only the second model has right.

    Returns
    -------
    tuple of float
        z (positive if the first is better) and the two-sided p.

    Examples
    --------
    >>> z, p = mcnemar(np.repeat([1, 0], [150, 86]), np.repeat([0, 1], [150, 86]))  # Agresti: 150 and 86 pairs
    >>> round(z**2, 4), f"{p:.1e}"
    (17.3559, '3.1e-05')
    """
    from scipy import stats

    gap = np.asarray(only_first, float) - np.asarray(only_second, float)
    spread = np.sqrt((gap**2).sum())
    z = float(gap.sum() / spread) if spread else 0.0
    return z, float(2 * stats.norm.sf(abs(z)))


def holm(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Correct p values for their number (Holm 1979, Scandinavian Journal of Statistics 6, 65–70).

    Whoever compares ten pairs finds one in twenty told apart by luck alone; of corrected values, one below 0.05 occurs
    by luck in one of twenty such comparisons.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, float)
    order = np.argsort(values)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1)
    return corrected
