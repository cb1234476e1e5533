"""Samples on their way to a person and back: what was filled in comes back, and what was changed is noticed."""

import dataclasses
import unicodedata

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import interpretation, sampling
from lulc_kit.layout import SampleLayout

SCHEME = classes.scheme("workflow").subset([1, 3, 5])
GRID = GeoBox((60, 50), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
CODES = np.random.default_rng(1).choice([1, 3, 5], GRID.shape).astype(np.uint8)


def drawn(seed=1, points=(10, 10, 10), codes=CODES):
    row, column = sampling.draw(codes, SCHEME.values, points, seed=seed)
    pixels = sampling.count_pixels(codes, SCHEME.values)
    stratum = codes[row, column].astype(int)
    mark = sampling.fingerprint(codes)
    return sampling.Drawn("stratified", "rf", mark, SCHEME, GRID, pixels, row, column, stratum, {"seed": seed})


def truth(sample):
    return np.random.default_rng(9).choice([1, 3, 5], len(sample.row))


def fill(layout, sample, suffix=".gpkg", change=None, name="mine"):
    """Fill a file in as a person would, and save it elsewhere."""
    source = layout.points(suffix)
    rows = pd.read_csv(source) if suffix == ".csv" else gpd.read_file(source)
    names = dict(zip(SCHEME.values, SCHEME.names, strict=True))
    rows["reference"] = [names[v] for v in truth(sample)]
    rows = change(rows) if change else rows
    target = layout.folder / f"{name}{suffix}"
    if suffix == ".csv":
        rows.to_csv(target, index=False)
    elif suffix == ".kml":
        rows[["point", "sample", "reference", "geometry"]].to_file(target, driver="KML")
    else:
        rows.to_file(target)
    return target


@pytest.fixture
def layout(tmp_path):
    interpretation.write(drawn(), SampleLayout(tmp_path))
    return SampleLayout(tmp_path)


@pytest.mark.parametrize("suffix", interpretation.FORMATS)
def test_what_was_filled_in_comes_back(layout, suffix):
    sample = interpretation.read_drawn(layout)
    assert sample.name == drawn().name
    shuffled = fill(layout, sample, suffix, lambda rows: rows.sample(frac=1, random_state=1))
    found = interpretation.read(shuffled, sample)
    np.testing.assert_array_equal(found.reference, truth(sample))
    assert (found.second == 0).all()


def test_points_lie_in_the_middle_of_their_pixels_with_and_without_what_the_map_says(layout):
    sample = drawn()
    rows = gpd.read_file(layout.points(".gpkg"))
    assert rows.columns.tolist() == [
        *("point", "sample", "longitude", "latitude", "reference", "second", "note", "geometry")
    ]
    np.testing.assert_allclose(rows.geometry.x, 500_000 + 10 * sample.column + 5)
    np.testing.assert_allclose(rows.geometry.y, 5_000_000 - 10 * sample.row - 5)
    back = gpd.GeoSeries(gpd.points_from_xy(rows["longitude"], rows["latitude"]), crs=4326).to_crs(rows.crs)
    assert back.distance(rows.geometry).max() < 0.02
    shown = interpretation.table(sample, blind=False)
    names = dict(zip(SCHEME.names, SCHEME.values, strict=True))
    assert shown["map"].map(names).tolist() == CODES[sample.row, sample.column].tolist()


def test_classes_may_be_written_by_name_or_value_and_a_second_interpreter_may_look_at_a_part(layout):
    def change(rows):
        rows["reference"] = [f" {n.upper()} " for n in rows["reference"]]
        rows["second"] = ["Water"] * 7 + [None] * 23
        return rows

    found = interpretation.read(fill(layout, drawn(), ".gpkg", change), drawn())
    np.testing.assert_array_equal(found.reference, truth(drawn()))
    assert found.second.tolist() == [5] * 7 + [0] * 23
    values = fill(layout, drawn(), ".csv", lambda rows: rows.assign(reference=truth(drawn()).astype(float)), "v")
    np.testing.assert_array_equal(interpretation.read(values, drawn()).reference, truth(drawn()))


def moved(rows):
    rows.loc[4, "geometry"] = shapely.affinity.translate(rows.geometry[4], 8, 0)
    return rows


def set_class(word):
    def change(rows):
        rows.loc[[2, 5], "reference"] = word
        return rows

    return change


BROKEN = {
    "missing": (lambda rows: rows.drop(index=[3, 7]), r"lacks 2 of 30 points: 4, 8.*Put their rows back"),
    "extra": (
        lambda rows: pd.concat([rows, rows.iloc[:1].assign(point=31)], ignore_index=True),
        r"not drawn, or twice: 31.*take those rows out",
    ),
    "twice": (lambda rows: pd.concat([rows, rows.iloc[:1]], ignore_index=True), r"not drawn, or twice: 1\."),
    "moved": (moved, r"1 points are not where they were drawn: 5 \(8 m\).*Put them back"),
    "other classes": (set_class("Savanna"), r"'Savanna' in column 'reference' is no class.*Build-up, Forest, Water"),
    "not yet": (set_class(""), r"2 of 30 points have no class yet: 3, 6\."),
    "another sample": (lambda rows: rows.assign(sample=drawn(2).name), r"made for another sample.*drawn from the map"),
    "no column": (lambda rows: rows.drop(columns="sample"), r"has no column sample; it has: point"),
    "polygons": (
        lambda rows: rows.set_geometry(rows.geometry.buffer(20)),
        r"Polygon, not points. Whole polygons are a cluster sample.*validation in 05",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_was_changed_is_refused(layout, kind):
    change, says = BROKEN[kind]
    with pytest.raises(LulcError, match=says):
        interpretation.read(fill(layout, drawn(), ".gpkg", change), drawn())


def test_a_moved_point_is_noticed_in_a_spreadsheet_and_a_lost_column_too(layout):
    def east(rows):
        rows.loc[0, "longitude"] += 0.001
        return rows

    with pytest.raises(LulcError, match=r"1 points are not where they were drawn: 1 \(\d\d m\)"):
        interpretation.read(fill(layout, drawn(), ".csv", east), drawn())
    with pytest.raises(LulcError, match="no column latitude"):
        interpretation.read(fill(layout, drawn(), ".csv", lambda rows: rows.drop(columns="latitude")), drawn())


def test_files_that_are_missing_say_what_to_do(tmp_path, layout):
    with pytest.raises(LulcError, match="nowhere.gpkg does not exist. Check 'interpreted'"):
        interpretation.read(tmp_path / "nowhere.gpkg", drawn())
    with pytest.raises(LulcError, match="Draw a sample first"):
        interpretation.read_drawn(SampleLayout(tmp_path / "other"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(LulcError, match="CSV in UTF-8"):
        interpretation.read(tmp_path / "empty.csv", drawn())


def test_a_sample_that_somebody_may_have_begun_is_never_written_over(layout):
    before = {path: path.read_bytes() for path in layout.drawn.parent.iterdir()}
    assert {path.suffix for path in before} == {*interpretation.FORMATS, ".json"}
    with pytest.raises(LulcError, match="Another sample lies in .*Move that folder away"):
        interpretation.write(drawn(3), layout)
    assert {path: path.read_bytes() for path in layout.drawn.parent.iterdir()} == before


def small(names, **changes):
    """Draw a pixel of each class, which the map gets right."""
    scheme = classes.own(names)
    row, column = np.arange(len(names)), np.arange(len(names))
    fields = {"classes": scheme, "pixels": np.full(len(names), 1000), "row": row, "column": column}
    return dataclasses.replace(drawn(), **fields, stratum=np.array(scheme.values), **changes)


def csv_of(of, path, reference, encoding="utf-8-sig", **columns):
    rows = interpretation.table(of).drop(columns="geometry").assign(reference=reference, **columns)
    rows.to_csv(path, index=False, encoding=encoding)
    return path


@pytest.mark.parametrize("pattern", [r"\d+e\d+", r"0\d+", r"\d+"])
def test_a_sample_whose_name_looks_like_a_number_comes_back(tmp_path, pattern):
    tried = (small(["Wald", "See"], map=str(seed)) for seed in range(20_000))
    sample = next(one for one in tried if pd.Series([one.name]).str.fullmatch(pattern).all())
    found = interpretation.read(csv_of(sample, tmp_path / "x.csv", ["Wald", "See"]), sample)
    assert found.reference.tolist() == [1, 2]
    if sample.name.isdecimal():  # as a spreadsheet saves it
        changed = csv_of(sample, tmp_path / "y.csv", ["Wald", "See"], sample=f"{int(sample.name)}.0")
        assert interpretation.read(changed, sample).reference.tolist() == [1, 2]


@pytest.mark.parametrize("ending", [",,,,,,\n,,,,,,\n", "\n\n"])
def test_empty_rows_at_the_end_are_no_points(tmp_path, ending):
    sample = small(["Wald", "See"])
    path = csv_of(sample, tmp_path / "x.csv", ["Wald", "See"])
    path.write_text(path.read_text(encoding="utf-8") + ending, encoding="utf-8")
    assert interpretation.read(path, sample).reference.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("names", "written"),
    [
        (["Wald", "wald", "See"], ["Wald", "wald", "SEE"]),
        (["02", "01"], ["02", "01"]),
        (["2", "1"], ["2.0", "1,0"]),
        (["Wälder", "See"], [unicodedata.normalize("NFD", "wälder"), "2"]),
        (["NA", "None"], ["NA", "None"]),
    ],
)
def test_a_class_is_what_is_written_before_all_that_resembles_it(tmp_path, names, written):
    sample = small(names)
    found = interpretation.read(csv_of(sample, tmp_path / "x.csv", written), sample)
    assert found.reference.tolist() == sample.stratum.tolist()


def test_capitals_that_may_be_two_classes_are_refused(tmp_path):
    sample = small(["Wald", "wald"])
    with pytest.raises(LulcError, match="'WALD' in column 'reference' is no class"):
        interpretation.read(csv_of(sample, tmp_path / "x.csv", ["WALD", "wald"]), sample)


def test_a_spreadsheet_that_cannot_be_read_gets_its_own_remedy(tmp_path):
    sample = small(["Wälder", "See"])
    told = csv_of(sample, tmp_path / "x.csv", ["Wälder", "See"], encoding="cp1252")
    lost = csv_of(sample, tmp_path / "y.csv", ["Wälder", "See"], longitude="east")
    for path, remedy in (
        (told, "Save it as CSV in UTF-8, or use the GeoPackage"),
        (lost, "Copy longitude and latitude"),
    ):
        with pytest.raises(LulcError, match=remedy) as caught:
            interpretation.read(path, sample)
        assert "05_samples" not in str(caught.value)
