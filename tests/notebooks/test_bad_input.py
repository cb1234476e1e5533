"""Bad input never yields a map: it stops with a LulcError that says what to do.

The same calls as in the notebooks, without a kernel for each; notebooks/test_run.py has one of them end to end.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lulc_kit import params, raster
from lulc_kit.classes import scheme
from lulc_kit.cube import Cube
from lulc_kit.download import scenes as get_scenes
from lulc_kit.errors import LulcError
from lulc_kit.features import indices
from lulc_kit.intake import vectors
from lulc_kit.labels import shapes, splits
from lulc_kit.labels import sources as labels
from lulc_kit.labels.splitters import BlockSplit
from lulc_kit.layout import Layout
from lulc_kit.preprocess import builder, composite, grid
from tests import scene

CLASSES = {name: [name] for name in scene.SPECTRA}


def preprocess(project: Path, entries: list[dict[str, Any]], mask: str = "none", **extra: Any) -> Path:
    """Do notebooks 01 and 02; return the composite."""
    p = params.Download.check({"study": "s", "source": "files", "scenes": entries}, "here")
    found = get_scenes.get(p, Layout(project / "outputs/s"))
    geobox = grid.study_grid(found, extra.pop("crs", None), extra.pop("bbox", None), 10.0)
    builder.build(found, geobox, project / "outputs/s/cube", mask=mask, scl_exclude=[9], **extra)
    composite.write(project / "outputs/s/cube")
    return project / "outputs/s/cube/composite.tif"


def one(data: Path, **extra: Any) -> list[dict[str, Any]]:
    """Return the first scene, cloudless for a quick test."""
    return [scene.scenes(data)[0] | extra]


def nothing_is_mapped(project: Path) -> bool:
    return not list((project / "outputs").rglob("composite.tif"))


def test_reflectance_is_what_it_was_made_of(project: Path, data: Path) -> None:
    """Scale and offset are applied: the mean of each class is its spectrum, in every band."""
    image = raster.read(preprocess(project, scene.scenes(data), "scl")).to_numpy()
    inner = np.zeros((scene.FIELD, scene.FIELD), bool)
    inner[4:-4, 4:-4] = True  # bands of 20 m mix at the rims
    inside = np.tile(inner, (scene.SIDE // scene.FIELD,) * 2)
    for number, spectrum in enumerate(scene.SPECTRA.values()):
        found = image[:, inside & (scene.truth() == number)].mean(axis=1)
        assert found == pytest.approx(spectrum, abs=0.0015)
    assert np.isfinite(image).all(), "what is cloudy on one date is clear on the others"


def test_dates_of_an_earlier_run_do_not_enter_the_composite(project: Path, data: Path) -> None:
    everything = preprocess(project, scene.scenes(data))
    first = everything.read_bytes()
    preprocess(project, scene.scenes(data), dates=[scene.DATES[1], scene.DATES[1]])
    assert Cube(everything.parent).dates == [scene.DATES[1]]
    alone = raster.read(everything.parent / f"{scene.DATES[1]}.tif").to_numpy()
    assert np.array_equal(raster.read(everything).to_numpy(), alone)
    assert everything.read_bytes() != first


def test_missing_band(project: Path, data: Path) -> None:
    image = raster.read(preprocess(project, one(data)))
    with pytest.raises(LulcError, match=r"Band\(s\) B5 not found\. The raster has: B2, B3, B4, B8, B11, B12"):
        raster.select(image, ["B2", "B5"])
    with pytest.raises(LulcError, match="B5"):
        indices.compute(image, ["NDRE"])


def test_scenes_with_different_bands(project: Path, data: Path) -> None:
    entries = scene.scenes(data)
    del entries[1]["bands"]["B12"]
    with pytest.raises(LulcError, match=r"different bands \(B12 in only one of them\)"):
        preprocess(project, entries)
    assert nothing_is_mapped(project)


def test_band_twice(project: Path, data: Path) -> None:
    bands = scene.scenes(data)[0]["bands"]
    with pytest.raises(LulcError, match="band B2 is given twice"):
        preprocess(project, one(data, bands=bands | {"B02": bands["B2"]}))


def test_mixed_levels(project: Path, data: Path) -> None:
    entries = scene.scenes(data)
    entries[0]["level"] = "L1C"
    with pytest.raises(LulcError, match=r"mix levels L1C and L2A.*Use scenes of one level"):
        preprocess(project, entries)


def test_scenes_in_different_crs(project: Path, data: Path) -> None:
    other = scene.write(project / "data/B2.tif", scene.numbers(scene.DATES[1], 0), 10.0, crs="EPSG:32632")
    entries = [
        entry | {"bands": {"B2": str(other if entry["date"] == scene.DATES[1] else data / entry["date"] / "B2.tif")}}
        for entry in scene.scenes(data)[:2]
    ]
    with pytest.raises(LulcError, match=r"2 different CRS.*crs: \"EPSG:…\" in 02_preprocess\.yaml"):
        preprocess(project, entries)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:999999", "WGS 84 / somewhere"])
def test_crs_that_cannot_be_the_grids(project: Path, data: Path, crs: str) -> None:
    with pytest.raises(LulcError, match="EPSG:326"):
        preprocess(project, one(data), crs=crs)


@pytest.mark.parametrize(
    ("bbox", "says"),
    [
        ([0.0, 0.0, 100.0, 100.0], "does not meet the scenes, which cover 500000 5798400 501600 5800000"),
        ([501000.0, 5799000.0, 500000.0, 5799500.0], "is empty: expected left < right"),
        ([500000.0, 5799000.0, 500001.0, 5799001.0], "smaller than one pixel"),
    ],
)
def test_box_outside_or_empty(project: Path, data: Path, bbox: list[float], says: str) -> None:
    with pytest.raises(LulcError, match=says):
        preprocess(project, one(data), bbox=bbox)


def test_all_nodata(project: Path, data: Path) -> None:
    zero = scene.write(project / "data/B2.tif", np.zeros((160, 160), np.uint16), 10.0)
    with pytest.raises(LulcError, match=r"has any data on the study.s grid.*Check nodata in 01_download\.yaml"):
        preprocess(project, one(data, bands={"B2": str(zero)}))
    assert nothing_is_mapped(project)


def test_never_clear(project: Path, data: Path) -> None:
    scl = scene.write(project / "data/SCL.tif", np.full((80, 80), scene.CLOUD_HIGH, np.uint8), 20.0)
    with pytest.raises(LulcError, match=r"No date is clear enough.*Every pixel with data is masked"):
        preprocess(project, one(data, scl=str(scl)), "scl")
    assert nothing_is_mapped(project)


@pytest.mark.parametrize(
    ("mask", "says"),
    [("scl", "no scene classification"), ("file", "no mask file"), ("spectral", "rule for top-of-atmosphere images")],
)
def test_mask_without_its_source(project: Path, data: Path, mask: str, says: str) -> None:
    with pytest.raises(LulcError, match=says):
        preprocess(project, one(data, scl=None), mask)


def test_truncated_jp2(project: Path) -> None:
    noise = np.random.default_rng(1).integers(1, 3000, (512, 512)).astype(np.uint16)
    path = scene.write(project / "data/B2.jp2", noise, 10.0, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    entry = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": str(path)}}
    whole = path.read_bytes()
    image = raster.read(preprocess(project, [entry])).to_numpy()
    assert image[0] == pytest.approx(noise * 0.0001, abs=1e-6)
    before = scene.hashes(project / "outputs")
    for length in (len(whole) // 2, 100, 0):
        path.write_bytes(whole[:length])
        with pytest.raises(LulcError, match=r"(?s)B2\.jp2.*([Tt]runcated|damaged).*again"):
            preprocess(project, [entry])
        assert scene.hashes(project / "outputs") == before, "what was there before stays"


def read_labels(
    project: Path, data: Path, polygons: Any, classes: Any = None, field: str | None = "class", layer: str | None = None
) -> labels.Labels:
    path = project / "polygons.gpkg"
    polygons.to_file(path, layer="fields")
    geobox = raster.grid(data / scene.DATES[0] / "B2.tif")
    found = vectors.read(path, layer=layer, parameters="05_samples.yaml")
    return shapes.burn(shapes.gather([(found, None)], field, geobox), geobox, scheme("workflow"), classes or CLASSES)


def test_polygons_in_another_crs_are_brought_to_the_grid(project: Path, data: Path) -> None:
    here = read_labels(project, data, scene.polygons())
    there = read_labels(project, data, scene.polygons(crs="EPSG:4326"))
    assert (here.values == there.values).mean() > 0.999
    codes = np.array([scheme("workflow").find(name).value for name in scene.SPECTRA])[scene.truth()]
    assert np.array_equal(here.values[here.values > 0], codes[here.values > 0])


def test_polygons_outside_the_scene(project: Path, data: Path) -> None:
    with pytest.raises(LulcError, match=r"(?s)No feature .* lies on the study's grid.*the features: .*the grid: "):
        read_labels(project, data, scene.polygons(shift=50_000.0))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"field": "klass"}, r"no field 'klass'\. It has: class, site\. Set 'field' in 05_samples\.yaml"),
        ({"field": None}, "It has: class"),
        ({"layer": "roads"}, r"no layer 'roads'\. It has: fields"),
        ({"classes": CLASSES | {"Meadow": ["grass"]}}, r"none of \['grass'\] occurs.*Values there: Farmland, Forest"),
        ({"classes": {"Water": ["Water", "Forest"], "Forest": ["Forest"]}}, "is given to Water already"),
    ],
)
def test_field_layer_or_value_that_is_not_there(project: Path, data: Path, options: Any, says: str) -> None:
    with pytest.raises(LulcError, match=says):
        read_labels(project, data, scene.polygons(), **options)


def test_polygons_without_crs(project: Path, data: Path) -> None:
    with pytest.raises(LulcError, match="has no CRS"):
        read_labels(project, data, scene.polygons().set_crs(None, allow_override=True))


def test_single_class(project: Path, data: Path) -> None:
    found = read_labels(project, data, scene.polygons(), {"Forest": ["Forest"]})
    with pytest.raises(LulcError, match=r"a single class\. A classifier needs at least two"):
        labels.usable(found, np.ones(found.values.shape, bool))


def test_class_that_lies_under_cloud(project: Path, data: Path) -> None:
    found = read_labels(project, data, scene.polygons())
    forest = scheme("workflow").find("Forest").value
    with pytest.raises(LulcError, match="No pixel of Forest is left"):
        labels.usable(found, found.values != forest)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"spacing": 1600.0}, r"occurs in 1 block\(s\) of 1600 m, too few for 2 folds"),
        ({"buffer": 2000.0}, "With a gap of 2000 m no training pixel"),
    ],
)
def test_folds_that_cannot_be_made(project: Path, data: Path, options: dict[str, float], says: str) -> None:
    found = read_labels(project, data, scene.polygons())
    with pytest.raises(LulcError, match=says):
        splits.split(found, BlockSplit(**{"n_splits": 2, "spacing": 200.0, "buffer": 0.0, "random_state": 1} | options))
