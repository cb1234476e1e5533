"""Other maps in a study's classes: files that say what their values mean, and files that do not."""

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes, raster
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import references
from lulc_kit.raster import writing

BOX = GeoBox((20, 30), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
WORKFLOW = classes.scheme("workflow")
ESRI = np.tile(np.array([0, 1, 2, 4, 5, 7], np.uint8), (20, 5))
MEANT = np.tile(np.array([0, 5, 3, 0, 2, 1], np.uint8), (20, 5))


def write(path, numbers=ESRI, box=BOX, bands=("class",), **options):
    data = np.stack([numbers] * len(bands))
    writing.write(path, raster.array(data, box, bands), **{"dtype": "uint8", "nodata": 0} | options)
    return path


def codes(path, *how, **wanted):
    return references.open_codes(path, BOX, WORKFLOW, *how, copies=path.parent, **wanted)


def test_a_map_that_names_its_classes_is_translated(tmp_path):
    tags = {"classes": "; ".join(f"{c.value} {c.name}" for c in classes.scheme("esri").classes)}
    path = write(tmp_path / "x.tif", tags=tags)
    np.testing.assert_array_equal(codes(path).compute(), MEANT)


def test_a_map_without_names_needs_a_scheme_or_values(tmp_path):
    path = write(tmp_path / "x.tif")
    np.testing.assert_array_equal(codes(path, "esri").compute(), MEANT)
    found = codes(path, wanted={"Forest": [2], "Water": [[0, 1]]}).compute()
    assert np.unique(found[ESRI == 2]) == [3] and np.unique(found[ESRI == 1]) == [5]
    assert not found[ESRI == 0].any(), "no data is no class, whatever the range"
    with pytest.raises(LulcError, match=r"does not say what its values mean. Give 'scheme' \(esri, worldcover\)"):
        codes(path)
    with pytest.raises(LulcError, match="Class 'Woods' is not in the scheme"):
        codes(path, wanted={"Woods": [2]})


def test_a_coarser_map_comes_to_the_grid_by_nearest_neighbour(tmp_path):
    coarse = GeoBox((10, 15), from_origin(500_000, 5_000_000, 20, 20), "EPSG:32633")
    path = write(tmp_path / "x.tif", ESRI[:10, :15], coarse)
    found = codes(path, "esri").compute()
    np.testing.assert_array_equal(found, np.kron(MEANT[:10, :15], np.ones((2, 2), int)))


def test_pictures_and_maps_of_elsewhere_are_refused(tmp_path):
    with pytest.raises(LulcError, match="has 3 bands, and a class map has one"):
        codes(write(tmp_path / "rgb.tif", bands=("r", "g", "b")), "esri")
    far = GeoBox((20, 30), from_origin(700_000, 5_000_000, 10, 10), "EPSG:32633")
    with pytest.raises(LulcError):
        codes(write(tmp_path / "far.tif", box=far), "esri")


def test_a_study_s_own_map_is_another_map_too(tmp_path):
    tags = {"classes": "; ".join(f"{c.value} {c.name}" for c in WORKFLOW.classes)}
    path = write(tmp_path / "own.tif", MEANT, tags=tags)
    np.testing.assert_array_equal(codes(path).compute(), MEANT)


@pytest.mark.parametrize("tagged", [False, True])
def test_what_a_mask_in_the_file_hides_is_no_class(tmp_path, tagged):
    path, shown = tmp_path / "x.tif", np.arange(20)[:, None] % 3 + np.zeros((1, 30), int) > 0
    profile = {"height": 20, "width": 30, "count": 1, "dtype": "uint8", "crs": "EPSG:32633", "transform": BOX.affine}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as target:
        target.write(ESRI, 1)
        target.write_mask(shown)
        target.update_tags(**({"classes": classes.scheme("esri").to_tag()} if tagged else {}))
    found = codes(path) if tagged else codes(path, "esri")
    np.testing.assert_array_equal(found.compute(), np.where(shown, MEANT, 0))
