"""The driver against a stand-in that behaves as Sen2Cor is documented to; the real program is never run."""

import contextlib
import os
import stat
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lulc_kit import progress
from lulc_kit.errors import LulcError
from lulc_kit.preprocess import external
from lulc_kit.preprocess.sen2cor import program as sen2cor
from lulc_kit.preprocess.sen2cor import versions as sen2cor_versions

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in is started by its #! line")

STAND_IN = r'''#!{python}
"""Says and does what Sen2Cor {version} is documented to; behaviour.txt tells how it goes on."""
import argparse, html, os, re, subprocess, sys, time
from pathlib import Path

processor = ("Sentinel-2 Level 2A Processor (Sen2Cor). Version: {version}, created: 2018.03.19, "
             "supporting Level-1C product version {formats}")
parser = argparse.ArgumentParser(description=processor + ".")
parser.add_argument("input_dir")
parser.add_argument("--resolution", type=int, choices=[10, 20, 60])
if {output_dir}:
    parser.add_argument("--output_dir")
parser.add_argument("--GIP_L2A")
args = parser.parse_args()

def say(text):
    print(text, flush=True)

def progress(percent, what):
    times = "elapsed time[s]: 0.1, total: 0:00:01.0"
    say(f"Progress[%]: {{percent:.2f}} : PID-{{os.getpid()}}, {{what}}, {{times}}")

def fail():
    say("Progress[%]: 100.00 : Application terminated with at least one error.\n")
    sys.exit(1)

source = Path(args.input_dir)
behaviour = (source / "behaviour.txt").read_text()
say(processor + " started ...")
if behaviour == "old format" and {output_dir}:
    say("[CRITICAL]  Product metadata file cannot be read.")
    fail()
strips = list((source / "DATASTRIP").glob("*"))
needed = [source / "AUX_DATA", source / "HTML", *(strip / "QI_DATA" for strip in strips)]
if not all(path.is_dir() for path in needed):
    say("[CRITICAL]  L2A_Config: 3181   Error in creating L2A User Product")
    fail()
target = source.parent
if getattr(args, "output_dir", None):
    target = Path(args.output_dir)
elif args.GIP_L2A:
    setting = re.search("<Target_Directory>(.*)</Target_Directory>", Path(args.GIP_L2A).read_text())[1]
    setting = html.unescape(setting)
    target = target if setting == "DEFAULT" else Path(setting)
(source / "MTD_MSIL1C.xml").write_text("scribbled over")  # must never reach the user's product
(source / "left.h5").write_text("temporary")
name = re.sub("MSIL1C", "MSIL2A", re.sub(r"_N\d{{4}}_", "_N9999_", source.name))
images = target / name / "GRANULE" / "L2A_T33UUU" / "IMG_DATA"
files = []
for percent, resolution in ((30, 60), (60, 20), (90, 10)):
    progress(percent, f"L2A_AtmCorr: resolution {{resolution}}")
    (images / f"R{{resolution}}m").mkdir(parents=True)
    for band in ("B02", "SCL") if resolution != 10 else ("B02",):
        file = images / f"R{{resolution}}m" / f"T33UUU_{{band}}_{{resolution}}m.jp2"
        file.write_bytes(b"pixels")
        files.append(file.relative_to(target / name).with_suffix(""))
    if resolution == 20 and behaviour == "hang":
        sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
        child = subprocess.Popen(sleeper, start_new_session=True)
        say(f"child {{child.pid}}")
        time.sleep(600)
    if resolution == 20 and behaviour == "crash":
        raise MemoryError
    if resolution == 20 and behaviour == "killed":
        os.kill(os.getpid(), 9)
if behaviour == "partial":
    (target / name / f"{{files[-1]}}.jp2").unlink()
listed = "".join(f"<IMAGE_FILE>{{file}}</IMAGE_FILE>" for file in files)
(target / name / "MTD_MSIL2A.xml").write_text(f"<n1:x xmlns:n1='https://psd-14'>{{listed}}</n1:x>")
if behaviour == "error":
    say("IOError: [Errno 28] No space left on device")
    fail()
say("Progress[%]: 100.00 : Application terminated successfully.\n")
sys.exit({status})
'''

FORMATS = {"2.5.5": "<= 14.5", "2.8.0": "14.2 - 14.5", "02.11.00": "14.2 - 14.9", "03.03.01": "15.0"}


