"""What a step records, and when it is up to date."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from lulc_kit import catalog, files, params, provenance, raster, steps, study
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.errors import LulcError
from lulc_kit.raster import writing

FEATURES = params.Features(study="s", components=0, texture_bands=[])


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def do_features(folder: Path, p: params.Features = FEATURES, text: str = "stack") -> study.Written:
    """Do what a notebook 04 does, without rasters."""
    step = study.begin(p)
    assert step.layout.features == folder / "outputs/s/features"
    write(step.layout.features / "part.tif").replace(write(step.layout.stack, text))
    write(step.layout.features / "part.tif", text).replace(step.layout.stack)
    return step.finish()


@pytest.fixture
def home(project: Path) -> Path:
    """A project whose study has a composite."""
    write(project / "outputs/s/cube/composite.tif")
    catalog.write(project / "outputs/s/catalog.json", Catalog([]))
    return project


def outdated(p: params.Parameters) -> str | None:
    return study.Study(p).outdated(p)


def test_project_folder_is_found_from_below(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home / "notebooks")
    assert files.project_folder() == home
    assert files.resolve("data/x.tif") == home / "data/x.tif"
    assert files.resolve(str(home / "y.tif")) == home / "y.tif"


def test_a_step_is_up_to_date_after_it_ran(home: Path) -> None:
    assert outdated(FEATURES) == "not run yet"
    written = do_features(home)
    assert outdated(FEATURES) is None
    assert written.files == [("features/stack.tif", 5)]
    assert "features/stack.tif" in str(written)


def test_a_file_changed_behind_its_size_and_time_is_found_by_reading_it(home: Path) -> None:
    do_features(home)
    for name in ("features/stack.tif", "cube/composite.tif"):
        path = home / "outputs/s" / name
        whole, stat = path.read_bytes(), path.stat()
        path.write_bytes(bytes(255 - byte for byte in whole))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert outdated(FEATURES) is None
        assert study.Study(FEATURES).outdated(FEATURES, verify=True) is not None
        path.write_bytes(whole)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert study.Study(FEATURES).outdated(FEATURES, verify=True) is None


def test_record_says_what_was_done(home: Path) -> None:
    do_features(home)
    record = json.loads((home / "outputs/s/steps/04_features.json").read_text())
    assert record["parameters"] == {k: v for k, v in FEATURES.model_dump().items() if k not in ("outputs", "memory")}
    assert [f["path"] for f in record["inputs"]] == ["cube/composite.tif", "catalog.json"]
    assert [f["path"] for f in record["outputs"]] == ["features/stack.tif"]
    assert record["modules"]["raster.reading"] == files.sha256(provenance.package() / "raster/reading.py")
    assert {"python", "lulc_kit", "numpy", "rasterio"} <= set(record["versions"])
    assert record["duration_s"] >= 0
    assert record["peak_memory_mb"] > 0


def test_outputs_may_be_moved(home: Path) -> None:
    do_features(home)
    (home / "outputs").rename(home / "elsewhere")
    assert outdated(FEATURES.model_copy(update={"outputs": "elsewhere"})) is None


def test_what_makes_a_step_outdated(home: Path) -> None:
    do_features(home)
    other = FEATURES.model_copy(update={"components": 2, "indices": []})
    assert outdated(other) == "parameters changed: components, indices"
    write(home / "outputs/s/cube/composite.tif", "another")
    assert outdated(FEATURES) == "inputs changed"
    (home / "outputs/s/cube/composite.tif").unlink()
    assert outdated(FEATURES) == "inputs missing"
    write(home / "outputs/s/cube/composite.tif")
    assert outdated(FEATURES) is None
    write(home / "outputs/s/features/stack.tif", "touched by hand")
    assert outdated(FEATURES) == "features/stack.tif changed"
    (home / "outputs/s/features/stack.tif").unlink()
    assert outdated(FEATURES) == "features/stack.tif is missing"


def test_time_alone_does_not_matter(home: Path) -> None:
    do_features(home)
    for name in ("cube/composite.tif", "features/stack.tif"):
        os.utime(home / "outputs/s" / name, (1, 1))
    assert outdated(FEATURES) is None


STEP_OF_FEATURES = """
import sys
from lulc_kit import params, study
p = params.Features(study="s", components=0, texture_bands=[])
if sys.argv[1] == "run":
    step = study.begin(p)
    from lulc_kit.features import indices
    step.layout.stack.parent.mkdir(parents=True, exist_ok=True)
    step.layout.stack.write_text("stack")
    step.finish()
