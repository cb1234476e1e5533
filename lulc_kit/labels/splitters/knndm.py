"""kNNDM: folds whose distances from test to training resemble those from the map to the samples.

Linnenbrink, J., Milà, C., Ludwig, M. and Meyer, H. (2024): kNNDM CV: k-fold nearest-neighbour distance matching
cross-validation for map accuracy estimation. Geoscientific Model Development 17, 5897–5912,
doi:10.5194/gmd-17-5897-2024. The authors' own program is the R package CAST.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import ParameterError, RareClassError
from lulc_kit.labels.distances import Points, is_clustered, to_nearest, to_next, to_training
from lulc_kit.labels.splitters.base import Splitter, centre, locate
from lulc_kit.labels.splitters.sharing import codes, share_out
from lulc_kit.progress import bar

COUNTS = 100
"""So many numbers of clusters are tried."""
MOST = 20_000
"""Hierarchical clustering holds the distances between all pairs: 1.6 GB for so many."""

Folds = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Matching:
    """What kNNDM found.

    Attributes
    ----------
    fold
        Fold of each sample, from 1.
    clusters
        Number of clusters that were merged into the folds; None: the samples are not clustered, and random folds are
        right.
    w
        Wasserstein distance between the distances from test to training and from the map to the samples, metres.
    missing
        Which class is not in which fold.
    """

    fold: Folds
    clusters: int | None
    w: float
    missing: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class KNNDMSplit(Splitter):
    """Folds that are as far from their training samples as the map is from all samples (kNNDM).

    What is shared out are places: the centre of each polygon, or each point; never the pixels of a polygon. If places
    do not lie nearer to each other than the map to them (one-sided Kolmogorov–Smirnov test, 5 %), random folds are
    right. Otherwise places are clustered into many and few clusters; each clustering is merged into folds along the
    first principal axis of the coordinates, clusters of at least 1/n_splits of all places alone; and the folds with the
    least Wasserstein distance are taken. Folds are uneven: pool the predictions of all, then judge.

    Parameters
    ----------
    n_splits, random_state
        See `Splitter`.
    buffer
        Least distance between training and test samples, metres. The matching does not know of it.
    prediction
        Places all over the area that is mapped, (place, 2), in the coordinates of the samples; about 1000 will do.
    clustering
        ``ward``: hierarchical, by Ward's criterion; ``kmeans``: for more than 20,000 places.
    largest
        Greatest part of the places that one fold may hold; None: a half, with two folds three quarters.
    class_aware
        Among the ways to make folds prefer those with every class in every fold, then those that leave each class
        something to train on.

    Examples
    --------
    >>> generator = np.random.default_rng(1)
    >>> towns = generator.uniform(0, 10_000, (20, 1, 2)) + generator.normal(0, 100, (20, 9, 2))
    >>> points, everywhere = towns.reshape(-1, 2), generator.uniform(0, 10_000, (500, 2))
    >>> found = KNNDMSplit(n_splits=4, prediction=everywhere).match(points)
    >>> torn = np.random.default_rng(1).integers(1, 5, 180)
    >>> from lulc_kit import measure_distances
    >>> bool(found.w < 0.5 * measure_distances(points, torn, everywhere).w)
    True
    """

    buffer: float = 0.0
    prediction: npt.NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    clustering: Literal["ward", "kmeans"] = "ward"
    largest: float | None = None
    class_aware: bool = True

    @property
    def unit(self) -> str:
        """Polygons or points."""
        return "polygons or points"

    def units(self, X: Any, groups: Any = None, width: float | None = None) -> npt.NDArray[np.integer]:
        """Return the number of each sample's place, in the order of the second coordinate, then of the first."""
        return _places(X, groups)[1] + 1

    def assign(self, X: Any, y: Any = None, groups: Any = None) -> Folds:
        """Return the fold of each sample, 1 … n_splits; see `split`."""
        return self.match(X, y, groups).fold

    def match(self, X: Any, y: Any = None, groups: Any = None) -> Matching:
        """Find the folds, and say how well they match; arguments as for `split`.

        Raises
        ------
        RareClassError
            If a class occurs in a single place, or in no way has something to train on for every fold.
        LulcError
            If the places of the map are not given, or the samples are too few or too many.
        """
        places, member = _places(X, groups)
        mapped = to_nearest(self._mapped(len(places)), places)
        kind, names = (np.zeros(len(member), np.intp), ["sample"]) if y is None else codes(y)
        present = np.zeros((len(places), len(names)), bool)
        present[member, kind] = True
        rare = [names[i] for i in np.flatnonzero(present.sum(axis=0) < 2)]
        if self.class_aware and rare:
            raise RareClassError(f"{', '.join(rare)}: in a single place, which cannot both train and test.", rare)
        if not is_clustered(to_next(places), mapped):
            fold = self._random(y, member, len(places))
            w = _w(places, fold, mapped)
            return Matching(fold[member], None, w, _missing(fold, present, names))
        found = self._candidates(places, mapped, present)
        if not found:
            raise ParameterError(
                f"No way was found to make {self.n_splits} folds of which none holds more than {self._largest:.0%} of "
                f"the {len(places)} places. Use fewer folds, or raise 'largest'."
            )
        best = min(found, key=itemgetter(0, 1)) if self.class_aware and y is not None else min(found, key=itemgetter(1))
        rank, w, count, fold = best
        if self.class_aware and rank == _UNTRAINABLE:
            lost = [names[i] for i in range(len(names)) if len(np.unique(fold[present[:, i]])) < 2]
            raise RareClassError(
                f"{', '.join(lost)}: all places lie in one fold, whatever the clusters, so that nothing is left to "
                f"train on. Use fewer folds, or leave the class out.",
                lost,
            )
        return Matching(fold[member], count, w, _missing(fold, present, names))

    @property
    def _largest(self) -> float:
        return self.largest if self.largest is not None else max(0.5, 1.5 / self.n_splits)

    def _mapped(self, count: int) -> Points:
        if self.prediction is None:
            raise ParameterError(
                "KNNDMSplit needs to know where the map will be: pass places all over it as 'prediction'."
            )
        if count < self.n_splits + 2:
            raise ParameterError(f"{count} places are too few for {self.n_splits} folds by kNNDM.")
        if self.clustering == "ward" and count > MOST:
            raise ParameterError(
                f"{count} places are too many for hierarchical clustering (at most {MOST}): use clustering='kmeans', "
                f"or split by blocks."
            )
        return np.asarray(self.prediction, np.float64)

    def _random(self, y: Any, member: npt.NDArray[np.intp], count: int) -> Folds:
        if y is not None and self.class_aware:
            fold = share_out(y, member + 1, self.n_splits, self.random_state, self.unit)
            out = np.empty(count, np.uint8)
            out[member] = fold
            return out
        fold = np.resize(np.arange(1, self.n_splits + 1), count).astype(np.uint8)
        return np.random.default_rng(self.random_state).permutation(fold)

    def _candidates(
        self, places: Points, mapped: Points, present: npt.NDArray[np.bool_]
    ) -> list[tuple[int, float, int, Folds]]:
        """Return for each number of clusters: how the classes fare, W, the number, and the folds."""
        from scipy.cluster.hierarchy import cut_tree, ward
        from sklearn.cluster import KMeans

        counts = np.unique(np.geomspace(self.n_splits, len(places) - 2, COUNTS).round().astype(int))
        # All cuts at once: each by itself walks through all merges again.
        cuts = cut_tree(ward(places), counts) if self.clustering == "ward" else None
        axis = np.linalg.svd(places - places.mean(axis=0), full_matrices=False)[2][0]
        along = (places - places.mean(axis=0)) @ axis
        found = []
        with bar(len(counts), "kNNDM: numbers of clusters") as progress:
            for i, count in enumerate(counts.tolist()):
                if cuts is not None:
                    cluster = cuts[:, i]
                else:
                    cluster = KMeans(count, n_init=1, random_state=self.random_state).fit_predict(places)
                fold = merge(cluster, along, self.n_splits)
                if np.bincount(fold).max() <= self._largest * len(places):
                    found.append((_rank(fold, present, self.n_splits), _w(places, fold, mapped), count, fold))
                progress.update()
        return found


