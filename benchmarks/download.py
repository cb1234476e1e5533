"""Downloads: against faults in any order, and against curl.

    python -m benchmarks.download [--megabytes 1000]
    python -m benchmarks.download --faults 200 [--seed 1]

Without --faults: a large file over loopback, by `lulc_kit.download.transfer` and by curl, to a folder in memory where
there is one (a disk would be what is measured), and the memory of a process that fetches it, and a tenth of it. With
--faults: so many files, each with a random sequence of one to eight faults, by seed; it survives if the file is what it
should be, or there is one LulcError and nothing under the file's name, and a second attempt without faults then brings
it. The faults are those of `tests/services/cdse.py`; processes are killed without warning, too.
"""

import argparse
import hashlib
import http.server
import json
import os
import random
import resource
import shutil
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import stamina

from benchmarks import report
from lulc_kit.download import servers, transfer
from lulc_kit.errors import LulcError
from tests.services.cdse import Server

FAULTS = ("cut", "stall", "inject", "500", "503", "429", "page", "truncate", "ignore-range", "change", "wrong", "kill")
CHILD = "import sys; from benchmarks.download import child; child(*sys.argv[1:])"


def child(url: str, path: str, md5: str = "") -> None:
    """Fetch a file in a process of its own; print seconds, processor seconds and the most memory that it took, MB."""
    start, before = time.perf_counter(), time.process_time()
    known = {"md5": md5} if md5 else {}
    transfer.fetch_all([transfer.Wanted(url, Path(path), checksums=known)], servers.Web().open, "file")
    seconds, busy = time.perf_counter() - start, time.process_time() - before
    print(json.dumps([seconds, busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000]))


class Sender(http.server.BaseHTTPRequestHandler):
    """Sends the file as fast as the system can."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.server.path)  # type: ignore[attr-defined]
        size = path.stat().st_size
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.flush()
        with path.open("rb") as stream:
            sent = 0
            while sent < size:
                sent += os.sendfile(self.connection.fileno(), stream.fileno(), sent, size - sent)


WAYS = ("curl", "the kit", "curl, then md5sum", "the kit, with MD5")


def throughput(megabytes: int, runs: int = 7) -> list[list[object]]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        small = measured(folder, megabytes // 10, 1)["the kit"][0][2]
        found = measured(folder, megabytes, runs)
    middle = {how: [statistics.median(column) for column in zip(*times, strict=True)] for how, times in found.items()}
    rows: list[list[object]] = []
    for how, (seconds, busy, most) in middle.items():
        peer = middle["curl, then md5sum" if "MD5" in how or "md5" in how else "curl"]
        own = "–" if "curl" in how else f"{most:.0f}"
        rows.append([how, megabytes / seconds, peer[0] / seconds, busy, peer[1] / busy, own])
    return [*rows, [f"the kit, {megabytes // 10} MB", *["–"] * 4, f"{small:.0f}"]]


def measured(folder: Path, megabytes: int, runs: int) -> dict[str, list[tuple[float, ...]]]:
    """Fetch a file by each way in turn; return seconds, seconds of the processor, and MB of memory (NaN of curl)."""
    served, target = folder / "served", folder / "got"
    block = random.Random(1).randbytes(1_000_000)
    md5 = hashlib.md5()
    with served.open("wb") as stream:
        for _ in range(megabytes):
            stream.write(block)
            md5.update(block)
    found: dict[str, list[tuple[float, ...]]] = {how: [] for how in WAYS}
    environment = os.environ | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sender) as server:
        server.daemon_threads = True
        server.path = served  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/x"
        for _ in range(runs):
            for how, times in found.items():
                target.unlink(missing_ok=True)
                if "curl" not in how:
                    command = [sys.executable, "-c", CHILD, url, str(target)]
                    command += [md5.hexdigest()] if "MD5" in how else []
                    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
                    times.append(tuple(json.loads(done.stdout.splitlines()[-1])))
                    continue
                before, start = children(), time.perf_counter()
                subprocess.run(["curl", "-s", "-o", target, url], check=True, env=environment)
                if "md5sum" in how:
                    subprocess.run(["md5sum", target], check=True, stdout=subprocess.DEVNULL)
                times.append((time.perf_counter() - start, children() - before, float("nan")))
        server.shutdown()
    target.unlink()
    served.unlink()
    return found


def children() -> float:
    """Return the processor time of all processes that were started and have ended, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def sequence(chance: random.Random) -> list[str]:
    """Return one to eight faults."""
    return [chance.choice(FAULTS) for _ in range(chance.randint(1, 8))]


