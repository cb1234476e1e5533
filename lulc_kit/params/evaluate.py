"""09: how far the maps can be trusted."""

from pydantic import Field

from lulc_kit.params.base import Parameters, Seed


class Evaluate(Parameters):
    """09: how far the maps can be trusted."""

    notebook = "09_evaluate"
    confidence: float = Field(0.95, gt=0.5, lt=1, description="level of the confidence intervals")
    resamples: int = Field(1000, ge=100, le=100_000, description="bootstrap resamples of whole blocks")
    seed: Seed = Field(1, description="seed of every random choice")
