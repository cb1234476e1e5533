"""What notebooks 06 to 08 share."""

from pydantic import Field

from lulc_kit.params.base import Name, Parameters, Seed


class RunParameters(Parameters):
    """What notebooks 06 to 08 have."""

    run: Name
    seed: Seed = Field(1, description="seed of every random choice")

    def reads(self) -> list[str]:
        names = ("samples.parquet", "labels.tif", "folds.tif", "classes.json")
        return ["features/stack.tif", *(f"samples/{name}" for name in names)]

    def _maps(self) -> list[str]:
        return [
            f"maps/{self.run}.tif",
            f"maps/{self.run}_probability.tif",
            f"maps/{self.run}_entropy.tif",
            f"models/{self.run}/crossval.tif",
            f"models/{self.run}/crossval_probability.tif",
            f"models/{self.run}/run.json",
        ]