def survive(server: Server, folder: Path, chance: random.Random, kinds: list[str]) -> str:
    """Fetch one file through a sequence of faults; return what went wrong, or nothing."""
    content = chance.randbytes(chance.randint(1, 900_000))
    server.files = {"x.bin": content}
    server.faults.clear()
    server.tagged = chance.random() < 0.7
    for kind in kinds:
        server.fail(
            kind if kind != "kill" else "slow", at=chance.randrange(len(content)), value=0.2 if kind != "429" else 0
        )
    known = {"md5": hashlib.md5(content).hexdigest()} if chance.random() < 0.7 else {}
    size = len(content) if known or chance.random() < 0.8 else None
    target = folder / "x.bin"
    wanted = transfer.Wanted(f"{server.url}/files/x.bin", target, size, known)
    if "kill" in kinds:
        process = subprocess.Popen([sys.executable, "-c", CHILD, wanted.address, str(target), known.get("md5", "")],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        time.sleep(chance.uniform(0.2, 2.5))
        process.kill()
        process.wait()
    blind = not known and {"wrong", "truncate"} & set(kinds)  # nobody can tell without a checksum, or without a size
    for _ in range(2):
        try:
            transfer.fetch(wanted, servers.Web(silence=0.15).open) if not target.exists() else None
            if target.read_bytes() == content or blind:
                return "" if len(list(folder.iterdir())) == 1 else f"left: {sorted(f.name for f in folder.iterdir())}"
            return f"other bytes under the name, after {kinds}"
        except LulcError as error:
            if target.exists():
                return f"an error, and yet a file: {error}"
            server.faults.clear()
        except Exception as error:
            return f"{type(error).__name__}: {error}, after {kinds}"
    return f"no file in the end, after {kinds}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"
    if not options.faults:
        columns = ["by", "MB/s", "of curl", "processor, s", "curl's by its own", "peak memory of the process, MB"]
        note = (
            "Medians of seven downloads in turn, over loopback, to a folder in memory; the server sends by sendfile, "
            "on the same processor. A checksum is computed after the file has come, from the file: with one the kit is "
            "set beside curl and then md5sum, without beside curl alone. The start of Python is not in the kit's time, "
            "that of curl (some 10 ms) in curl's. Memory is that of the whole process, Python and libraries included."
        )
        title = f"A file of {options.megabytes} MB"
        report.publish("download", title, columns, throughput(options.megabytes), note)
        return 0
    met, survived = Counter[str](), 0
    start = time.perf_counter()
    with Server() as server, stamina.set_testing(True, attempts=6):  # no pauses
        for number in range(options.faults):
            folder = Path(tempfile.mkdtemp())
            chance = random.Random(options.seed * 1_000_000 + number)
            kinds = sequence(chance)
            wrong = survive(server, folder, chance, kinds)
            shutil.rmtree(folder)
            met.update(set(kinds))
            survived += not wrong
            if wrong:
                print(f"{number}: {wrong}", flush=True)
    seconds = time.perf_counter() - start
    said = f"faults {options.faults}, survived {survived}"
    note = (
        f"{said}. Seed {options.seed}, one to eight faults in a sequence, {seconds:.0f} s. Survived is: the file under "
        f"its name, byte for byte, or one error and nothing under its name, and then the file by a second attempt. "
        f"Without a checksum or a size nobody can tell the fault 'wrong' or 'truncate'; what is asked then is that "
        f"nothing else is left."
    )
    report.publish("faults", "Downloads through faults in any order", ["fault", "sequences with it"],
                   [[kind, met[kind]] for kind in FAULTS], note)  # fmt: skip
    print(said)
    return 0 if survived == options.faults else 1


if __name__ == "__main__":
    sys.exit(main())