def install(folder, version):
    """Put a stand-in where an installer would."""
    program = folder / f"Sen2Cor-{version}-Linux64" / "bin" / "L2A_Process"
    program.parent.mkdir(parents=True)
    old = version == "2.5.5"
    program.write_text(
        STAND_IN.format(
            python=sys.executable,
            version=version,
            formats=FORMATS[version],
            output_dir=not old,
            status=int(old),
        )
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def make_product(folder, *, tile="T33UUU", baseline="02.06", psd=14, behaviour="fine", folders=False):
    """A Level-1C product without pixels, and without the empty folders unless asked for."""
    product = folder / f"S2A_MSIL1C_20180101T105441_N{baseline.replace('.', '')}_R051_{tile}_20180101T124911.SAFE"
    images = product / "GRANULE" / f"L1C_{tile}_A013204_20180101T105435" / "IMG_DATA"
    images.mkdir(parents=True)
    for band in (*(f"B{number:02d}" for number in range(1, 13)), "B8A"):
        (images / f"{tile}_20180101T105441_{band}.jp2").write_bytes(b"pixels")
    (product / "DATASTRIP" / "DS_1").mkdir(parents=True)
    (product / "DATASTRIP" / "DS_1" / "MTD_DS.xml").write_text("<x/>")
    (product / "behaviour.txt").write_text(behaviour)
    (product / "MTD_MSIL1C.xml").write_text(
        f'<n1:Level-1C_User_Product xmlns:n1="https://psd-{psd}.sentinel2.eo.esa.int/PSD/User_Product_Level-1C.xsd">'
        f"<n1:General_Info><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></n1:General_Info>"
        "</n1:Level-1C_User_Product>"
    )
    if folders:
        (product / "AUX_DATA").mkdir()
        (product / "HTML").mkdir()
    return product


def snapshot(folder):
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Nothing of the machine that runs the tests is looked at."""
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.delenv("SEN2COR_HOME", raising=False)
    real = sen2cor_versions._usual_folders
    monkeypatch.setattr(
        sen2cor_versions, "_usual_folders", lambda: [folder for folder in real() if folder.is_relative_to(tmp_path)]
    )
    return place


@pytest.fixture
def current(tmp_path):
    return [sen2cor.probe(install(tmp_path / "programs", "02.11.00"))]


# Which versions there are


def test_versions_are_found_by_configuration_path_and_usual_folders(tmp_path, home, monkeypatch):
    configured = install(tmp_path / "anywhere", "2.5.5")
    on_path = install(tmp_path / "tools", "2.8.0")
    install(home, "02.11.00")
    install(home / ".snap/auxdata", "03.03.01")
    monkeypatch.setenv("PATH", f"{tmp_path / 'nowhere'}{os.pathsep}{on_path.parent}")
    found = sen2cor.find([configured.parents[1]])
    assert [installation.version for installation in found] == [(3, 3, 1), (2, 11, 0), (2, 8, 0), (2, 5, 5)]
    assert [installation.first_format for installation in found] == [(15, 0), (14, 2), (14, 2), (0,)]
    assert [installation.last_format for installation in found] == [(15, 0), (14, 9), (14, 5), (14, 5)]
    assert [installation.has_output_dir for installation in found] == [True, True, True, False]
    assert found[-1].program == configured


def test_configured_comes_before_found_of_the_same_version(tmp_path, home):
    install(home, "02.11.00")
    mine = install(tmp_path / "mine", "02.11.00")
    assert [installation.program for installation in sen2cor.find([mine])] == [mine]


def test_batch_file_is_recognised_in_a_folder(tmp_path):
    folder = tmp_path / "Sen2Cor-02.11.00-win64"
    folder.mkdir()
    (folder / "L2A_Process.bat").write_text("@echo off")
    assert sen2cor_versions._program_in(folder) == folder / "L2A_Process.bat"


def test_windows_is_looked_through_for_the_batch_file(tmp_path, home, monkeypatch):
    """As if on Windows: what is on the PATH has the ending .bat, and programs lie in the drive's program folders."""
    for folder, version in (("tools", "2.8.0"), ("Program Files", "02.11.00")):
        program = install(tmp_path / folder, version)
        program.rename(program.with_suffix(".bat"))
    install(tmp_path / "linux", "03.03.01")
    on_path = [next((tmp_path / folder).rglob("L2A_Process*")).parent for folder in ("tools", "linux")]
    variables = {"PATH": os.pathsep.join(map(str, on_path)), "PROGRAMFILES": str(tmp_path / "Program Files")}
    windows = SimpleNamespace(name="nt", environ=variables, pathsep=os.pathsep, access=os.access, X_OK=os.X_OK)
    monkeypatch.setattr(sen2cor_versions, "os", windows)
    found = sen2cor.find()
    assert [(installation.version, installation.program.suffix) for installation in found] == [
        ((2, 11, 0), ".bat"),
        ((2, 8, 0), ".bat"),
    ]
    outcome = sen2cor.process([make_product(tmp_path)], tmp_path / "out", installations=found)[0]
    assert outcome.status == "done", outcome.message


def test_batch_file_never_gets_what_its_shell_would_interpret(tmp_path):
    with pytest.raises(LulcError, match="batch files"):
        external.start([r"C:\Sen2Cor\L2A_Process.bat", r"C:\data & more\x.SAFE"], tmp_path)


def test_nothing_installed(tmp_path):
    assert sen2cor.find() == []
    with pytest.raises(LulcError, match="dark-object"):
        sen2cor.process([], tmp_path / "out", installations=[])


def test_configured_but_not_there(tmp_path):
    with pytest.raises(LulcError, match="no L2A_Process"):
        sen2cor.find([tmp_path])


@pytest.mark.parametrize(
    ("script", "message"), [("echo hello", "does not answer as Sen2Cor"), ("sleep 60", "within 1 s")]
)
def test_a_program_that_is_not_sen2cor(tmp_path, home, script, message):
    program = home / "Sen2Cor-fake" / "L2A_Process"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n")
    program.chmod(0o755)
    start = time.monotonic()
    with pytest.raises(LulcError, match=message):
        sen2cor.find([program], timeout=1)
    assert time.monotonic() - start < 10
    assert sen2cor.find(timeout=1) == []  # not configured, only found: left out


def test_a_program_that_cannot_start(tmp_path):
    program = tmp_path / "L2A_Process"
    program.write_text("no interpreter")
    with pytest.raises(LulcError, match="cannot be started"):
        sen2cor.probe(program)


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
    there = [sen2cor.probe(install(tmp_path, name)) for name in FORMATS]
    product = sen2cor.read_product(make_product(tmp_path, baseline=baseline, psd=psd))
    assert sen2cor.choose(product, there).version == version


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
    product = sen2cor.read_product(make_product(tmp_path, baseline=baseline, psd=psd))
    with pytest.raises(LulcError, match=needed) as caught:
        sen2cor.choose(product, [sen2cor.probe(install(tmp_path, have))])
    assert f"baseline {baseline}" in str(caught.value)
    assert "L2A_Process" in str(caught.value)


def test_broken_products(tmp_path):
    with pytest.raises(LulcError, match="Unzip"):
        sen2cor.read_product(tmp_path / "a.zip")
    with pytest.raises(LulcError, match=r"no MTD_MSIL1C\.xml"):
        sen2cor.read_product(tmp_path)
    product = make_product(tmp_path)
    next(product.rglob("*_B11.jp2")).unlink()
    with pytest.raises(LulcError, match="no image of B11"):
        sen2cor.read_product(product)
    metadata = product / "MTD_MSIL1C.xml"
    metadata.write_text(metadata.read_text().replace("02.06", "soon"))
    with pytest.raises(LulcError, match="'soon'"):
        sen2cor.read_product(product)
    metadata.write_text('<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>')
    with pytest.raises(LulcError, match="cannot be read as XML"):
        sen2cor.read_product(product)


def test_long_names_of_2016():
    old = "S2A_OPER_PRD_MSIL1C_PDMC_20160702T015653_R065_V20160701T102057_20160701T102057.SAFE"
    pattern = sen2cor.Product(Path(old), (2, 4), 13).l2a_pattern
    assert pattern.fullmatch("S2A_USER_PRD_MSIL2A_PDMC_20160702T015653_R065_V20160701T102057_20160701T102057.SAFE")
    assert not pattern.fullmatch(old)


# Running


def test_batch_leaves_complete_products_logs_and_the_input_as_it_was(tmp_path, current, capsys, monkeypatch):
    products = [make_product(tmp_path / "in", tile=tile) for tile in ("T33UUU", "T33UVU")]
    before = snapshot(tmp_path / "in")
    output = tmp_path / "out"
    monkeypatch.setattr(progress, "SILENT", 0.0)  # the stand-in is quick
    outcomes = sen2cor.process(products, output, installations=current)
    assert [outcome.status for outcome in outcomes] == ["done", "done"]
    assert snapshot(tmp_path / "in") == before
    for outcome in outcomes:
        assert outcome.output.parent == output
        assert (outcome.output / "MTD_MSIL2A.xml").is_file()
        log = outcome.log.read_text()
        assert "Application terminated successfully" in log
        assert "2.11.0" in log
    assert sorted(path.name for path in output.iterdir()) == sorted(
        [outcomes[0].output.name, outcomes[1].output.name, "sen2cor_logs"]
    )
    logs = [outcome.log.read_text() for outcome in outcomes]
    assert [[product.name in log for product in products] for log in logs] == [[True, False], [False, True]]
    assert "Sen2Cor: 200/200" in capsys.readouterr().out


def test_the_bar_moves_with_what_the_program_says(tmp_path, current, monkeypatch):
    """The stand-in says 30, 60 and 90 %; two products make 200."""
    steps = []

    @contextlib.contextmanager
    def bar(total, *_):
        assert total == 200
        yield SimpleNamespace(update=steps.append)

    monkeypatch.setattr(progress, "bar", bar)
    products = [make_product(tmp_path, tile=tile) for tile in ("T33UUU", "T33UVU")]
    sen2cor.process(products, tmp_path / "out", installations=current)
    assert steps == [30, 30, 30, 9, 1] * 2


def test_batch_is_resumed(tmp_path, current):
    products = [make_product(tmp_path, tile=tile) for tile in ("T33UUU", "T33UVU")]
    output = tmp_path / "out"
    first = sen2cor.process(products[:1], output, installations=current)
    made = first[0].output / "MTD_MSIL2A.xml"
    stamp = made.stat().st_mtime_ns
    second = sen2cor.process(products, output, installations=current)
    assert [outcome.status for outcome in second] == ["skipped", "done"]
    assert second[0].output == first[0].output
    assert made.stat().st_mtime_ns == stamp


def test_rest_of_a_killed_batch_is_cleared_away(tmp_path, current):
    rest = tmp_path / "out" / ".sen2cor" / "7" / "out" / "half.SAFE"
    rest.mkdir(parents=True)
    sen2cor.process([make_product(tmp_path)], tmp_path / "out", installations=current)
    assert not (tmp_path / "out" / ".sen2cor").exists()


def test_incomplete_result_is_not_taken_and_not_deleted(tmp_path, current):
    product = make_product(tmp_path)
    output = tmp_path / "out"
    made = sen2cor.process([product], output, installations=current)[0].output
    next(made.rglob("*_B02_10m.jp2")).write_bytes(b"")
    outcome = sen2cor.process([product], output, installations=current)[0]
    assert outcome.status == "failed"
    assert "in the way" in outcome.message
    assert made.is_dir()


def test_old_version_writes_where_its_settings_say(tmp_path, home):
    old = [sen2cor.probe(install(tmp_path / "programs", "2.5.5"))]
    settings = home / "sen2cor" / "2.5" / "cfg" / "L2A_GIPP.xml"
    settings.parent.mkdir(parents=True)
    settings.write_text("<x><Target_Directory>/elsewhere</Target_Directory><Nr_Processes>1</Nr_Processes></x>")
    product = make_product(tmp_path, baseline="02.04")
    outcome = sen2cor.process([product], tmp_path / "out & more", installations=old)[0]
    assert outcome.status == "done", outcome.message
    assert outcome.output.parent == tmp_path / "out & more"
    assert "/elsewhere" in settings.read_text()


def test_old_version_that_was_never_configured(tmp_path):
    old = [sen2cor.probe(install(tmp_path / "programs", "2.5.5"))]
    product = make_product(tmp_path, baseline="02.04")
    outcome = sen2cor.process([product], tmp_path / "out", installations=old)[0]
    assert outcome.status == "done", outcome.message
    assert not list(tmp_path.glob("*MSIL2A*"))


def test_settings_without_a_target(tmp_path):
    old = [sen2cor.probe(install(tmp_path / "programs", "2.5.5"))]
    gipp = tmp_path / "mine.xml"
    gipp.write_text("<x/>")
    outcome = sen2cor.process(
        [make_product(tmp_path, baseline="02.04")], tmp_path / "out", installations=old, gipp=gipp
    )
    assert "Target_Directory" in outcome[0].message
    with pytest.raises(LulcError, match="no settings file"):
        sen2cor.process([], tmp_path / "out", installations=old, gipp=tmp_path / "none.xml")


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("error", "disk is full"),
        ("crash", "memory was not enough"),
        ("killed", "system killed it"),
        ("partial", "left no complete product"),
        ("old format", "does not understand the product's format"),
    ],
)
def test_failures_are_named_and_the_batch_goes_on(tmp_path, current, behaviour, said):
    bad = make_product(tmp_path / "in", behaviour=behaviour)
    good = make_product(tmp_path / "in", tile="T33UVU", folders=True)
    outcomes = sen2cor.process([bad, good], tmp_path / "out", installations=current)
    assert [outcome.status for outcome in outcomes] == ["failed", "done"]
    assert said in outcomes[0].message
    assert bad.name in outcomes[0].message
    assert outcomes[0].log.is_file()
    assert [path.name for path in (tmp_path / "out").glob("*.SAFE")] == [outcomes[1].output.name]
    assert not (tmp_path / "out" / ".sen2cor").exists()


