"""What the benchmarks share: the machine in words, medians of several runs, and a table as Markdown and JSON."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks"


def machine() -> str:
    """Processor, cores, memory, load and versions, in one line."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    memory = psutil.virtual_memory().total / 1e9
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}{load}"


def seconds(work: Callable[[], object], runs: int) -> float:
    """Median wall time of several runs, after one that does not count."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def earlier(name: str, columns: Sequence[str], run: Callable[[dict[str, object]], bool]) -> list[list[object]]:
    """Return the rows of ``docs/benchmarks/<name>.json`` that this run does not make anew; none if it is not there."""
    path = DOCS / f"{name}.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return [[row[c] for c in columns] for row in rows if not run(row)]


def publish(name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
    """Print a table and write it to ``docs/benchmarks/<name>.md`` and ``.json``."""
    lines = [f"# {title}", "", machine(), "", " | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row) for row in rows]
    text = "\n".join([*lines, "", note]).rstrip() + "\n"
    print(text)
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / f"{name}.md").write_text(text, encoding="utf-8")
    content = {"machine": machine(), "rows": [dict(zip(columns, row, strict=True)) for row in rows]}
    (DOCS / f"{name}.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