print(study.Study(p).outdated(p))
"""


def test_code_that_the_step_loaded_counts_and_other_code_does_not(home: Path) -> None:
    """In a copy of the package, each time in a new process, as a kernel is."""
    shutil.copytree(provenance.package(), home / "copy/lulc_kit", ignore=shutil.ignore_patterns("__pycache__"))

    def said(word: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", STEP_OF_FEATURES, word],
            cwd=home,
            env=os.environ | {"PYTHONPATH": str(home / "copy")},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def edit(name: str) -> None:
        with (home / "copy/lulc_kit" / name).open("a") as stream:
            stream.write("# a comment\n")

    assert said("run") == "None"
    for other in ("baselines/forest.py", "deep/networks.py", "visualize/__init__.py", "params/fcn.py", "study.py"):
        edit(other)
    assert said("look") == "None"
    edit("features/indices.py")
    edit("raster/reading.py")
    assert said("look") == "code changed: features.indices, raster.reading"
    assert said("run") == "None"


def test_code_of_the_notebook_counts_but_not_its_text_or_parameters(home: Path) -> None:
    def save(text: str, default: str, code: str) -> None:
        cells: list[Any] = [
            nbformat.v4.new_markdown_cell(text),
            nbformat.v4.new_code_cell(default, metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(code),
        ]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), home / "notebooks/04_features.ipynb")

    save("text", "components = 3", "work()")
    do_features(home)
    save("better text", "components = 4", "work()")
    assert outdated(FEATURES) is None
    save("text", "components = 3", "other_work()")
    assert outdated(FEATURES) == "code changed: the notebook"


def test_missing_input_names_the_notebook_to_run(project: Path) -> None:
    with pytest.raises(LulcError, match=r"04_features needs s/cube/composite\.tif.*Run 02_preprocess first"):
        study.begin(FEATURES)
    with pytest.raises(LulcError, match=r"09_evaluate needs s/catalog\.json.*Run 01_download first"):
        study.begin(params.Evaluate(study="s"))


def test_step_that_did_not_write_has_failed(home: Path) -> None:
    step = study.begin(FEATURES)
    with pytest.raises(LulcError, match=r"04_features ended without writing features/stack\.tif"):
        step.finish()
    assert outdated(FEATURES) == "not run yet"


def test_what_an_earlier_run_wrote_does_not_count(home: Path) -> None:
    do_features(home)
    step = study.begin(FEATURES)
    assert outdated(FEATURES) == "not run yet"  # a process that dies here leaves the step to be run again
    with pytest.raises(LulcError, match="ended without writing"):
        step.finish()
    assert (home / "outputs/s/features/stack.tif").exists()


def test_same_content_written_anew_counts_whatever_the_clock(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    do_features(home)
    step = study.begin(FEATURES)
    new = write(home / "outputs/s/features/new.tif", "stack")
    os.utime(new, (1, 1))  # a file server whose clock is far behind
    new.replace(home / "outputs/s/features/stack.tif")
    step.finish()
    assert outdated(FEATURES) is None


@pytest.mark.parametrize("killed", [False, True])
def test_leftovers_of_an_earlier_run_go(home: Path, killed: bool) -> None:
    p = params.FCN(study="s")
    layout = study.Study(p).layout
    for path in steps.reads(p, layout):
        write(path)
    folds = [home / f"outputs/s/models/fcn/fold_{k}.keras" for k in (1, 2, 3)]

    def run(count: int) -> None:
        step = study.begin(p)
        for path in [*(f for f in steps.writes(p, layout) if "*" not in f.name), *folds[:count]]:
            path.unlink(missing_ok=True)
            write(path, f"{count} folds")
        step.finish()

    run(3)
    if killed:
        study.begin(p)
    run(2)
    assert [f.exists() for f in folds] == [True, True, False]
    assert (home / "outputs/s/samples/folds.tif").exists()


def test_own_files_are_inputs_of_the_steps_that_read_them(project: Path) -> None:
    """A user's edited polygons make 05 run again, and their new image 02."""
    image, polygons, home = write(project / "data/B2.tif"), write(project / "data/p.gpkg"), project / "outputs/s"
    found = Catalog(
        [
            Scene(
                "2023-06-15",
                "L2A",
                {"B2": Band(image, geobox=GeoBox((4, 4), Affine(10, 0, 0, 0, -10, 0), 32633), dtype="uint16")},
            )
        ],
        {"reference": polygons},
    )
    catalog.write(home / "catalog.json", found)
    write(home / "features/stack.tif")
    download = params.Download(
        study="s",
        source="files",
        scenes=[params.Scene(date="2023-06-15", level="L2A", bands={"B2": "data/B2.tif"})],
        reference="data/p.gpkg",
    )
    reads = {
        p.step: set(study.Study(p).inputs(p))
        for p in (download, params.Preprocess(study="s"), params.Samples(study="s"), params.Visualize(study="s"))
        if p.step != "03_visualize"
    }
    assert reads["01_download"] == {image, polygons}
    assert reads["02_preprocess"] == {home / "catalog.json", image}
    assert reads["05_samples"] == {home / "catalog.json", home / "features/stack.tif", polygons}
    own = params.Samples(study="s", labels="data/B2.tif")
    assert image in study.Study(own).inputs(own)


