"""06: classifiers that look at one pixel at a time."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lulc_kit.params.base import Megabytes, Name
from lulc_kit.params.runs import Pooling

MODELS = ("knn", "rf", "hgb", "svm", "logreg")


def _model(value: str) -> str:
    if value in MODELS or value.startswith("sklearn."):
        return value
    raise ValueError(
        f"known: {', '.join(MODELS)}, or the name of a classifier of scikit-learn: sklearn.naive_bayes.GaussianNB"
    )


class Baselines(Pooling):
    """06: classifiers that look at one pixel at a time."""

    notebook = "06_baselines"
    run: Name = Field("rf", description="name of this run; its files carry it")
    model: Annotated[str, AfterValidator(_model)] = Field(
        "rf", description="knn, rf, hgb, svm, logreg, or a name such as sklearn.naive_bayes.GaussianNB"
    )
    neighbours: int = Field(15, ge=1, le=1000, description="neighbours that vote, for knn")
    trees: int = Field(100, ge=1, le=5000, description="number of trees, for rf")
    min_leaf: int = Field(3, ge=1, le=100_000, description="smallest number of samples in a leaf, for rf")
    settings: dict[str, Any] = Field({}, description="any others, by scikit-learn's names: {max_iter: 300}")
    class_weight: Literal["none", "balanced", "sqrt"] | None = Field(
        None, description="rare classes weigh more: by 1/frequency, its root, or not; null: balanced for rf, else none"
    )
    tune: int = Field(0, ge=0, le=1000, description="settings that are drawn and compared inside each training set")
    calibrate: Literal["none", "sigmoid", "isotonic"] = Field(
        "none", description="correct the probabilities inside each training set"
    )
    further: bool = Field(
        True, description="score the further split of 05, too, if it made one; false: trains that much less"
    )
    importance: int = Field(5, ge=0, le=100, description="times that each feature is shuffled to see what it is worth")
    learning_curve: bool = Field(False, description="train on parts of the polygons too: are more worth drawing?")
    memory: Megabytes = Field(3000, description="megabytes that the step may take; the result does not depend on it")

    @model_validator(mode="after")
    def _tuned(self) -> Self:
        if self.tune and self.model not in MODELS:
            raise ValueError(
                f"tune is {self.tune}, but only {', '.join(MODELS)} know what to draw from: "
                f"write tune: 0 and give 'settings' for {self.model}"
            )
        return self

    @model_validator(mode="after")
    def _own_samples(self) -> Self:
        if self.learning_curve and (self.trained or self.samples):
            raise ValueError("learning_curve is of this study's own samples: set it to false")
        return self
