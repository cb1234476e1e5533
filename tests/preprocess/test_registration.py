"""Where things lie: sub-pixel cross-correlation with the truth, for coarse bands, warped scenes, heights and classes.

Shifts are measured by phase_cross_correlation of scikit-image (Guizar-Sicairos et al. 2008, doi:10.1364/OL.33.000156)
in pixels of 10 m; half a pixel of a 20 m band would be 1, half a pixel of the grid 0.5.
"""

import numpy as np
import pyproj
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine, from_origin
from skimage.registration import phase_cross_correlation

from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.cube import Cube
from lulc_kit.preprocess import builder
from lulc_kit.preprocess.grid import study_grid
from lulc_kit.preprocess.radiometry import codes_on_grid
from lulc_kit.raster import warping
from tests.rasters import write

TOLERANCE = 0.05  # pixels of 10 m
LEFT, TOP = 300_000.0, 5_000_040.0  # EPSG:32633, near its western border
RESOLUTION = {"B2": 10, "B3": 10, "B4": 10, "B8": 10, "B5": 20, "B1": 60}
SIZE = 480


def waves(seed=1, count=40):
    generator = np.random.default_rng(seed)
    length = generator.uniform(150, 900, count)
    turn = generator.uniform(0, 2 * np.pi, count)
    return 2 * np.pi / length * np.cos(turn), 2 * np.pi / length * np.sin(turn), generator.uniform(0, 7, count)


def field(x, y):
    """Waves of 150 to 900 m in all directions over places in EPSG:32633; 0.01 to 0.44."""
    total = sum(np.sin(a * (x - LEFT) + b * (y - TOP) + c) for a, b, c in zip(*waves(), strict=True))
    return 0.2 + 0.24 * np.clip(total / 18, -0.8, 1)


def centres(box, crs=32633):
    """Centres of a grid's pixels in EPSG:32633."""
    column, row = np.meshgrid(np.arange(box.width) + 0.5, np.arange(box.height) + 0.5)
    x, y = box.affine * (column, row)
    return pyproj.Transformer.from_crs(box.crs.to_epsg(), crs, always_xy=True).transform(x, y)


def mean_over_pixels(box, parts=4):
    """The field as a sensor with square pixels sees it: the mean of 4 × 4 places in each."""
    fine = GeoBox((box.height * parts, box.width * parts), box.affine * Affine.scale(1 / parts), box.crs)
    return field(*centres(fine)).reshape(box.height, parts, box.width, parts).mean(axis=(1, 3))


def scene(folder, crs, left, top):
    bands = {}
    for resolution in (10, 20, 60):
        side = SIZE * 10 // resolution
        box = GeoBox((side, side), from_origin(left, top, resolution, resolution), crs)
        numbers = np.rint(mean_over_pixels(box) * 10000).astype(np.uint16)
        path = write(folder / f"{resolution}.tif", numbers, box)
        bands |= {name: Band.of(path, 1, 0.0001, 0.0, 0) for name, r in RESOLUTION.items() if r == resolution}
    return Scene("2022-06-01", "L2A", bands)


@pytest.fixture(scope="module")
def own_zone(tmp_path_factory):
    return Catalog([scene(tmp_path_factory.mktemp("own"), 32633, LEFT, TOP)])


@pytest.fixture(scope="module")
def other_zone(tmp_path_factory):
    x, y = pyproj.Transformer.from_crs(32633, 32632, always_xy=True).transform(LEFT, TOP)
    return Catalog([scene(tmp_path_factory.mktemp("other"), 32632, round(x / 60) * 60.0, round(y / 60) * 60.0)])


def shift(found, truth):
    """Rows and columns by which an image is displaced; its largest part that has data is used."""
    valid = np.isfinite(found)
    rows, columns = (np.flatnonzero(valid.mean(axis=a) > 0.99) for a in (1, 0))
    part = np.s_[rows[0] + 3 : rows[-1] - 3, columns[0] + 3 : columns[-1] - 3]
    assert np.isfinite(found[part]).all() and found[part].size > 10_000
    # A window, so that what enters at one edge and leaves at another does not count.
    window = np.outer(*(np.hanning(n) for n in found[part].shape))
    images = [(i[part] - i[part].mean()) * window for i in (truth, found)]
    return phase_cross_correlation(*images, upsample_factor=200, normalization=None)[0]


