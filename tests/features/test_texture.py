"""GLCM texture against a brute-force computation by scikit-image, window by window."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.feature import graycomatrix, graycoprops

from lulc_kit import params
from lulc_kit.errors import LulcError
from lulc_kit.features import texture
from lulc_kit.features.quantize import Quantizer, fit_quantizer, quantize
from lulc_kit.features.texture import FEATURES, Settings, halo

ALL = tuple(FEATURES)
PROPERTIES = {name: name for name in ALL} | {"asm": "ASM"}


def glcm(image, *, quantizer=None, threads=None, **options):
    """Texture with all features, unless others are named."""
    if isinstance(quantizer, Quantizer):
        options.setdefault("levels", quantizer.levels)
    elif quantizer is not None:
        options["quantizer"], quantizer = quantizer, None
    return texture.glcm(image, Settings(**{"features": ALL} | options), quantizer=quantizer, threads=threads)


def make_image(shape=(13, 15), *, holes=True, seed=0, dtype=np.float64):
    """Smooth and rough parts, a constant corner, and, with holes, nodata of several shapes."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    image = 0.2 + 0.01 * rows + 0.02 * columns + rng.normal(scale=0.1, size=shape) * (columns > shape[1] // 3)
    image[:5, :5] = 0.5
    if holes:
        image[-5:, 8:13] = np.nan
        image[-3:-2, 10:11] = 0.3  # data without a neighbour
        image[5, :] = np.nan
        image[rng.random(shape) < 0.05] = np.inf
    return image.astype(dtype)


def matrix_of(patch, levels, distance, angles):
    """Symmetric counts of a patch of levels whose nodata is the level ``levels``, pooled over angles."""
    counts = graycomatrix(patch, [distance], np.deg2rad(angles), levels=levels + 1, symmetric=True)
    return counts[:levels, :levels].sum(axis=(2, 3)).astype(np.float64)


def haralick(counts):
    """All features of one matrix of counts, NaN if it is empty."""
    if counts.sum() == 0:
        return np.full(len(ALL), np.nan)
    p = counts / counts.sum()
    return np.array(
        [p.max() if n == "maximum" else graycoprops(counts[..., None, None], PROPERTIES[n])[0, 0] for n in ALL]
    )


def brute_force(image, window, levels, value_range, directions, distance):
    low, high = value_range
    known = np.isfinite(image)
    scaled = np.floor((np.where(known, image, low) - low) / (high - low) * levels)
    grey = np.where(known, np.clip(scaled, 0, levels - 1), levels).astype(np.uint16)
    half = window // 2
    out = np.full((len(ALL), *image.shape), np.nan)
    angles = [0, 45, 90, 135] if isinstance(directions, str) else directions
    matrices = [[angle] for angle in angles] if directions == "average" else [angles]
    for r, c in np.argwhere(known):
        patch = grey[max(0, r - half) : r + half + 1, max(0, c - half) : c + half + 1]
        each = np.array([haralick(matrix_of(patch, levels, distance, m)) for m in matrices])
        each = each[~np.isnan(each[:, 0])]
        if len(each):
            out[:, r, c] = each.mean(axis=0)
    return out


@pytest.mark.parametrize(
    ("window", "levels", "directions", "distance", "holes"),
    [
        (3, 8, "all", 1, True),
        (5, 32, "all", 1, True),
        (5, 32, "all", 1, False),
        (5, 32, "average", 1, True),
        (5, 32, [0], 1, True),
        (5, 32, [45], 1, True),
        (5, 32, [90], 1, True),
        (5, 32, [135], 1, True),
        (7, 16, [0, 135], 1, True),
        (7, 16, [45, 90], 2, True),
        (7, 64, "all", 3, True),
        (9, 16, "average", 2, True),
        (11, 13, "all", 1, False),
        (31, 8, "all", 1, True),
    ],
)
def test_equals_scikit_image(window, levels, directions, distance, holes):
    image = make_image(holes=holes)
    limits = (0.1, 0.9)
    ours = glcm(
        image,
        window=window,
        levels=levels,
        range=limits,
        directions=directions,
        distance=distance,
    )
    expected = brute_force(image, window, levels, limits, directions, distance)
    for name, a, b in zip(ALL, ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=name)


