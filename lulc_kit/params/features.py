"""04: what describes a pixel."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lulc_kit.params.base import Date, Megabytes, Model, Name, Names, Nodata, Parameters
from lulc_kit.sentinel2 import MTF

BANDS = [name for name in MTF if name != "B1"]
CONTEXT = [3, 7, 15]
INDICES = ["NDVI", "NDRE", "EVI2", "BI2", "MNDWI", "NDBI"]


class External(Model):
    """A raster that somebody else computed, for the stack of notebook 04."""

    file: str = Field(description="any raster, or the tiles of one Earth Engine export: exports/NAME-*.tif")
    family: Literal["external", "embedding"] = Field(
        "external", description="embedding: what a foundation model makes of a year; say which year"
    )
    year: int | None = Field(None, ge=1970, le=2100, description="of an embedding; that of the study's images")
    scale: Annotated[float, Field(ge=-1e6, le=1e6)] | Literal["alphaearth"] | None = Field(
        None, description="what its numbers are multiplied by; alphaearth: the 8-bit numbers of that product's files"
    )
    bands: Names | None = Field(None, description="which of its bands; null: all")
    prefix: str = Field("", description="what the bands' names get in front")
    align: Literal["nearest", "bilinear", "cubic", "average"] | None = Field(
        None, description="how to resample it; null: refuse it if its pixels are not the grid's"
    )
    nodata: Nodata | None = Field(None, description="number that means nodata, if the file does not say")

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if (self.family == "embedding") != (self.year is not None):
            raise ValueError("an embedding is of a year: write family: embedding and year, or neither")
        if self.scale is not None and self.family != "embedding":
            raise ValueError("scale is of an embedding; other rasters say their own scale, or gdal_translate -scale")
        return self


TextureFeature = Literal[
    "contrast",
    "dissimilarity",
    "homogeneity",
    "asm",
    "energy",
    "maximum",
    "entropy",
    "mean",
    "variance",
    "correlation",
]

PLAIN = ("mean", "std", "iqr", "min", "max", "min_day", "max_day", "amplitude", "slope", "count")
HARMONIC = ("amplitude1", "phase1", "amplitude2", "phase2", "level")
"""Statistics over time, beside the percentiles: `lulc_kit.features.temporal` computes them."""
PERCENTILE = r"p(?P<percent>\d{1,2}|100)"
"""How a percentile is written: ``p0`` … ``p100``."""
Statistic = Annotated[str, Field(pattern=rf"^({PERCENTILE}|{'|'.join(PLAIN + HARMONIC)})$")]
PERIOD = r"((?P<year>\d{4})-)?(?P<month>0[1-9]|1[0-2])|(?P<first>0[1-9]|1[0-2])\.\.(?P<last>0[1-9]|1[0-2])"
"""How a period is written: ``2018-07``, that month; ``07``, July of any year; ``06..08``, June to August of any year,
``11..02``, over the turn of the year."""
Period = Annotated[str, Field(pattern=rf"^({PERIOD})$")]
Directions = Annotated[list[Literal[0, 45, 90, 135]], Field(min_length=1)]


class Features(Parameters):
    """04: what describes a pixel."""

    notebook = "04_features"
    bands: Names = Field(BANDS, description="bands of the composite that go into the stack")
    indices: list[str] = Field(INDICES, description="spectral indices by name: the kit's, or any of spyndex")
    components: int = Field(3, ge=0, le=50, description="how many principal components of the bands; 0: none")
    texture_bands: list[str] = Field(["B8", "B11"], description="bands whose texture is computed; []: none")
    texture_features: list[TextureFeature] = Field(
        ["entropy", "correlation"], min_length=1, description="features of the grey-level co-occurrence matrix"
    )
    texture_window: int = Field(5, ge=3, le=31, description="side of the moving window, pixels, odd")
    texture_levels: int = Field(32, ge=8, le=256, description="number of grey levels")
    texture_directions: Literal["all", "average"] | Directions = Field(
        "all", description='"all": four pooled; "average": mean of four; or a list of angles: [0, 90]'
    )
    texture_distance: int = Field(1, ge=1, le=30, description="distance of the two pixels of a pair")
    texture_convention: Literal["haralick", "snap"] = Field(
        "haralick", description="haralick: as published; snap: as ESA SNAP computes it"
    )
    texture_quantizer: Literal["equal_width", "equal_probability"] = Field(
        "equal_width", description="grey levels of equal width, or equally frequent"
    )
    texture_range: list[Annotated[float, Field(ge=-1000, le=1000)]] | None = Field(
        None, min_length=2, max_length=2, description="reflectance of the first and last level; null: 1–99 % of a band"
    )
    texture_components: int = Field(3, ge=0, le=50, description="how many principal components of the texture; 0: none")
    texture_standardize: bool = Field(
        False, description="give every texture layer the same weight in them, whatever its unit"
    )
    context_windows: list[Annotated[int, Field(ge=3, le=99)]] = Field(
        CONTEXT, description="sides of moving windows whose averages go into the stack, pixels, odd; []: none"
    )
    context_layers: Names | None = Field(
        None, description="bands and indices that are averaged, also over segments; null: bands"
    )
    context_statistics: list[Literal["mean", "std"]] = Field(
        ["mean", "std"], min_length=1, description="mean, standard deviation, or both"
    )
    segment_size: int = Field(
        0, ge=0, le=100_000, description="pixels of a segment, about, whose averages go into the stack; 0: none"
    )
    segment_compactness: float = Field(
        0.1, gt=0, le=100, description="how much nearness weighs against likeness in a segment"
    )
    time_layers: list[str] = Field(
        [], description="bands and indices whose statistics over the cube's dates go into the stack; []: none"
    )
    time_statistics: list[Statistic] = Field(
        ["p10", "p50", "p90"],
        min_length=1,
        description=f"p0 to p100, {', '.join(PLAIN + HARMONIC)}",
    )
    time_dates: list[Date] | None = Field(
        None, min_length=2, max_length=2, description="first and last day that count; null: the whole cube"
    )
    time_months: list[Period] = Field(
        [],
        description='medians of months and seasons, too: ["2018-07", "07", "06..08"]: that July, any July, any summer',
    )
    time_each: bool = Field(False, description="the layers of each date as they are, too: for few, clear dates")
    time_min: int = Field(3, ge=1, le=1000, description="a pixel with fewer clear dates has no statistics")
    dem_resampling: Literal["bilinear", "cubic", "average"] = Field(
        "bilinear", description="how the elevation model comes onto the grid; average if it is finer than the grid"
    )
    flat_aspect: float | None = Field(
        -1.0, ge=-1, le=360, description="aspect of flat ground, degrees; null: nodata, so that no map has it"
    )
    roads_all_touched: bool = Field(True, description="every pixel that a road touches, or a line one pixel wide")
    roads_distance: float = Field(
        2000.0, gt=0, le=50000, description="distances to roads are exact up to this one, metres"
    )
    external: list[External] = Field(
        [], description="rasters that others computed: file, bands, prefix, align, nodata, family, year, scale"
    )
    stack: Names | None = Field(
        None,
        description="layers of the stack, in order; null: bands, indices, terrain, roads, external, context, segments, "
        "time, components",
    )
    fitted_in: Name | None = Field(
        None, description="study whose grey levels and components are used, for a model from there; null: this one's"
    )
    memory: Megabytes = Field(3000, description="megabytes that the step may take; the result does not depend on it")

    @model_validator(mode="after")
    def _texture_fits(self) -> Self:
        if self.texture_window % 2 == 0:
            raise ValueError(f"texture_window must be odd, found {self.texture_window}")
        if self.texture_distance >= self.texture_window:
            raise ValueError(
                f"texture_distance {self.texture_distance} does not fit into texture_window {self.texture_window}"
            )
        if twice := [period for period in self.time_months if self.time_months.count(period) > 1]:
            raise ValueError(f"time_months: {twice[0]} occurs twice")
        if (self.time_months or self.time_each) and not self.time_layers:
            raise ValueError("time_months and time_each need time_layers: the bands and indices that are followed")
        if even := [side for side in self.context_windows if side % 2 == 0]:
            raise ValueError(f"context_windows must be odd, found {even[0]}")
        layers = len(self.texture_bands) * len(self.texture_features)
        if self.texture_bands and self.texture_components > layers:
            raise ValueError(
                f"texture_components is {self.texture_components}, but texture_bands × texture_features are {layers} "
                f"layer(s): set it to at most {layers}, or 0"
            )
        if self.components > len(self.bands):
            raise ValueError(f"components is {self.components}, but there are {len(self.bands)} bands: set it lower")
        if self.fitted_in == self.study:
            raise ValueError(f"fitted_in is this study itself, {self.study}: write null")
        if self.stack is not None and len(set(self.stack)) < len(self.stack):
            raise ValueError(f"a layer occurs twice in stack: {self.stack}")
        return self
