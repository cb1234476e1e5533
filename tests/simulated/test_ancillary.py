"""Polygons, roads and the elevation model lie where the truth has them."""

import geopandas as gpd
import numpy as np
import rasterio
from rasterio.features import geometry_mask
from scipy.ndimage import binary_erosion


def test_all_classes_occur_and_polygons_show_what_they_say(study):
    with rasterio.open(study.classes) as file:
        classes = file.read(1)
        share = np.bincount(classes.ravel(), minlength=7) / classes.size
        assert share[0] == 0
        assert (share[1:] > 0.02).all()
        polygons = gpd.read_file(study.training)
        assert polygons.crs.to_epsg() == 4326
        assert set(polygons["class"]) == {1, 2, 3, 4, 5, 6}
        right = total = 0
        for value, shape in zip(polygons["class"], polygons.to_crs(file.crs).geometry, strict=True):
            inside = geometry_mask([shape], classes.shape, file.transform, invert=True)
            right += (classes[inside] == value).sum()
            total += inside.sum()
    assert right / total > 0.95
    words = {"residential", "farm", "forest", "meadow", "grass", "water", "scrub", "wetland"}
    assert set(polygons["fclass"]) <= words


def test_roads_lie_where_the_picture_has_them(study):
    roads = gpd.read_file(study.roads)
    assert {"primary", "secondary", "tertiary", "residential"} >= set(roads.highway) - {"track"}
    with rasterio.open(study.classes) as file:
        classes, box = file.read(1), file.bounds
        wide = roads[roads.highway.isin(["primary", "secondary"])].to_crs(file.crs)
        assert len(wide) > 3
        points = [
            line.interpolate(part, normalized=True) for line in wide.geometry for part in np.linspace(0.2, 0.8, 7)
        ]
        rows, columns = rasterio.transform.rowcol(file.transform, [p.x for p in points], [p.y for p in points])
    around = [classes[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2] for r, c in zip(rows, columns, strict=True)]
    assert np.mean([(part == 1).any() for part in around]) > 0.95
    west, south, east, north = wide.total_bounds
    assert box.left - 1 <= west < east <= box.right + 1
    assert box.bottom - 1 <= south < north <= box.top + 1


def test_dem_is_geographic_covers_the_study_and_water_is_low(study):
    with rasterio.open(study.dem) as file, rasterio.open(study.classes) as truth:
        assert file.crs.to_epsg() == 4326
        assert 25 < file.res[1] * 111_320 < 35
        west, south, east, north = rasterio.warp.transform_bounds(truth.crs, file.crs, *truth.bounds)
        assert file.bounds.left < west < east < file.bounds.right
        assert file.bounds.bottom < south < north < file.bounds.top
        heights = np.empty(truth.shape, np.float32)
        rasterio.warp.reproject(
            rasterio.band(file, 1), heights, dst_transform=truth.transform, dst_crs=truth.crs, resampling=1
        )
        classes = truth.read(1)
    lake = binary_erosion(classes == 5, iterations=4)
    assert heights[lake].mean() < np.percentile(heights, 20)
    assert heights.max() - heights.min() > 20
