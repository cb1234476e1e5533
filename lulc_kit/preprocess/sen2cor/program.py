"""Atmospheric correction by Sen2Cor, ESA's own program: find it, choose the version, run a batch of products.

Sen2Cor is installed by the user (https://step.esa.int/main/snap-supported-plugins/sen2cor/) and is not part
of the kit. **This driver was tested against a stand-in program that behaves as Sen2Cor is documented to; it
has not been run against the real one.** If the real one behaves otherwise, its output is in the product's log
file.

What the driver takes care of:

- *Version.* Products of a processing baseline before 02.05 need Sen2Cor 2.5.5, all others a current one whose
accepted
  product format (PSD) fits. Both numbers are read from the product's metadata, never guessed from its date.
- *Missing folders.* Sen2Cor fails where the empty folders ``AUX_DATA``, ``HTML`` or ``DATASTRIP/*/QI_DATA``
are
  missing, as many download services leave them out. They are made in a stand-in of the product inside the
  work folder: metadata copied, images linked (copied where links are not allowed). The user's product is only
  read.
- *Output.* Sen2Cor writes into the work folder. Only a complete product is moved beside the others; a batch
that was
  stopped goes on where it was, and nothing half-written is taken for a result.
- *Failure.* One product's failure does not stop the batch. Everything Sen2Cor said is kept in one log per
product, and
  the errors that users meet most are answered with what to do.
"""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal
from xml.sax.saxutils import escape

from defusedxml import ElementTree

from lulc_kit import progress
from lulc_kit.errors import LulcError
from lulc_kit.preprocess import external
from lulc_kit.preprocess.sen2cor.versions import (
    Installation,
    Product,
    choose,
    dotted,
    find,
    l2a_pattern,
    probe,
    read_product,
    settings_file,
)

__all__ = [
    "Installation",
    "Outcome",
    "Product",
    "choose",
    "find",
    "find_complete",
    "mirror",
    "probe",
    "process",
    "read_product",
    "remedy",
]

