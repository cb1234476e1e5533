"""Fitted models that predict the same as scikit-learn's, but faster: for maps, whose blocks run on all cores."""

import copy
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from lulc_kit.baselines.boosting import Boosting
from lulc_kit.baselines.estimators import WeightedNeighbours
from lulc_kit.baselines.forest import Forest
from lulc_kit.baselines.kernel import Machine


def accelerate(estimator: Pipeline) -> Pipeline:
    """Return what predicts the same as a pipeline, but faster; where there is no faster way, the pipeline itself.

    Probabilities of a random forest (`forest`) and of gradient boosting (`boosting`) stay the same to the last bit, a
    support vector machine's scores to rounding (`kernel`). k-nearest neighbours are searched by
    scikit-learn-intelex where it is installed; both search exhaustively, and where two training samples are equally far
    the votes may differ.
    """
    *steps, (name, classifier) = estimator.steps
    fast = _fast(classifier)
    return estimator if fast is classifier else Pipeline([*steps, (name, fast)])


def _fast(classifier: Any) -> Any:
    if type(classifier) is CalibratedClassifierCV:
        parts = [copy.copy(part) for part in classifier.calibrated_classifiers_]
        for part in parts:
            part.estimator = _fast(part.estimator)
        return _with(classifier, CalibratedClassifierCV, calibrated_classifiers_=parts)
    if type(classifier) is RandomForestClassifier:
        return _with(classifier, _Forest, packed=Forest(classifier))
    if type(classifier) is HistGradientBoostingClassifier and Boosting.fits(classifier):
        return _with(classifier, _Boosting, packed=Boosting(classifier))
    if type(classifier) is SVC and Machine.fits(classifier):
        return _with(classifier, _Machine, machine=Machine(classifier))
    if type(classifier) in (KNeighborsClassifier, WeightedNeighbours):
        return _neighbours(classifier)
    return classifier


def _with(classifier: Any, kind: type, **more: Any) -> Any:
    """Return a copy of a fitted classifier as one of another kind, which scikit-learn takes for the same."""
    fast = copy.copy(classifier)
    fast.__class__ = kind
    vars(fast).update(more)
    return fast


class _Forest(RandomForestClassifier):
    packed: Forest

    def predict_proba(self, X: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return self.packed.predict_proba(X)


class _Machine(SVC):
    machine: Machine

    def decision_function(self, X: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return self.machine.decision_function(X)


class _Boosting(HistGradientBoostingClassifier):
    packed: Boosting

    def predict_proba(self, X: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return self._loss.predict_proba(self.packed.raw(X))


def _neighbours(classifier: Any) -> Any:
    try:
        from sklearnex.neighbors import KNeighborsClassifier as Fast
    except ImportError:
        return classifier
    # It takes all cores, whichever thread asks: what it says of that, once for each block, helps nobody.
    warnings.filterwarnings("ignore", "'Threading' parallel backend is not supported", UserWarning)
    if classifier.metric != "minkowski" or classifier.p != 2:
        return classifier
    fast = Fast(classifier.n_neighbors, algorithm="brute", weights=classifier.weights)
    fast.fit(classifier._fit_X, classifier.classes_[classifier._y])
    if type(classifier) is KNeighborsClassifier:
        return fast
    return _with(classifier, _Weighted, fast=fast)


class _Weighted(WeightedNeighbours):
    fast: Any

    def predict_proba(self, X: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return self.weigh(self.fast.predict_proba(X))
