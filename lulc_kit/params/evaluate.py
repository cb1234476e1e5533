"""09: how far the maps can be trusted."""

from pydantic import Field

from lulc_kit.params.base import Parameters, Seed


class Evaluate(Parameters):
    """09: how far the maps can be trusted."""

    notebook = "09_evaluate"
    confidence: float = Field(0.95, gt=0.5, lt=1, description="level of the confidence intervals")
    resamples: int = Field(1000, ge=100, description="bootstrap resamples of whole blocks")
    seed: Seed = Field(1, description="seed of every random choice")

    def reads(self) -> list[str]:
        return [
            "catalog.json",
            "cube/composite.tif",
            "samples/samples.parquet",
            "samples/labels.tif",
            "samples/folds.tif",
            "samples/classes.json",
            "maps/*.tif",
            "models/*/crossval.tif",
            "models/*/run.json",
        ]

    def writes(self) -> list[str]:
        return ["report/index.html", "report/accuracy.json", "maps/*.qml"]