def test_the_measure_sees_what_is_there():
    box = GeoBox((SIZE, SIZE), from_origin(LEFT, TOP, 10, 10), 32633)
    x, y = centres(box)
    for down, right in [(0, 0), (0.5, 0), (0, -0.5), (0.05, 0.1), (1, -1)]:
        moved = field(x - 10 * right, y + 10 * down)
        assert -shift(moved, field(x, y)) == pytest.approx([down, right], abs=0.03)


@pytest.mark.parametrize("sharpen", [False, True])
def test_bands_of_20_and_60_m_lie_on_those_of_10_m(own_zone, tmp_path, sharpen):
    geobox = study_grid(own_zone)
    builder.build(own_zone, geobox, tmp_path / "cube", mask="none", sharpen=sharpen)
    truth = field(*centres(geobox))
    for band in RESOLUTION:
        found = Cube(tmp_path / "cube").clear("2022-06-01", [band]).to_numpy()[0]
        assert np.abs(shift(found, truth)).max() < TOLERANCE, band


@pytest.mark.parametrize(
    ("target", "resolution", "sharpen"),
    [("EPSG:32633", 10.0, False), ("EPSG:32633", 10.0, True), ("EPSG:3035", 10.0, False), ("EPSG:32633", 20.0, False)],
)
def test_a_warped_scene_lies_on_the_truth(other_zone, tmp_path, target, resolution, sharpen):
    geobox = study_grid(other_zone, crs=target, resolution=resolution)
    builder.build(other_zone, geobox, tmp_path / "cube", mask="none", sharpen=sharpen)
    truth = field(*centres(geobox))
    image = Cube(tmp_path / "cube").clear("2022-06-01").to_numpy()
    corner = tuple(slice(n // 6, -(n // 6)) for n in image.shape[1:])  # turned: its corners have no data
    for band, found in zip(RESOLUTION, image, strict=True):
        assert np.abs(shift(found[corner], truth[corner])).max() < TOLERANCE * 10 / resolution, band


def test_an_elevation_model_in_degrees_lies_on_the_truth(tmp_path):
    geobox = GeoBox((SIZE, SIZE), from_origin(LEFT, TOP, 10, 10), 32633)
    west, south, east, north = geobox.extent.to_crs(4326).boundingbox
    step = 1 / 3600
    shape = (int((north - south) / step) + 20, int((east - west) / step) + 20)
    degrees = GeoBox(shape, from_origin(west - 8 * step, north + 8 * step, step, step), 4326)
    heights = (1000 * field(*centres(degrees))).astype(np.float32)
    path = write(tmp_path / "dem.tif", heights, degrees)
    for kernel in ("bilinear", "cubic"):
        found = warping.warp(path, geobox, resampling=kernel).compute()
        assert np.abs(shift(found, field(*centres(geobox)))).max() < TOLERANCE, kernel


@pytest.mark.parametrize(("crs", "resolution"), [(32633, 10), (32633, 20), (32632, 10), (4326, 1e-4)])
def test_classes_keep_their_values_and_lie_on_the_truth(tmp_path, crs, resolution):
    """Labels (`warping.warp`) and scene classes (`codes_on_grid`): nearest neighbour, whatever they come in."""
    geobox = GeoBox((SIZE, SIZE), from_origin(LEFT, TOP, 10, 10), 32633)
    box = geobox.extent.to_crs(crs).boundingbox
    left, top = (np.floor(box.left / resolution) - 2) * resolution, (np.ceil(box.top / resolution) + 2) * resolution
    if crs == 32633:
        left, top = LEFT, TOP
    shape = (int((top - box.bottom) / resolution) + 4, int((box.right - left) / resolution) + 4)
    own = GeoBox(shape, from_origin(left, top, resolution, resolution), crs)
    classes = np.digitize(field(*centres(own)), [0.12, 0.2, 0.28]) * 40 + 7
    path = write(tmp_path / "classes.tif", classes.astype(np.uint8), own)
    truth = np.digitize(field(*centres(geobox)), [0.12, 0.2, 0.28]) * 40 + 7
    for found in (codes_on_grid(Band.of(path, nodata=0), geobox), warping.warp(path, geobox, resampling="nearest")):
        numbers = found.compute()
        assert set(np.unique(numbers)) == {7, 47, 87, 127}
        assert (numbers == truth).mean() > 0.9
        assert np.abs(shift(numbers.astype(float), truth.astype(float))).max() < TOLERANCE
