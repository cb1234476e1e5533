"""Principal components: scikit-learn's, up to sign, whatever the blocks."""

import json
import shutil
import subprocess

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from sklearn.decomposition import PCA

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.features import components
from lulc_kit.raster import writing

ROWS, COLUMNS = 37, 41
OTB = "otbcli_DimensionalityReduction"


def numbers(offset=0.0):
    """Four correlated bands with missing pixels."""
    generator = np.random.default_rng(1)
    mixing = np.array([[3.0, 0.5, 0.1, 0], [0.5, -1.5, 0.2, 0.1], [0.1, 0.3, 0.6, -0.3], [0.2, 0.1, -0.1, 0.2]])
    data = np.tensordot(mixing, generator.normal(size=(4, ROWS, COLUMNS)), 1) + offset
    data[0, :4, :7] = np.nan
    data[2, 20, 30] = np.nan
    return data.astype(np.float32)


def image(data, chunk=None):
    box = GeoBox(data.shape[1:], from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    lazy = data if chunk is None else da.from_array(data, (1, chunk, chunk))
    return raster.array(lazy, box, [f"B{i}" for i in range(1, len(data) + 1)])


def reference(data, count):
    pixels = data.reshape(len(data), -1).T.astype(float)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    return PCA(count, svd_solver="full").fit(pixels), pixels


@pytest.mark.parametrize("offset", [0.0, 1000.0], ids=["centred", "far from zero"])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_equal_to_scikit_learn_up_to_sign(count, offset):
    data = numbers(offset)
    expected, pixels = reference(data, count)
    fitted = components.fit(image(data, 16), count)
    np.testing.assert_allclose(fitted.mean, expected.mean_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fitted.variance, expected.explained_variance_, rtol=1e-7)
    signs = np.sign((fitted.loadings * expected.components_).sum(axis=1))
    np.testing.assert_allclose(fitted.loadings, expected.components_ * signs[:, None], atol=1e-7)
    np.testing.assert_allclose(fitted.explained, expected.explained_variance_ratio_, rtol=1e-7)
    scores = components.transform(image(data, 16), fitted).to_numpy().reshape(count, -1).T
    valid = np.isfinite(data).all(axis=0).ravel()
    assert np.isnan(scores[~valid]).all()
    np.testing.assert_allclose(scores[valid], expected.transform(pixels) * signs, atol=2e-4)


def test_the_largest_loading_of_each_component_is_positive_and_they_are_orthonormal():
    fitted = components.fit(image(numbers(), 20), 4)
    largest = np.abs(fitted.loadings).argmax(axis=1)
    assert (fitted.loadings[np.arange(4), largest] > 0).all()
    np.testing.assert_allclose(fitted.loadings @ fitted.loadings.T, np.eye(4), atol=1e-12)
    assert np.all(np.diff(fitted.variance) <= 0)
    assert fitted.names == ["PC1", "PC2", "PC3", "PC4"]


@given(chunk=st.integers(1, 50))
@settings(max_examples=12, deadline=None)
def test_blocks_of_any_size_give_the_same_components(chunk):
    data = numbers(300.0)[:, :12, :14] if chunk < 5 else numbers(300.0)
    whole, blocks = components.fit(image(data), 4), components.fit(image(data, chunk), 4)
    np.testing.assert_allclose(blocks.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(blocks.variance, whole.variance, rtol=1e-9)
    np.testing.assert_allclose(blocks.loadings, whole.loadings, atol=1e-8)
    np.testing.assert_allclose(
        components.transform(image(data, chunk), whole).to_numpy(),
        components.transform(image(data), whole).to_numpy(),
        rtol=1e-6,
    )


def test_components_have_named_bands_and_a_table():
    fitted = components.explain(image(numbers(), 16), 2)
    layers, table = components.transform(image(numbers(), 16), fitted), components.table(fitted)
    assert layers.band.values.tolist() == ["PC1", "PC2"]
    assert table.columns.tolist() == ["explained", "B1", "B2", "B3", "B4"]
    valid = np.isfinite(numbers()).all(axis=0)
    scores = layers.to_numpy()[:, valid].astype(float)
    np.testing.assert_allclose(scores.mean(axis=1), 0, atol=1e-5)
    assert abs(np.corrcoef(scores)[0, 1]) < 1e-5


def test_projection_takes_bands_by_name():
    fitted = components.fit(image(numbers(), 16), 2)
    turned = image(numbers(), 16)[::-1]
    np.testing.assert_array_equal(
        components.transform(turned, fitted).to_numpy(), components.transform(image(numbers(), 16), fitted).to_numpy()
    )


def test_too_many_components_and_too_few_pixels_are_refused():
    with pytest.raises(LulcError, match="expected 1 to 4"):
        components.fit(image(numbers()), 5)
    with pytest.raises(LulcError, match="expected 1 to 4"):
        components.fit(image(numbers()), 0)
    with pytest.raises(LulcError, match="at least two pixels"):
        components.fit(image(np.full((2, 5, 5), np.nan, np.float32)), 1)


def test_standardized_components_are_scikit_learn_s_of_standardized_bands():
    data = numbers(50.0) * np.float32([1, 100, 1, 0.01])[:, None, None]
    valid = np.isfinite(data).all(axis=0)
    pixels = data[:, valid].T.astype(float)
    scaled = (pixels - pixels.mean(axis=0)) / pixels.std(axis=0, ddof=1)
    expected = PCA(3, svd_solver="full").fit(scaled)
    fitted = components.explain(image(data, 16), 3, standardize=True, prefix="TPC")
    layers = components.transform(image(data, 16), fitted)
    assert fitted.names == ["TPC1", "TPC2", "TPC3"]
    np.testing.assert_allclose(fitted.explained, expected.explained_variance_ratio_, rtol=1e-6)
    signs = np.sign((fitted.loadings * expected.components_).sum(axis=1))
    np.testing.assert_allclose(layers.to_numpy()[:, valid].T, expected.transform(scaled) * signs, atol=1e-4)


def test_a_band_that_does_not_vary_has_no_part_in_standardized_components():
    data = np.concatenate([numbers()[:2], np.full((1, ROWS, COLUMNS), 7, np.float32)])
    fitted = components.fit(image(data), 2, standardize=True)
    np.testing.assert_allclose(fitted.loadings[:, 2], 0, atol=1e-12)
    assert fitted.total_variance == pytest.approx(2)


def test_no_components_and_no_image_are_none():
    for of, count in ((image(numbers()), 0), (None, 3)):
        fitted = components.explain(of, count)
        assert fitted is None and components.transform(of, fitted) is None and components.table(fitted) is None


def test_the_file_says_how_components_are_mixed(tmp_path):
    fitted = components.fit(image(numbers(5.0), 16), 3)
    components.write(tmp_path / "components.json", fitted)
    found = json.loads((tmp_path / "components.json").read_text(encoding="utf-8"))
    assert found["bands"] == ["B1", "B2", "B3", "B4"]
    by_hand = [c["loadings"]["B3"] for c in found["components"]]
    np.testing.assert_array_equal(by_hand, fitted.loadings[:, 2])
    assert [c["name"] for c in found["components"]] == fitted.names
    np.testing.assert_array_equal([c["explained"] for c in found["components"]], fitted.explained)


@pytest.mark.skipif(shutil.which(OTB) is None, reason=f"{OTB} is not installed (Debian: otb-bin)")
@pytest.mark.parametrize("standardize", [False, True])
def test_equal_to_otb_up_to_sign(tmp_path, standardize):
    data = np.nan_to_num(numbers(20.0), nan=3.0)
    writing.write(tmp_path / "in.tif", image(data))
    command = [OTB, "-in", "in.tif", "-out", "out.tif", "float", "-method", "pca", "-nbcomp", "3"]
    options = ["-method.pca.whiten", "false", "-normalize", str(standardize).lower()]
    subprocess.run([*command, *options], cwd=tmp_path, check=True, capture_output=True)
    theirs = raster.read(tmp_path / "out.tif").to_numpy().reshape(3, -1).astype(float)
    fitted = components.fit(image(data, 16), 3, standardize=standardize)
    ours = components.transform(image(data, 16), fitted).to_numpy().reshape(3, -1).astype(float)
    theirs -= theirs.mean(axis=1, keepdims=True)  # without -normalize OTB leaves the mean in
    signs = np.sign((ours * theirs).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(ours, theirs * signs, atol=2e-4 * np.abs(ours).max())
