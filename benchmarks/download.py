"""Downloads: against faults in any order, and against curl.

    python -m benchmarks.download [--megabytes 1000]
    python -m benchmarks.download --faults 200 [--seed 1]

Without --faults: a large file over loopback, by `lulc_kit.download.transfer` and by curl, and the memory of a process
that fetches it. With it: so many files, each with a random sequence of one to eight faults, by seed; it survives if the
file is what it should be, or there is one LulcError and nothing under the file's name, and a second attempt without
faults then brings it. The faults are those of `tests/services/cdse.py`; processes are killed without warning, too.
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
from pathlib import Path

import stamina

from benchmarks import report
from lulc_kit.download import transfer
from lulc_kit.errors import LulcError
from tests.services.cdse import Server

FAULTS = ("cut", "stall", "inject", "500", "503", "429", "page", "truncate", "ignore-range", "change", "wrong", "kill")
CHILD = "import sys; from benchmarks.download import child; child(*sys.argv[1:])"


def child(url: str, path: str, md5: str = "") -> None:
    """Fetch a file in a process of its own; print seconds and the most memory that it took, MB."""
    start = time.perf_counter()
    known = {"md5": md5} if md5 else {}
    transfer.fetch_all([transfer.Wanted(url, Path(path), checksums=known)], transfer.Web().open, "file")
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000]))


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


def throughput(megabytes: int, runs: int = 5) -> list[list[object]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        served, target = folder / "served", folder / "got"
        block = random.Random(1).randbytes(1_000_000)
        md5 = hashlib.md5()
        with served.open("wb") as stream:
            for _ in range(megabytes):
                stream.write(block)
                md5.update(block)
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sender) as server:
            server.daemon_threads = True
            server.path = served  # type: ignore[attr-defined]
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_address[1]}/x"
            environment = os.environ | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
            found: dict[str, list[tuple[float, float]]] = {"curl": [], "the kit": [], "the kit, with MD5": []}
            for _ in range(runs):
                for how, times in found.items():
                    target.unlink(missing_ok=True)
                    if how == "curl":
                        start = time.perf_counter()
                        subprocess.run(["curl", "-s", "-o", target, url], check=True, env=environment)
                        times.append((time.perf_counter() - start, float("nan")))
                        continue
                    command = [
                        sys.executable,
                        "-c",
                        CHILD,
                        url,
                        str(target),
                        *([md5.hexdigest()] if "MD5" in how else []),
                    ]
                    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
                    seconds, memory = json.loads(done.stdout.splitlines()[-1])
                    times.append((seconds, memory))
            server.shutdown()
    rates = {how: megabytes / statistics.median(t for t, _ in times) for how, times in found.items()}
    return [
        [how, rate, rate / rates["curl"], "–" if how == "curl" else f"{max(m for _, m in found[how]):.0f}"]
        for how, rate in rates.items()
    ]


def survive(server: Server, folder: Path, chance: random.Random) -> str:
    """Fetch one file through a random sequence of faults; return what went wrong, or nothing."""
    content = chance.randbytes(chance.randint(1, 900_000))
    server.files = {"x.bin": content}
    server.faults.clear()
    server.tagged = chance.random() < 0.7
    kinds = [chance.choice(FAULTS) for _ in range(chance.randint(1, 8))]
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
            transfer.fetch(wanted, transfer.Web(silence=0.15).open) if not target.exists() else None
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
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"
    if not options.faults:
        columns = ["by", "MB/s", "of curl", "peak memory of the process, MB"]
        note = (
            "Medians of five downloads in turn, over loopback, to a disk; the server sends by sendfile. Memory is that "
            "of the whole process, Python and libraries included."
        )
        title = f"A file of {options.megabytes} MB"
        report.publish("download", title, columns, throughput(options.megabytes), note)
        return 0
    survived = 0
    with Server() as server, stamina.set_testing(True, attempts=6):  # no pauses
        for number in range(options.faults):
            folder = Path(tempfile.mkdtemp())
            wrong = survive(server, folder, random.Random(options.seed * 1_000_000 + number))
            shutil.rmtree(folder)
            survived += not wrong
            if wrong:
                print(f"{number}: {wrong}", flush=True)
    print(f"faults {options.faults}, survived {survived}")
    return 0 if survived == options.faults else 1


if __name__ == "__main__":
    sys.exit(main())
