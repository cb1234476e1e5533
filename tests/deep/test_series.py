"""Series: windows are what the whole series shows there, and memory does not grow with the scene."""

import tracemalloc

import dask.array as da
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.deep import gaps, prediction, sequences, series

DAYS = ["2020-01-01", "2020-01-31", "2020-03-01", "2020-12-31"]


def box(shape):
    return GeoBox(shape, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")


def numbers(shape=(30, 44), seed=1):
    """Reflectance of four dates, whole parts of 0.0001, a fifth of them hidden; a corner on all."""
    generator = np.random.default_rng(seed)
    out = generator.integers(-100, 12000, (4, *shape, 2)).astype(np.float32) / 10000
    out[generator.random((4, *shape)) < 0.2] = np.nan
    out[:, :3, :3] = np.nan
    return out


def test_a_copy_holds_what_the_cube_does(monkeypatch):
    monkeypatch.setattr(series, "ROWS", 7)
    images = numbers()
    stored = series.scratch([raster.array(np.moveaxis(i, -1, 0), box((30, 44)), ["a", "b"]).chunk() for i in images])
    assert stored.dtype == np.int16 and stored.shape == images.shape
    found = series.Series(stored, DAYS)
    window = found.window(0, 30, 0, 44)
    np.testing.assert_allclose(window.images, images, atol=1e-7)
    np.testing.assert_array_equal(window.seen, np.isfinite(images[..., 0]))
    np.testing.assert_allclose(found.clear_parts(), np.isfinite(images[..., 0]).mean(axis=(1, 2)))
    assert window.days.tolist() == [1, 31, 61, 366] and (found.shape, found.bands) == ((30, 44), 2)


@pytest.mark.parametrize("filled", [False, True])
def test_a_window_of_some_dates_is_that_part_of_the_whole(filled):
    images = numbers()
    whole = gaps.linear(images, DAYS)[0] if filled else images
    found = series.Series(images, DAYS, filled).window(2, 12, 1, 40, np.array([0, 3]))
    np.testing.assert_array_equal(found.images, whole[[0, 3], 2:12, 1:40])
    np.testing.assert_array_equal(found.seen, np.isfinite(images[[0, 3], 2:12, 1:40, 0]))
    np.testing.assert_array_equal(found.there, np.isfinite(whole[[0, 3], 2:12, 1:40, 0]))
    assert found.days.tolist() == [1, 366]
    assert not found.there[:, :1, :2].any(), "no date shows the corner"


def test_an_observation_that_lacks_a_band_is_none():
    images = np.ones((1, 2, 2, 2), np.float32)
    images[0, 0, 0, 1] = np.nan
    stored = series.scratch([raster.array(np.moveaxis(images[0], -1, 0), box((2, 2)), ["a", "b"])])
    window = series.Series(stored, DAYS[:1]).window(0, 2, 0, 2)
    assert np.isnan(window.images[0, 0, 0]).all() and window.seen[0].tolist() == [[False, True], [True, True]]


def test_memory_does_not_grow_with_the_series():
    """105 MB of dates as numbers, made when they are asked for, are copied and mapped in a fraction of that."""
    shape, bands, count = (1024, 1024), ["a", "b", "c", "d", "e"], 5
    lazy = da.random.default_rng(1).random((5, *shape), np.float32, chunks=(5, 256, 1024))
    choice = sequences.Choice(3, random=True, draws=2)

    def mean(image):
        return np.stack([image[..., 0].mean(axis=0), image[..., 1].mean(axis=0)], axis=-1)

    tracemalloc.start()
    try:
        stored = series.scratch([raster.array(lazy, box(shape), bands)] * count)
        scene = series.Series(stored, [f"2020-0{n}-01" for n in range(1, count + 1)])
        parts = [np.array(scene.clear_parts())]
        said = sequences.of_dates(scene, [(lambda w: w.images, mean)], choice, 1, (256, 256), 8, 2)
        for row in range(0, 1024, 256):
            parts.append(np.asarray(said[:, row : row + 256, :256]).mean(axis=(1, 2)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(parts[0], 1)
    np.testing.assert_allclose(parts[1:], 0.5, atol=0.01)
    assert peak < 0.5 * 4 * count * 5 * 1024 * 1024


def test_the_map_is_the_mean_over_the_sequences_that_show_a_pixel():
    """Networks that say the mean of a band over the dates, against a sum over the drawn sequences by hand."""
    images = np.nan_to_num(numbers())
    hidden = np.random.default_rng(5).random((4, 30, 44)) < 0.6
    images[hidden] = np.nan
    choice = sequences.Choice(2, random=True, draws=3)

    def mean(image):
        return image.mean(axis=0)

    networks = [(lambda w: np.nan_to_num(w.images), mean), (lambda w: np.nan_to_num(w.images) + 1, mean)]
    found = np.asarray(sequences.of_dates(series.Series(images, DAYS), networks, choice, 7, (16, 24), 8, 2))
    generator = np.random.default_rng(7)
    drawn = [np.sort(generator.choice(4, 2, replace=False)) for _ in range(3)]
    shown = np.stack([~hidden[c].all(axis=0) for c in drawn])
    said = np.stack([np.nan_to_num(images[c]).mean(axis=0) for c in drawn])
    expected = (
        np.where(shown[..., None], said, 0).sum(axis=0)
        / np.where(shown.any(axis=0), shown.sum(axis=0), np.nan)[..., None]
    )
    np.testing.assert_allclose(np.moveaxis(found[:2], 0, -1), expected, atol=1e-6)
    np.testing.assert_allclose(found[2:], found[:2] + 1, atol=1e-6)
    assert prediction.side_of(30, 16) == 16
