"""05: labels, and their split into folds apart in space."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lulc_kit.classes import SCHEMES
from lulc_kit.params.base import Metres, Parameters, Seed


def _whole(value: object) -> object:
    """Take 1.0 for 1, as tables write it; a number with decimals is a range of one number."""
    if not isinstance(value, float):
        return value
    if not value.is_integer():
        raise ValueError(f"a value is text or a whole number; write the range [{value:g}, {value:g}]")
    return int(value)


Value = Annotated[str | int | Annotated[list[float], Field(min_length=2, max_length=2)], BeforeValidator(_whole)]
ClassName = Annotated[str, Field(pattern=r"^\S(.*\S)?$")]
Colour = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
Column = Annotated[str, Field(min_length=1)]
Place = Annotated[str, Field(min_length=1)]

OPENSTREETMAP: dict[str, list[Value]] = {
    "Build-up": ["residential"],
    "Farmland": ["farm"],
    "Forest": ["forest"],
    "Meadow": ["meadow", "grass"],
    "Water": ["water"],
    "Other land": ["scrub", "wetland"],
}
"""OpenStreetMap's words in the six classes of the source workflow."""

Count = Annotated[int, Field(ge=10, le=10_000_000)]


class Samples(Parameters):
    """05: labels, and their split into folds apart in space."""

    notebook = "05_samples"
    labels: (
        Place
        | Annotated[list[Place], Field(min_length=1, max_length=255)]
        | Annotated[dict[str, Place], Field(min_length=1, max_length=255)]
    ) = Field(
        "reference",
        description='polygons, points, class raster or table: a path, a list of them, or class: path; "reference": '
        "that of notebook 01",
    )
    layer: str | None = Field(
        None, description='layer of the file of polygons or points; "*": all, each named in field layer; null: its only'
    )
    field: str | None = Field("fclass", description="field with the class; null for rasters and a file for each class")
    encoding: str | None = Field(
        None, description="of the words in a shapefile that does not name it: GBK, latin1, cp1251; null: the file's"
    )
    labels_crs: str | None = Field(None, description='CRS of files that do not say theirs, "EPSG:32633"; null: refuse')
    scheme: str | None = Field(
        "workflow",
        description=f"class scheme: {', '.join(SCHEMES)}, or the path of one (.yaml, .csv, .qml); null: one's own",
    )
    classes: dict[ClassName, list[Value]] | None = Field(
        OPENSTREETMAP,
        min_length=1,
        max_length=255,
        description="class → values of the field or raster; [low, high] is a range, both included; null: each value "
        "is the class of its name",
    )
    colours: dict[str, Colour] = Field({}, max_length=255, description='class → "#rrggbb", where not the scheme\'s')
    point_radius: Metres = Field(0.0, le=10_000, description="a point labels what is so near, metres; 0: its pixel")
    erode: Metres = Field(0.0, le=10_000, description="polygons shrink by so much, metres: pixels on edges are mixed")
    all_touched: bool = Field(
        False, description="a polygon labels every pixel it touches, not those whose centre it holds"
    )
    homogeneous: int = Field(
        1,
        ge=1,
        le=99,
        description="a pixel of a class raster is a label if so many × so many pixels around it are of its class; odd, "
        "1: every pixel is",
    )
    validation: Place | None = Field(
        None,
        description="file of polygons or points like 'labels' that is never trained on and judged in 09; null: none",
    )
    table_class: Column | None = Field(
        None,
        description="column of the class, if 'labels' is a table of pixel values (.csv, .parquet); null: it is not",
    )
    table_x: Column | None = Field(None, description="column of the easting or longitude in a table; null: none")
    table_y: Column | None = Field(None, description="column of the northing or latitude in a table; null: none")
    table_crs: str | None = Field(None, description='CRS of these two, "EPSG:4326"')
    table_group: Column | None = Field(None, description="column of what stays together in a fold: site, region, plot")
    table_features: Annotated[list[Column], Field(min_length=1)] | None = Field(
        None, description="columns of the features in a table; null: all other columns of numbers"
    )
    split: Literal["blocks", "polygons", "groups", "knndm", "random"] = Field(
        "blocks", description="what goes into a fold together, or how folds are found; random leaks"
    )
    further_split: Literal["blocks", "polygons", "groups", "knndm"] | None = Field(
        "knndm",
        description="the same labels split in another way too, so that 06 and 09 have both scores; null, or one that "
        "the labels do not allow: not",
    )
    group_field: str | None = Field(None, description="field of the labels' file for split: groups: region, site")
    folds: int | None = Field(4, ge=2, le=20, description="number of folds; null: one for each group (split: groups)")
    block: float | None = Field(
        640.0,
        gt=0,
        le=1e6,
        description="side of the blocks that go into a fold together, metres; null: the variogram's range",
    )
    gap: Metres | None = Field(
        80.0,
        description="training pixels nearer than this to a test pixel are not used, metres; null: the reach of "
        "features and networks",
    )
    rare: Literal["refuse", "fewer_folds", "smaller_blocks", "leave_out"] = Field(
        "fewer_folds", description="what to do about a class that cannot be in every fold"
    )
    per_class: Count | dict[str, Count] = Field(3000, description="at most so many training samples of each class")
    allocation: Literal["balanced", "proportional", "sqrt"] = Field(
        "balanced", description="share per_class × classes out evenly, by the classes' size, or by its square root"
    )
    per_polygon: int | None = Field(
        None, ge=1, le=10_000_000, description="at most so many training samples of one polygon; null: any number"
    )
    seed: Seed = Field(1, description="seed of every random choice")

    @model_validator(mode="after")
    def _split_fits(self) -> Self:
        for name, kind in (("split", self.split), ("further_split", self.further_split)):
            if kind == "groups" and self.group_field is None and self.table_group is None:
                raise ValueError(
                    f"{name}: groups needs what names the groups: set group_field, for a table table_group"
                )
        if self.folds is None and self.split != "groups":
            raise ValueError(f"folds: null is for split: groups; give a number for split: {self.split}")
        if self.rare == "smaller_blocks" and self.split != "blocks":
            raise ValueError(f"rare: smaller_blocks is for split: blocks, and this is split: {self.split}")
        if isinstance(self.per_class, dict) and self.allocation != "balanced":
            raise ValueError("per_class gives the number of each class, so that allocation must be balanced")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.scheme is not None and self.scheme not in SCHEMES and "." not in self.scheme:
            raise ValueError(f"scheme {self.scheme!r} is unknown; known: {', '.join(SCHEMES)}, or the path of a file")
        if self.scheme in SCHEMES and self.classes is not None:
            unknown = sorted(set(self.classes) - set(SCHEMES[self.scheme].names))
            if unknown:
                raise ValueError(
                    f"class {unknown[0]!r} is not in scheme {self.scheme!r}: {', '.join(SCHEMES[self.scheme].names)}. "
                    f"For classes of your own set scheme: null"
                )
        if self.homogeneous % 2 == 0:
            raise ValueError(
                f"homogeneous: {self.homogeneous} × {self.homogeneous} pixels have no middle; give 1, 3, 5 …"
            )
        if (self.table_x is None) != (self.table_y is None):
            raise ValueError("table_x and table_y are given together, or neither")
        if self.table_x is not None and self.table_crs is None:
            raise ValueError('table_crs is needed with table_x and table_y: "EPSG:4326" for degrees')
        if self.table_class is not None and not isinstance(self.labels, str):
            raise ValueError("table_class is given, so 'labels' must be one table")
        if self.table_class is not None and (self.validation is not None or self.split == "knndm"):
            raise ValueError("table_class is given: a table has no map, which validation and split: knndm need")
        return self

    @property
    def is_table(self) -> bool:
        """Whether the samples come as a table of pixel values, without images."""
        return self.table_class is not None
