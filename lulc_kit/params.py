"""The parameters of each notebook: names, types, bounds, defaults, and a line of help.

One pydantic model per notebook. Unknown names and wrong types are refused. The defaults are those of the study
``havelland`` and equal the notebook's ``parameters`` cell (a test holds them together).
"""

import ast
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lulc_kit.classes import SCHEMES
from lulc_kit.errors import LulcError

BANDS_10M = ["B2", "B3", "B4", "B8"]
BANDS = ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"]
INDICES = ["NDVI", "NDRE", "EVI2", "BI2", "MNDWI", "NDBI"]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]*$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Nodata = Annotated[float, Field(allow_inf_nan=True)]  # rasters of floating point often have NaN
Metres = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Megabytes = Annotated[int, Field(ge=500)]


def _date(value: str) -> str:
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        raise ValueError(f'{value!r} is not a date; write it as "YYYY-MM-DD", in quotes') from None
    return value


Date = Annotated[str, pydantic.AfterValidator(_date)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Scene(_Model):
    """One date of a user's own rasters (``source: files``)."""

    date: Date = Field(description='day of the image, "YYYY-MM-DD"')
    level: Literal["L1C", "L2A"] = Field(description="L1C: top of atmosphere; L2A: surface reflectance")
    bands: dict[str, str] | None = Field(None, description="one file for each band: {B2: path, B3: path}")
    file: str | None = Field(None, description="or one file with all bands …")
    names: list[str] | None = Field(None, description="… and the names of its bands, in their order")
    scale: float = Field(0.0001, gt=0, description="reflectance = number × scale + offset")
    offset: float = Field(0.0, description="-0.1 for DN of baseline 04.00 and later if not applied yet")
    nodata: Nodata | None = Field(0, description="number that means nodata; null if there is none")
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


class Parameters(_Model):
    """What every notebook has."""

    notebook: ClassVar[str]
    """Stem of the notebook's file."""

    study: Name = Field("havelland", description="name of the study; its results are in outputs/<study>")
    outputs: str = Field("outputs", description="folder of all results; relative to the project's folder")

    @property
    def step(self) -> str:
        """Name of this run: that of its parameter file, e.g. ``06_rf``."""
        run = getattr(self, "run", None)
        return f"{self.notebook[:2]}_{run}" if run else self.notebook

    def reads(self) -> list[str]:
        """Files of earlier steps this one reads, relative to the study's folder (globs)."""
        return []

    def writes(self) -> list[str]:
        """Files this step must have written when it ends, relative to the study's folder (globs)."""
        return []

    @classmethod
    def check(cls, values: Mapping[str, Any], where: str) -> Self:
        """Validate plain values.

        Parameters
        ----------
        values
            Parameters by name.
        where
            Where they come from, for the message.

        Raises
        ------
        LulcError
            Names each wrong parameter, what was found, and what is expected.
        """
        try:
            return cls.model_validate(dict(values))
        except pydantic.ValidationError as error:
            raise LulcError(f"{where}:\n" + "\n".join(_explain(cls, e) for e in error.errors())) from None

    @classmethod
    def from_notebook(cls, namespace: Mapping[str, Any]) -> Self:
        """Validate the parameters of the notebook that is running.

        Parameters
        ----------
        namespace
            ``globals()`` of the notebook. What papermill injected is looked up in its list of cells, so that a
            misspelt name is refused, which papermill only warns of.
        """
        fields = set(cls.model_fields)
        missing = sorted(fields - set(namespace))
        if missing:
            raise LulcError(
                f"{cls.notebook}: the cell 'parameters' does not set {', '.join(missing)}. "
                f"Restore it (git checkout notebooks/{cls.notebook}.ipynb)."
            )
        values = {name: namespace[name] for name in fields}
        for cell in namespace.get("In", []):
            if str(cell).startswith("# Parameters"):  # papermill's mark on the cell it injects
                values |= {name: namespace[name] for name in _assigned(str(cell))}
        return cls.check(values, f"notebook {cls.notebook}")


def _assigned(source: str) -> list[str]:
    targets = [t for node in ast.parse(source).body if isinstance(node, ast.Assign) for t in node.targets]
    return [t.id for t in targets if isinstance(t, ast.Name)]


def _explain(model: type[BaseModel], error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"]) or "the parameters together"
    found = error["input"]
    if error["type"] == "extra_forbidden":
        known = ", ".join((Scene if error["loc"][0] == "scenes" else model).model_fields)
        return f"  {name}: there is no such parameter. Known: {known}."
    line = f"  {name}: found {found!r}; {error['msg'].removeprefix('Value error, ')}."
    if isinstance(found, datetime.date):
        line += f' YAML reads {found} as a date: write it in quotes, "{found}".'
    if isinstance(found, str) and "e" in found.lower():
        try:
            number = float(found)
        except ValueError:
            return line
        line += f" YAML 1.1 reads {found} as text: write {_yaml_number(found, number, error['type'])}."
    return line


def _yaml_number(text: str, number: float, wanted: str) -> str:
    """Write a number such as 1e-4 so that YAML 1.1 reads it as one: with a point and a signed exponent."""
    if wanted == "int_type" and number.is_integer():
        return str(int(number))
    mantissa, exponent = text.lower().strip().split("e")
    point = "" if "." in mantissa else ".0"
    sign = "" if exponent[0] in "+-" else "+"
    return f"{mantissa}{point}e{sign}{exponent}"


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
        dates = [s.date for s in self.scenes]
        if len(set(dates)) < len(dates):
            raise ValueError(f"two scenes have the same date: {sorted(d for d in dates if dates.count(d) > 1)[0]}")
        return self

    def writes(self) -> list[str]:
        return ["catalog.json"]


class Preprocess(Parameters):
    """02: the grid, the mask, and the composite."""

    notebook = "02_preprocess"
    crs: str | None = Field(None, description='CRS of the study\'s grid, "EPSG:32633"; null: that of the finest band')
    bbox: list[float] | None = Field(
        None,
        min_length=4,
        max_length=4,
        description="left, bottom, right, top in that CRS; null: the whole scene",
    )
    resolution: float = Field(10.0, gt=0, description="pixel size of the grid, metres")
    sharpen: Literal["local", "none"] = Field(
        "local", description="20 m and 60 m bands at 10 m: local: sharpened by local regression; none: interpolated"
    )
    correction: Literal["none", "sen2cor", "dark_object"] = Field(
        "none", description="of L1C: none; sen2cor: by ESA's program, if installed; dark_object: simple, only the haze"
    )
    sen2cor: list[str] = Field([], description="folders of Sen2Cor, if it is not where it usually is")
    sen2cor_timeout: float = Field(7200.0, gt=0, description="what Sen2Cor may take for one product, seconds")
    mask: Literal["spectral", "scl", "product", "file", "none"] = Field(
        "spectral",
        description="spectral: rule for L1C; scl: scene classification; product: its cloud mask; file: yours; none",
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
    composite: Literal["median", "medoid", "best"] = Field(
        "median", description="median: of each band; medoid: the date most like the others; best: far from clouds"
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
                "Sen2Cor makes Level-2A with a scene classification: with correction sen2cor use mask: scl"
            )
        if self.correction == "dark_object" and self.mask == "scl":
            raise ValueError("Level-1C has no scene classification: with correction dark_object use mask: spectral")
        return self

    def reads(self) -> list[str]:
        return ["catalog.json"]

    def writes(self) -> list[str]:
        monthly = ["cube/monthly/*.tif"] if self.composite_monthly else []
        return ["cube/*-*-*.tif", "cube/composite.tif", *monthly]


class Visualize(Parameters):
    """03: how to show the images."""

    notebook = "03_visualize"
    composites: list[Annotated[list[str], Field(min_length=3, max_length=3)]] = Field(
        [["B4", "B3", "B2"], ["B8", "B4", "B3"], ["B12", "B8A", "B4"]],
        description="bands shown as red, green, blue; one picture each",
    )
    stretch: list[Annotated[float, Field(ge=0, le=100)]] = Field(
        [2.0, 98.0], min_length=2, max_length=2, description="percentiles shown as black and white"
    )

    def reads(self) -> list[str]:
        return ["catalog.json", "cube/*.tif"]

    def writes(self) -> list[str]:
        return ["figures/bands.png", "figures/composites.png", "figures/histograms.png"]


class External(_Model):
    """A raster that somebody else computed, for the stack of notebook 04."""

    file: str = Field(description="any raster, or the tiles of one Earth Engine export: exports/NAME-*.tif")
    bands: list[str] | None = Field(None, description="which of its bands; null: all")
    prefix: str = Field("", description="what the bands' names get in front")
    align: Literal["nearest", "bilinear", "cubic", "average"] | None = Field(
        None, description="how to resample it; null: refuse it if its pixels are not the grid's"
    )
    nodata: Nodata | None = Field(None, description="number that means nodata, if the file does not say")


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


class Features(Parameters):
    """04: what describes a pixel."""

    notebook = "04_features"
    bands: list[str] = Field(BANDS, min_length=1, description="bands of the composite that go into the stack")
    indices: list[str] = Field(INDICES, description="spectral indices by name: the kit's, or any of spyndex")
    components: int = Field(3, ge=0, le=50, description="how many principal components of the bands; 0: none")
    texture_bands: list[str] = Field(["B8", "B11"], description="bands whose texture is computed; []: none")
    texture_features: list[TextureFeature] = Field(
        ["entropy", "correlation"], min_length=1, description="features of the grey-level co-occurrence matrix"
    )
    texture_window: int = Field(5, ge=3, le=31, description="side of the moving window, pixels, odd")
    texture_levels: int = Field(32, ge=8, le=256, description="number of grey levels")
    texture_directions: Literal["all", "average"] | list[Literal[0, 45, 90, 135]] = Field(
        "all", description='"all": four pooled; "average": mean of four; or a list of angles: [0, 90]'
    )
    texture_distance: int = Field(1, ge=1, le=30, description="distance of the two pixels of a pair")
    texture_convention: Literal["haralick", "snap"] = Field(
        "haralick", description="haralick: as published; snap: as ESA SNAP computes it"
    )
    texture_quantizer: Literal["equal_width", "equal_probability"] = Field(
        "equal_width", description="grey levels of equal width, or equally frequent"
    )
    texture_range: list[float] | None = Field(
        None, min_length=2, max_length=2, description="reflectance of the first and last level; null: 1–99 % of a band"
    )
    texture_components: int = Field(3, ge=0, le=50, description="how many principal components of the texture; 0: none")
    texture_standardize: bool = Field(
        False, description="give every texture layer the same weight in them, whatever its unit"
    )
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
    external: list[External] = Field([], description="rasters that others computed: file, bands, prefix, align, nodata")
    stack: list[str] | None = Field(
        None, description="layers of the stack, in order; null: bands, indices, terrain, roads, external"
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
        layers = len(self.texture_bands) * len(self.texture_features)
        if self.texture_bands and self.texture_components > layers:
            raise ValueError(
                f"texture_components is {self.texture_components}, but texture_bands × texture_features are {layers} "
                f"layer(s): set it to at most {layers}, or 0"
            )
        if self.components > len(self.bands):
            raise ValueError(f"components is {self.components}, but there are {len(self.bands)} bands: set it lower")
        if self.stack is not None and len(set(self.stack)) < len(self.stack):
            raise ValueError(f"a layer occurs twice in stack: {self.stack}")
        return self

    def reads(self) -> list[str]:
        return ["cube/composite.tif", "catalog.json"]

    def writes(self) -> list[str]:
        written = ["features/stack.tif"]
        if self.components:
            written += ["features/components.tif", "features/components.json"]
        if self.texture_bands:
            written += ["features/texture.tif"]
            if self.texture_components:
                written += ["features/texture_components.tif", "features/texture_components.json"]
        return written


Value = str | int | Annotated[list[float], Field(min_length=2, max_length=2)]


class Samples(Parameters):
    """05: labels, and their split into folds apart in space."""

    notebook = "05_samples"
    labels: str = Field("reference", description='polygons or class raster: a path, or "reference" of notebook 01')
    layer: str | None = Field(None, description="layer of the polygon file; null: its only one")
    field: str | None = Field("fclass", description="field with the polygons' class; null for a raster")
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
    per_class: int = Field(3000, ge=10, description="at most so many training samples of each class")
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

    def reads(self) -> list[str]:
        return ["catalog.json", "features/stack.tif"]

    def writes(self) -> list[str]:
        return [f"samples/{name}" for name in ("samples.parquet", "labels.tif", "folds.tif", "classes.json")]


class _Model06to08(Parameters):
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
            f"models/{self.run}/run.json",
        ]


class Baselines(_Model06to08):
    """06: k-nearest neighbours or random forest."""

    notebook = "06_baselines"
    run: Name = Field("rf", description="name of this run; its files carry it")
    features: list[str] | None = Field(None, description="bands of the stack to use; null: all")
    model: Literal["knn", "rf"] = Field("rf", description="knn: k-nearest neighbours; rf: random forest")
    neighbours: int = Field(15, ge=1, le=1000, description="neighbours that vote, for knn")
    trees: int = Field(100, ge=1, le=5000, description="number of trees, for rf")
    min_leaf: int = Field(3, ge=1, description="smallest number of samples in a leaf, for rf")
    memory: Megabytes = Field(3000, description="megabytes that the step may take; the result does not depend on it")

    def writes(self) -> list[str]:
        return [*self._maps(), f"models/{self.run}/model.skops"]


class FCN(_Model06to08):
    """07: a fully convolutional network."""

    notebook = "07_fcn"
    run: Name = Field("fcn", description="name of this run; its files carry it")
    features: list[str] | None = Field(None, description="bands of the stack to use; null: all")
    patch: int = Field(32, ge=16, le=512, multiple_of=8, description="side of the training patches, pixels")
    filters: list[Annotated[int, Field(ge=1)]] = Field(
        [16, 32, 64], min_length=1, max_length=3, description="filters at each level of the encoder"
    )
    epochs: int = Field(10, ge=1, le=1000, description="passes over the training patches")
    batch: int = Field(32, ge=1, description="patches in a batch")
    learning_rate: float = Field(0.001, gt=0, le=1, description="of Adam; falls along a cosine to 0")

    def writes(self) -> list[str]:
        return [*self._maps(), f"models/{self.run}/fold_*.keras"]


class LSTM(_Model06to08):
    """08: the FCN over sequences of dates, joined by a convolutional LSTM."""

    notebook = "08_lstm"
    study: Name = Field("romania", description="name of the study; it needs a cube of many dates")
    run: Name = Field("lstm_random", description="name of this run; its files carry it")
    fcn: Name = Field("fcn", description="run of notebook 07 whose networks read the single dates")
    sequences: Literal["fixed", "random"] = Field(
        "random", description="fixed: always the same dates; random: drawn anew for every batch"
    )
    length: int = Field(6, ge=2, le=50, description="dates in a sequence")
    dates: list[Date] | None = Field(
        ["2017-07-01", "2019-06-30"],
        min_length=2,
        max_length=2,
        description="first and last day; null: whole cube",
    )
    gaps: Literal["mean", "linear"] = Field(
        "mean",
        description="what clouds hide: mean: says nothing; linear: filled in time, with a band that says so",
    )
    draws: int = Field(4, ge=1, description="random sequences averaged in the prediction, for random")
    epochs: int = Field(20, ge=1, le=1000, description="passes over the training patches")
    batch: int = Field(4, ge=1, description="patches in a batch")
    learning_rate: float = Field(0.002, gt=0, le=1, description="of Adam; falls along a cosine to 0")

    def reads(self) -> list[str]:
        return [
            *super().reads(),
            "cube/*-*-*.tif",
            f"models/{self.fcn}/fold_*.keras",
            f"models/{self.fcn}/run.json",
        ]

    def writes(self) -> list[str]:
        return [*self._maps(), f"models/{self.run}/fold_*.keras"]


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
            "samples/labels.tif",
            "samples/folds.tif",
            "samples/classes.json",
            "maps/*.tif",
            "models/*/crossval.tif",
            "models/*/run.json",
        ]

    def writes(self) -> list[str]:
        return ["report/index.html", "report/accuracy.json", "maps/*.qml"]


NOTEBOOKS: dict[str, type[Parameters]] = {
    model.notebook: model
    for model in (Download, Preprocess, Visualize, Features, Samples, Baselines, FCN, LSTM, Evaluate)
}


class _Loader(yaml.SafeLoader):
    """The safe loader, but a name that occurs twice is an error; plain YAML silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"{', '.join(twice)} is given twice; each name must occur once", node.start_mark
            )
        return super().construct_mapping(node, deep)


def load(path: Path) -> dict[str, Any]:
    """Read a parameter file (YAML, safe-loaded) as plain values.

    Raises
    ------
    LulcError
        If it cannot be read, is not YAML, gives a name twice, or is not a list of names and values.
    """
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise LulcError(
            f"{path} cannot be read ({error}). Check that it is a file and that you may read it."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LulcError(f"{path} is not valid YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(k, str) for k in values):
        raise LulcError(f"{path}: expected lines 'name: value', found {type(values).__name__}.")
    return values


def model_of(step: str) -> type[Parameters]:
    """Return the model for a step's name such as ``06_rf``: its number names the notebook."""
    for notebook, model in NOTEBOOKS.items():
        if notebook[:3] == step[:3] and (notebook == step or "run" in model.model_fields):
            return model
    raise LulcError(
        f"There is no notebook for the parameter file {step}.yaml. The files are named after the notebook "
        f"({', '.join(n for n, m in NOTEBOOKS.items() if 'run' not in m.model_fields)}) or after its number and the "
        f"run ({', '.join(f'{n[:2]}_<run>' for n, m in NOTEBOOKS.items() if 'run' in m.model_fields)})."
    )
