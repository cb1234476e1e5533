"""09: how far the maps can be trusted."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lulc_kit.params.base import Fraction, Megabytes, Model, Name, Parameters, Seed
from lulc_kit.params.samples import Value

Day = Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]


class ReferenceMap(Model):
    """Another map of the same land, with which runs' maps are compared."""

    name: Name = Field(description="what it is called on the page and in file names")
    file: str = Field(min_length=1, description='a class map; "reference": the one that notebook 01 fetched')
    scheme: Literal["esri", "worldcover"] | None = Field(
        None, description="whose values they are; null: as the file says"
    )
    classes: dict[str, list[Value]] | None = Field(
        None, description="values of it that mean each class: {Forest: [10, 95], Water: [80]}; null: by name"
    )


class Smoothing(Model):
    """How runs' maps are smoothed into maps of their own."""

    runs: list[Name] | None = Field(None, min_length=1, description="the runs; null: the best")
    method: Literal["gaussian", "guided", "majority", "none"] = Field(
        "gaussian",
        description="gaussian: of the probabilities; guided: of them along the edges of the image; majority: of the "
        "classes in a window; none",
    )
    radius: float = Field(10.0, gt=0, le=100_000, description="deviation of the Gaussian, or half the window, metres")
    edge: float = Field(
        0.02, gt=0, le=1, description="difference of reflectance from which on the image has an edge, for guided"
    )
    least_area: float = Field(
        0.0, ge=0, le=10_000, description="patches smaller than this go to their largest neighbour, hectares; 0: none"
    )


class Evaluate(Parameters):
    """09: how far the maps can be trusted."""

    notebook = "09_evaluate"
    confidence: float = Field(0.95, gt=0.5, lt=1, description="level of the confidence intervals")
    resamples: int = Field(1000, ge=100, le=100_000, description="bootstrap resamples of whole blocks")
    seed: Seed = Field(1, description="seed of every random choice")
    ensemble: list[Name] | None = Field(
        None,
        description="runs whose probabilities are averaged into one more, 'ensemble'; null: hgb and fcn, if both are "
        "there; []: none",
    )
    doubt: list[Name] | None = Field(
        None, description="runs whose map is measured for where to doubt it; null: the best one; []: none"
    )
    error_rate: float = Field(0.1, gt=0, lt=0.5, description="part of class sets that may lack the true class")
    sets_by_class: bool = Field(True, description="class sets hold that rate in each class, not only over all")
    applicability_by_class: bool = Field(
        False, description="a pixel is compared with the training samples of the class it is mapped as, not with all"
    )
    applicability_samples: int = Field(
        5000, ge=100, le=10_000_000, description="at most so many training samples, drawn at random, are compared with"
    )
    density: int = Field(
        0, ge=0, le=254, description="training samples near each pixel are counted up to this (slow); 0: not at all"
    )
    least_margin: Fraction = Field(0.1, description="lead of the first class over the second below which care is due")
    references: list[ReferenceMap] = Field([], description="other maps: name, file, scheme or classes; []: none")
    reference_runs: list[Name] | None = Field(
        None, min_length=1, description="runs whose maps are compared with those others; null: the best"
    )
    smooth: Smoothing | None = Field(
        None, description="more maps, without specks: runs, method, radius, edge, least_area; null: none"
    )
    memory: Megabytes = Field(3000, description="megabytes that the step may take; the result does not depend on it")
    sample_points: int = Field(
        0, ge=0, le=100_000, description="points to draw from the map for interpretation; 0: none, or as sample_error"
    )
    sample_error: float | None = Field(
        None, gt=0, lt=0.5, description="instead: as many points as give overall accuracy this standard error (0–1)"
    )
    sample_design: Literal["stratified", "simple", "systematic"] = Field(
        "stratified", description="stratified by the map's classes, simple random, or on a grid with a random start"
    )
    sample_allocation: Literal["equal", "proportional", "neyman"] = Field(
        "equal", description="a class's share of stratified points: the same, by its pixels, or to the least error"
    )
    sample_least: int = Field(25, ge=2, le=10_000, description="points of each class at least, of stratified ones")
    sample_run: Name | None = Field(None, description="run from whose map the points are drawn; null: the best")
    sample_blind: bool = Field(True, description="whether what the map says is kept from the interpreter")
    interpreted: str | None = Field(None, min_length=1, description="file of the points, filled in; null: none yet")
    interpreted_date: Day | None = Field(
        None,
        description='of what the interpreter looked at: "2021-06-15", "2021-06" or "2021"',
    )

    compare_with: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]*/[A-Za-z0-9][A-Za-z0-9_\-]*$",
        description="an earlier map, STUDY/RUN, on the same grid: what became what since; null: none",
    )
    compare_run: Name | None = Field(None, description="run whose map is compared with it; null: the best")

    change_points: int = Field(
        0, ge=0, le=100_000, description="points to draw from the change map, shared out as sample_… says; 0: none"
    )
    change_interpreted: str | None = Field(
        None, min_length=1, description="file of those points, filled in; null: none yet"
    )
    change_dates: Annotated[list[Day], Field(min_length=2, max_length=2)] | None = Field(
        None, description='of what the interpreter looked at, before and after: ["2015", "2021-06-15"]'
    )

    @model_validator(mode="after")
    def _checks(self) -> Self:
        averaged = self.ensemble or []
        if len(averaged) == 1 or len(set(averaged)) < len(averaged):
            raise ValueError(f"ensemble must name two runs or more, each once; found {averaged}")
        if self.sample_points and self.sample_error is not None:
            raise ValueError("sample_points and sample_error both say how many points; set one of them to 0 or null")
        if self.interpreted is not None and self.interpreted_date is None:
            raise ValueError(
                "interpreted is given without interpreted_date: of which day (or year) are the images that the "
                "interpreter looked at? A reference of another year than the map's finds changes, not errors"
            )
        if (self.change_points or self.change_interpreted) and self.compare_with is None:
            raise ValueError(
                "change_points and change_interpreted are of a change map: name the earlier map (compare_with)"
            )
        if self.change_interpreted is not None and self.change_dates is None:
            raise ValueError(
                "change_interpreted is given without change_dates: of which days (or years) are the images before and "
                "after that the interpreter looked at? Images of other years show other changes"
            )
        return self
