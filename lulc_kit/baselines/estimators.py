"""Classifiers by the word of notebook 06: four of the kit's choice, and any other of scikit-learn's by its name."""

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import loguniform, randint
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.utils import all_estimators
from sklearn.utils.class_weight import compute_class_weight

from lulc_kit.errors import ParameterError


class WeightedNeighbours(KNeighborsClassifier):
    """k-nearest neighbours whose votes weigh by class, as scikit-learn's other classifiers weigh samples.

    Parameters
    ----------
    class_weight
        ``balanced`` or ``sqrt`` (`class_weights`); None: all weigh the same.
    n_neighbors, weights, algorithm, leaf_size, p, metric, metric_params, n_jobs
        As in scikit-learn.
    """

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        weights: Any = "uniform",
        algorithm: str = "auto",
        leaf_size: int = 30,
        p: float = 2,
        metric: Any = "minkowski",
        metric_params: Any = None,
        n_jobs: int | None = None,
        class_weight: str | None = None,
    ) -> None:
        super().__init__(
            n_neighbors,
            weights=weights,
            algorithm=algorithm,
            leaf_size=leaf_size,
            p=p,
            metric=metric,
            metric_params=metric_params,
            n_jobs=n_jobs,
        )
        self.class_weight = class_weight

    def fit(self, X: npt.ArrayLike, y: npt.NDArray[np.integer]) -> Self:
        """Remember the samples, and what a vote of each class weighs."""
        super().fit(X, y)
        self.vote_weights_ = np.array(list(class_weights(y, self.class_weight or "none").values()))
        return self

    def predict_proba(self, X: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return the weighed votes for each class, (sample, class), which add up to 1."""
        return self.weigh(super().predict_proba(X))

    def predict(self, X: npt.NDArray[np.floating]) -> npt.NDArray[Any]:
        """Return the class with most of the weighed votes."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def weigh(self, votes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Weigh the parts that classes have among the neighbours."""
        weighed = votes * self.vote_weights_
        return weighed / weighed.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Kind:
    """A kind of classifier.

    Attributes
    ----------
    build
        Makes one, untrained; its arguments are parameters of notebook 06, by name.
    title
        What it is, with the parameters' names in braces.
    class_weight
        How classes weigh unless the user says otherwise: ``none``, ``balanced`` or ``sqrt``.
    space
        What tuning draws from: lists and distributions by scikit-learn's names of the settings.
    """

    build: Callable[..., ClassifierMixin]
    title: str
    class_weight: str = "none"
    space: Mapping[str, Any] = field(default_factory=dict)


def _neighbours(neighbours: int) -> ClassifierMixin:
    return KNeighborsClassifier(neighbours, algorithm="brute")


def _forest(trees: int, min_leaf: int, seed: int) -> ClassifierMixin:
    return RandomForestClassifier(trees, min_samples_leaf=min_leaf, random_state=seed, n_jobs=-1)


def _boosting(seed: int) -> ClassifierMixin:
    # No early stopping: it would keep a tenth of the samples, near-copies of the others, to stop by.
    return HistGradientBoostingClassifier(early_stopping=False, random_state=seed)


def _machine(seed: int) -> ClassifierMixin:
    return SVC(cache_size=500, random_state=seed)


def _regression(seed: int) -> ClassifierMixin:
    return LogisticRegression(max_iter=5000, random_state=seed)


KINDS: dict[str, Kind] = {
    "knn": Kind(
        _neighbours,
        "k-nearest neighbours, k = {neighbours}",
        space={"n_neighbors": randint(1, 60), "weights": ["uniform", "distance"]},
    ),
    "rf": Kind(
        _forest,
        "random forest of {trees} trees, leaves of at least {min_leaf}",
        class_weight="balanced",
        space={"min_samples_leaf": randint(1, 30), "max_features": ["sqrt", 0.2, 0.4, 0.7]},
    ),
    "hgb": Kind(
        _boosting,
        "histogram gradient boosting",
        space={
            "learning_rate": loguniform(0.02, 0.3),
            "max_leaf_nodes": randint(6, 64),
            "min_samples_leaf": randint(5, 200),
            "l2_regularization": loguniform(1e-3, 100),
        },
    ),
    "svm": Kind(
        _machine,
        "support vector machine with a radial kernel",
        space={"C": loguniform(0.1, 100), "gamma": loguniform(1e-3, 1)},
    ),
    "logreg": Kind(_regression, "logistic regression, regularised (L2)", space={"C": loguniform(1e-4, 1e3)}),
}
"""Classifiers by the word in ``06_<run>.yaml``; one more is an entry here and its word in the parameters."""


@functools.cache
def of_sklearn() -> dict[str, type[ClassifierMixin]]:
    """Return scikit-learn's classifiers by their public names: ``sklearn.naive_bayes.GaussianNB``.

    Only what it lists itself as a classifier: a name in a parameter file imports nothing.
    """
    found = {}
    for name, kind in all_estimators(type_filter="classifier"):
        public = kind.__module__.split(".")
        private = next((i for i, part in enumerate(public) if part.startswith("_")), len(public))
        needs = [p for p in inspect.signature(kind).parameters.values() if p.default is p.empty]
        if not needs:  # those that need other estimators cannot be written in a parameter file
            found[".".join([*public[:private], name])] = kind
    return found


def build(model: str, settings: Mapping[str, Any], class_weight: str | None, **arguments: Any) -> tuple[Any, str, str]:
    """Make an untrained classifier.

    Parameters
    ----------
    model
        A word of `KINDS`, or the name of a classifier of scikit-learn (`of_sklearn`).
    settings
        Settings by scikit-learn's names; they win over ``arguments``.
    class_weight
        ``none``, ``balanced`` or ``sqrt``; None: what is best for the kind.
    arguments
        Arguments of the kinds' builders, and ``seed``, by name; each takes those that it knows.

    Returns
    -------
    tuple
        The classifier, what it is in words, and how its classes weigh: ``none``, ``balanced`` or ``sqrt``.

    Raises
    ------
    LulcError
        If there is no such classifier, it has no probabilities and no scores, it has no such setting, or no weights
        of classes.
    """
    if model in KINDS:
        kind = KINDS[model]
        classifier = kind.build(**{name: arguments[name] for name in inspect.signature(kind.build).parameters})
        title, weight = kind.title.format(**arguments), class_weight or kind.class_weight
    else:
        classifier = _of_sklearn(model)
        if "random_state" in classifier.get_params():
            classifier.set_params(random_state=arguments["seed"])
        title, weight = model, class_weight or "none"
    known = classifier.get_params()
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ParameterError(
            f"settings: {type(classifier).__name__} has no {', '.join(unknown)}. It has: {', '.join(sorted(known))}."
        )
    classifier.set_params(**settings)
    if not hasattr(classifier, "predict_proba") and not hasattr(classifier, "decision_function"):
        raise ParameterError(f"model: {model} with these settings gives neither probabilities nor scores. Use another.")
    if weight != "none" and type(classifier) is KNeighborsClassifier:
        classifier = WeightedNeighbours(**classifier.get_params())
    elif weight != "none" and "class_weight" not in known:
        raise ParameterError(f"class_weight: {model} cannot weigh classes. Write class_weight: none.")
    said = [title, *(f"{name} = {value}" for name, value in settings.items())]
    return classifier, ", ".join(said), weight


def _of_sklearn(name: str) -> Any:
    found = of_sklearn()
    if name not in found:
        near = difflib.get_close_matches(name, found, 3, 0.5)
        raise ParameterError(
            f"model: {name!r} is no classifier of scikit-learn that stands alone. "
            f"{'Did you mean ' + ' or '.join(near) if near else 'There are: ' + ', '.join(found)}? "
            f"The kit's own are: {', '.join(KINDS)}."
        )
    return found[name]()


def class_weights(label: npt.NDArray[np.integer], how: str) -> dict[int, float]:
    """Return the weight of each class by its value, in order: inverse to its frequency, or to the root of that.

    Parameters
    ----------
    label
        Class values of the training samples.
    how
        ``none`` (1), ``balanced`` (n / (classes · count)) or ``sqrt`` (the root of it).
    """
    values = np.unique(label)
    weights = compute_class_weight("balanced", classes=values, y=label) ** {"none": 0, "balanced": 1, "sqrt": 0.5}[how]
    return {int(v): float(w) for v, w in zip(values, weights, strict=True)}
