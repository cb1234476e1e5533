"""Gradient boosting fitted by scikit-learn, applied faster: the same scores, to the last bit."""

import numba
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from lulc_kit.baselines.forest import GROUP, pack, walk


class Boosting:
    """Fitted histogram gradient boosting whose trees lie in one array.

    Parameters
    ----------
    fitted
        A model that `fits`.
    """

    def __init__(self, fitted: HistGradientBoostingClassifier) -> None:
        nodes, values, roots = [], [], []
        count = leaves = 0
        for rounds in fitted._predictors:
            for tree in (predictor.nodes for predictor in rounds):
                is_leaf = tree["is_leaf"].astype(bool)
                branches = tree["left"], tree["right"], tree["feature_idx"], tree["num_threshold"]
                nodes.append(pack(*branches, is_leaf, count, leaves))
                roots.append(count)
                values.append(tree["value"][is_leaf])
                count += len(is_leaf)
                leaves += int(is_leaf.sum())
        self._nodes, self._roots, self._values = np.concatenate(nodes), np.array(roots), np.concatenate(values)
        self._start = np.ravel(fitted._baseline_prediction)

    @staticmethod
    def fits(fitted: HistGradientBoostingClassifier) -> bool:
        """Whether a model can be laid out: none of its features is a category."""
        return fitted.is_categorical_ is None

    def raw(self, samples: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the sums of the trees (sample, class; one column for two classes) of samples that hold no NaN."""
        x = np.ascontiguousarray(samples, np.float32)
        out = np.tile(self._start, (len(x), 1))
        _add_trees(x, self._nodes, self._roots, self._values, out)
        return out


@numba.njit(nogil=True, cache=True)
def _add_trees(x, nodes, roots, values, out):  # type: ignore[no-untyped-def]
    at = np.empty(GROUP, np.int64)
    for tree in range(len(roots)):
        k = tree % out.shape[1]  # a tree for each class, round after round
        for start in range(0, len(x), GROUP):
            count = min(GROUP, len(x) - start)
            walk(x, nodes, roots[tree], start, count, at)
            for i in range(count):
                out[start + i, k] += values[nodes[at[i]].leaf]
