"""05: labels, and their split into folds apart in space."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from lulc_kit.classes import SCHEMES
from lulc_kit.params.base import Metres, Parameters, Seed

Value = str | int | Annotated[list[float], Field(min_length=2, max_length=2)]


class Samples(Parameters):
    """05: labels, and their split into folds apart in space."""

    notebook = "05_samples"
    labels: str = Field("reference", description='polygons or class raster: a path, or "reference" of notebook 01')
    layer: str | None = Field(None, description="layer of the polygon file; null: its only one")
    field: str | None = Field("fclass", description="field with the polygons' class; null for a raster")
    encoding: str | None = Field(
        None, description="of the words in a shapefile that does not name it: GBK, latin1, cp1251; null: the file's"
    )
    scheme: str = Field("workflow", description=f"class scheme: {', '.join(SCHEMES)}")
    classes: dict[str, list[Value]] = Field(
        {
            "Build-up": ["residential"],
            "Farmland": ["farm"],
            "Forest": ["forest"],
            "Meadow": ["meadow", "grass"],
            "Water": ["water"],
            "Other land": ["scrub", "wetland"],
        },
        min_length=1,
        description="class → values of the field or raster; [low, high] is a range, both included",
    )
    folds: int = Field(4, ge=2, le=20, description="number of folds")
    block: float = Field(640.0, gt=0, description="side of the blocks that go into a fold together, metres")
    gap: Metres = Field(60.0, description="training pixels nearer than this to a test pixel are not used, metres")
    per_class: int = Field(3000, ge=10, le=10_000_000, description="at most so many training samples of each class")
    seed: Seed = Field(1, description="seed of every random choice")

    @model_validator(mode="after")
    def _classes_of_the_scheme(self) -> Self:
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme {self.scheme!r} is unknown; known: {', '.join(SCHEMES)}")
        unknown = sorted(set(self.classes) - set(SCHEMES[self.scheme].names))
        if unknown:
            raise ValueError(
                f"class {unknown[0]!r} is not in scheme {self.scheme!r}: {', '.join(SCHEMES[self.scheme].names)}"
            )
        return self
