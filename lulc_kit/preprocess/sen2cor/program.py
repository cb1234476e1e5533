"""Atmospheric correction by Sen2Cor, ESA's own program: run it on a batch of products.

Sen2Cor is installed by the user (https://step.esa.int/main/snap-supported-plugins/sen2cor/) and is not part
of the kit. **This driver was tested against a stand-in program that behaves as Sen2Cor is documented to; it
has not been run against the real one.** If the real one behaves otherwise, its output is in the product's log
file.

Sen2Cor fails where the empty folders ``AUX_DATA``, ``HTML`` or ``DATASTRIP/*/QI_DATA`` are missing, as many download
services leave them out; so it works on a stand-in of the product that has them. It writes into the work folder, and
only a complete product is moved beside the others: a batch that was stopped goes on where it was.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import escape

from lulc_kit import progress
from lulc_kit.errors import FormatError, LulcError
from lulc_kit.preprocess import external
from lulc_kit.preprocess.sen2cor.versions import Installation, choose, l2a_pattern
from lulc_kit.safe.source import parse_xml

_PROGRESS = re.compile(r"Progress\[%\]:\s*(\d+)")
_SUCCESS = "Application terminated successfully"
_FAILURE = "Application terminated with at least one error"
_WRONG_VERSION = "Product metadata file cannot be read"


def process(
    products: Sequence[Path], output: Path, *, installations: Sequence[Installation], timeout: float
) -> tuple[list[Path], list[LulcError]]:
    """Correct a batch of Level-1C products, one after the other.

    Parameters
    ----------
    products
        ``.SAFE`` folders. They are only read.
    output
        Folder for the Level-2A products; logs go to ``sen2cor_logs`` in it. Also holds the work folder
        ``.sen2cor`` while a batch runs, so let one batch at a time write to it. On Windows keep its path
        short: products have long file names.
    installations
        From `versions.find`.
    timeout
        Seconds for one product (ten minutes are usual, without terrain correction); then it is killed with
        all it started.

    Returns
    -------
    list of Path
        The Level-2A products: what was made, and what was there and complete, in the order of ``products``.
    list of LulcError
        What went wrong with the others and what to do. A failure does not stop the batch.

    Raises
    ------
    LulcError
        Before anything is started: if no Sen2Cor is installed.
    """
    if not installations:
        raise LulcError(
            "No Sen2Cor was found. Install it from https://step.esa.int and give its folder, choose Level-2A "
            "products, or use the simple dark-object correction."
        )
    output.mkdir(parents=True, exist_ok=True)
    work = output / ".sen2cor"
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    made: list[Path] = []
    failed: list[LulcError] = []
    with progress.bar(100 * len(products), "Sen2Cor", "%") as bar:
        for number, product in enumerate(products):
            try:
                made.append(_correct(product, output, work, installations, timeout, partial(_advance, bar, number)))
            except LulcError as error:
                failed.append(error)
            except OSError as error:
                failed.append(LulcError(f"{product.name}: {error}"))
            finally:
                shutil.rmtree(work, ignore_errors=True)
            _advance(bar, number, 100)
    return made, failed


def _advance(bar: Any, number: int, percent: int) -> None:
    """Show how far a batch is; what Sen2Cor says may go back."""
    bar.update(max(0, 100 * number + percent - bar.n))


def mirror(product: Path, folder: Path) -> Path:
    """Make a stand-in of a product, in a folder, with the folders whose absence makes Sen2Cor fail.

    Images are links, or copies where the system allows no links; the other files are copies, so that nothing written
    there can reach the original.
    """
    twin = folder / product.name
    shutil.copytree(product.resolve(), twin, copy_function=_link_image)
    for path in (twin / "AUX_DATA", twin / "HTML", *(strip / "QI_DATA" for strip in (twin / "DATASTRIP").glob("*/"))):
        path.mkdir(exist_ok=True)
    return twin


def _correct(
    path: Path,
    output: Path,
    work: Path,
    installations: Sequence[Installation],
    timeout: float,
    report: Callable[[int], None],
) -> Path:
    if not path.is_dir():
        raise LulcError(f"{path} is not a folder; Sen2Cor takes unpacked .SAFE folders. Unzip the product first.")
    pattern = l2a_pattern(path.name)
    if existing := _find_complete(pattern, output):
        return existing
    installation = choose(path, installations)
    results = work / "out"
    results.mkdir(parents=True)
    twin = mirror(path, work / "in")
    command = [str(installation.program), *_target(installation, results.resolve(), work), str(twin.resolve())]
    log = output / "sen2cor_logs" / f"{path.stem}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {installation}\n{subprocess.list2cmdline(command)}\n")
        code, text, expired = _run(command, work, timeout, stream, report)
        stream.write(f"exit status {code}{', killed after the time-out' if expired else ''}\n\n")
    found = _find_complete(pattern, results) or _find_complete(pattern, work / "in")
    # the exit status of old versions does not tell; the last line and the product do
    if found and not expired and _FAILURE not in text and (_SUCCESS in text or code == 0):
        target = output / found.name
        if target.exists():  # incomplete, or it would not have been made again; it is not ours to delete
            raise LulcError(f"{target} is in the way, and is not a complete product. Move it away and run again.")
        return found.rename(target)
    last = next((line for line in reversed(text.splitlines()) if line.strip() and _FAILURE not in line), "")
    reason = f"it ended with exit status {code} and left no complete product; its last words: {last.strip()!r}."
    if expired:
        reason = f"it was not done after {timeout:.0f} s and was stopped. Give it more time: sen2cor_timeout."
    elif _WRONG_VERSION in text:
        reason = "this version does not understand the product's format. Install one that is made for it."
    raise LulcError(f"{installation} failed on {path.name}: {reason} Log: {log}")


def _run(
    command: list[str], folder: Path, timeout: float, log: IO[str], report: Callable[[int], None]
) -> tuple[int, str, bool]:
    """Run to the end or the time-out: exit status, the last thousand lines, whether it was killed."""
    lines: list[str] = []
    process = external.start(command, folder)
    assert process.stdout is not None  # we asked for a pipe
    try:
        with process.stdout, external.deadline(process, timeout) as expired:
            for line in process.stdout:
                log.write(line)
                log.flush()
                lines = [*lines[-999:], line]
                if match := _PROGRESS.search(line):
                    report(min(int(match[1]), 99))
            process.wait()
    except BaseException:  # above all the user's interrupt: leave nothing running
        external.kill(process)
        raise
    return process.returncode, "".join(lines), expired.is_set()


def _target(installation: Installation, results: Path, work: Path) -> list[str]:
    """Options that make Sen2Cor write to a folder: 2.5.5 takes it from its settings, of which it gets a copy."""
    if installation.has_output_dir:
        return ["--output_dir", str(results)]
    home = Path.home() / "sen2cor" / ".".join(map(str, installation.version[:2]))
    settings = Path(os.environ.get("SEN2COR_HOME", home)) / "cfg" / "L2A_GIPP.xml"
    if not settings.is_file():  # never written: their default holds, which is to write beside the (mirrored) product
        return []
    value = f"<Target_Directory>{escape(str(results))}</Target_Directory>"
    text = settings.read_text(encoding="utf-8")
    text, count = re.subn(r"<Target_Directory>[^<]*</Target_Directory>", lambda _: value, text)
    if count != 1:
        raise FormatError(f"{settings} has {count} entries Target_Directory; expected one. Restore Sen2Cor's own file.")
    copy = work / "L2A_GIPP.xml"
    copy.write_text(text, encoding="utf-8")
    return ["--GIP_L2A", str(copy.resolve())]


def _link_image(source: str, target: str) -> None:
    if source.lower().endswith(".jp2"):
        with contextlib.suppress(OSError, NotImplementedError):
            Path(target).symlink_to(source)
            return
    shutil.copyfile(source, target)


def _find_complete(pattern: re.Pattern[str], folder: Path) -> Path | None:
    """Find the newest complete Level-2A product of a name: its metadata and every image they list, 10 m and SCL too."""
    names = sorted((path for path in folder.glob("S2*.SAFE") if pattern.fullmatch(path.name)), reverse=True)
    return next(filter(_is_complete, names), None)


def _is_complete(path: Path) -> bool:
    files = [*path.glob("MTD_MSIL2A.xml"), *path.glob("S2*_MTD_SAFL2A_*.xml")]
    try:
        with files[0].open("rb") as stream:
            root = parse_xml(stream, files[0].name)
    except (IndexError, OSError, LulcError):  # no file, cut off, not XML
        return False
    listed = [path / f"{(node.text or '').strip()}.jp2" for node in root.iter("IMAGE_FILE")]
    if any(not file.is_file() or file.stat().st_size == 0 for file in listed):
        return False
    return any(path.glob("GRANULE/*/IMG_DATA/R10m/*_B02_*.jp2")) and any(path.rglob("*_SCL_*.jp2"))
