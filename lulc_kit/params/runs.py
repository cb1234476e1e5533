"""What notebooks 06 to 08 share."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lulc_kit.layout import ENSEMBLE
from lulc_kit.params.base import Name, Names, Parameters, Seed

_NAME = r"[A-Za-z0-9][A-Za-z0-9_\-]*"
RunOf = Annotated[str, Field(pattern=rf"^{_NAME}/{_NAME}$")]


class RunParameters(Parameters):
    """What notebooks 06 to 08 have."""

    run: Name
    seed: Seed = Field(1, description="seed of every random choice")

    @field_validator("run")
    @classmethod
    def _not_taken(cls, value: str) -> str:
        if value.lower() == ENSEMBLE:  # also where file names ignore case
            raise ValueError(f"{ENSEMBLE} is what 09 calls the mean of several runs; give this run another name")
        return value


class Travelling(RunParameters):
    """What notebooks have whose models map other studies than the one they were trained in."""

    trained: RunOf | None = Field(
        None, description="STUDY/RUN: the model of that run maps this study, nothing is trained; null: train"
    )
    features: Names | None = Field(None, description="bands of the stack to use; null: all")

    @property
    def origins(self) -> list[str]:
        """The studies that teach; none where it is this one."""
        return [] if self.trained is None else [self.trained.split("/")[0]]

    @model_validator(mode="after")
    def _from_elsewhere(self) -> Self:
        if self.trained is not None and self.study in self.origins:
            raise ValueError(f"trained is a run of this study itself, {self.trained}: name one of another study")
        if self.trained is not None and self.trained.lower().endswith(f"/{ENSEMBLE}"):
            raise ValueError(f"trained: {self.trained} is a mean of several runs and has no model; name one of them")
        if self.trained is not None and self.features:
            raise ValueError("with 'trained' the features are those of the model: set features to null")
        return self


class Pooling(Travelling):
    """What notebooks have besides whose models can learn in several studies at once."""

    samples: list[Name] = Field(
        [], description="studies whose samples train together, each tested by the others; []: this one's"
    )

    @property
    def origins(self) -> list[str]:
        """The studies that teach; none where it is this one alone."""
        return [*self.samples] or super().origins

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.trained is not None and self.samples:
            raise ValueError("'trained' takes a model as it is, 'samples' trains one: give one of them")
        if len(set(self.samples)) < len(self.samples) or len(self.samples) == 1:
            raise ValueError(
                f"samples must name two studies or more, each once (this one, too, if it takes part): {self.samples}"
            )
        return self


class TrainedParameters(Travelling):
    """What the notebooks that train networks have, 07 and 08."""

    steps: int = Field(1500, ge=1, le=1_000_000, description="batches at most; inner validation ends training before")
    minutes: float | None = Field(None, gt=0, le=100_000, description="budget for all folds together; null: none")
    batch: int = Field(8, ge=1, le=4096, description="patches in a batch")
    learning_rate: float = Field(0.003, gt=0, le=1, description="of Adam, at its height")
    schedule: Literal["plateau", "cosine"] = Field(
        "plateau", description="plateau: the rate falls where validation gains no more; cosine: to 0 at the last step"
    )
    inner_validation: float = Field(
        0.2, ge=0, le=0.5, description="part of the training land that says when to stop; 0: none, train all steps"
    )
    loss: Literal["cross_entropy", "focal", "dice"] = Field(
        "cross_entropy", description="cross_entropy; focal: what is learnt counts less; dice: overlap by class"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="part of each label that all classes share")
    class_weight: Literal["none", "sqrt", "capped"] = Field(
        "none", description="of classes of n pixels: none: alike; sqrt: 1/√n; capped: 1/n, at most ten times the least"
    )
    jitter: float = Field(0.0, ge=0, le=1, description="random contrast and brightness of bands, parts of their spread")
    band_dropout: float = Field(0.0, ge=0, lt=1, description="probability that a band of a patch becomes its mean")
    tune: int = Field(
        0, ge=0, le=50, description="settings tried for each fold beside these, judged by inner validation; 0: none"
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32", description="of products: mixed_bfloat16, mixed_float16 are quicker on GPUs that know them"
    )
    tensorboard: bool = Field(False, description="logs for TensorBoard, too; it wants the package tensorboard")
    flips: bool = Field(False, description="map by the mean over four flips of the scene")