def test_equals_scikit_image_at_256_levels():
    image = make_image((9, 6))
    expected = brute_force(image, 5, 256, (0.1, 0.9), "all", 1)
    ours = glcm(image, levels=256, range=(0.1, 0.9))
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        glcm(image.astype(np.float32), levels=256, range=(0.1, 0.9)),
        brute_force(image.astype(np.float32), 5, 256, (0.1, 0.9), "all", 1),
        rtol=1e-6,
    )


SNAP_STEPS = {0: (0, 1), 45: (1, -1), 90: (1, 0), 135: (1, 1)}  # rows, columns


def snap(patch, levels, distance, angles):
    """SNAP's features by its definition: symmetric counts over the number of pairs counted once."""
    counts = np.zeros((levels, levels))
    pairs = 0
    for angle in angles:
        down, right = (distance * step for step in SNAP_STEPS[angle])
        for (r, c), i in np.ndenumerate(patch):
            inside = 0 <= r + down < patch.shape[0] and 0 <= c + right < patch.shape[1]
            if inside and i >= 0 and patch[r + down, c + right] >= 0:
                j = patch[r + down, c + right]
                counts[i, j] += 1
                counts[j, i] += 1
                pairs += 1
    if pairs == 0:
        return np.full(len(ALL), np.nan)
    p = counts / pairs
    i, j = np.indices(p.shape)
    mean = (p * i).sum()
    variance = (p * (i - mean) ** 2).sum()
    correlation = (p * (i - mean) * (j - mean)).sum() / variance if variance > 0 else 1.0
    values = {
        "contrast": (p * (i - j) ** 2).sum(),
        "dissimilarity": (p * abs(i - j)).sum(),
        "homogeneity": (p / (1 + (i - j) ** 2)).sum(),
        "asm": (p**2).sum(),
        "energy": np.sqrt((p**2).sum()),
        "maximum": p.max(),
        "entropy": -(p * np.log(p + 1e-15)).sum(),
        "mean": mean,
        "variance": variance,
        "correlation": correlation,
    }
    return np.array([values[name] for name in ALL])


@pytest.mark.parametrize(("directions", "distance"), [("all", 1), ([45], 1), ([135], 2), ("all", 3)])
def test_snap_convention_is_that_of_snap(directions, distance):
    image = make_image((12, 13))
    grey = quantize(image, fit_quantizer(image, levels=16, value_range=(0.1, 0.9)))
    expected = np.full((len(ALL), *image.shape), np.nan)
    for r, c in np.argwhere(grey >= 0):
        patch = grey[max(0, r - 3) : r + 4, max(0, c - 3) : c + 4]
        angles = [0, 45, 90, 135] if directions == "all" else directions
        expected[:, r, c] = snap(patch, 16, distance, angles)
    ours = glcm(
        image,
        window=7,
        levels=16,
        range=(0.1, 0.9),
        directions=directions,
        distance=distance,
        convention="snap",
    )
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)


images = arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.one_of(st.integers(0, 40).map(float), st.just(np.nan)),
)


windows = st.sampled_from([3, 5, 9])
methods = st.sampled_from(["equal_width", "equal_probability"])
direction_sets = st.sampled_from(["all", "average", [0], [45], [90, 135]])


@settings(max_examples=60, deadline=None)
@given(images, windows, direction_sets, st.sampled_from(["haralick", "snap"]))
def test_a_shift_of_the_values_changes_nothing(image, window, directions, convention):
    options = {"window": window, "levels": 8, "directions": directions, "convention": convention}
    before = glcm(image, range=(0, 32), **options)
    after = glcm(image + 100, range=(100, 132), **options)
    np.testing.assert_array_equal(before, after)