def test_time_out_stops_all_that_was_started(tmp_path, current):
    product = make_product(tmp_path, behaviour="hang")
    start = time.monotonic()
    outcome = sen2cor.process([product], tmp_path / "out", installations=current, timeout=3)[0]
    assert time.monotonic() - start < 20
    assert outcome.status == "failed"
    assert "3 s" in outcome.message
    log = outcome.log.read_text()
    child = int(log.split("child ")[1].split()[0])
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the grandchild is still running"
        time.sleep(0.05)
    assert "killed after the time-out" in log


def test_two_at_a_time(tmp_path, current):
    products = [make_product(tmp_path, tile=f"T33UU{letter}") for letter in "ABCD"]
    outcomes = sen2cor.process(products, tmp_path / "out", installations=current, workers=2)
    assert [outcome.product for outcome in outcomes] == products
    assert {outcome.status for outcome in outcomes} == {"done"}


def test_interrupt_stops_the_program(tmp_path, current, monkeypatch):
    started = []
    real = external.start

    def start(*arguments):
        started.append(real(*arguments))
        return started[-1]

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(external, "start", start)
    monkeypatch.setattr(
        "lulc_kit.preprocess.sen2cor.program._PROGRESS", type("Pattern", (), {"search": staticmethod(interrupt)})
    )
    with pytest.raises(KeyboardInterrupt):
        sen2cor.process([make_product(tmp_path, behaviour="hang")], tmp_path / "out", installations=current)
    assert started[0].wait(timeout=5) != 0
    assert not list((tmp_path / "out").glob("*.SAFE"))


