"""Examples in docstrings say what the code does, and whoever comes in by the front door finds one at every name."""

import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
from odc.geo.geobox import GeoBox

import lulc_kit
from lulc_kit import catalog, progress, raster
from lulc_kit.cube import Reason
from lulc_kit.errors import LulcError
from lulc_kit.raster import writing
from lulc_kit.safe.scene import describe
from tests import products
from tests.scene import REPOSITORY, environment

SOURCES = sorted((REPOSITORY / "lulc_kit").rglob("*.py"))
WITH_EXAMPLES = [
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCES
    if ">>> " in path.read_text(encoding="utf-8")
]
HEAVY = {"numpy", "numba", "xarray", "rasterio", "pandas", "sklearn", "matplotlib", "keras", "dask", "pydantic"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that examples open."""
    folder = tmp_path_factory.mktemp("examples")
    product = lulc_kit.open_product(products.write_l1c(folder))
    grid = GeoBox.from_bbox((0, 0, 20, 10), "EPSG:32633", resolution=10)
    image = raster.array(np.array([[[0.04, 0.25]], [[0.36, 0.25]]], np.float32), grid, ["B4", "B8"])
    study = lulc_kit.Layout(folder / "outputs/mine")
    catalog.write(study.catalog, catalog.Catalog([describe(product)], {}))
    for path in (folder / "image.tif", study.cube / "2022-06-15.tif"):
        writing.write_all([writing.reflectance(path, image)])
    mask = np.array([[[Reason.CLEAR, Reason.CLOUD]]], np.uint8)
    writing.write(study.cube / "2022-06-15_mask.tif", raster.array(mask, grid, ["mask"]), dtype="uint8", nodata=None)
    table = geopandas.GeoDataFrame(
        {
            "class": ["Forest", "Not forest"],
            "label": [1, 2],
            "fold": [1, 2],
            "random_fold": [2, 1],
            "train_1": [False, True],
            "train_2": [True, False],
        }
        | {"NDVI": [0.8, 0.1]},
        geometry=geopandas.points_from_xy([5, 15], [5, 5]),
        crs=grid.crs,
    )
    labels = raster.array(np.array([[[1, 2]]], np.uint8), grid, ["label"])
    folds = raster.array(np.array([[[1, 2]]], np.uint32), grid, ["fold"])
    lulc_kit.Samples(table, lulc_kit.scheme("forest"), "blocks", labels, folds).write(study)
    return folder


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_say(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(progress, "SILENT", 1e9)  # a slow machine would show how far it is
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert (failed, tried > 0) == (0, True)


def public() -> dict[str, object]:
    return {name: getattr(lulc_kit, name) for name in lulc_kit.__all__}


def is_error(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, LulcError)


def test_every_name_of_the_front_door_has_an_example() -> None:
    assert [n for n, thing in public().items() if not is_error(thing) and ">>> " not in (thing.__doc__ or "")] == []


def test_the_page_lists_the_front_door() -> None:
    """One line each, with the first line of the docstring: who changes one changes the other."""
    page = (REPOSITORY / "docs/api.md").read_text(encoding="utf-8")
    listed = [line for line in page.splitlines() if line.startswith("| `")]
    wanted = [f"| `{n}` | {(inspect.getdoc(t) or '').splitlines()[0]} |" for n, t in public().items()]
    assert listed == wanted


def test_the_page_begins_with_what_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines, on a study of two pixels, whose samples are one for each class."""
    monkeypatch.chdir(folder)
    page = (REPOSITORY / "docs/api.md").read_text(encoding="utf-8")
    code = next(part for part in page.split("```") if "Layout(" in part).removeprefix("python")
    code = code.replace("havelland", "mine").replace("n_splits=4, spacing=640", "n_splits=2, spacing=5")
    found: dict[str, object] = {"lulc_kit": lulc_kit}
    with pytest.raises(lulc_kit.RareClassError):  # at the last line
        exec(code, found)
    assert float(found["ndvi"].mean()) == pytest.approx(0.8, abs=1e-3)  # type: ignore[attr-defined]


def test_every_error_is_at_the_front_door() -> None:
    assert {name for name, thing in public().items() if is_error(thing)} == {
        kind.__qualname__ for kind in (LulcError, *LulcError.__subclasses__())
    }


def test_no_name_of_the_front_door_is_that_of_a_module() -> None:
    """Importing the module would put it in the place of the name."""
    assert not {path.stem if path.suffix else path.name for path in (REPOSITORY / "lulc_kit").iterdir()} & {*public()}


def test_a_name_that_is_not_there_says_what_is() -> None:
    with pytest.raises(AttributeError, match=r"no 'sharpn' at its front door; there are: Layout, .*sharpen"):
        lulc_kit.sharpn  # noqa: B018
    assert {*lulc_kit.__all__, "__version__"} <= set(dir(lulc_kit))


def test_importing_the_kit_loads_nothing() -> None:
    code = "import sys; before = set(sys.modules); import lulc_kit; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
    assert [name for name in done.stdout.split() if name.startswith("lulc_kit.")] == []
