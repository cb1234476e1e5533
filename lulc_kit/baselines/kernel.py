"""Support vector machines fitted by scikit-learn, applied faster: products of matrices for many pixels at once."""

from itertools import combinations

import numpy as np
import numpy.typing as npt
from sklearn.svm import SVC
from sklearn.utils.multiclass import _ovr_decision_function

BATCH = 2048
"""Samples whose distances to all support vectors are in memory at once."""


class Machine:
    """A fitted machine with a radial kernel, exp(−γ·|x − s|²), whose support vectors lie in one array.

    Parameters
    ----------
    fitted
        For which `fits` is true.
    """

    def __init__(self, fitted: SVC) -> None:
        self._gamma = np.float32(fitted._gamma)
        self._vectors = fitted.support_vectors_.astype(np.float32)
        self._square = self._gamma * (self._vectors**2).sum(axis=1)
        classes = len(fitted.classes_)
        first = np.concatenate([[0], np.cumsum(fitted.n_support_)])
        # One column for each pair of classes, in libsvm's order: what each vector of either of them adds.
        pairs = list(combinations(range(classes), 2))
        weights = np.zeros((len(self._vectors), len(pairs)), np.float32)
        for column, (i, j) in enumerate(pairs):
            of_i, of_j = slice(first[i], first[i + 1]), slice(first[j], first[j + 1])
            weights[of_i, column] = fitted.dual_coef_[j - 1, of_i]
            weights[of_j, column] = fitted.dual_coef_[i, of_j]
        self._weights, self._intercept, self._classes = weights, fitted.intercept_, classes
        self._one_against_rest = fitted.decision_function_shape == "ovr" and classes > 2

    @staticmethod
    def fits(fitted: SVC) -> bool:
        """Whether a machine is of the kind that this module knows."""
        return fitted.kernel == "rbf" and isinstance(fitted.support_vectors_, np.ndarray)

    def decision_function(self, samples: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return scores as scikit-learn's machine does, in single precision: (sample, class) or (sample, pair)."""
        x = np.ascontiguousarray(samples, np.float32)
        found = np.concatenate([self._pairs(x[i : i + BATCH]) for i in range(0, max(len(x), 1), BATCH)])
        if self._classes == 2:
            return found[:, 0]
        return _ovr_decision_function(found < 0, -found, self._classes) if self._one_against_rest else found

    def _pairs(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        kernel = x @ self._vectors.T
        kernel *= 2 * self._gamma
        kernel -= self._square
        kernel -= self._gamma * (x**2).sum(axis=1, keepdims=True)
        np.exp(kernel, out=kernel)
        return (kernel @ self._weights).astype(np.float64) + self._intercept
