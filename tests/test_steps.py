"""Which step reads and writes what."""

from pathlib import Path
from typing import Any

import pytest

from lulc_kit import catalog, files, params, run, steps
from lulc_kit.catalog import Catalog
from lulc_kit.layout import CubeLayout, Layout
from tests import scene

AT = Layout(Path("s").absolute())


def check(notebook: str, **values: Any) -> params.Parameters:
    return params.NOTEBOOKS[notebook].check({"study": "s"} | values, "here")


def test_every_read_is_written_by_an_earlier_notebook() -> None:
    """The plan hangs together: what a notebook declares to read, one before it declares to write."""
    written: set[Path] = set()
    for notebook, model in params.NOTEBOOKS.items():
        p = check(notebook, **({"run": "fcn"} if "run" in model.model_fields else {}))
        for path in steps.reads(p, AT):
            wanted = (
                AT.composite
                if path == AT.image("*")
                else AT.folder / str(path.relative_to(AT.folder)).replace("/*/", "/fcn/").replace("maps/*", "maps/fcn")
            )
            assert wanted in written, f"{notebook} reads {path}"
            assert steps.writer(path, AT) in {*params.NOTEBOOKS, "the notebook that trains it"}
        written |= set(steps.writes(p, AT))


def test_monthly_composites_are_declared() -> None:
    assert AT.monthly("*") in steps.writes(check("02_preprocess", composite_monthly=True), AT)
    assert AT.monthly("*") not in steps.writes(check("02_preprocess"), AT)


def test_probabilities_of_clouds_are_declared_where_the_mask_has_some() -> None:
    likely = CubeLayout(AT.cube).probabilities(steps.DATES)
    assert likely in steps.writes(check("02_preprocess", mask="csmask"), AT)
    assert likely not in steps.writes(check("02_preprocess", mask="scl"), AT)


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [
        ("06_a", "07_a", "maps/a.tif"),
        ("06_rf", "06_rf_probability", "maps/rf_probability.tif"),
        ("06_A", "06_a", "maps/a.tif"),
    ],
)
def test_two_steps_that_write_the_same_files_are_refused(project: Path, first: str, second: str, path: str) -> None:
    for step in (first, second):
        scene.put(project, step, {"study": "s", "run": step[3:]}, "s")
    with pytest.raises(Exception, match=f"{first}.yaml and {second}.yaml would both write {path}"):
        run.plan("s")


def test_only_runs_of_the_plan_are_judged(project: Path) -> None:
    at = Layout(project / "outputs/s")
    for name in ("rf", "knn", "gone"):
        files.write_text(at.run(name).crossval, "x")
    assert steps.planned_runs(at) == ["gone", "knn", "rf"]
    files.write_json(at.plan, ["01_download", "06_rf", "06_knn", "09_evaluate"])
    assert steps.planned_runs(at) == ["knn", "rf"]
    assert at.run("gone").map not in steps.reads(check("09_evaluate"), at)
    files.write_text(at.plan, "{")
    assert steps.planned_runs(at) == ["gone", "knn", "rf"]


def test_what_belongs_to_a_user_s_file_counts_with_it(project: Path) -> None:
    """Sidecars in any case, a VRT's sources and theirs, and a name with brackets that is no pattern."""
    names = (
        "B2[1].TIF",
        "B2[1].TFW",
        "B2[1].tif.aux.xml",
        "B2[1].tif.MSK",
        "B21.tif",
        "inner.vrt",
        "outer.vrt",
        "x.hdr",
    )
    for name in names:
        files.write_text(project / "data" / name, "x")
    for name, source in (("outer", "inner.vrt"), ("inner", "B2[1].TIF")):
        text = f'<VRTDataset><SourceFilename relativeToVRT="1">{source}</SourceFilename></VRTDataset>'
        files.write_text(project / f"data/{name}.vrt", text)
    p = check("05_samples", labels="data/outer.vrt")
    found = {path.name for path in steps.of_users(p, Layout(project / "outputs/s"))}
    assert found == {"outer.vrt", "inner.vrt", "B2[1].TIF", "B2[1].TFW", "B2[1].tif.aux.xml", "B2[1].tif.MSK"}
    loop = '<VRTDataset><SourceFilename relativeToVRT="1">loop.vrt</SourceFilename></VRTDataset>'
    files.write_text(project / "data/loop.vrt", loop)
    p = check("05_samples", labels="data/loop.vrt")
    assert [f.name for f in steps.of_users(p, Layout(project / "outputs/s"))] == ["loop.vrt"]
    catalog.write(project / "outputs/s/catalog.json", Catalog([]))
    entry = {"file": "data/B2[1].TIF"}
    p = check("04_features", external=[entry])
    assert project / "data/B2[1].TIF" in steps.of_users(p, Layout(project / "outputs/s"))