def test_all_files_of_a_shapefile_are_inputs(project: Path) -> None:
    write(project / "outputs/s/catalog.json", '{"features": []}')
    write(project / "outputs/s/features/stack.tif")
    sidecars = {write(project / f"data/p.{end}") for end in ("shp", "DBF", "shx", "prj", "shp.xml", "cpg")}
    sidecars -= {project / "data/p.shp.xml"}  # words for people
    p = params.Samples(study="s", labels="data/p.shp")
    assert sidecars <= set(study.Study(p).inputs(p))
    (project / "data/p.shp").unlink()
    with pytest.raises(LulcError, match=r"p\.shp, which is not there"):
        study.Study(p).inputs(p)


def test_nan_as_nodata_is_equal_to_itself(project: Path) -> None:
    """NaN is not equal to NaN, but a study whose nodata it is must come to rest."""
    write(project / "data/B2.tif")
    entry = params.Scene(date="2023-06-15", level="L2A", bands={"B2": "data/B2.tif"}, nodata=float("nan"))
    p = params.Download(study="s", source="files", scenes=[entry])
    step = study.begin(p)
    write(step.layout.catalog)
    step.finish()
    assert outdated(p) is None


@pytest.mark.parametrize(
    "text", ["", "{", "null and void", "[]", "{}", "null", '{"step": 4}', "[" * 100_000, "1" * 6000]
)
def test_broken_record_counts_as_not_run(home: Path, text: str) -> None:
    do_features(home)
    write(home / "outputs/s/steps/04_features.json", text)
    assert outdated(FEATURES) == "not run yet"


def test_outputs_that_is_a_file(project: Path) -> None:
    write(project / "outputs")
    p = params.Download(study="s")
    assert outdated(p) == "not run yet"
    with pytest.raises(LulcError, match=r"(?s)lulc run --outputs DIR"):
        study.begin(p)
    assert (project / "outputs").read_text() == "x"


def test_no_permission(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(LulcError, match="No permission to write in"):
        study.begin(FEATURES)


def test_a_step_s_rasters_say_whose_data_the_study_shows(home: Path) -> None:
    """The line of the catalog; notebook 01, which makes a new catalog, begins without."""
    catalog.write(home / "outputs/s/catalog.json", Catalog([], attribution="SIMULATED data"))
    layer = raster.array(np.ones((1, 8, 8), np.float32), GeoBox((8, 8), Affine.scale(10, -10), 32633), ["a"])

    def tag(p: params.Parameters) -> str | None:
        study.begin(p)
        writing.write(home / "x.tif", layer)
        return raster.tags(home / "x.tif").get("attribution")

    assert tag(FEATURES) == "SIMULATED data"
    assert tag(params.Download(study="s")) is None
    catalog.write(home / "outputs/s/catalog.json", Catalog([]))
    assert tag(FEATURES) is None
