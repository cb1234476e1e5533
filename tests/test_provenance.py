"""Which code and which files a result was made of."""

import hashlib
import sys
from pathlib import Path

import pytest

from lulc_kit import files, provenance


def test_sources_are_all_modules_by_name_with_the_hash_of_their_bytes() -> None:
    found = provenance.sources()
    path = provenance.package() / "raster/reading.py"
    assert found["raster.reading"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found["raster"] == files.sha256(provenance.package() / "raster/__init__.py")
    assert "evaluate/report.html.j2" in found


def test_only_what_was_loaded_and_decides_numbers_is_used(monkeypatch) -> None:
    known = dict.fromkeys(
        ["raster.reading", "study", "visualize.maps", "evaluate", "evaluate/x.html.j2", "deep.a"], "1"
    )
    loaded = {f"lulc_kit.{name}": None for name in known if "." in name or name in ("study", "evaluate")}
    for name in [m for m in sys.modules if m.startswith("lulc_kit.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in loaded:
        if name not in ("lulc_kit.deep.a", "lulc_kit.evaluate/x.html.j2"):
            monkeypatch.setitem(sys.modules, name, sys)
    assert set(provenance.find_used(known, pictures=False)) == {"raster.reading", "evaluate", "evaluate/x.html.j2"}
    assert set(provenance.find_used(known, pictures=True)) - set(provenance.find_used(known, pictures=False)) == {
        "visualize.maps"
    }


def test_what_changed_is_named_and_what_is_gone_too() -> None:
    assert provenance.find_changed({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}) == ["b", "c"]


def test_a_known_mark_saves_reading_a_file_again(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("one")
    mark = provenance.FileMark.of(path, "x")
    assert mark.sha256 == hashlib.sha256(b"one").hexdigest()
    known = provenance.FileMark("x", mark.size, mark.mtime_ns, "trusted")
    assert provenance.FileMark.of(path, "x", known) is known
    path.write_text("other")
    assert provenance.FileMark.of(path, "x", known).sha256 == hashlib.sha256(b"other").hexdigest()


def test_versions_and_memory() -> None:
    assert {"python", "lulc_kit", "numpy", "rasterio"} <= set(provenance.versions())
    assert 10 < provenance.peak_memory_mb() < 100_000


@pytest.mark.parametrize(
    ("name", "beside", "others"),
    [
        ("Fields.shp", ["Fields.DBF", "fields.shx", "Fields.prj", "Fields.cpg"], ["Fields2.dbf", "Fields.txt"]),
        ("lc.tif", ["lc.tfw", "lc.tif.aux.xml", "lc.tif.vat.dbf", "lc.qml", "lc.tif.ovr"], ["lc2.tfw", "other.qml"]),
        ("scene[1].img", ["scene[1].hdr"], ["scene1.hdr"]),
        ("fields.tab", ["fields.DAT", "fields.map", "fields.id"], ["field.dat"]),
        ("scene.dat", ["scene.dat.hdr", "scene.hdr"], ["scene.dat2.hdr"]),
    ],
)
def test_a_file_s_companions_are_those_that_change_what_it_says(
    tmp_path: Path, name: str, beside: list[str], others: list[str]
) -> None:
    for one in [name, *beside, *others]:
        (tmp_path / one).touch()
    assert {p.name for p in provenance.companions(tmp_path / name)} == {name, *beside}


def test_a_vrt_s_sources_are_its_companions_with_theirs(tmp_path: Path) -> None:
    for one in ("a.tif", "a.tfw", "b.tif"):
        (tmp_path / one).touch()
    source = '<S><SourceFilename relativeToVRT="1">{}</SourceFilename></S>'
    (tmp_path / "inner.vrt").write_text(f"<V>{source.format('a.tif')}</V>")
    (tmp_path / "outer.vrt").write_text(f"<V>{source.format('inner.vrt')}{source.format('b.tif')}</V>")
    found = {p.name for p in provenance.companions(tmp_path / "outer.vrt")}
    assert found == {"outer.vrt", "inner.vrt", "a.tif", "a.tfw", "b.tif"}
    (tmp_path / "c.nc").touch()
    (tmp_path / "variable.vrt").write_text(f"<V>{source.format('NETCDF:c.nc:B2')}</V>")
    assert {p.name for p in provenance.companions(tmp_path / "variable.vrt")} == {"variable.vrt", "c.nc"}