def test_what_lies_in_folders_archives_and_variables_counts(project: Path) -> None:
    for file in ("a.gdb/a0001.gdbtable", "a.zarr/B2/0.0", "a.nc", "a.zip"):
        files.write_text(project / "data" / file, "x")
    at = Layout(project / "outputs/s")
    catalog.write(at.catalog, Catalog([]))
    labels = check("05_samples", labels="data/a.gdb", field="kind", scheme=None, classes=None)
    assert project / "data/a.gdb/a0001.gdbtable" in steps.of_users(labels, at)
    for name, file in (
        ("data/a.zarr", "a.zarr/B2/0.0"),
        ("NETCDF:data/a.nc:B2", "a.nc"),
        (f"/vsizip/{project}/data/a.zip/B2.tif", "a.zip"),
    ):
        p = check("04_features", external=[{"file": name}])
        assert project / "data" / file in steps.of_users(p, at)


def test_what_is_fetched_is_no_file_of_the_users(project: Path) -> None:
    named = {"reference": "esri", "dem": "dem.tif", "roads": "osm", "vintage": {"bing": "bing/*.xml"}}
    for file in ("dem.tif", "bing/a.xml"):
        (project / file).parent.mkdir(exist_ok=True)
        (project / file).touch()
    p = params.Download.check({"study": "s"} | named, "here")
    assert steps.of_users(p, Layout(project / "outputs/s")) == [project / "dem.tif", project / "bing/a.xml"]


def test_the_area_s_file_counts_and_a_tile_is_none(project: Path) -> None:
    files.write_text(project / "data/area.geojson", "{}")
    days = {"source": "stac", "dates": ["2023-06-01", "2023-06-30"]}
    for area, expected in (("data/area.geojson", ["area.geojson"]), ("T50SMC", []), ([12.0, 52.0, 13.0, 53.0], [])):
        p = check("01_download", area=area, **days)
        assert [path.name for path in steps.of_users(p, Layout(project / "outputs/s"))] == expected


def test_networks_that_start_from_none_read_no_run_of_notebook_07() -> None:
    run_of_07 = AT.run("fcn").network("*")
    assert run_of_07 in steps.reads(check("08_lstm"), AT)
    assert run_of_07 not in steps.reads(check("08_lstm", network="ltae"), AT)


def test_a_network_from_elsewhere_is_read_and_not_trained(project: Path) -> None:
    at = Layout(project / "outputs/s")
    there = at.other("a").run("net")
    for notebook in ("07_fcn", "08_lstm"):
        p = check(notebook, run="x", trained="a/net")
        assert steps.borrows(p, at) == [there.about, there.network(1)]  # which is not there: that is said
        assert at.run("fcn").about not in steps.reads(p, at)
        assert not {at.run("x").network("*"), at.run("x").crossval} & set(steps.writes(p, at))
        assert at.samples not in steps.reads(p, at)
    for fold in (1, 2):
        files.write_text(there.network(fold), "x")
    assert steps.borrows(p, at) == [there.about, there.network(1), there.network(2)]
    for path in (at.samples, at.labels):
        files.write_text(path, "x")
    assert at.run("x").crossval in steps.writes(p, at) and at.samples in steps.reads(p, at)


def test_of_studies_that_teach_patches_the_images_are_read() -> None:
    borrowed = steps.borrows(check("07_fcn", samples=["a", "s"]), AT)
    other = AT.other("a")
    assert {other.stack, other.labels, other.folds, other.samples, other.classes} == set(borrowed)
    assert other.stack not in steps.borrows(check("06_baselines", samples=["a", "s"]), AT)
