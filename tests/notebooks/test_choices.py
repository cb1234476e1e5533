"""Every documented choice runs: each word, null, [], true, false and 0 that a parameter knows, in the notebook itself.

A row sets many parameters at once, so that few runs meet every choice; `test_every_choice_occurs` finds what none has.
"""

import contextlib
import shutil
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lulc_kit import params, study
from lulc_kit.classes import SCHEMES
from lulc_kit.errors import LulcError
from tests import scene
from tests.notebook import execute

SIDE = 80  # pixels of 10 m, of a study that takes seconds
FILES = {"dem": "data/dem.tif", "roads": "data/roads.gpkg", "reference": "data/polygons.gpkg"}
STUDY = {"study": "tiny"}
COMMON = {step[:2]: STUDY | values for step, values in scene.parameters(Path("data")).items()}


def own_scenes(level: str, **extra: Any) -> list[dict[str, Any]]:
    return scene.scenes(Path("data"), level=level, **extra)


SURFACE = own_scenes("L2A", mask="data/mask.tif", nodata=0)
TOP = own_scenes("L1C", scl=None, mask=None, nodata=None, sun_azimuth=160.0, sun_zenith=35.0)
ONE_FILE = [
    {"date": scene.DATES[0], "level": "L2A", "file": "data/all.tif", "names": [*scene.FINE]}
    | {"sun_azimuth": 0, "sun_zenith": 0, "offset": None}
]
FIRST = {
    "surface": {"source": "files", "scenes": SURFACE} | FILES,
    "top": {"source": "files", "scenes": TOP},
    "one file": {"source": "files", "scenes": ONE_FILE, "seed": 0},
}

CLASSES = {
    "workflow": ["Forest", "Water", "Farmland"],
    "forest": ["Forest", "Not forest", "Not forest"],
    "esri": ["Trees", "Water", "Crops"],
    "worldcover": ["Tree cover", "Permanent water bodies", "Cropland"],
}


def classes(scheme: str) -> dict[str, list[Any]]:
    """Return the parameter ``classes`` for the fields' three classes in a scheme."""
    found: dict[str, list[Any]] = {}
    for name, value in zip(CLASSES[scheme], scene.SPECTRA, strict=True):
        found.setdefault(name, []).append(value)
    return found


OTHER = {"name": "other", "file": "data/classes.tif"}
EVERY_FEATURE = list(typing.get_args(params.features.TextureFeature))

