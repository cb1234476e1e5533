"""What notebooks 06 to 08 share."""

from typing import Literal

from pydantic import Field

from lulc_kit.params.base import Name, Parameters, Seed


class RunParameters(Parameters):
    """What notebooks 06 to 08 have."""

    run: Name
    seed: Seed = Field(1, description="seed of every random choice")


class TrainedParameters(RunParameters):
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
    flips: bool = Field(False, description="map by the mean over four flips of the scene")
