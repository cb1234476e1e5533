"""Which version of Sen2Cor there is and which a product needs, with stand-ins; the real program is never run."""

import os
import time

import pytest

from lulc_kit.errors import LulcError
from lulc_kit.preprocess.sen2cor import program, versions
from tests.sen2cor import FORMATS, install, make_product

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in is started by its #! line")


def test_versions_are_found_by_configuration_path_and_usual_folders(tmp_path, home, monkeypatch):
    configured = install(tmp_path / "anywhere", "2.5.5")
    on_path = install(tmp_path / "tools", "2.8.0")
    install(home, "02.11.00")
    install(home / ".snap/auxdata", "03.03.01")
    monkeypatch.setenv("PATH", f"{tmp_path / 'nowhere'}{os.pathsep}{on_path.parent}")
    found = versions.find([configured.parents[1]])
    assert [installation.version for installation in found] == [(3, 3, 1), (2, 11, 0), (2, 8, 0), (2, 5, 5)]
    assert [installation.first_format for installation in found] == [(15, 0), (14, 2), (14, 2), (0,)]
    assert [installation.last_format for installation in found] == [(15, 0), (14, 9), (14, 5), (14, 5)]
    assert [installation.has_output_dir for installation in found] == [True, True, True, False]
    assert found[-1].program == configured


def test_configured_comes_before_found_of_the_same_version(tmp_path, home):
    install(home, "02.11.00")
    mine = install(tmp_path / "mine", "02.11.00")
    assert [installation.program for installation in versions.find([mine])] == [mine]


def test_batch_file_is_recognised_in_a_folder(tmp_path):
    folder = tmp_path / "Sen2Cor-02.11.00-win64"
    folder.mkdir()
    (folder / "L2A_Process.bat").write_text("@echo off")
    assert versions._program_in(folder) == folder / "L2A_Process.bat"


def test_a_batch_file_is_run_as_the_program(tmp_path, home):
    """What Windows has; the stand-in is started here by its #! line."""
    placed = install(home, "02.11.00")
    batch = placed.rename(placed.with_suffix(".bat"))
    found = versions.find()
    assert [(installation.version, installation.program) for installation in found] == [((2, 11, 0), batch)]
    made, _ = program.process([make_product(tmp_path)], tmp_path / "out", installations=found, timeout=60)
    assert len(made) == 1


def test_nothing_installed(tmp_path):
    assert versions.find() == []
    with pytest.raises(LulcError, match="dark-object"):
        program.process([], tmp_path / "out", installations=[], timeout=60)


def test_configured_but_not_there(tmp_path):
    with pytest.raises(LulcError, match="no L2A_Process"):
        versions.find([tmp_path])


@pytest.mark.parametrize(
    ("script", "message"), [("echo hello", "does not answer as Sen2Cor"), ("sleep 60", "within 1 s")]
)
def test_a_program_that_is_not_sen2cor(tmp_path, home, script, message, monkeypatch):
    monkeypatch.setattr(versions, "ANSWER", 1.0)
    fake = home / "Sen2Cor-fake" / "L2A_Process"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n")
    fake.chmod(0o755)
    start = time.monotonic()
    with pytest.raises(LulcError, match=message):
        versions.find([fake])
    assert time.monotonic() - start < 10
    assert versions.find() == []  # not configured, only found: left out


def test_a_program_that_cannot_start(tmp_path):
    fake = tmp_path / "L2A_Process"
    fake.write_text("no interpreter")
    with pytest.raises(LulcError, match="cannot be started"):
        versions.probe(fake)


# Which version a product needs


@pytest.mark.parametrize(
    ("baseline", "psd", "version"),
    [
        ("02.04", 13, (2, 5, 5)),
        ("02.04", 14, (2, 5, 5)),
        ("02.05", 14, (2, 11, 0)),
        ("02.10", 14, (2, 11, 0)),
        ("05.09", 14, (2, 11, 0)),
        ("05.11", 15, (3, 3, 1)),
    ],
)
def test_version_is_chosen_by_the_metadata(tmp_path, baseline, psd, version):
    there = [versions.probe(install(tmp_path, name)) for name in FORMATS]
    product = make_product(tmp_path, baseline=baseline, psd=psd)
    assert versions.choose(product, there).version == version


@pytest.mark.parametrize(
    ("baseline", "psd", "have", "needed"),
    [
        ("02.04", 14, "02.11.00", "Sen2Cor 2.5.5"),
        ("02.06", 14, "2.5.5", "2.10 to 2.12"),
        ("03.00", 14, "2.8.0", "2.10 to 2.12"),
        ("05.11", 15, "02.11.00", "3.3 or later"),
    ],
)
def test_no_version_fits(tmp_path, baseline, psd, have, needed):
    product = make_product(tmp_path, baseline=baseline, psd=psd)
    with pytest.raises(LulcError, match=needed) as caught:
        versions.choose(product, [versions.probe(install(tmp_path, have))])
    assert f"baseline {baseline}" in str(caught.value)
    assert "L2A_Process" in str(caught.value)


def test_broken_products(tmp_path):
    with pytest.raises(LulcError, match=r"no MTD_MSIL1C\.xml"):
        versions.choose(tmp_path, [])
    product = make_product(tmp_path)
    metadata = product / "MTD_MSIL1C.xml"
    metadata.write_text(metadata.read_text().replace("02.06", "soon"))
    with pytest.raises(LulcError, match="'soon'"):
        versions.choose(product, [])
    metadata.write_text('<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>')
    with pytest.raises(LulcError, match="document type"):
        versions.choose(product, [])


def test_long_names_of_2016():
    old = "S2A_OPER_PRD_MSIL1C_PDMC_20160702T015653_R065_V20160701T102057_20160701T102057.SAFE"
    pattern = versions.l2a_pattern(old)
    assert pattern.fullmatch("S2A_USER_PRD_MSIL2A_PDMC_20160702T015653_R065_V20160701T102057_20160701T102057.SAFE")
    assert not pattern.fullmatch(old)