@settings(max_examples=60, deadline=None)
@given(images, windows, direction_sets)
def test_features_stay_within_their_bounds(image, window, directions):
    result = glcm(image, window=window, levels=8, range=(0, 41), directions=directions)
    value = dict(zip(ALL, result, strict=True))
    bounds = {
        "contrast": (0, 49),
        "dissimilarity": (0, 7),
        "homogeneity": (0, 1),
        "asm": (1 / 64, 1),
        "energy": (1 / 8, 1),
        "maximum": (1 / 64, 1),
        "entropy": (0, 2 * np.log(8)),
        "mean": (0, 7),
        "variance": (0, 12.25),
        "correlation": (-1, 1),
    }
    for name, (low, high) in bounds.items():
        known = value[name][~np.isnan(value[name])]
        assert ((known >= low - 1e-9) & (known <= high + 1e-9)).all(), name
    nodata = np.isnan(result)
    assert (nodata == nodata[0]).all()
    assert nodata[0][np.isnan(image)].all()


@settings(max_examples=60, deadline=None)
@given(images, windows)
def test_a_transposed_image_has_its_angles_swapped(image, window):
    options = {"window": window, "levels": 8, "range": (0, 41), "features": ALL}
    for angle, swapped in [(0, 90), (45, 45), (135, 135)]:
        np.testing.assert_array_equal(
            glcm(image.T, directions=[angle], **options),
            glcm(image, directions=[swapped], **options).transpose(0, 2, 1),
        )


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_blocks_with_a_halo_equal_the_scene_to_the_last_bit(data):
    seed = data.draw(st.integers(0, 1000))
    image = make_image((40, 43), seed=seed, dtype=np.float32)
    window = data.draw(st.sampled_from([3, 5, 11]))
    options = {
        "window": window,
        "levels": 32,
        "directions": data.draw(direction_sets),
        "distance": data.draw(st.sampled_from([1, 2])),
        "quantizer": fit_quantizer(image, method=data.draw(methods)),
        "features": ALL,
        "threads": 1,
    }
    scene = glcm(image, **options)
    top, left = data.draw(st.integers(0, 39)), data.draw(st.integers(0, 42))
    bottom, right = data.draw(st.integers(top + 1, 40)), data.draw(st.integers(left + 1, 43))
    up, before = min(top, halo(window)), min(left, halo(window))
    block = image[top - up : bottom + halo(window), left - before : right + halo(window)]
    part = glcm(block, **options)[:, up : up + bottom - top, before : before + right - left]
    np.testing.assert_array_equal(part, scene[:, top:bottom, left:right])


def test_tiles_and_threads_do_not_show(monkeypatch):
    image = make_image((150, 90), dtype=np.float32)
    whole = glcm(image, threads=1)
    monkeypatch.setattr(texture, "TILE_ROWS", 17)
    monkeypatch.setattr(texture, "TILE_COLUMNS", 23)
    np.testing.assert_array_equal(glcm(image, threads=3), whole)
    with ThreadPoolExecutor(4) as pool:  # as under dask: many callers at once
        for result in pool.map(lambda _: glcm(image), range(8)):
            np.testing.assert_array_equal(result, whole)


def test_works_within_dask():
    image = make_image((150, 90), dtype=np.float32)
    options = {"window": 7, "quantizer": fit_quantizer(image), "features": ["entropy"], "threads": 1}
    blocks = da.from_array(image, chunks=(40, 50))
    lazy = blocks.map_overlap(lambda block: glcm(block, **options)[0], depth=halo(7), boundary="none", dtype=np.float32)
    np.testing.assert_array_equal(lazy.compute(scheduler="threads"), glcm(image, **options)[0])


def test_memory_layout_does_not_matter():
    image = make_image((20, 30))
    fixed = image.copy()
    fixed.flags.writeable = False
    for other in (np.asfortranarray(image), np.repeat(image, 2, axis=1)[:, ::2], image.astype(">f8"), fixed):
        np.testing.assert_array_equal(glcm(other), glcm(image))


