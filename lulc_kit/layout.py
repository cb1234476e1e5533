"""Names of all files of a study, once. Everything else asks here where a file lies."""

from dataclasses import dataclass
from pathlib import Path

ENSEMBLE = "ensemble"
"""Name of the run that notebook 09 makes of others."""
CONSENSUS = "consensus"
"""The layer of its map that says how many of them agree."""
DOUBT_LAYERS = ("applicability", "care", "density", "set_size")
"""Names of the layers that say where a map is to be doubted; `evaluate.doubt.LAYERS` says what they hold."""


@dataclass(frozen=True)
class RunLayout:
    """Files of one run of notebooks 06 to 08.

    Attributes
    ----------
    folder
        The study's folder.
    name
        The run: ``rf``, ``fcn``.
    """

    folder: Path
    name: str

    @property
    def models(self) -> Path:
        """Folder of what the run learnt."""
        return self.folder / "models" / self.name

    @property
    def model(self) -> Path:
        """The model of a baseline (skops)."""
        return self.models / "model.skops"

    def network(self, fold: int | str) -> Path:
        """Return the network that was not trained with a fold; ``"*"`` for the pattern of all."""
        return self.models / f"fold_{fold}.keras"

    def card(self, fold: int | str) -> Path:
        """Return what a network is: data, settings, scores, limits."""
        return self.network(fold).with_suffix(".md")

    def checkpoint(self, fold: int | str) -> Path:
        """Return what lets training go on, gone when the run is done; ``"*"`` for the pattern of all."""
        return self.models / f"checkpoint_{fold}.npz"

    def log(self, fold: int | str) -> Path:
        """Return the table of a network's training."""
        return self.folder / "logs" / self.name / f"fold_{fold}.csv"

    def board(self, fold: int | str) -> Path:
        """Return the folder of a network's logs for TensorBoard."""
        return self.log(fold).with_suffix("")

    @property
    def about(self) -> Path:
        """What the run is, and which labels and folds it was made with."""
        return self.models / "run.json"

    @property
    def crossval(self) -> Path:
        """Classes of labelled pixels, from the model that had not seen their fold."""
        return self.models / "crossval.tif"

    @property
    def crossval_probability(self) -> Path:
        """The probabilities behind them."""
        return self.models / "crossval_probability.tif"

    @property
    def crossval_table(self) -> Path:
        """Classes and probabilities of rows, of a study whose samples are a table alone."""
        return self.models / "crossval.parquet"

    @property
    def map(self) -> Path:
        """The class map."""
        return self.folder / "maps" / f"{self.name}.tif"

    def layer(self, name: str) -> Path:
        """Return the file of another layer of the map (`map_layers.MAP_LAYERS`)."""
        return self.folder / "maps" / f"{self.name}_{name}.tif"

    def doubt(self, name: str) -> Path:
        """Return a layer that says where the map is to be doubted (`DOUBT_LAYERS`).

        They have a folder of their own: a run may be called ``rf_care``.
        """
        return self.folder / "doubt" / f"{self.name}_{name}.tif"

    def agreement(self, reference: str) -> Path:
        """Return where the map differs from another map of the land; ``"*"`` for the pattern of all."""
        return self.folder / "agreement" / f"{self.name}_{reference}.tif"

    @property
    def smoothed(self) -> Path:
        """The map without specks: another map, beside that of the run."""
        return self.folder / "smoothed" / f"{self.name}.tif"

    @property
    def style(self) -> Path:
        """The map's style for QGIS."""
        return self.map.with_suffix(".qml")

    @property
    def attributes(self) -> Path:
        """Names and colours of the map's values, where GDAL looks for them."""
        return self.map.with_name(f"{self.map.name}.aux.xml")


