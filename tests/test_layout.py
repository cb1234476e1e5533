"""Names of a study's files: documented ones, all different, all inside, and what is listed is what is there."""

from pathlib import Path

from lulc_kit.layout import CubeLayout, Layout, RunLayout
from lulc_kit.map_layers import MAP_LAYERS

FOLDER = Path("outputs/mine")


def names(layout: object) -> dict[str, Path]:
    """Return all properties of a layout that are paths."""
    found = {n: getattr(layout, n) for n, value in vars(type(layout)).items() if isinstance(value, property)}
    return {name: path for name, path in found.items() if isinstance(path, Path)}


def test_no_two_files_have_one_name_and_all_lie_in_the_study() -> None:
    layout = Layout(FOLDER)
    paths = [*names(layout).values(), *names(layout.run("rf")).values(), layout.run("fcn").map]
    paths += [layout.run("rf").layer(name) for name in MAP_LAYERS]
    paths += [layout.run("rf").doubt("care"), layout.run("rf_care").map]
    paths += [
        layout.picture("runs"),
        layout.table("runs"),
        layout.run("fcn").network(1),
        layout.components(),
    ]
    paths += [layout.components("texture"), layout.image("2022-06-15"), layout.mask("2022-06-15")]
    assert len(set(paths)) == len(paths)
    assert [path for path in paths if not path.is_relative_to(FOLDER)] == [layout.lock]


def test_what_is_documented() -> None:
    layout, run = Layout(FOLDER), RunLayout(FOLDER, "rf")
    found = {path.relative_to(FOLDER).as_posix() for path in (layout.stack, layout.samples, run.map, layout.accuracy)}
    assert found == {"features/stack.tif", "samples/samples.parquet", "maps/rf.tif", "report/accuracy.json"}
    assert run.layer("probability").name == "rf_probability.tif"


def test_dates_and_runs_are_those_that_are_there(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.runs() == CubeLayout(layout.cube).dates() == []
    for path in (layout.run("rf").crossval, layout.run("fcn").crossval, layout.run("cut off").about):
        path.parent.mkdir(parents=True)
        path.touch()
    layout.cube.mkdir()
    for day in ("2022-06-20", "2022-06-15"):
        layout.mask(day).touch()
    layout.composite.touch()
    assert layout.runs() == ["fcn", "rf"]
    assert CubeLayout(layout.cube).dates() == ["2022-06-15", "2022-06-20"]