def test_one_acquisition_twice_is_refused(tmp_path, current):
    products = [make_product(tmp_path, baseline=baseline) for baseline in ("02.06", "05.00")]
    with pytest.raises(LulcError, match="same acquisition"):
        sen2cor.process(products, tmp_path / "out", installations=current)


def test_renamed_product(tmp_path, current):
    product = make_product(tmp_path)
    outcome = sen2cor.process([product.rename(tmp_path / "berlin.SAFE")], tmp_path / "out", installations=current)[0]
    assert outcome.status == "failed"
    assert "original name" in outcome.message


def test_mirror_copies_where_links_are_not_allowed(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("privilege not held")

    product = make_product(tmp_path)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    twin = sen2cor.mirror(product, tmp_path / "work")
    images = list(twin.rglob("*.jp2"))
    assert len(images) == 13
    assert not any(image.is_symlink() for image in images)
    assert (twin / "DATASTRIP" / "DS_1" / "QI_DATA").is_dir()


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (
            "[CRITICAL]  L2A_Config: 3181   Error in creating L2A User Product",
            "folder or file of the product is missing",
        ),
        ("identifier S2A_x must match the following mask: S2?_*", "original name"),
        ("no tile in GRANULE folder found", "image is missing"),
        ("L2A_Tables: No such file or directory: IMG_DATA/T33UUU_B02.jp2", "image is missing"),
        ("numpy.core._exceptions.MemoryError: Unable to allocate 230 MiB", "memory was not enough"),
        ("Schema error in L2A_GIPP.xml: L2A_GIPP.xml is not valid", "belongs to another version"),
        ("<urlopen error [Errno -2] Name or service not known>", "elevation model could not be downloaded"),
        ("IOError: [Errno 13] Permission denied: '/root/sen2cor'", "could not write"),
    ],
)
def test_known_errors_have_their_remedy(said, advice):
    assert advice in sen2cor.remedy(said)


def test_unknown_error_has_no_remedy():
    assert sen2cor.remedy("all is well") is None


SHARED = Path(__file__).parents[3] / "shared" / "data" / "safe_metadata"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data (../shared/data) are not here")
def test_real_metadata_of_a_product_with_one_band():
    product = next(SHARED.glob("S2A_MSIL1C_*"))
    with pytest.raises(LulcError, match="no image of B02"):
        sen2cor.read_product(product)
