"""The joined map and the page of a region, from areas made by hand."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from lulc_kit import catalog, classes, mapping, run
from lulc_kit.catalog import Catalog
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from lulc_kit.region import results
from lulc_kit.region.items import Item, Outcome
from tests import rasters, scene

FOREST = classes.scheme("forest")


def area(project: Path, name: str, left: float, scheme: classes.Scheme = FOREST) -> Item:
    """Write what an area leaves: a map of ones, what its model is, whose data they are."""
    study = f"r-{name}"
    scene.put(project, "06_rf", {"study": study, "run": "rf", "trained": "here/rf"}, study)
    item = Item(name, run.plan(study))
    layout = item.study.layout
    ones = np.full((20, 30), scheme.values[0], np.uint8)
    rasters.write(layout.run("rf").map, ones, rasters.grid((20, 30), 10.0, left), nodata=0)
    mapping.write_about(layout.run("rf"), "forest", ["B2"], "", classes=scheme.to_dict())
    catalog.write(layout.catalog, Catalog([], attribution=f"Data of {name}."))
    return item


def test_areas_are_joined_and_those_that_failed_are_named(project: Path) -> None:
    pair = [area(project, "a", 500_000), area(project, "b", 500_300)]
    outcomes = [Outcome("a", None, 7200, 900, 500), Outcome("b", "no scene <there>", 0, 0, 0)]
    region = Layout(project / "outputs/r")
    results.write(pair, outcomes, region)
    with rasterio.open(region.run("rf").map) as file:
        assert file.shape == (20, 30) and (file.read(1) == 1).all()
        assert file.tags()["areas"] == "r-a" and file.colormap(1)[1][:3] == FOREST.classes[0].rgb
    page = region.report.read_text(encoding="utf-8")
    assert "1 of 2 areas mapped" in page and "no scene &lt;there&gt;" in page and "Data of a." in page
    assert "2.00 hours" in page and "at most 900 MB" in page and "0.50 GB" in page
    assert "Forest" in region.run("rf").style.read_text(encoding="utf-8")
    results.write(pair, [outcomes[0], Outcome("b", None, 1, 1, 1)], region)
    with rasterio.open(region.run("rf").map) as file:
        assert file.shape == (20, 60) and file.tags()["warped"] == "none"


def test_without_any_map_there_is_a_page_that_says_so(project: Path) -> None:
    region = Layout(project / "outputs/r")
    results.write([area(project, "a", 500_000)], [Outcome("a", "gone", 0, 0, 0)], region)
    assert "0 of 1 areas mapped" in region.report.read_text(encoding="utf-8")
    assert not region.run("rf").map.exists()


def test_classes_that_mean_something_else_are_not_joined(project: Path) -> None:
    other = classes.own(["Water", "Rock"])
    pair = [area(project, "a", 500_000), area(project, "b", 500_300, other)]
    region = Layout(project / "outputs/r")
    with pytest.raises(LulcError, match="r-a: 1 Forest, 2 Not forest\n  r-b: 1 Water, 2 Rock"):
        results.write(pair, [Outcome(n, None, 1, 1, 1) for n in "ab"], region)
    assert not region.run("rf").map.exists() and not region.report.exists()
