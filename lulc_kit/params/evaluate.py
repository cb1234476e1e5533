"""09: how far the maps can be trusted."""

from pydantic import Field

from lulc_kit.params.base import Fraction, Megabytes, Name, Parameters, Seed


class Evaluate(Parameters):
    """09: how far the maps can be trusted."""

    notebook = "09_evaluate"
    confidence: float = Field(0.95, gt=0.5, lt=1, description="level of the confidence intervals")
    resamples: int = Field(1000, ge=100, le=100_000, description="bootstrap resamples of whole blocks")
    seed: Seed = Field(1, description="seed of every random choice")
    doubt: list[Name] | None = Field(
        None, description="runs whose map is measured for where to doubt it; null: the best one; []: none"
    )
    error_rate: float = Field(0.1, gt=0, lt=0.5, description="part of class sets that may lack the true class")
    sets_by_class: bool = Field(True, description="class sets hold that rate in each class, not only over all")
    applicability_by_class: bool = Field(
        False, description="a pixel is compared with the training samples of the class it is mapped as, not with all"
    )
    density: int = Field(
        50, ge=0, le=254, description="training samples near each pixel are counted up to this; 0: not at all"
    )
    least_margin: Fraction = Field(0.1, description="lead of the first class over the second below which care is due")
    memory: Megabytes = Field(3000, description="megabytes that the step may take; the result does not depend on it")
