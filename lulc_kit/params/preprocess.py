"""02: the grid, the mask, and the composite."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lulc_kit.params.base import Date, Fraction, Metres, Parameters


class Preprocess(Parameters):
    """02: the grid, the mask, and the composite."""

    notebook = "02_preprocess"
    crs: str | None = Field(None, description='CRS of the study\'s grid, "EPSG:32633"; null: that of the finest band')
    bbox: list[Annotated[float, Field(ge=-1e8, le=1e8)]] | None = Field(
        None,
        min_length=4,
        max_length=4,
        description="left, bottom, right, top in that CRS; null: the whole scene",
    )
    resolution: float = Field(10.0, gt=0, le=100_000, description="pixel size of the grid, metres")
    sharpen: Literal["local", "none"] = Field(
        "none", description="20 m and 60 m bands at 10 m: none: interpolated; local: sharpened by local regression"
    )
    radiometry: Literal["check", "trust"] = Field(
        "check",
        description="check: scenes whose dark pixels betray a wrong offset are refused; trust: I know it is right",
    )
    correction: Literal["none", "sen2cor", "dark_object"] = Field(
        "none", description="of L1C: none; sen2cor: by ESA's program, if installed; dark_object: simple, only the haze"
    )
    sen2cor: list[str] = Field([], description="folders of Sen2Cor, if it is not where it usually is")
    sen2cor_timeout: float = Field(
        7200.0, gt=0, le=1_000_000, description="what Sen2Cor may take for one product, seconds"
    )
    mask: Literal["spectral", "csmask", "scl", "product", "file", "none"] = Field(
        "spectral",
        description="spectral: rule for L1C; csmask: network, an extra; scl: scene classification; product; file; none",
    )
    mask_buffer: Metres = Field(60.0, description="pixels this near to cloud or shadow are masked too, metres")
    scl_exclude: list[Annotated[int, Field(ge=0, le=11)]] = Field(
        [0, 1, 3, 8, 9, 10, 11], description="scene classes that are masked, for mask: scl"
    )
    dates: list[Date] | None = Field(
        None, min_length=2, max_length=2, description="first and last day of the cube; null: all"
    )
    min_clear: Fraction = Field(0.0, description="dates with a smaller clear part are left out of the cube")
    composite_dates: list[Date] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="first and last day of the composite; null: all in the cube",
    )
    composite: Literal["median", "medoid", "best", "geomedian"] = Field(
        "median",
        description="median: of each band; medoid: the date most like the others; best: far from clouds; geomedian: "
        "the spectrum nearest to all, with its dispersions",
    )
    composite_day: int | None = Field(
        None, ge=1, le=366, description="day of the year that best prefers too; null: any"
    )
    composite_monthly: bool = Field(False, description="one more composite for each month, in cube/monthly")

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        for name, days in (("dates", self.dates), ("composite_dates", self.composite_dates)):
            if days is not None and days[0] > days[1]:
                raise ValueError(f"{name} ends before it begins: write {[days[1], days[0]]}")
        return self

    @model_validator(mode="after")
    def _day_only_for_best(self) -> Self:
        if self.composite_day is not None and self.composite != "best":
            raise ValueError(
                f"composite_day is for composite: best; {self.composite} has no preferred day: set it to null"
            )
        return self

    @model_validator(mode="after")
    def _mask_of_the_level(self) -> Self:
        if self.correction == "sen2cor" and self.mask == "spectral":
            raise ValueError(
                "Sen2Cor makes Level-2A with a scene classification: with correction sen2cor use mask: scl or csmask"
            )
        if self.correction == "dark_object" and self.mask == "scl":
            raise ValueError(
                "Level-1C has no scene classification: with correction dark_object use mask: spectral or csmask"
            )
        return self