ROWS: dict[str, list[Any]] = {
    "01_download": [FIRST["surface"], FIRST["top"], FIRST["one file"]],
    "02_preprocess": [
        {
            "mask": "spectral",
            "radiometry": "trust",
            "correction": "dark_object",
            "sharpen": "local",
            "composite": "median",
            "dates": None,
        },
        {"mask": "scl", "sharpen": "none", "composite": "medoid", "scl_exclude": [], "mask_buffer": 0.0},
        {"mask": "file", "composite": "best", "composite_day": 150, "composite_monthly": True, "bbox": None},
        {"mask": "none", "composite": "best", "composite_day": None, "composite_dates": list(scene.DATES[:2])},
        {"mask": "csmask", "composite": "geomedian"},
    ],
    "03_visualize": [
        {"stretch": [0.0, 100.0]},
    ],
    "04_features": [
        {"components": 0, "texture_components": 0, "indices": [], "flat_aspect": None, "context_windows": []},
        {
            "texture_features": EVERY_FEATURE,
            "dem_resampling": "cubic",
            "roads_all_touched": False,
            "external": [
                {"file": "data/canopy.tif", "prefix": f"{align}_", "align": align, "bands": None}
                for align in ("nearest", "bilinear", "cubic", "average")
            ],
        },
        {
            "texture_directions": "average",
            "texture_convention": "snap",
            "texture_quantizer": "equal_probability",
            "texture_range": [0.0, 0.5],
            "texture_standardize": True,
            "dem_resampling": "average",
            "flat_aspect": 0,
            "external": [
                {"file": "data/height.tif", "align": None, "nodata": 0},
                {"file": "data/vectors.tif", "align": "nearest", "family": "embedding", "scale": "alphaearth"}
                | {"year": int(scene.DATES[0][:4]), "prefix": "A"},
            ],
        },
        {"texture_directions": [0, 45, 90, 135], "segment_size": 20, "stack": ["B2", "NDVI", "B8_segment_std"]},
        {"texture_bands": [], "time_layers": ["NDVI", "B4"], "time_statistics": ["p50", "max_day"], "time_min": 1}
        | {"time_months": [scene.DATES[0][:7]], "time_each": True},
    ],
    "05_samples": [
        *({"scheme": scheme, "classes": classes(scheme), "layer": "fields"} for scheme in SCHEMES),
        {"labels": "data/classes.tif", "field": None, "classes": {"Forest": [1], "Water": [2, 3]}}
        | {"homogeneous": 3, "gap": 0.0, "seed": 0, "split": "random", "rare": "leave_out"},
        {"block": None, "gap": None, "rare": "smaller_blocks", "allocation": "proportional", "per_polygon": 20}
        | {"further_split": "knndm"},
        {"split": "polygons", "allocation": "sqrt", "rare": "refuse", "further_split": "groups", "group_field": "site"},
        {"split": "groups", "group_field": "site", "folds": None, "per_class": {"Forest": 50}}
        | {"further_split": "polygons"},
        {"split": "knndm", "rare": "fewer_folds", "further_split": "blocks"},
        {"scheme": None, "classes": None, "all_touched": True, "validation": "data/checked.gpkg"}
        | {"further_split": None},
    ],
    "06_baselines": [
        {"run": "rf", "model": "rf", "seed": 0, "calibrate": "isotonic", "learning_curve": True},
        {"run": "knn", "model": "knn", "features": ["B2", "B8"], "class_weight": "sqrt", "tune": 0, "further": False},
        {"run": "hgb", "model": "hgb", "class_weight": "balanced", "importance": 0, "settings": {"max_iter": 5}},
        {"run": "svm", "model": "svm", "class_weight": "none", "tune": 2},
        {"run": "logreg", "model": "logreg", "calibrate": "sigmoid", "class_weight": None},
        {"run": "naive", "model": "sklearn.naive_bayes.GaussianNB", "settings": {"var_smoothing": 1e-6}},
    ],
    "07_fcn": [
        {"features": None, "seed": 0, "minutes": None, "schedule": "plateau", "class_weight": "capped"},
        {"schedule": "cosine", "loss": "focal", "class_weight": "sqrt", "flips": True, "inner_validation": 0.0}
        | {"network": "fcn_light", "dropout": 0.0, "precision": "mixed_float16"},
        {"loss": "dice", "class_weight": "none", "flips": False, "minutes": 1.0, "network": "mlp", "tune": 1}
        | {"precision": "mixed_bfloat16"},
    ],
    "08_lstm": [
        {"sequences": "fixed", "gaps": "linear", "seed": 0, "schedule": "cosine", "loss": "dice", "flips": True}
        | {"fine_tune": True},
        {"sequences": "random", "gaps": "mean", "loss": "focal", "class_weight": "sqrt", "minutes": None}
        | {"network": "ltae", "features": None, "patch": 16},
        {"loss": "cross_entropy", "class_weight": "capped", "schedule": "plateau", "flips": False}
        | {"network": "utae", "features": ["B2", "B8"], "precision": "mixed_bfloat16"},
        {"class_weight": "none", "inner_validation": 0.0, "network": "tempcnn", "gaps": "linear"}
        | {"precision": "mixed_float16"},
    ],
    "09_evaluate": [
        {"seed": 0, "doubt": None, "sets_by_class": False, "density": 0, "ensemble": ["rf", "fcn"]}
        | {"sample_points": 60, "sample_least": 10, "sample_blind": False}
        | {"references": [], "smooth": {"method": "gaussian", "runs": None, "least_area": 0.0}},
        {"doubt": [], "sets_by_class": True, "least_margin": 0.0, "ensemble": []}
        | {"sample_error": 0.05, "sample_allocation": "proportional", "sample_least": 2, "sample_run": "rf"}
        | {"references": [OTHER | {"scheme": "esri", "classes": None}, OTHER | {"name": "b", "scheme": "worldcover"}]}
        | {"reference_runs": ["rf", "fcn"], "smooth": {"method": "majority", "runs": ["fcn", "rf"]}},
        {"doubt": ["fcn", "rf"], "applicability_by_class": True, "density": 20, "ensemble": None}
        | {"sample_points": 60, "sample_allocation": "neyman", "sample_least": 10}
        | {"references": [OTHER | {"scheme": None, "classes": {"Forest": [1], "Water": [2], "Farmland": [3]}}]}
        | {"smooth": {"method": "none", "least_area": 0.5}},
        {"doubt": [], "sample_points": 60, "sample_design": "simple", "compare_with": "tiny/rf", "compare_run": "fcn"}
        | {"change_points": 60, "change_dates": None, "sample_least": 5},
        {"doubt": [], "sample_points": 60, "sample_design": "systematic", "reference_runs": None}
        | {"smooth": {"method": "guided", "radius": 20.0}},
    ],
}
ELSEWHERE = [
    ("01_download", "source", "sample"),  # needs the network: make demo
    ("01_download", "sample", "havelland"),
    ("01_download", "sample", "romania"),
    ("01_download", "scenes", []),
    ("01_download", "source", "products"),  # tests/preprocess/test_products.py
    ("01_download", "source", "simulated"),
    ("01_download", "later", True),  # tests/simulated
    ("01_download", "source", "stac"),  # tests/download/test_stac.py
    ("01_download", "source", "safe"),  # tests/download/test_whole.py
    *(("01_download", "fetch", word) for word in ("s3", "zip")),
    *(("01_download", "service", name) for name in ("planetary-computer", "cdse", "eopf")),
    ("01_download", "level", "L1C"),
    ("01_download", "cloud", 0),
    *(("01_download", "reference", word) for word in ("esri", "worldcover")),  # tests/notebooks/test_beside.py
    *(("01_download", "dem", word) for word in ("cop-dem-glo-30", "nasadem")),
    ("01_download", "roads", "osm"),
    *(("01_download", "vintage.azure", asked) for asked in (True, False)),
    ("01_download", "vintage.most_days", 0),
    *(("01_download", f"vintage.{name}", None) for name in ("wayback", "bing")),
    ("02_preprocess", "mask", "product"),
    ("07_fcn", "tensorboard", True),  # tests/deep/test_board.py, where the package is installed
    ("08_lstm", "tensorboard", True),
    ("02_preprocess", "correction", "sen2cor"),  # tests/preprocess/test_correction.py
]
"""Choices that need more than the tiny study has, and where they run."""

