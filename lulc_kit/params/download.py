"""01: which scenes, and where from."""

from typing import Literal, Self

from pydantic import Field, model_validator

from lulc_kit.params.base import Date, Model, Names, Nodata, Parameters, Seed


class Scene(Model):
    """One date of a user's own rasters (``source: files``)."""

    date: Date = Field(description='day of the image, "YYYY-MM-DD"')
    level: Literal["L1C", "L2A"] = Field(description="L1C: top of atmosphere; L2A: surface reflectance")
    bands: dict[str, str] | None = Field(None, min_length=1, description="one file for each band: {B2: path, B3: path}")
    file: str | None = Field(None, description="or one file with all bands …")
    names: Names | None = Field(None, description="… and the names of its bands, in their order")
    scale: float | None = Field(
        None, gt=0, le=1000, description="reflectance = number × scale + offset; null: what the file says, or 0.0001"
    )
    offset: float | None = Field(
        None,
        ge=-1000,
        le=1000,
        description="-0.1 for DN of baseline 04.00 and later if not applied yet; null: what the file says, or 0",
    )
    nodata: Nodata | Literal["file"] | None = Field(
        "file", description="number that means nodata; file: what the file says, or 0; null: only what the file says"
    )
    scl: str | None = Field(None, description="scene classification file of Sen2Cor (values 0–11)")
    mask: str | None = Field(None, description="mask file: pixels that are not 0 are left out")
    sun_azimuth: float | None = Field(None, ge=0, le=360, description="degrees clockwise from north")
    sun_zenith: float | None = Field(None, ge=0, le=90, description="degrees")

    @model_validator(mode="after")
    def _one_way_to_give_bands(self) -> Self:
        if (self.bands is None) == (self.file is None):
            raise ValueError("give either 'bands' (a file for each band) or 'file' and 'names'")
        if self.file is not None and not self.names:
            raise ValueError("'file' needs 'names', the list of its bands' names in their order")
        if self.names and len(set(self.names)) < len(self.names):
            raise ValueError(f"a band occurs twice in names: {self.names}")
        return self


class Download(Parameters):
    """01: which scenes, and where from."""

    notebook = "01_download"
    source: Literal["sample", "files", "products", "simulated"] = Field(
        "sample",
        description="sample: a real sample; files: your own rasters; products: SAFE folders or zips; simulated",
    )
    sample: Literal["havelland", "romania"] = Field("havelland", description="which sample, for source: sample")
    scenes: list[Scene] = Field([], description="your scenes, for source: files")
    reference: str | None = Field(None, description="your training polygons or class map, for source: files")
    dem: str | None = Field(None, description="your elevation model, for source: files")
    roads: str | None = Field(None, description="your roads (lines), for source: files")
    products: str | None = Field(None, description="folder of whole products, for source: products")
    size: int = Field(510, ge=256, le=10980, description="side of a tile, pixels of 10 m, for source: simulated")
    tiles: int = Field(2, ge=1, le=2, description="adjacent tiles, for source: simulated")
    seed: Seed = Field(1, description="seed of the landscape, for source: simulated")

    @model_validator(mode="after")
    def _scenes_for_files(self) -> Self:
        if (self.source == "files") != bool(self.scenes):
            raise ValueError("source 'files' needs at least one entry in 'scenes', other sources take none")
        if (self.source == "products") != (self.products is not None):
            raise ValueError("source 'products' needs 'products', the folder they are in; other sources take none")
        named = [(s.date, s.file, *sorted((s.bands or {}).items())) for s in self.scenes]
        twice = sorted(str(n[0]) for n in named if named.count(n) > 1)
        if twice:
            raise ValueError(f"two scenes have the same date: {twice[0]}, and the same files; name each once")
        return self