@dataclass(frozen=True)
class CubeLayout:
    """Files of a cube.

    Attributes
    ----------
    folder
        The cube's folder, ``outputs/<study>/cube``.
    """

    folder: Path

    def dates(self) -> list[str]:
        """Return the dates that are there, ``YYYY-MM-DD``, in order."""
        return sorted(path.name.removesuffix("_mask.tif") for path in self.folder.glob("*_mask.tif"))

    def image(self, date: str) -> Path:
        """Return the reflectance of a date; ``"*-*-*"`` for the pattern of all."""
        return self.folder / f"{date}.tif"

    def mask(self, date: str) -> Path:
        """Return the mask of a date, which says why a pixel is out."""
        return self.folder / f"{date}_mask.tif"

    def probabilities(self, date: str) -> Path:
        """Return how likely cloud and shadow are on a date, of a mask that says so; ``"*-*-*"`` for the pattern."""
        return self.folder / f"{date}_clouds.tif"

    @property
    def composite(self) -> Path:
        """All dates in one image."""
        return self.folder / "composite.tif"

    @property
    def dispersion(self) -> Path:
        """How far the dates lie from their geomedian."""
        return self.folder / "dispersion.tif"

    def monthly(self, month: str) -> Path:
        """Return the composite of a month, ``YYYY-MM``; ``"*"`` for the pattern of all."""
        return self.folder / "monthly" / f"{month}.tif"


@dataclass(frozen=True)
class SampleLayout:
    """Files of a sample of points for interpretation.

    Attributes
    ----------
    folder
        The sample's folder, ``outputs/<study>/interpretation``.
    """

    folder: Path

    @property
    def drawn(self) -> Path:
        """How the points were drawn; who interprets them does not look at it."""
        return self.folder / "design.json"

    def points(self, suffix: str) -> Path:
        """Return the points as ``.gpkg``, ``.kml`` or ``.csv``; the user fills one of them in."""
        return self.folder / f"points{suffix}"