REFUSED = [
    ("01_download", "scenes.names", {"source": "files", "scenes": [ONE_FILE[0] | {"names": []}]}),
    ("01_download", "scenes.bands", {"source": "files", "scenes": [SURFACE[0] | {"bands": {}}]}),
    ("01_download", "scenes.mask_clear", {"source": "files", "scenes": [SURFACE[0] | {"mask_clear": []}]}),
    ("03_visualize", "composites", {"composites": []}),
    ("04_features", "stack", {"stack": []}),
    ("04_features", "external.bands", {"external": [{"file": "data/height.tif", "bands": []}]}),
    ("04_features", "texture_directions", {"texture_directions": []}),
    ("06_baselines", "features", {"features": []}),
    ("07_fcn", "features", {"features": []}),
    ("08_lstm", "features", {"features": []}),
]
"""Empty lists and tables that mean nothing."""


# ---- what the models document ----


def words(annotation: Any, limits: Sequence[Any] = ()) -> Iterator[str]:
    """Yield, as text, the values that an annotation singles out."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is type(None):
        yield "None"
    elif annotation is bool:
        yield from ("True", "False")
    elif annotation in (int, float) and any(getattr(limit, "ge", None) == 0 for limit in limits):
        yield "0"
    elif origin is Literal:
        yield from map(repr, parts)
    elif origin is list:
        if not any(getattr(limit, "min_length", None) for limit in limits):
            yield "[]"
        yield from (f"[{word}]" for word in words(parts[0]) if typing.get_origin(parts[0]) is Literal)
    elif origin in (typing.Union, UnionType):
        for part in parts:
            yield from words(part, limits)
    elif origin is typing.Annotated:
        yield from words(parts[0], [*limits, *FieldInfo.from_annotation(annotation).metadata])


def documented(model: type[BaseModel], prefix: str = "") -> set[tuple[str, str]]:
    """Return the choices of a model: parameter and value; of entries of a list as ``external.align``."""
    found = set()
    for name, field in model.model_fields.items():
        found |= {(prefix + name, word) for word in words(field.annotation, field.metadata)}
        for part in typing.get_args(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= documented(part, f"{name}.")
    return found


def made(p: BaseModel, prefix: str = "") -> set[tuple[str, str]]:
    """Return the choices that parameters make."""
    found = set()
    for name in type(p).model_fields:
        value = getattr(p, name)
        if isinstance(value, BaseModel):
            found |= made(value, f"{name}.")
        elif not isinstance(value, list):
            found.add((prefix + name, "0" if value == 0 and value is not False else repr(value)))
        for entry in value if isinstance(value, list) else []:
            found |= made(entry, f"{name}.") if isinstance(entry, BaseModel) else {(prefix + name, f"[{entry!r}]")}
        if value == []:
            found.add((prefix + name, "[]"))
    return found


@pytest.mark.parametrize("notebook", ROWS)
def test_every_choice_occurs(notebook: str) -> None:
    model = params.NOTEBOOKS[notebook]
    found = {(name, repr(value)) for where, name, value in ELSEWHERE if where == notebook}
    found |= {(name, "[]") for where, name, _ in REFUSED if where == notebook}
    for row in ROWS[notebook]:
        found |= made(model.check(all_parameters(notebook, row), "a row"))
    assert documented(model) - found == set()


# ---- running them ----


def all_parameters(notebook: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return a row's parameters with what the tiny study needs in any case."""
    common = STUDY if notebook == "01_download" else COMMON[notebook[:2]]
    return common | values


