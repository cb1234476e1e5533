"""Circular labels: made by the test from the features, or not; and a published set that is k-means output."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from scipy.io import loadmat
from sklearn.cluster import KMeans

from lulc_kit.labels.quality.circularity import circularity, warning
from tests.scene import REPOSITORY

SUNDARBANS = REPOSITORY.parent / "shared" / "data" / "sundarbans"


def image(seed, count=12_000):
    """Spectra as of a scene: a cloud without gaps, of three ends that mix."""
    generator = np.random.default_rng(seed)
    ends = np.array([[0.03, 0.05, 0.03, 0.35], [0.05, 0.04, 0.03, 0.02], [0.10, 0.13, 0.17, 0.26]])
    mixed = generator.dirichlet([0.8, 0.8, 0.8], count)
    x = pd.DataFrame(mixed @ ends + generator.normal(0, 0.004, (count, 4)), columns=["B2", "B3", "B4", "B8"])
    return x.assign(NDVI=(x["B8"] - x["B4"]) / (x["B8"] + x["B4"])), mixed.argmax(axis=1)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("clusters", [3, 5])
def test_clusters_of_the_bands_are_found_out(seed, clusters):
    x, _ = image(seed)
    bands = x[["B2", "B3", "B4", "B8"]]
    made = KMeans(clusters, n_init=1, random_state=seed).fit_predict((bands - bands.mean()) / bands.std())
    found = circularity(x, made)
    assert found["derived"].any() and "the same image" in warning(found)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_a_threshold_is_found_out_and_named(part):
    x, _ = image(1)
    found = circularity(x, x["NDVI"] > x["NDVI"].quantile(part))
    named = found.set_index("rule").loc["one threshold of NDVI"]
    assert named["derived"] and named["agreement"] > 0.99
    assert "NDVI" in warning(found)


def test_slices_of_an_index_are_found_out():
    x, _ = image(2)
    assert circularity(x, np.digitize(x["NDVI"], x["NDVI"].quantile([0.3, 0.6])))["derived"].any()


def test_what_is_on_the_ground_of_mixed_pixels_is_not():
    """The class that covers most of a pixel is not quite what its noisy spectrum says."""
    x, truth = image(3)
    found = circularity(x, truth)
    assert not found["derived"].any() and warning(found) is None


def test_classes_that_are_worlds_apart_are_not():
    """Any rule reproduces them; none has a border that samples lie on."""
    generator = np.random.default_rng(4)
    kind = np.resize([0, 1, 2], 6000)
    x = pd.DataFrame(generator.normal(0, 0.3, (6000, 4)) + 4 * np.eye(4)[kind], columns=["B2", "B3", "B4", "B8"])
    found = circularity(x, kind)
    assert found["agreement"].max() > 0.999 and not found["derived"].any()


def test_labels_with_errors_are_not_of_the_image():
    x, _ = image(5)
    made = (x["NDVI"] > 0.4).to_numpy() ^ (np.random.default_rng(5).random(len(x)) < 0.03)
    assert not circularity(x, made)["derived"].any()


def test_order_and_units_do_not_matter_much_and_a_single_class_is_no_case():
    x, _ = image(6, 3000)
    made = x["NDVI"] > 0.3
    assert circularity(x * 1e4, made)["derived"].tolist() == circularity(x, made)["derived"].tolist()
    assert circularity(x, np.ones(len(x))).empty and warning(circularity(x, np.ones(len(x)))) is None


def sundarbans():
    """The published scene: 12 bands and the labels that are said to be ground truth."""
    names = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
    bands = {}
    for name in names:
        (path,) = SUNDARBANS.glob(f"*_{name}_(Raw).tiff")
        with rasterio.open(path) as source:
            bands[name.replace("B0", "B")], inside = source.read(1) / 65535, source.read(2) > 0
    labels = loadmat(SUNDARBANS / "Sundarbands_gt.mat")["gt"]
    return pd.DataFrame({name: band[inside] for name, band in bands.items()}), labels[inside]


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not Path(SUNDARBANS).is_dir(), reason="no ../shared/data/sundarbans")
@pytest.mark.parametrize("seed", [1, 2])
def test_the_published_labels_of_the_sundarbans_are_k_means(seed):
    x, labels = sundarbans()
    found = circularity(x, labels, random_state=seed)
    assert found["derived"].any(), found


@pytest.mark.shared
@pytest.mark.skipif(not Path(SUNDARBANS).is_dir(), reason="no ../shared/data/sundarbans")
def test_a_pair_that_the_clusters_never_cut_apart_passes():
    x, labels = sundarbans()
    pair = np.isin(labels, [3, 4])
    assert not circularity(x[pair], labels[pair])["derived"].any()