@dataclass(frozen=True)
class Layout:
    """Files of a study.

    Attributes
    ----------
    folder
        The study's folder, ``outputs/<study>``; as text, too.

    Examples
    --------
    >>> Layout("outputs/mine").run("rf").map.as_posix()
    'outputs/mine/maps/rf.tif'
    """

    folder: Path

    def __init__(self, folder: str | Path) -> None:
        object.__setattr__(self, "folder", Path(folder))

    def other(self, study: str) -> "Layout":
        """Return the files of another study, whose folder lies beside this one's."""
        return Layout(self.folder.parent / study)

    @property
    def catalog(self) -> Path:
        """Which scenes there are (STAC)."""
        return self.folder / "catalog.json"

    @property
    def scenes(self) -> Path:
        """Folder of images that 01 fetched or made."""
        return self.folder / "scenes"

    @property
    def reference(self) -> Path:
        """Folder of training polygons and class maps that 01 fetched."""
        return self.folder / "reference"

    @property
    def ancillary(self) -> Path:
        """Folder of elevation and roads that 01 fetched or made."""
        return self.folder / "ancillary"

    @property
    def sen2cor(self) -> Path:
        """Folder of products that Sen2Cor made."""
        return self.folder / "sen2cor"

    @property
    def cube(self) -> Path:
        """Folder of the dates; see `lulc_kit.cube.Cube`."""
        return self.folder / "cube"

    def image(self, date: str) -> Path:
        """Return the reflectance of a date; see `CubeLayout`."""
        return CubeLayout(self.cube).image(date)

    def mask(self, date: str) -> Path:
        """Return the mask of a date; see `CubeLayout`."""
        return CubeLayout(self.cube).mask(date)

    @property
    def composite(self) -> Path:
        """All dates in one image."""
        return CubeLayout(self.cube).composite

    @property
    def dispersion(self) -> Path:
        """How far the dates lie from their geomedian."""
        return CubeLayout(self.cube).dispersion

    def monthly(self, month: str) -> Path:
        """Return the composite of a month; see `CubeLayout`."""
        return CubeLayout(self.cube).monthly(month)

    def figure(self, name: str) -> Path:
        """Return a picture of notebook 03."""
        return self.folder / "figures" / f"{name}.png"

    @property
    def features(self) -> Path:
        """Folder of layers."""
        return self.folder / "features"

    @property
    def stack(self) -> Path:
        """All features of a pixel."""
        return self.features / "stack.tif"

    @property
    def texture(self) -> Path:
        """Texture layers."""
        return self.features / "texture.tif"

    @property
    def time(self) -> Path:
        """Statistics over the dates of the cube."""
        return self.features / "time.tif"

    @property
    def grey_levels(self) -> Path:
        """The grey levels of the texture layers, by band."""
        return self.texture.with_suffix(".json")

    def components(self, of: str = "") -> Path:
        """Return the principal components of the bands, or (``of="texture"``) of the texture layers.

        Beside it, with the ending ``.json``, lies how they follow from the layers.
        """
        return self.features / (f"{of}_components.tif" if of else "components.tif")

    @property
    def samples(self) -> Path:
        """The table of samples."""
        return self.folder / "samples" / "samples.parquet"

    @property
    def labels(self) -> Path:
        """Labels on the grid."""
        return self.folder / "samples" / "labels.tif"

    @property
    def folds(self) -> Path:
        """The splits on the grid."""
        return self.folder / "samples" / "folds.tif"

    @property
    def validation(self) -> Path:
        """The independent test set on the grid: class and number of the feature."""
        return self.folder / "samples" / "validation.tif"

    @property
    def classes(self) -> Path:
        """The classes that occur, and how test and training are kept apart."""
        return self.folder / "samples" / "classes.json"

    def run(self, name: str) -> RunLayout:
        """Return the files of a run of notebooks 06 to 08."""
        return RunLayout(self.folder, name)

    @property
    def tabular(self) -> bool:
        """Whether the samples are a table alone, so that there are no maps."""
        return self.samples.exists() and not self.labels.exists()

    def runs(self) -> list[str]:
        """Return the names of the runs of notebooks 06 to 08 that have been cross-validated."""
        ending = "parquet" if self.tabular else "tif"
        names = (path.parent.name for path in self.folder.glob(f"models/*/crossval.{ending}"))
        return sorted(name for name in names if name != ENSEMBLE)

    @property
    def report(self) -> Path:
        """The page of notebook 09."""
        return self.folder / "report" / "index.html"

    @property
    def accuracy(self) -> Path:
        """Its numbers as data."""
        return self.folder / "report" / "accuracy.json"

    def picture(self, name: str) -> Path:
        """Return a picture of that page; ``"*"`` for the pattern of all."""
        return self.report.parent / "pictures" / f"{name}.png"

    def table(self, name: str) -> Path:
        """Return a table of that page; ``"*"`` for the pattern of all."""
        return self.report.parent / "tables" / f"{name}.csv"

    @property
    def change(self) -> Path:
        """What became what, pixel by pixel, between another map and one of the study's."""
        return self.folder / "change" / "from_to.tif"

    @property
    def interpretation(self) -> SampleLayout:
        """Points of a map, for a person who says what is there."""
        return SampleLayout(self.folder / "interpretation")

    @property
    def change_interpretation(self) -> SampleLayout:
        """Points of the change map, for a person who says what was and what is there."""
        return SampleLayout(self.folder / "change" / "interpretation")

    @property
    def areas(self) -> Path:
        """What became of each area of a region."""
        return self.report.with_name("areas.json")

    @property
    def project(self) -> Path:
        """Image, labels, maps and doubt as a project of QGIS."""
        return self.folder / f"{self.folder.name}.qgz"

    @property
    def plan(self) -> Path:
        """Names of the steps that the study has."""
        return self.folder / "steps" / "plan.json"

    def record(self, step: str) -> Path:
        """Return what a step recorded of itself."""
        return self.folder / "steps" / f"{step}.json"

    def notebook(self, name: str) -> Path:
        """Return the executed notebook of a step."""
        return self.folder / "notebooks" / f"{name}.ipynb"

    @property
    def lock(self) -> Path:
        """Held by who works on the study."""
        return self.folder.parent / f".{self.folder.name}.lock"