_COMPLETE, _TRAINABLE, _UNTRAINABLE = 0, 1, 2


def merge(cluster: npt.NDArray[np.integer], along: npt.NDArray[np.float64], folds: int) -> Folds:
    """Merge clusters into folds.

    Clusters of at least 1/folds of all samples are a fold each. The others, in the order of their centres along an
    axis, are dealt round to the folds that are left.

    Parameters
    ----------
    cluster
        Cluster of each sample, from 0; none is empty, and there are at least as many as folds.
    along
        Where each sample lies on the axis.
    folds
        Number of folds.

    Examples
    --------
    >>> merge(np.array([0, 0, 0, 1, 2, 3]), np.array([5.0, 5.0, 5.0, 1.0, 2.0, 3.0]), 3).tolist()
    [1, 1, 1, 2, 3, 2]
    """
    size = np.bincount(cluster)
    order = np.argsort(np.bincount(cluster, along) / size, kind="stable")
    large = size[order] >= len(cluster) / folds
    fold = np.empty(len(size), np.uint8)
    fold[order[large]] = np.arange(1, large.sum() + 1)
    fold[order[~large]] = np.resize(np.arange(large.sum() + 1, folds + 1), (~large).sum())
    return fold[cluster]


def _places(X: Any, groups: Any) -> tuple[Points, npt.NDArray[np.intp]]:
    """Return the places, from one end of the area to the other whatever the order of rows, and that of each sample."""
    centres = np.round(centre(locate(X), groups), 6)  # the last digits of a mean depend on the order of its rows
    flipped, member = np.unique(centres[:, ::-1], axis=0, return_inverse=True)
    return flipped[:, ::-1], member.ravel()


def _w(places: Points, fold: Folds, mapped: Points) -> float:
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(to_training(places, fold), mapped))


def _rank(fold: Folds, present: npt.NDArray[np.bool_], folds: int) -> int:
    inside = [len(np.unique(fold[of_class])) for of_class in present.T]
    return _COMPLETE if min(inside) == folds else _TRAINABLE if min(inside) > 1 else _UNTRAINABLE


def _missing(fold: Folds, present: npt.NDArray[np.bool_], names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    every = range(1, int(fold.max()) + 1)
    return tuple((n, k) for n, of in zip(names, present.T, strict=True) for k in every if k not in fold[of])