_PROGRESS = re.compile(r"Progress\[%\]:\s*(\d+)")
_SUCCESS = "Application terminated successfully"
_FAILURE = "Application terminated with at least one error"
_REMEDIES: tuple[tuple[str, str], ...] = (
    (
        r"[Mm]etadata file cannot be read|no attribute 'SPACECRAFT_NAME'",
        "this version of Sen2Cor does not understand the product's format. Install the version that fits: "
        "2.5.5 for processing baselines before 02.05, 2.10 to 2.12 for format (PSD) 14, "
        "3.3 or later for format 15.",
    ),
    (
        r"Error in creating L2A User Product",
        "a folder or file of the product is missing. Download the product again, with all its folders.",
    ),
    (
        r"must match the following mask",
        "the product's folder was renamed. Give it back its original name, ending in .SAFE.",
    ),
    (
        r"no tile in GRANULE folder found|[Nn]o such file or directory:? .*\.jp2",
        "an image is missing in the product. Download the product again.",
    ),
    (
        r"MemoryError|[Cc]annot allocate memory|Unable to allocate",
        "the memory was not enough. Use workers=1, close other programs, or correct at resolution=20.",
    ),
    (
        r"[Nn]o space left on device|Errno 28",
        "the disk is full. A tile needs about 5 GB of free space while it runs.",
    ),
    (
        r"L2A_GIPP.*(not valid|[Ss]chema|pars|syntax)|([Ss]chema|[Vv]alidat).*L2A_GIPP",
        "the settings file L2A_GIPP.xml belongs to another version of Sen2Cor; a new installation does not "
        "replace the old one. Delete or rename the file in the sen2cor folder of your home, or give "
        "the right one as gipp.",
    ),
    (
        r"urlopen error|HTTP Error|[Cc]onnection (refused|timed out)",
        "an elevation model could not be downloaded. Set DEM_Directory to NONE in L2A_GIPP.xml, or put the "
        "tiles there.",
    ),
    (
        r"Permission denied|Errno 13|cannot create process status file",
        "Sen2Cor could not write. It needs write access to the sen2cor folder of your home and to the output folder.",
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What became of one product of a batch.

    Parameters
    ----------
    product
        The Level-1C product.
    status
        ``"done"``, ``"skipped"`` (a complete result was there), or ``"failed"``.
    output
        The Level-2A product; None if it failed.
    message
        What was done, or what went wrong and what to do.
    log
        Everything Sen2Cor said; None if it was not started.
    seconds
        How long it took.
    """

    product: Path
    status: Literal["done", "skipped", "failed"]
    output: Path | None
    message: str
    log: Path | None = None
    seconds: float = 0.0


def process(
    products: Sequence[Path],
    output: Path,
    *,
    installations: Sequence[Installation],
    resolution: Literal[10, 20, 60] | None = None,
    gipp: Path | None = None,
    timeout: float = 7200.0,
    workers: int = 1,
) -> list[Outcome]:
    """Correct a batch of Level-1C products.

    Parameters
    ----------
    products
        ``.SAFE`` folders. They are only read.
    output
        Folder for the Level-2A products; logs go to ``sen2cor_logs`` in it. Also holds the work folder
        ``.sen2cor`` while a batch runs, so let one batch at a time write to it. On Windows keep its path
        short: products have long file names.
    installations
        From `find`.
    resolution
        Only this one (m); None for all that Sen2Cor makes by default, which is what 10 m maps need.
    gipp
        Settings file ``L2A_GIPP.xml``; None for Sen2Cor's own.
    timeout
        Seconds for one product (ten minutes are usual, without terrain correction); then it is killed with
        all it started.
    workers
        Products at a time. Each takes a core and some 4 to 6 GB of memory.

    Returns
    -------
    list of Outcome
        In the order of ``products``. A failure is an outcome, not an exception: look at ``status``.

    Raises
    ------
    LulcError
        Before anything is started: if no Sen2Cor is installed, the settings file is missing, or two products
        are of the same acquisition and tile.
    """
    if not installations:
        raise LulcError(
            "No Sen2Cor was found. Install it from https://step.esa.int and give its folder, choose Level-2A "
            "products, or use the simple dark-object correction."
        )
    if gipp is not None and not gipp.is_file():
        raise LulcError(f"There is no settings file {gipp}. Give an existing L2A_GIPP.xml, or none.")
    if workers < 1 or timeout <= 0:
        raise LulcError(f"workers is {workers} and timeout {timeout}; expected 1 or more, and more than 0 seconds.")
    _refuse_twins(products)
    output.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(output / ".sen2cor", ignore_errors=True)  # of a run that was killed
    running: set[subprocess.Popen[str]] = set()

    with progress.bar(100 * len(products), "Sen2Cor", "%") as bar:

        def one(number: int) -> Outcome:
            done = 0

            def report(percent: int) -> None:
                nonlocal done
                if percent > done:
                    bar.update(percent - done)
                    done = percent

            work = output / ".sen2cor" / str(number)
            try:
                return _correct(
                    products[number], output, work, installations, resolution, gipp, timeout, running, report
                )
            except (LulcError, OSError) as error:
                return Outcome(Path(products[number]), "failed", None, str(error))
            finally:
                shutil.rmtree(work, ignore_errors=True)
                report(100)

        try:
            if workers == 1:
                return [one(number) for number in range(len(products))]
            with ThreadPoolExecutor(workers) as pool:
                try:
                    return list(pool.map(one, range(len(products))))
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    _stop(running)
                    raise
        except BaseException:  # above all the user's interrupt: leave nothing running
            _stop(running)
            raise
        finally:
            with contextlib.suppress(OSError):
                (output / ".sen2cor").rmdir()


def find_complete(product: Product, folder: Path, resolution: int | None = None) -> Path | None:
    """Find the complete Level-2A product of a Level-1C product.

    Parameters
    ----------
    product
        From `read_product`.
    folder
        Where to look.
    resolution
        The one (m) that must be there; None for 10.

    Returns
    -------
    pathlib.Path or None
        The newest that has metadata, every image the metadata list, images of the resolution and a scene
        classification; None if there is none.
    """
    pattern = product.l2a_pattern
    names = sorted((path for path in folder.glob("S2*.SAFE") if pattern.fullmatch(path.name)), reverse=True)
    return next((path for path in names if _is_complete(path, resolution or 10)), None)


def mirror(product: Path, folder: Path) -> Path:
    """Make a stand-in of a product with the folders whose absence makes Sen2Cor fail.

    Parameters
    ----------
    product
        A ``.SAFE`` folder; it is only read.
    folder
        Where to make the stand-in, which has the product's name.

    Returns
    -------
    pathlib.Path
        A folder with the same tree and ``AUX_DATA``, ``HTML`` and ``DATASTRIP/*/QI_DATA``: images are links,
        or copies where the system allows no links; the other files are copies, so that nothing written there
        can reach the original.
    """
    twin = folder / product.name
    shutil.copytree(product.resolve(), twin, copy_function=_link_image)
    for name in ("AUX_DATA", "HTML"):
        (twin / name).mkdir(exist_ok=True)
    for strip in (twin / "DATASTRIP").glob("*"):
        if strip.is_dir():
            (strip / "QI_DATA").mkdir(exist_ok=True)
    return twin


def remedy(text: str) -> str | None:
    """Recognise a known error in what Sen2Cor said.

    Parameters
    ----------
    text
        Its output.

    Returns
    -------
    str or None
        What the error means and what to do; None if it is not a known one.
    """
    return next((advice for pattern, advice in _REMEDIES if re.search(pattern, text)), None)


def _correct(
    path: Path,
    output: Path,
    work: Path,
    installations: Sequence[Installation],
    resolution: int | None,
    gipp: Path | None,
    timeout: float,
    running: set[subprocess.Popen[str]],
    report: Callable[[int], None],
) -> Outcome:
    product = read_product(path)
    if existing := find_complete(product, output, resolution):
        return Outcome(product.path, "skipped", existing, f"{existing.name} is there and complete.")
    installation = choose(product, installations)
    results = work / "out"
    results.mkdir(parents=True)
    twin = mirror(product.path, work / "in")
    command = [str(installation.program)]
    if resolution is not None:
        command += ["--resolution", str(resolution)]
    if installation.has_output_dir:
        command += ["--output_dir", str(results.resolve())]
        if gipp is not None:
            command += ["--GIP_L2A", str(gipp.resolve())]
    elif settings := gipp or settings_file(installation):
        command += ["--GIP_L2A", str(_retarget(settings, results.resolve(), work))]
    # else: settings were never written, so their default holds, which is to write beside the (mirrored)
    # product
    command.append(str(twin.resolve()))

    log = output / "sen2cor_logs" / f"{product.path.stem}.log"
    log.parent.mkdir(exist_ok=True)
    start = time.monotonic()
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {installation}\n{subprocess.list2cmdline(command)}\n")
        code, text, expired = _run(command, work, timeout, stream, running, report)
        stream.write(f"exit status {code}{', killed after the time-out' if expired else ''}\n\n")
    seconds = time.monotonic() - start

    found = find_complete(product, results, resolution) or find_complete(product, work / "in", resolution)
    # the exit status of old versions does not tell; the last line and the product do
    if found and not expired and _FAILURE not in text and (_SUCCESS in text or code == 0):
        target = output / found.name
        if target.exists():  # incomplete, or it would have been skipped; it is not ours to delete
            raise LulcError(f"{target} is in the way, and is not a complete product. Move it away and run again.")
        found.rename(target)
        return Outcome(product.path, "done", target, f"{installation}, {seconds:.0f} s", log, seconds)
    if expired:
        reason = f"it was not done after {timeout:.0f} s and was stopped. Give it more time, or leave out terrain."
    elif code == -9:  # SIGKILL, not by us
        reason = "the system killed it, usually because the memory was not enough. Use workers=1."
    else:
        last = next((line for line in reversed(text.splitlines()) if line.strip() and _FAILURE not in line), "")
        reason = remedy(text) or (
            f"it ended with exit status {code} and left no complete product; its last words: "
            f"{last.strip()!r}. See the log."
        )
    return Outcome(
        product.path,
        "failed",
        None,
        f"Sen2Cor {dotted(installation.version)} failed on {product.path.name}: {reason} Log: {log}",
        log,
        seconds,
    )


def _run(
    command: list[str],
    folder: Path,
    timeout: float,
    log: IO[str],
    running: set[subprocess.Popen[str]],
    report: Callable[[int], None],
) -> tuple[int, str, bool]:
    """Run to the end or the time-out: exit status, the last thousand lines, whether it was killed."""
    lines: list[str] = []
    process = external.start(command, folder)
    running.add(process)
    try:
        with external.deadline(process, timeout) as expired:
            assert process.stdout is not None  # we asked for a pipe
            for line in process.stdout:
                log.write(line)
                log.flush()
                lines = [*lines[-999:], line]
                if match := _PROGRESS.search(line):
                    report(min(int(match[1]), 99))
            process.wait()
    except BaseException:
        external.kill(process)
        raise
    finally:
        running.discard(process)
        if process.stdout is not None:
            process.stdout.close()
    return process.returncode, "".join(lines), expired.is_set()


def _link_image(source: str, target: str) -> None:
    if source.lower().endswith(".jp2"):
        with contextlib.suppress(OSError, NotImplementedError):
            Path(target).symlink_to(source)
            return
    shutil.copyfile(source, target)


def _is_complete(path: Path, resolution: int) -> bool:
    files = [*path.glob("MTD_MSIL2A.xml"), *path.glob("S2*_MTD_SAFL2A_*.xml")]
    try:
        root = ElementTree.parse(files[0]).getroot()
    except Exception:  # no file, cut off, not XML: whatever it is, it is no complete product
        return False
    listed = [path / f"{(node.text or '').strip()}.jp2" for node in root.iter("IMAGE_FILE")]
    if any(not file.is_file() or file.stat().st_size == 0 for file in listed):
        return False
    return any(path.glob(f"GRANULE/*/IMG_DATA/R{resolution}m/*_B02_*.jp2")) and any(path.rglob("*_SCL_*.jp2"))


def _refuse_twins(products: Sequence[Path]) -> None:
    keys: dict[str, Path] = {}
    for path in products:
        pattern = l2a_pattern(Path(path).name)
        key = pattern.pattern if pattern else str(path)
        if key in keys:
            raise LulcError(
                f"{keys[key]} and {path} are the same acquisition and tile, so one result would replace the "
                "other. Leave one of them out (usually the lower processing baseline)."
            )
        keys[key] = Path(path)


def _retarget(gipp: Path, target: Path, folder: Path) -> Path:
    """Copy a settings file and change only where the result goes."""
    text = gipp.read_text(encoding="utf-8")
    value = f"<Target_Directory>{escape(str(target))}</Target_Directory>"
    text, count = re.subn(r"<Target_Directory>[^<]*</Target_Directory>", lambda _: value, text)
    if count != 1:
        raise LulcError(f"{gipp} has {count} entries Target_Directory; expected one. Restore Sen2Cor's own file.")
    copy = folder / "L2A_GIPP.xml"
    copy.write_text(text, encoding="utf-8")
    return copy.resolve()


def _stop(running: set[subprocess.Popen[str]]) -> None:
    for process in list(running):
        external.kill(process)