def write_data(project: Path) -> None:
    data = scene.write_data(project / "data", SIDE)
    scene.write(data / "mask.tif", np.eye(SIDE, dtype=np.uint8), 10.0)
    scene.write(data / "all.tif", np.stack([scene.numbers(scene.DATES[0], b)[:SIDE, :SIDE] for b in range(4)]), 10.0)
    with rasterio.open(data / "all.tif", "r+") as target:  # a file that says it itself
        target.scales, target.offsets = [scene.SCALE] * 4, [scene.OFFSET] * 4
    hills = np.add.outer(np.arange(200.0), np.arange(200.0)).astype(np.float32)
    scene.write(data / "dem.tif", np.maximum(hills, 150), 5.0)
    # Four numbers of (90 / 127.5)² are a vector of length 1.
    scene.write(data / "vectors.tif", np.full((4, 40, 40), 90, np.int8), 25.0)
    scene.write(data / "canopy.tif", np.stack([hills[:40, :40]] * 2), 25.0)
    scene.write(data / "height.tif", hills[:SIDE, :SIDE], 10.0)
    scene.write(data / "classes.tif", (scene.truth()[:SIDE, :SIDE] + 1).astype(np.uint8), 10.0)
    scene.polygons(side=SIDE).iloc[::7].to_file(data / "checked.gpkg")
    middle = scene.TOP - SIDE * 5
    road = shapely.LineString([(scene.LEFT, middle), (scene.LEFT + SIDE * 10, middle + 30)])
    gpd.GeoDataFrame({"highway": ["primary"]}, geometry=[road], crs=scene.CRS).to_file(data / "roads.gpkg")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a project in which all notebooks before one have run, each once for all tests."""
    project = tmp_path_factory.mktemp("choices")
    for name in ("notebooks", "params"):
        (project / name).mkdir()
    write_data(project)
    left = [notebook for notebook in ROWS if notebook not in ("03_visualize", "08_lstm", "09_evaluate")]

    def until(notebook: str) -> Path:
        while left and left[0] < notebook:
            first = FIRST["surface"] if left[0] == "01_download" else {}
            execute(left[0], all_parameters(left[0], first), project)
            left.pop(0)
        return project

    return until


@pytest.mark.long
@pytest.mark.parametrize(
    ("notebook", "row"),
    [pytest.param(name, row, id=f"{name}-{number}") for name, rows in ROWS.items() for number, row in enumerate(rows)],
)
def test_choice_runs(notebook: str, row: dict[str, Any], prepared: Callable[[str], Path], tmp_path: Path) -> None:
    """The notebook runs to its end, its figures can be drawn, and all that the step promises was written."""
    project = shutil.copytree(prepared(notebook), tmp_path / "project")
    values = all_parameters(notebook, row)
    if values.get("mask") == "csmask":
        pytest.importorskip("onnxruntime"), pytest.importorskip("ukis_csmask")
    if notebook == "02_preprocess" and values["mask"] == "spectral":
        execute("01_download", all_parameters("01_download", FIRST["top"]), project)
    p = execute(notebook, values, project)["p"]
    with contextlib.chdir(project):
        assert study.Study(p).outdated(p) is None


@pytest.mark.long
@pytest.mark.parametrize(
    ("notebook", "name", "row"),
    [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in REFUSED],
)
def test_an_empty_list_that_means_nothing_is_refused(
    notebook: str, name: str, row: dict[str, Any], prepared: Callable[[str], Path], tmp_path: Path
) -> None:
    project = shutil.copytree(prepared(notebook), tmp_path / "project")
    with pytest.raises(LulcError, match=name.split(".")[-1]):
        execute(notebook, all_parameters(notebook, row), project)


@pytest.mark.long
def test_points_of_the_change_map_come_back_as_areas_of_change(prepared: Callable[[str], Path], tmp_path: Path) -> None:
    """The land did not change, so a person sees no change where two runs differ, and the page gives no area of it."""
    project = shutil.copytree(prepared("09_evaluate"), tmp_path / "project")
    drawing = all_parameters("09_evaluate", {"doubt": [], "compare_with": "tiny/rf", "compare_run": "fcn"})
    drawing |= {"change_points": 60, "sample_least": 5}
    execute("09_evaluate", drawing, project)
    page = project / "outputs/tiny/report/index.html"
    assert "hectares of two maps, not of the land" in page.read_text(encoding="utf-8")
    points = gpd.read_file(project / "outputs/tiny/change/interpretation/points.gpkg")
    column = ((points.geometry.x - scene.LEFT) // 10).astype(int)
    row = ((scene.TOP - points.geometry.y) // 10).astype(int)
    seen = [f"stable {name}" for name in np.array(list(scene.SPECTRA))[scene.truth()[row, column]]]
    points.assign(reference=seen).to_file(project / "seen.gpkg")
    with pytest.raises(LulcError, match="change_dates"):
        execute("09_evaluate", drawing | {"change_interpreted": "seen.gpkg"}, project)
    given = drawing | {"change_interpreted": "seen.gpkg", "change_dates": ["2015", "2021"]}
    found = execute("09_evaluate", given, project)["estimated"]
    balance = found.balance()
    assert (balance[["loss", "gain"]] == 0).all(axis=None) and balance["stable"].sum() > 0
    assert "Areas of change, in hectares" in page.read_text(encoding="utf-8")
    with contextlib.chdir(project):
        p = params.Evaluate.check(given, "here")
        assert study.Study(p).outdated(p) is None
        points.assign(reference=seen[::-1]).to_file(project / "seen.gpkg")
        assert study.Study(p).outdated(p) == "inputs changed"


@pytest.mark.long
def test_points_that_a_person_has_interpreted_come_back(prepared: Callable[[str], Path], tmp_path: Path) -> None:
    """09 draws points; filled in with the truth they say how good the map is, and where the page has no areas else."""
    project = shutil.copytree(prepared("09_evaluate"), tmp_path / "project")
    drawing = all_parameters("09_evaluate", {"sample_points": 90})
    execute("09_evaluate", drawing, project)
    page = project / "outputs/tiny/report/index.html"
    assert "No probability sample of the map has been interpreted" in page.read_text(encoding="utf-8")
    points = gpd.read_file(project / "outputs/tiny/interpretation/points.gpkg")
    column = ((points.geometry.x - scene.LEFT) // 10).astype(int)
    row = ((scene.TOP - points.geometry.y) // 10).astype(int)
    truth = np.array(list(scene.SPECTRA))[scene.truth()[row, column]]
    points.assign(reference=truth).to_file(project / "seen.gpkg")
    with pytest.raises(LulcError, match="interpreted_date"):
        execute("09_evaluate", drawing | {"interpreted": "seen.gpkg"}, project)
    given = drawing | {"interpreted": "seen.gpkg", "interpreted_date": "2023"}
    shown = execute("09_evaluate", given, project)
    surveyed = shown["surveyed"]
    mapped = rasterio.open(project / f"outputs/tiny/maps/{surveyed.run}.tif").read(1)[row, column]
    names = dict(zip(surveyed.classes.values, surveyed.classes.names, strict=True))
    assert surveyed.matrices[surveyed.run].trace() == sum(names[m] == t for m, t in zip(mapped, truth, strict=True))
    assert "Areas, in hectares" in page.read_text(encoding="utf-8")
    with contextlib.chdir(project):
        assert study.Study(shown["p"]).outdated(shown["p"]) is None
        points.assign(reference=truth[::-1]).to_file(project / "seen.gpkg")
        assert study.Study(shown["p"]).outdated(shown["p"]) == "inputs changed"
