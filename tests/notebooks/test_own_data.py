"""Labels as people have them, end to end: points, a file for each class, a table without images, forty classes."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import yaml
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from sklearn.model_selection import train_test_split

from benchmarks import sundarbans
from lulc_kit import files, params, raster
from lulc_kit.baselines import estimators, training
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from tests.notebook import execute
from tests.rasters import write
from tests.scene import REPOSITORY

LEFT, TOP, SIDE = 500_000.0, 5_000_600.0, 80
GRID = GeoBox((SIDE, SIDE), from_origin(LEFT, TOP, 10, 10), "EPSG:32633")
OWN = {"study": "mine", "field": None, "scheme": None, "classes": None, "folds": 2, "block": 200.0, "gap": 20.0}
SUNDARBANS = REPOSITORY.parent / "shared/data/sundarbans"
SCARCE = "ignore:Too little for a score"


def fields(count):
    """Number of the class of each pixel, from 0: fields of 8 × 8 pixels."""
    row, column = np.indices((SIDE, SIDE)) // 8
    return (row * 3 + column) % count


@pytest.fixture
def study(project):
    """A study after notebook 04: three features that tell three classes apart."""
    layout = Layout(project / "outputs/mine")
    noise = np.random.default_rng(1).normal(0, 0.03, (3, SIDE, SIDE))
    bands = np.stack([fields(3) == i for i in range(3)]) * 0.2 + 0.1 + noise
    writing.write(layout.stack, raster.array(bands.astype(np.float32), GRID, ["B2", "B4", "B8"]), dtype="float32")
    files.write_json(layout.catalog, {"type": "FeatureCollection", "features": []})
    return layout


def squares(kind, side=60):
    """The middle of every field of a class, as shapes."""
    rows, columns = np.nonzero(fields(3)[::8, ::8] == kind)
    x, y = LEFT + columns * 80 + 40, TOP - rows * 80 - 40
    return shapely.box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def scheme_of(layout):
    return {c["name"]: c["value"] for c in json.loads(layout.classes.read_text(encoding="utf-8"))["scheme"]["classes"]}


@pytest.mark.filterwarnings(SCARCE)
def test_points_with_chinese_class_names(study, project):
    names = np.array(["森林", "水体 & 河流", "建筑用地"])
    kinds = np.repeat([0, 1, 2], [len(squares(k)) for k in range(3)])
    points = shapely.centroid(np.concatenate([squares(k) for k in range(3)]))
    gpd.GeoDataFrame({"类别": names[kinds]}, geometry=points, crs=32633).to_file(project / "points.geojson")
    shown = execute("05_samples", OWN | {"labels": "points.geojson", "field": "类别", "point_radius": 20.0}, project)
    assert set(scheme_of(study)) == set(names)
    labels = raster.read_codes(study.labels).data[0].compute()
    of_value = {v: list(names).index(n) for n, v in scheme_of(study).items()}
    inside = labels > 0
    assert inside.sum() >= 9 * len(points)
    assert ([of_value[v] for v in labels[inside]] == fields(3)[inside]).all()
    assert shown["found"].mended.empty and shown["found"].overlaps.empty
    execute("06_baselines", {"study": "mine", "run": "rf", "model": "rf", "trees": 10}, project)
    mapped = raster.read_codes(study.run("rf").map).data[0].compute()
    assert np.mean(np.vectorize(of_value.get)(mapped) == fields(3)) > 0.9


@pytest.mark.long
@pytest.mark.filterwarnings(SCARCE)
def test_seven_shapefiles_in_two_crs_and_gbk(study, project):
    """A file for each of seven classes, some in another CRS, their words in GBK."""
    parts = [part for kind in range(3) for part in np.array_split(squares(kind), [3, 2, 2][kind])]
    for i, part in enumerate(parts):
        table = gpd.GeoDataFrame({"备注": ["麦田"] * len(part)}, geometry=part, crs=32633)
        table.to_crs(3035 if i % 2 else 32633).to_file(project / f"c{i}.shp", encoding="GBK")
        (project / f"c{i}.cpg").unlink()
    labels = {f"类{i}": f"c{i}.shp" for i in range(7)}
    execute("05_samples", OWN | {"labels": labels, "encoding": "GBK", "block": 80.0, "gap": 0.0}, project)
    assert list(scheme_of(study)) == [f"类{i}" for i in range(7)]
    found = raster.read_codes(study.labels).data[0].compute()
    for i, part in enumerate(parts):
        x, y = shapely.centroid(part[0]).x, shapely.centroid(part[0]).y
        assert found[int((TOP - y) / 10), int((x - LEFT) / 10)] == i + 1
    assert (found > 0).sum() == pytest.approx(36 * sum(map(len, parts)), rel=0.02)
    # The same by a field of text in one list of files.
    for i, part in enumerate(parts):
        words = [f"类{i}"] * len(part)
        gpd.GeoDataFrame({"类别": words}, geometry=part, crs=32633).to_file(project / f"c{i}.shp", encoding="GBK")
        (project / f"c{i}.cpg").unlink()
    several = OWN | {"labels": list(labels.values()), "field": "类别", "encoding": "GBK", "block": 80.0, "gap": 0.0}
    execute("05_samples", several, project)
    again = raster.read_codes(study.labels).data[0].compute()
    assert (again != found).sum() <= 0.02 * (found > 0).sum()  # edges, where those came from another CRS
    execute("06_baselines", {"study": "mine", "run": "rf", "model": "rf", "trees": 10, "importance": 0}, project)
    mapped = raster.read_codes(study.run("rf").map).data[0].compute()
    kind_of = np.array([np.nan, *np.repeat([0, 1, 2], [3, 2, 2])])  # files of one kind look alike
    assert np.mean(kind_of[mapped] == fields(3)) > 0.9


@pytest.mark.long
@pytest.mark.filterwarnings(SCARCE)
def test_a_raster_of_forty_classes(study, project):
    codes = np.kron(np.arange(100).reshape(10, 10) % 40 + 1, np.ones((8, 8))).astype(np.uint8)
    write(project / "lc.tif", codes, GRID)
    shown = execute("05_samples", OWN | {"labels": "lc.tif", "block": 80.0, "gap": 0.0, "rare": "leave_out"}, project)
    scheme = shown["found"].scheme
    assert len(scheme.classes) == 40 and len({c.colour for c in scheme.classes}) == 40
    labels = raster.read_codes(study.labels).data[0].compute()
    np.testing.assert_array_equal(labels[labels > 0], codes[labels > 0])
    execute("06_baselines", {"study": "mine", "run": "rf", "model": "rf", "trees": 5, "importance": 0}, project)
    mapped = raster.read_codes(study.run("rf").map).data[0].compute()
    assert set(np.unique(mapped)) <= set(range(1, 41)) and len(np.unique(mapped)) > 20
    with rasterio.open(study.run("rf").map) as source:
        assert len({source.colormap(1)[value] for value in range(1, 41)}) == 40


@pytest.mark.filterwarnings(SCARCE)
@pytest.mark.parametrize("placed", [True, False])
def test_a_table_with_groups_and_no_images(project, placed):
    generator = np.random.default_rng(2)
    kind, site = generator.integers(0, 3, 600), generator.integers(0, 12, 600)
    table = pd.DataFrame(
        {
            "Klasse": np.array(["Wald", "See", "Acker"])[kind],
            "lon": 116.8 + 0.01 * (site % 4) + generator.uniform(0, 0.002, 600),
            "lat": 34.1 + 0.01 * (site // 4) + generator.uniform(0, 0.002, 600),
            "Ort": [f"Ort {s}" for s in site],
            "B4": kind * 0.1 + generator.normal(0, 0.02, 600),
            "NDVI": kind * -0.2 + generator.normal(0, 0.05, 600),
            "system:index": [f"{i:05d}_0" for i in range(600)],
        }
    )
    table.loc[5, "B4"], table.loc[7, "Klasse"] = np.nan, None
    table.to_csv(project / "pixels.csv", sep=";", decimal=",", index=False)
    own = OWN | {"labels": "pixels.csv", "table_class": "Klasse", "table_group": "Ort", "split": "groups", "folds": 3}
    if placed:
        own |= {"table_x": "lon", "table_y": "lat", "table_crs": "EPSG:4326", "split": "blocks", "block": 1000.0}
    else:
        own |= {"table_features": ["B4", "NDVI"]}
    shown = execute("05_samples", own, project)
    layout = Layout(project / "outputs/mine")
    assert not layout.labels.exists() and not layout.folds.exists()
    samples = shown["samples"]
    assert len(samples) == 598 and hasattr(samples, "geometry") == placed
    assert shown["found"].account["rows"].sum() == 600
    places = table.drop([5, 7]).reset_index(drop=True)
    if placed:
        assert samples.crs.to_epsg() == 4326
    else:  # no site in two folds
        assert samples.groupby(places["Ort"])["fold"].nunique().max() == 1
    execute("06_baselines", {"study": "mine", "run": "rf", "model": "rf", "trees": 10}, project)
    judged = execute("09_evaluate", {"study": "mine", "resamples": 100}, project)["judged"]
    assert judged.runs["rf"].macro.value > 0.95
    assert judged.runs["rf"].matrix.sum() == 598
    assert "598 labelled rows of a table" in layout.report.read_text(encoding="utf-8")


@pytest.mark.filterwarnings(SCARCE)
def test_an_independent_test_set_is_not_trained_on(study, project):
    shapes = np.concatenate([squares(k) for k in range(3)])
    kinds = np.repeat(["a", "b", "c"], [len(squares(k)) for k in range(3)])
    held = np.arange(len(shapes)) % 5 == 0
    frame = gpd.GeoDataFrame({"kind": kinds}, geometry=shapes, crs=32633)
    frame.to_file(project / "all.gpkg")
    frame[held].to_file(project / "held.gpkg")
    own = OWN | {"labels": "all.gpkg", "field": "kind", "block": 80.0, "gap": 30.0}
    execute("05_samples", own | {"validation": "held.gpkg"}, project)
    labels = raster.read_codes(study.labels).data[0].compute()
    test, feature = raster.read_codes(study.validation).data.compute()
    assert (test > 0).sum() == 36 * held.sum() and len(np.unique(feature)) == held.sum() + 1
    rows, columns = np.nonzero(test)
    for row, column in np.argwhere(labels > 0):
        assert np.hypot(rows - row, columns - column).min() * 10 >= 30
    frame[held].iloc[:1].to_file(project / "one.gpkg")
    with pytest.raises(LulcError, match="1 feature"):
        execute("05_samples", own | {"validation": "one.gpkg"}, project)


@pytest.mark.filterwarnings(SCARCE)
def test_without_a_gap_the_test_set_is_not_trained_on_either(study, project):
    shapes, kinds = np.concatenate([squares(0), squares(1)]), np.repeat(["a", "b"], [len(squares(0)), len(squares(1))])
    frame = gpd.GeoDataFrame({"kind": kinds}, geometry=shapes, crs=32633)
    frame.to_file(project / "all.gpkg")
    frame[::5].to_file(project / "held.gpkg")
    own = OWN | {"labels": "all.gpkg", "field": "kind", "block": 80.0, "gap": 0.0}
    execute("05_samples", own | {"validation": "held.gpkg"}, project)
    labels = raster.read_codes(study.labels).data[0].compute()
    test = raster.read_codes(study.validation).data[0].compute()
    assert (test > 0).any() and not (labels[test > 0]).any()


def test_a_class_that_is_all_in_the_test_set_is_not_lost_in_silence(study, project):
    frame = gpd.GeoDataFrame(
        {"kind": ["a"] * 6 + ["b"] * 6 + ["c"] * 2},
        geometry=[*squares(0)[:6], *squares(1)[:6], *squares(2)[:2]],
        crs=32633,
    )
    frame.to_file(project / "all.gpkg")
    frame[frame["kind"] == "c"].to_file(project / "held.gpkg")
    own = OWN | {"labels": "all.gpkg", "field": "kind", "validation": "held.gpkg"}
    with pytest.raises(LulcError, match="No pixel of c is left farther than the gap"):
        execute("05_samples", own, project)


def test_a_scheme_of_one_s_own_file(study, project):
    (project / "mine.csv").write_text("value,name,colour\n20,b,#0000ff\n10,a,#00ff00\n", encoding="utf-8")
    frame = gpd.GeoDataFrame(
        {"kind": np.repeat(["a", "b"], [len(squares(0)), len(squares(1))])},
        geometry=np.concatenate([squares(0), squares(1)]),
        crs=32633,
    )
    frame.to_file(project / "x.gpkg")
    shown = execute(
        "05_samples", OWN | {"labels": "x.gpkg", "field": "kind", "scheme": "mine.csv", "block": 80.0}, project
    )
    assert scheme_of(study) == {"a": 10, "b": 20}
    assert shown["found"].scheme.find("a").colour == "#00ff00"
    assert Path(project / "mine.csv") in [Path(f) for f in shown["step"].study.inputs(shown["p"])]


@pytest.mark.long
@pytest.mark.shared
@pytest.mark.skipif(not SUNDARBANS.is_dir(), reason="no ../shared/data/sundarbans")
@pytest.mark.filterwarnings(SCARCE)
def test_the_published_number_of_the_sundarbans_and_the_warning_beside_it(project):
    """The tutorial: six neighbours, standardised features, 30 % of the pixels at random: 98.948 %."""
    table = sundarbans.table(SUNDARBANS)
    x, label = table[sundarbans.BANDS].to_numpy(), table["class"].to_numpy()
    train, test = train_test_split(np.arange(len(x)), test_size=0.3, stratify=label, random_state=0)
    p = params.Baselines.check(yaml.safe_load((REPOSITORY / "params/sundarbans/06_knn.yaml").read_text()), "06_knn")
    classifier, _, weights = estimators.build(
        p.model,
        {"algorithm": "kd_tree"},
        p.class_weight,
        neighbours=p.neighbours,  # the same neighbours, sooner
    )
    model, _ = training.fit(x[train], label[train], label[train], training.Recipe(classifier, weights))
    few = test[:40_000]  # 98.948 % ± 0.05 of so many
    assert np.mean(model.predict(x[few]) == label[few]) == pytest.approx(0.98948, abs=0.001)
    table[::15].to_parquet(project / "pixels.parquet")
    own = yaml.safe_load((REPOSITORY / "params/sundarbans/05_samples.yaml").read_text())
    execute("05_samples", own | {"labels": "pixels.parquet"}, project)
    execute("06_baselines", {"study": "sundarbans", "run": "knn", "model": "knn", "importance": 0}, project)
    execute("09_evaluate", {"study": "sundarbans", "resamples": 100}, project)
    page = Layout(project / "outputs/sundarbans").report.read_text(encoding="utf-8")
    assert "These labels were probably made from the same image" in page
