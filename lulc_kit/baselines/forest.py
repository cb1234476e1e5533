"""Random forests fitted by scikit-learn, applied faster: the same probabilities, to the last bit."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier

GROUP = 16
"""Pixels that go down a tree side by side, so that the processor need not wait for each one's next node."""

NODE = np.dtype([("feature", np.int32), ("threshold", np.float32), ("child", np.int32), ("leaf", np.int32)])


class Forest:
    """A fitted random forest whose trees lie in one array.

    Parameters
    ----------
    fitted
        A forest for one label per sample.

    Attributes
    ----------
    classes_
        Class values, as in scikit-learn.
    """

    def __init__(self, fitted: RandomForestClassifier) -> None:
        self.classes_ = fitted.classes_
        nodes, shares, roots = [], [], []
        count = leaves = 0
        for tree in (t.tree_ for t in fitted.estimators_):
            is_leaf = tree.children_left < 0
            branches = tree.children_left, tree.children_right, tree.feature, tree.threshold
            nodes.append(pack(*branches, is_leaf, count, leaves))
            roots.append(count)
            shares.append(tree.value[is_leaf, 0])
            count += len(is_leaf)
            leaves += int(is_leaf.sum())
        self._nodes = np.concatenate(nodes)
        self._roots = np.array(roots)
        self._shares = np.concatenate(shares)

    def predict_proba(self, samples: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return class probabilities (sample, class) of samples (sample, feature), which hold no NaN."""
        x = np.ascontiguousarray(samples, np.float32)
        out = np.zeros((len(x), self._shares.shape[1]))
        _add_trees(x, self._nodes, self._roots, self._shares, out)
        out /= len(self._roots)
        return out


def pack(
    left: npt.NDArray[np.integer],
    right: npt.NDArray[np.integer],
    feature: npt.NDArray[np.integer],
    threshold: npt.NDArray[np.float64],
    is_leaf: npt.NDArray[np.bool_],
    first: int,
    first_leaf: int,
) -> npt.NDArray[Any]:
    """Lay a tree's nodes out so that both children of a node are neighbours; a leaf is its own child.

    Parameters
    ----------
    left, right, feature, threshold, is_leaf
        By node, the root first: its children, and what sends a sample to the left, ``x[feature] <= threshold``.
    first, first_leaf
        Numbers of nodes and leaves of the trees before this one.
    """
    inner = ~is_leaf
    # Children in the order of their parents, pair by pair, after the root.
    place = np.zeros(len(left), np.int64)
    place[left[inner]] = 1 + 2 * np.arange(inner.sum())
    place[right[inner]] = place[left[inner]] + 1
    leaf = np.cumsum(is_leaf) - 1
    # A float32 is at most a float64 exactly if it is at most the largest float32 not above it.
    single = threshold.astype(np.float32)
    single = np.where(single > threshold, np.nextafter(single, np.float32(-np.inf)), single)
    out = np.empty(len(left), NODE)
    out["feature"][place] = np.where(inner, feature, 0)
    out["threshold"][place] = np.where(inner, single, np.inf)
    out["child"][place] = first + np.where(inner, place[np.where(inner, left, 0)], place)
    out["leaf"][place] = np.where(inner, -1, first_leaf + leaf)
    return out


@numba.njit(nogil=True, cache=True)
def walk(x, nodes, root, start, count, at):  # type: ignore[no-untyped-def]
    """Take ``count`` pixels from ``start`` on down a tree: ``at`` becomes the leaf of each."""
    at[:] = root
    moving = True
    while moving:
        moving = False
        for i in range(count):
            node = nodes[at[i]]
            step = node.child + (x[start + i, node.feature] > node.threshold)
            moving |= step != at[i]
            at[i] = step


@numba.njit(nogil=True, cache=True)
def _add_trees(x, nodes, roots, shares, out):  # type: ignore[no-untyped-def]
    at = np.empty(GROUP, np.int64)
    # A batch of pixels stays in the cache, and so does the tree that they all go down.
    for tree in range(len(roots)):
        for start in range(0, len(x), GROUP):
            count = min(GROUP, len(x) - start)
            walk(x, nodes, roots[tree], start, count, at)
            for i in range(count):
                leaf = nodes[at[i]].leaf
                for k in range(out.shape[1]):
                    out[start + i, k] += shares[leaf, k]