@pytest.mark.parametrize("value", [0.0, 0.31, 1.0])
@pytest.mark.parametrize("directions", ["all", "average", [90]])
def test_a_constant_image_has_no_texture(value, directions):
    image = np.full((9, 8), value)
    result = dict(zip(ALL, glcm(image, range=(0, 1), directions=directions), strict=True))
    for name in ["contrast", "dissimilarity", "entropy", "variance"]:
        assert (result[name] == 0).all(), name
    for name in ["homogeneity", "asm", "energy", "maximum", "correlation"]:
        assert (result[name] == 1).all(), name
    assert (result["mean"] == min(int(value * 32), 31)).all()
    assert (glcm(image, window=9, features=["entropy", "contrast"]) == 0).all()  # without a range too


def test_images_without_data_or_without_pairs_give_nodata():
    assert np.isnan(glcm(np.full((6, 7), np.nan))).all()
    assert np.isnan(glcm(np.array([[0.5]]))).all()
    lonely = np.full((9, 9), np.nan)
    lonely[4, 4] = 1.0
    assert np.isnan(glcm(lonely)).all()
    assert np.isnan(glcm(np.ones((1, 9)), directions=[90])).all()
    assert not np.isnan(glcm(np.ones((1, 9)), directions="average")).any()


def test_type_of_the_result_follows_the_image():
    image = np.arange(64).reshape(8, 8)
    assert glcm(image.astype(np.float32)).dtype == np.float32
    assert glcm(image.astype(np.float64)).dtype == np.float64
    assert glcm(image.astype(np.uint16)).dtype == np.float64
    assert glcm(image, features=["mean", "asm", "entropy"]).shape == (3, 8, 8)


def test_halo_is_half_the_window():
    assert [halo(w) for w in (3, 5, 31)] == [1, 2, 15]


IMAGE = np.arange(100.0).reshape(10, 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 4}, "odd number of pixels from 3 to 31, got 4"),
        ({"window": 1}, "3 to 31"),
        ({"window": 33}, "3 to 31"),
        ({"window": 5.0}, "3 to 31"),
        ({"levels": 7}, "8 to 256, got 7"),
        ({"levels": 257}, "8 to 256"),
        ({"levels": 32.0}, "8 to 256"),
        ({"features": ["entropy", "sharpness"]}, "sharpness"),
        ({"features": []}, "No texture feature"),
        ({"features": "entropy"}, "must be a list"),
        ({"convention": "otb"}, "Unknown convention 'otb'"),
        ({"directions": "both"}, "Unknown directions 'both'"),
        ({"directions": [30]}, "Wrong directions"),
        ({"directions": []}, "Wrong directions"),
        ({"directions": [0, 0]}, "each once"),
        ({"distance": 0}, "from 1 to 4"),
        ({"distance": 5}, "from 1 to 4"),
        ({"distance": 1.5}, "from 1 to 4"),
        ({"range": (1, 0)}, "lowest < highest"),
        ({"range": (1, 1)}, "lowest < highest"),
        ({"range": (0, np.nan)}, "lowest < highest"),
        ({"range": 3}, "lowest < highest"),
        ({"quantizer": "kmeans"}, "Unknown quantizer 'kmeans'"),
        ({"quantizer": Quantizer(16, 0.0, 1.0), "levels": 32}, "16 levels, but 32"),
    ],
)
def test_wrong_parameters_are_refused(options, message):
    with pytest.raises(LulcError, match=message):
        glcm(IMAGE, **options)


WRONG_IMAGES = [np.zeros(5), np.zeros((2, 3, 4)), np.zeros((0, 4)), np.ones((4, 4), complex)]


@pytest.mark.parametrize("image", WRONG_IMAGES)
def test_wrong_images_are_refused(image):
    with pytest.raises(LulcError, match="Texture needs"):
        glcm(image)
    with pytest.raises(LulcError, match="Texture needs"):
        quantize(image, Quantizer(8, 0.0, 1.0))


def test_the_parameters_of_notebook_04_are_the_settings_with_the_same_defaults():
    given = {name.removeprefix("texture_"): value for name, value in params.Features().model_dump().items()}
    found = {f.name: given[f.name] for f in dataclasses.fields(Settings)}
    assert Settings(**found | {"features": tuple(found["features"])}) == Settings()
    schema = params.Features.model_json_schema()["properties"]["texture_features"]
    assert schema["items"]["enum"] == list(ALL)
