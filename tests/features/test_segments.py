"""Segments: patches of known land are found, means are pandas', seams lie where they are said to."""

import builtins

import numpy as np
import pandas as pd
import pytest

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.features import segments
from tests.rasters import grid


def fields(rows=60, columns=80, noise=0.003):
    """Four fields with a slanted border, each of its own colour in three bands."""
    y, x = np.mgrid[:rows, :columns]
    which = 2 * (x + y // 4 > 45) + (y > 30)
    colours = np.array([[0.05, 0.1, 0.4], [0.2, 0.25, 0.3], [0.1, 0.3, 0.2], [0.3, 0.05, 0.1]])
    image = colours[which].transpose(2, 0, 1) + np.random.default_rng(1).normal(0, noise, (3, rows, columns))
    return image.astype(np.float32), which


def test_no_segment_crosses_a_border_between_fields():
    image, which = fields()
    found = segments.label(image, 50, 0.05)
    table = pd.crosstab(found.ravel(), which.ravel())
    assert (table.max(axis=1) / table.sum(axis=1)).mean() > 0.99
    assert 60 * 80 / 150 < len(table) < 60 * 80 / 20


def test_means_are_those_of_pandas_and_nodata_is_in_none():
    image, _ = fields()
    image[1, 10:20, 10:30] = np.nan
    found = segments.label(image, 40, 0.1)
    missing = np.isnan(image[1])
    assert ((found == 0) == missing).all()
    out = segments.describe(image, found, ["mean", "std"])
    table = pd.DataFrame(image.reshape(3, -1).T.astype(float)).groupby(np.where(missing, -1, found).ravel())
    for k in range(3):
        for statistic, layer in (("mean", table[k].transform("mean")), ("std", table[k].transform("std", ddof=0))):
            expected = np.where(missing, np.nan, layer.to_numpy().reshape(missing.shape))
            np.testing.assert_allclose(out[2 * k + (statistic == "std")], expected, atol=1e-6)
    assert (segments.label(np.full((2, 5, 5), np.nan), 4, 0.1) == 0).all()


def test_seams_lie_where_they_are_said_to_however_the_file_is_read(monkeypatch):
    monkeypatch.setattr(segments, "BLOCK", 32)
    image, _ = fields()
    whole = [
        segments.compute(raster.array(image, grid((60, 80)), list("abc")).chunk({"y": n, "x": n}), 40, 0.1, ["mean"])
        for n in (17, 64)
    ]
    first, second = (layers.compute() for layers in whole)
    np.testing.assert_array_equal(first.values, second.values)
    assert first.band.values.tolist() == ["a_segment_mean", "b_segment_mean", "c_segment_mean"]
    corner = image[:, 32:, :32]
    alone = segments.describe(corner, segments.label(corner, 40, 0.1), ["mean"])
    np.testing.assert_array_equal(first.values[:, 32:, :32], alone)
    assert segments.compute(raster.array(image, grid((60, 80)), list("abc")), 0, 0.1, ["mean"]) is None


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.startswith("skimage"):
            raise ImportError("No module named 'skimage'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(LulcError, match=r"segment_size needs the package scikit-image.*segment_size: 0"):
        segments.compute(raster.array(np.ones((1, 2, 2)), grid((2, 2)), ["a"]), 40, 0.1, ["mean"])
