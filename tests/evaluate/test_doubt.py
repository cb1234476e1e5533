"""Layers of doubt: each pixel by hand, whatever the blocks; files that say what they hold."""

import dask.array as da
import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import map_layers, raster
from lulc_kit.evaluate import applicability, conformal, doubt
from lulc_kit.layout import DOUBT_LAYERS, RunLayout

SHAPE = (70, 90)
BOX = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
VALUES = (2, 5, 9)


def scene():
    """A stack with a hole, a map of it, and probabilities in percent."""
    generator = np.random.default_rng(1)
    stack = generator.normal(size=(4, *SHAPE)).astype(np.float32) * 1.5
    stack[1, :5, :7] = np.nan
    probabilities = generator.dirichlet([0.5, 1, 2], SHAPE).transpose(2, 0, 1).astype(np.float32)
    probabilities[:, np.isnan(stack).any(axis=0)] = np.nan
    codes = map_layers.classify(probabilities, VALUES)
    return stack, codes[None], map_layers.percent(probabilities)


def limits(by_class=False, most=30):
    generator = np.random.default_rng(2)
    x, fold, label = generator.normal(size=(300, 4)), np.arange(300) % 3, generator.choice(VALUES, 300)
    weights = [1, 0.5, 0.2, 0]
    spaces = applicability.fit_by_class(x, fold, label, weights) if by_class else applicability.fit(x, fold, weights)
    return doubt.Limits(spaces, np.array([20, 35, 30]), 12.0, most)


def computed(found):
    return {name: layer.data[0].compute() for name, layer in found.items()}


def rasters(arrays, chunks):
    names = (("a", "b", "c", "d"), ("class",), ("x", "y", "z"))
    return [
        raster.array(da.from_array(a, (-1, *chunks)) if chunks else a, BOX, n)
        for a, n in zip(arrays, names, strict=True)
    ]


@pytest.mark.parametrize("by_class", [False, True])
def test_each_pixel_is_measured_by_the_rules_of_the_rooms(by_class):
    stack, codes, percent = scene()
    known = limits(by_class)
    found = computed(doubt.layers(*rasters((stack, codes, percent), (32, 64)), known))
    assert list(found) == known.layers == ["applicability", "density", "set_size", "care"]
    mapped = codes[0] > 0
    for layer in found.values():
        np.testing.assert_array_equal(np.isnan(layer), ~mapped)
    rows, columns = np.nonzero(mapped)
    for row, column in list(zip(rows, columns, strict=True))[::211]:
        x = stack[:, row, column][None].astype(float)
        space = known.spaces[int(codes[0, row, column])] if by_class else known.spaces
        index = space.dissimilarity(x)[0] / space.threshold
        assert found["applicability"][row, column] == pytest.approx(index, rel=1e-5)
        assert found["density"][row, column] == space.density(x, 30)[0]
        size = conformal.sets(percent[:, row, column], known.least).sum()
        assert found["set_size"][row, column] == size
        _, second, first = np.sort(percent[:, row, column].astype(int))
        expected = 4 if index > 1 else 3 if size != 1 else 2 if first - second < 12 else 1
        assert found["care"][row, column] == expected
    assert set(np.unique(found["care"][mapped])) == {1, 2, 3, 4}


def test_the_result_does_not_depend_on_the_blocks(monkeypatch):
    arrays = scene()
    whole = computed(doubt.layers(*rasters(arrays, None), limits()))
    monkeypatch.setattr(doubt, "BATCH", 100)
    for chunks in ((70, 90), (16, 50)):
        parts = computed(doubt.layers(*rasters(arrays, chunks), limits()))
        for name, layer in whole.items():
            np.testing.assert_array_equal(parts[name], layer)


def test_without_density_there_is_no_such_layer():
    assert "density" not in doubt.layers(*rasters(scene(), None), limits(most=0))


def test_files_hold_what_was_computed_and_say_what_it_means(tmp_path):
    arrays = scene()
    found = doubt.layers(*rasters(arrays, (32, 32)), limits())
    run = RunLayout(tmp_path, "rf")
    doubt.write(found, run, held=7, most=30, error_rate=0.1)
    expected = computed(found)
    for name, layer in expected.items():
        with rasterio.open(run.doubt(name)) as source:
            numbers, meant = source.read(1), doubt.LAYERS[name]
            missing = numbers == source.nodata
            assert source.dtypes == (meant.dtype,) and source.nodata == meant.nodata
            np.testing.assert_array_equal(missing, np.isnan(layer))
            np.testing.assert_allclose(numbers[~missing] * source.scales[0], layer[~missing], atol=meant.scale / 1.99)
            assert "{" not in source.tags()["meaning"]
    with rasterio.open(run.doubt("care")) as source:
        assert {v: source.colormap(1)[v][:3] for v in (1, 2, 3, 4)} == {c.value: c.rgb for c in doubt.CARE.classes}


def test_every_layer_has_its_file():
    assert sorted(doubt.LAYERS) == sorted(DOUBT_LAYERS)
