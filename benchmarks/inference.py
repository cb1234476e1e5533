"""Mapping by the FCN: the map's own path beside the same graph fed from memory, and beside compiled programs.

    python -m benchmarks.inference [--side 4096] [--model fold_1.keras --stack stack.tif]

A stack of 20 bands of random fields in a file, and a U-Net of 16, 32 and 64 filters with weights drawn at random, or a
network and a stack of a study. The map is that of notebook 07: from the uncompressed copy that it trained from, through
blocks with margins, to a file of classes, or to all files of a map; beside it stands the same graph fed one such block
from memory, again and again, whose margins count as time, not as pixels. Given is the speed by the clock, which wants
the machine alone, and that of all cores. ONNX Runtime and OpenVINO take part where they are installed (packages
tf2onnx, onnxruntime, openvino); they are no part of the kit. "The same class" compares with Keras, pixel by pixel.
"""

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import dask
import keras
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks import report
from benchmarks.sharpen import Peak
from lulc_kit import map_layers, mapping, raster
from lulc_kit.classes import scheme
from lulc_kit.deep import networks, prediction, sequences, storage
from lulc_kit.deep.scene import scratch
from lulc_kit.layout import RunLayout
from lulc_kit.raster import writing
from tests.rasters import grid

BANDS, FILTERS, TILE = 20, (16, 32, 64), 320
GRAIN = 32
"""Pixels of a grain of the random fields; beside them stands noise of a fifth of their spread."""
Array = npt.NDArray[np.float32]


def speed(work: Callable[[], object], pixels: int, runs: int = 5, warm: bool = True) -> tuple[float, float]:
    """Mpx/s by the clock and, times cores, by processor seconds: the best of some runs, after one more if warm."""
    if warm:
        work()
    clock, processor = [], []
    for _ in range(runs):
        start, busy = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - start)
        processor.append(time.process_time() - busy)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return pixels / min(clock) / 1e6, pixels / min(processor) * cores / 1e6


def write_fields(path: Path, side: int) -> None:
    """Write bands of random fields."""
    generator = np.random.default_rng(1)
    coarse = -(-side // GRAIN)
    layers = np.empty((BANDS, side, side), np.float32)
    for layer in layers:
        field = generator.standard_normal((coarse, coarse), np.float32)
        layer[:] = (
            ndimage.zoom(field, GRAIN, order=1)[:side, :side] + generator.standard_normal((side, side), np.float32) / 5
        )
    numbers = raster.array(layers, grid((side, side)), [f"b{i}" for i in range(BANDS)])
    writing.write_all([writing.Output(path, numbers)])


def compiled(model: keras.Model, tile: Array, folder: Path) -> dict[str, Callable[[], Array]]:
    """Return programs of others that answer the tile, by name; those that are not installed are left out."""
    found: dict[str, Callable[[], Array]] = {}
    if not all(map(importlib.util.find_spec, ("tf2onnx", "onnxruntime"))):
        return found
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    wanted = [tf.TensorSpec(tile.shape, tf.float32)]
    graph = tf.function(lambda x: model(x, training=False), input_signature=wanted)
    made, _ = tf2onnx.convert.from_function(graph, input_signature=wanted, opset=17)
    path = folder / "network.onnx"
    path.write_bytes(made.SerializeToString())
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting is no work
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    found["ONNX Runtime"] = lambda: session.run(None, {name: tile})[0]
    if importlib.util.find_spec("openvino"):
        import openvino

        core = openvino.Core()
        for title, settings in {"32 bits": {"INFERENCE_PRECISION_HINT": "f32"}, "its own choice of bits": {}}.items():
            program = core.compile_model(core.read_model(path), "CPU", settings)
            found[f"OpenVINO, {title}"] = lambda program=program: program(tile)[0]
    return found


def measure(model: keras.Model, stack_path: Path, folder: Path) -> list[list[object]]:
    """Return one row for each way to predict."""
    stack = raster.read(stack_path)
    part = np.moveaxis(np.asarray(stack[:, :TILE, :TILE].data, np.float32), 0, -1)
    tile = np.where(np.isfinite(part), part, networks.mean_of(model)).astype(np.float32)
    size, pixels = tile.shape[0] * tile.shape[1], stack.shape[1] * stack.shape[2]
    asked = prediction.Asked(model)
    keras_says = asked(tile)
    graph = speed(lambda: asked(tile), size)
    rows: list[list[object]] = [["Keras on TensorFlow, from memory", *graph, 1.0, "", ""]]
    margin, side = prediction.halo(networks.reach(model)), prediction.side_of(stack.shape[1], prediction.BLOCK)
    block = np.resize(tile, (side + 2 * margin, side + 2 * margin, tile.shape[-1]))
    blocks = speed(lambda: asked(block), side**2)
    rows.append([f"the same, a block of {side} and {margin} around it", *blocks, blocks[0] / graph[0], "", ""])
    classes = scheme("workflow").subset(list(scheme("workflow").values)[: model.output_shape[-1]])
    run = RunLayout(folder, "fcn")

    def map_to(layers: list[str]) -> None:
        said = sequences.as_stack(prediction.of_images([model], features), 1, stack.odc.geobox)
        maps = mapping.predict(said, sequences.predictors(1, len(classes.values))[0], {}, None, classes, layers=layers)
        with dask.config.set(scheduler="threads", num_workers=2):
            mapping.write(maps, run, classes)

    with Peak() as peak:
        start = time.perf_counter()
        features, _ = scratch(stack)
        copied = pixels / (time.perf_counter() - start) / 1e6
        rows.append(["the copy of the features", copied, "", "", "", ""])
        for name, layers in (("a file of classes", ["class"]), ("all files", list(map_layers.LAYERS))):
            found = speed(partial(map_to, layers), pixels, 1, False)
            rows.append([f"the kit's map, {name}", *found, found[0] / graph[0], "", peak.gigabytes])
    for name, work in compiled(model, tile[None], folder).items():
        same = (work()[0].argmax(axis=-1) == keras_says.argmax(axis=-1)).mean()
        found = speed(work, size)
        rows.append([name, *found, found[0] / graph[0], f"{100 * same:.3f} %", ""])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096, help="of the stack of random fields, pixels")
    parser.add_argument("--model", type=Path, help="a network of notebook 07")
    parser.add_argument("--stack", type=Path, help="what it reads, all bands of it")
    arguments = parser.parse_args()
    columns = ["what", "data", "Mpx/s", "Mpx/s of all cores", "times the graph's", "the same class", "peak memory, GB"]
    title = "Mapping by the FCN, beside the same graph and beside compiled programs"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.model:
            data, path, model = "a study's", arguments.stack, storage._load(arguments.model)
        else:
            data, path = "random fields", folder / "stack.tif"
            write_fields(path, arguments.side)
            keras.utils.set_random_seed(1)
            model = networks.fcn(np.zeros(BANDS, np.float32), np.ones(BANDS, np.float32), 6, FILTERS)
        rows = report.earlier("inference", columns, lambda row: row["data"] == data)
        rows += [[what, data, *rest] for what, *rest in measure(model, path, folder)]
    note = (
        "Mpx/s by the clock, on a machine that did nothing else; of all cores at full load: pixels by processor "
        "seconds, times cores. The copy is made once, before training."
    )
    report.publish("inference", title, columns, rows, note)


if __name__ == "__main__":
    main()
