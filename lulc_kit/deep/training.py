"""Training of networks, one for each fold, as long as it pays.

Training runs in steps of one batch and is looked at every `EVERY` steps: the network predicts the inner validation part
(`inner`), which is cut from the land that may teach it, as it would predict the map. Its loss there, the mean over the
classes, decides when the learning rate falls, when training ends and which weights are kept: it says the same as
macro-F1 and jumps about less. Its probabilities there set the temperature.
Looked at are not the weights of the last step but their moving average, which jumps about less and is the better
network (Polyak & Juditsky 1992, doi:10.1137/0330046).

The map is made by the mean of all folds' networks; its accuracy is that of each single network on the fold it never
saw, which is, if anything, the lower of the two.

Repeatability: seeds fix the patches and the first weights, and TensorFlow's ops are made deterministic, so the same
seed on the same machine with the same versions gives the same networks up to the last digits of floating point, also
if training was cut off in between; across machines or thread counts sums are ordered differently, and a few pixels of
the map may differ. A budget in minutes ends training by the clock, which nothing repeats.
"""

import hashlib
import json
import math
import re
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from lulc_kit.deep import board, calibration, checkpoint, inner, losses, networks, patches, prediction, tuning
from lulc_kit.deep.scene import Scene, windows
from lulc_kit.errors import LulcError
from lulc_kit.layout import RunLayout
from lulc_kit.progress import bar

EVERY = 20
"""Steps between two looks at the inner validation part."""
LEAST = 200
"""Steps before which no network is given up, whatever the size of the scene."""
PATIENCE = 5
"""Looks without a gain after which the learning rate falls, or training ends."""
FALLS, FALL = 1, 0.3
"""How often the learning rate falls on a plateau, and to which part."""
WARM = 50
"""Steps over which the learning rate rises to its full height."""
MEMORY = 0.98
"""Weights are looked at, and kept, as their moving average, in which each step counts so much of the next one's."""
WINDOWS, SIDE = 24, 64
"""Windows of inner validation at most, and their side, pixels."""
DRAWN = 3
"""Windows of it that are drawn for TensorBoard."""
MENDING = 0.1
"""Part of the learning rate with which training goes on once after it broke."""

Build = Callable[..., keras.Model]
"""Makes an untrained network from the mean and variance of each feature and the number of classes; if settings are
tried, also by ``width`` (channels in parts of those given) and ``dropout``."""
Watch = Callable[[pd.DataFrame], Any]
"""Takes the log of training as far as it is."""


@dataclass(frozen=True)
class Fit:
    """How networks are trained.

    Attributes
    ----------
    steps
        Batches at most.
    rate
        Learning rate of Adam at its height.
    batch
        Patches in a batch.
    seed
        Of first weights, patches and the inner validation part.
    schedule
        ``plateau``: the rate falls when inner validation gains no more, and training ends when it has fallen enough;
        ``cosine``: it falls along a cosine to 0 at the last step (Loshchilov & Hutter 2017, arXiv 1608.03983). Both
        begin with `WARM` steps of rising.
    share
        Part of the training pixels for inner validation.
    loss, smoothing
        Name in `losses.LOSSES`; label smoothing.
    weighting
        Class weights (`patches.targets`).
    jitter, drop
        Changes of the bands (`patches.Augment`).
    minutes
        For all folds together; None: no budget.
    tune
        Settings that are drawn and tried for each fold beside these (`tuning`).
    board
        Whether logs for TensorBoard are written, too.
    """

    steps: int
    rate: float
    batch: int
    seed: int = 1
    schedule: str = "plateau"
    share: float = 0.2
    loss: str = "cross_entropy"
    smoothing: float = 0.0
    weighting: str = "none"
    jitter: float = 0.0
    drop: float = 0.0
    minutes: float | None = None
    tune: int = 0
    board: bool = False


@dataclass
class Trained:
    """Networks of one run.

    Attributes
    ----------
    networks
        For fold 1, 2, …: trained on what is apart in space from it.
    log
        One row for each look: ``fold``, ``step``, ``seconds``, ``rate``, ``loss`` (mean since the look before),
        ``validation_loss`` (mean over the classes) and ``validation_f1`` (macro-F1), NaN without inner validation.
        Empty for networks that come from elsewhere, as are ``kept`` and ``pixels``.
    kept
        For each fold the step whose weights were kept.
    pixels
        For each fold how many pixels of each class taught it.
    trials
        One row for each fold and setting that was tried: ``fold``, ``settings`` (in words), ``validation_loss``,
        ``validation_f1``, ``step`` (that was kept), ``chosen``; None where nothing was.
    """

    networks: list[keras.Model]
    log: pd.DataFrame
    kept: list[int]
    pixels: list[list[int]]
    trials: pd.DataFrame | None = None

    def curves(self, column: str) -> pd.DataFrame | None:
        """Return a column of the log by step (rows) and fold (columns); None if nothing was trained."""
        if self.log.empty:
            return None
        table = self.log.pivot_table(index="step", columns="fold", values=column, dropna=False)
        return table.rename(columns=lambda k: f"fold {k}")

    def chosen(self, fold: int) -> str | None:
        """Return what a fold's network has in place of the settings given, in words; None if nothing was tried."""
        if self.trials is None:
            return None
        return str(self.trials.query("fold == @fold and chosen")["settings"].iloc[0])

    def validated(self, fold: int) -> float:
        """Return the macro-F1 of a fold's network on its inner validation part; NaN without one."""
        log = self.log
        return float(log.loc[(log["fold"] == fold) & (log["step"] == self.kept[fold - 1]), "validation_f1"].iloc[0])


def train(
    scene: Scene,
    build: Build,
    patch: int,
    fit: Fit,
    name: str = "",
    store: RunLayout | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train one network for each fold, on what is apart in space from that fold.

    Parameters
    ----------
    scene
        What they learn from.
    build
        Makes an untrained network; it has a layer of scores and ends with `networks.softmax`.
    patch
        Side of the training patches, pixels.
    fit
        How they are trained.
    name
        Of the run, shown with the progress.
    store
        Where checkpoints and logs are kept, from which a run that was cut off goes on; None: nowhere.
    watch
        Takes the log after each look, as far as it is (see `Trained`).
    """

    def begin(fold: "Fold", trial: tuning.Trial) -> tuple[keras.Model, patches.Patches, Validation | None]:
        mean, variance = fold.mean, fold.variance

        def read(top: int, bottom: int, left: int, right: int) -> patches.Array:
            window = scene.features[top:bottom, left:right]
            return np.where(np.isfinite(window), window, mean)

        model = build(mean, variance, len(scene.classes.values), **trial.of_network)
        data = patches.Patches(read, fold.goals, patch, fit.batch, fit.seed + fold.number, fit.steps, fold.augment)
        margin = prediction.halo(networks.reach(model))
        return model, data, None if fold.validates is None else Validation(read, fold.validates, margin, fit.seed)

    return train_folds(scene, begin, fit, name, store, watch=watch)


@dataclass(frozen=True)
class Fold:
    """What a network of one fold learns from: number from 1, statistics of the features, targets, validation."""

    number: int
    mean: patches.Array
    variance: patches.Array
    goals: patches.Targets
    validates: npt.NDArray[np.uint8] | None
    augment: patches.Augment


def prepare(scene: Scene, k: int, fit: Fit) -> Fold:
    """Say what the network of fold k (from 1) learns from, and cut the inner validation part from it."""
    codes = patches.encode(scene.labels, scene.trainable[k - 1] & scene.valid, scene.classes.values)
    apart = inner.split(codes, scene.blocks, fit.share, scene.gap, fit.seed + k)
    teaches, validates = apart or (codes, None)
    mean, variance = scene.statistics(teaches > 0)
    goals = patches.targets(teaches, len(scene.classes.values), fit.weighting)
    return Fold(k, mean, variance, goals, validates, patches.Augment(mean, np.sqrt(variance), fit.jitter, fit.drop))


Begin = Callable[[Fold, tuning.Trial], tuple[keras.Model, patches.Patches, "Validation | None"]]
"""Makes the network of a fold, its patches and its inner validation."""


def train_folds(
    scene: Scene,
    begin: Begin,
    fit: Fit,
    name: str,
    store: RunLayout | None,
    compiled: keras.Model | None = None,
    tried: Sequence[str] = tuple(tuning.SPACE),
    watch: Watch | None = None,
) -> Trained:
    """Train a network for each fold, or some, of which the best by inner validation is kept.

    All of one architecture are computed with one compiled network: ``compiled``, or a copy of the first. ``tried`` are
    the settings that may be drawn, names in `tuning.SPACE`.
    """

    def tell(rows: list[dict[str, float]]) -> None:
        if watch is not None:
            watch(pd.concat([*logs, pd.DataFrame(rows).assign(fold=k)], ignore_index=True))

    models, logs, kept, pixels, rows, full = [], [], [], [], [], False
    trainers = {} if compiled is None else {"": Trainer(compiled, fit)}
    for k in range(1, scene.folds + 1):
        best: tuple[keras.Model, State, list[int]] | None = None
        trials = tuning.trials(fit.tune, tried, fit.seed + k)
        for number, trial in enumerate(trials):
            own = replace(
                fit, tune=0, board=False, rate=fit.rate * trial.rate, weighting=trial.weighting or fit.weighting
            )  # not the number of trials: a checkpoint is as good in a longer search
            set_seed(fit.seed + k)
            fold = prepare(scene, k, own)
            if number and fold.validates is None:
                warnings.warn(f"{name}: nobody validates fold {k}, so no settings are tried for it.", stacklevel=2)
                break
            model, data, validation = begin(fold, trial)
            shape = str(trial.of_network or "")
            trainer = trainers.get(shape) or Trainer(keras.models.clone_model(model), own)
            trainers[shape], trainer.how = trainer, own
            keeper = checkpoint.Keeper(store, f"{k}_{number}" if number else k, _fingerprint(model, fold, data, own))
            keeper.watch, keeper.full = tell, full  # one warning for all folds
            if fit.board and store is not None:
                keeper.board = board.Board(store.board(keeper.fold), [c.rgb for c in scene.classes.classes])
                keeper.board.draw_graph(model)
            title = f"{name}: fold {k} of {scene.folds}" + (f", {trial.words()}" if number else "")
            state = trainer.fit(model, data, validation, keeper, title, scene.folds * len(trials))
            full = keeper.full
            found = next(row for row in state.rows if row["step"] == state.best_step)
            rows.append({"fold": k, "settings": trial.words(), **found, "chosen": False})
            if best is None or state.best > best[1].best:
                counts = patches.count(fold.goals.codes, len(scene.classes.values))
                best, chosen = (model, state, counts), len(rows) - 1
        assert best is not None, "the settings as given were tried"
        rows[chosen]["chosen"] = True
        models.append(best[0])
        kept.append(best[1].best_step)
        pixels.append(best[2])
        logs.append(pd.DataFrame(best[1].rows).assign(fold=k))
    columns = ["fold", "settings", "validation_loss", "validation_f1", "step", "chosen"]
    table = pd.DataFrame(rows)[columns] if fit.tune else None
    return Trained(models, pd.concat(logs, ignore_index=True), kept, pixels, table)


def _fingerprint(model: keras.Model, fold: Fold, data: patches.Patches, fit: Fit) -> str:
    """Return a hash of all that training depends on: a checkpoint of anything else is not gone on from."""
    network = re.sub(r'_\d+"', '"', json.dumps(model.get_config(), default=str))  # layers are numbered as they are made
    parts = {"fit": asdict(fit), "patch": data.patch, "network": network, "statistics": fold.mean.tolist()}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    digest.update(fold.variance.tobytes() + fold.goals.codes.tobytes())
    for array in model.get_weights():
        digest.update(array.tobytes())
    return digest.hexdigest()


def set_seed(seed: int) -> None:
    """Make what follows repeatable (see the module's first lines)."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


class Validation:
    """The inner validation part of a fold, predicted in windows as the map would be.

    Parameters
    ----------
    read
        Gives windows of the image.
    codes
        What validates, (row, column), like `patches.Targets.codes`.
    margin
        See `prediction.lay_out`.
    seed
        Draws `WINDOWS` windows where there are more.
    other
        A network that takes the compiled one's weights and predicts windows in its place; None: that one itself.

    Attributes
    ----------
    drawn
        Probabilities and codes of the first `DRAWN` windows, as `probabilities` found them last.
    """

    def __init__(
        self,
        read: patches.Read,
        codes: npt.NDArray[np.uint8],
        margin: int,
        seed: int,
        other: prediction.Asked | None = None,
    ) -> None:
        self.read, self.codes, self.margin, self.other = read, codes, margin, other
        self.drawn: list[tuple[patches.Array, npt.NDArray[np.uint8]]] = []
        self.side = min(SIDE, prediction.tile_side(*codes.shape))
        corners = windows(codes > 0, self.side)
        chosen = np.sort(np.random.default_rng(seed).permutation(len(corners))[:WINDOWS])
        self.corners = [corners[i] for i in chosen]

    def probabilities(self, asked: prediction.Asked) -> tuple[patches.Array, npt.NDArray[np.intp]]:
        """Return class probabilities (pixel, class) and true classes (pixel,) of what validates."""
        network: prediction.Network = asked
        if self.other is not None:
            network = partial(self.other, weights=asked.model.get_weights())
        said, true = [], []
        self.drawn.clear()
        shape, sides = (self.codes.shape[0], self.codes.shape[1]), (self.side, self.side)
        for row, column in self.corners:
            codes = self.codes[row : row + self.side, column : column + self.side]
            out = prediction.middle(self.read, shape, (row, column), sides, network, self.margin)
            out = out[: codes.shape[0], : codes.shape[1]]
            if len(self.drawn) < DRAWN:
                self.drawn.append((out, codes))
            said.append(out[codes > 0])
            true.append(codes[codes > 0].astype(np.intp) - 1)
        return np.concatenate(said), np.concatenate(true)


def macro_f1(classes: npt.NDArray[np.integer], found: npt.NDArray[np.integer]) -> float:
    """Return the mean F1 of the classes that occur in ``classes``, 0 to 1."""
    there, counts = np.unique(classes, return_counts=True)
    right = np.array([np.sum((classes == c) & (found == c)) for c in there])
    called = np.array([np.sum(found == c) for c in there])
    return float(np.mean(2 * right / (counts + called)))


def macro_log_loss(classes: npt.NDArray[np.integer], probabilities: patches.Array) -> float:
    """Return −log p of the true class, its mean over the pixels of a class, then over the classes that occur."""
    own = -np.log(np.maximum(np.take_along_axis(probabilities, classes[:, None], axis=1)[:, 0], calibration.LEAST))
    return float(np.mean([own[classes == c].mean(dtype=np.float64) for c in np.unique(classes)]))


@dataclass
class State:
    """How far training is; with the network's and the optimizer's numbers it is all that goes on."""

    step: int = 0
    factor: float = 1.0
    falls: int = 0
    idle: int = 0
    best: float = -math.inf
    best_step: int = 0
    mended: bool = False
    done: bool = False
    seconds: float = 0.0
    rows: list[dict[str, float]] = field(default_factory=list)


Numbers = list[npt.NDArray[Any]]


class Trainer:
    """Trains networks of one architecture one after the other, compiled once.

    Parameters
    ----------
    compiled
        A network of that architecture, to compute with; its weights are lent by the networks that are trained.
    how
        How.
    """

    def __init__(self, compiled: keras.Model, how: Fit) -> None:
        self.compiled, self.how = compiled, how
        self.asked = prediction.Asked(compiled)
        self.average: Numbers = compiled.get_weights()
        compiled.compile(
            optimizer=keras.optimizers.Adam(how.rate, clipnorm=1.0), loss=losses.Masked(how.loss, how.smoothing)
        )
        compiled.optimizer.build(compiled.trainable_variables)
        self.start = [np.array(variable) for variable in compiled.optimizer.variables]

    def fit(
        self,
        model: keras.Model,
        data: patches.Patches,
        validation: Validation | None,
        keeper: checkpoint.Keeper,
        name: str,
        sharers: int = 1,
    ) -> State:
        """Train a network, which starts from the weights it has, and give it the best weights and its temperature.

        Raises
        ------
        LulcError
            If the loss is no number even at a lower rate.
        """
        self._begin(model)
        best: Numbers = model.get_weights()
        state = State()
        if (kept := keeper.load()) is not None:
            state = State(**kept.state)
            best = kept.best
            self._restore(kept.numbers)
        last = self._numbers(), best, State(**asdict(state))
        with bar(self.how.steps, name, "steps") as progress, ThreadPoolExecutor(1) as ahead:
            progress.update(state.step)
            while not state.done:
                began = time.perf_counter()
                loss = self._run(data, state, ahead)
                if not math.isfinite(loss):
                    state, best = self._mend(last, name)
                    last = last[0], best, State(**asdict(state))
                    progress.update(state.step - progress.n)
                    continue
                raw = self.compiled.get_weights()
                self.compiled.set_weights(self.average)
                said = None if validation is None else validation.probabilities(self.asked)
                self.compiled.set_weights(raw)
                state.seconds += time.perf_counter() - began
                if self._judge(state, loss, said):
                    best = [number.copy() for number in self.average]
                    state.best_step = state.step
                if keeper.board is not None:
                    keeper.board.look(state.rows[-1], said, [] if validation is None else validation.drawn)
                if keeper.watch is not None:
                    keeper.watch(state.rows)
                if self._falls(state, sharers):
                    self.compiled.set_weights(best)
                    self.average = [number.copy() for number in best]
                last = self._numbers(), best, State(**asdict(state))
                keeper.save(asdict(state), *last[:2])
                progress.update(state.step - progress.n)
        self.compiled.set_weights(best)
        model.set_weights(best)
        if validation is not None:
            networks.set_temperature(model, calibration.temperature(*validation.probabilities(self.asked)))
        return state

    def rate(self, state: State, step: int) -> float:
        """Return the learning rate of a step."""
        warm = min(1.0, (step + 1) / WARM)
        if self.how.schedule == "cosine":
            return self.how.rate * state.factor * warm * (1 + math.cos(math.pi * step / self.how.steps)) / 2
        return self.how.rate * state.factor * warm

    def _begin(self, model: keras.Model) -> None:
        self.compiled.set_weights(model.get_weights())
        self.average = model.get_weights()
        for variable, number in zip(self.compiled.optimizer.variables, self.start, strict=True):
            variable.assign(number)
        weights = {id(v) for v in self.compiled.weights}
        drawn = [v for v in self.compiled.variables if id(v) not in weights]  # states of what dropout draws
        for i, variable in enumerate(drawn):
            variable.assign(np.array([self.how.seed, i], np.uint32))

    def _run(self, data: patches.Patches, state: State, ahead: ThreadPoolExecutor) -> float:
        """Take the steps up to the next look; return their mean loss."""
        found = []
        stop = min(state.step + EVERY, self.how.steps)
        batch = ahead.submit(data.__getitem__, state.step)
        for step in range(state.step, stop):
            images, classes, weights = batch.result()
            if step + 1 < stop:  # the next batch is cut while this one is learnt
                batch = ahead.submit(data.__getitem__, step + 1)
            self.compiled.optimizer.learning_rate = self.rate(state, step)
            found.append(float(self.compiled.train_on_batch(images, classes, weights)))
            self._follow(step)
        state.step = stop
        return float(np.mean(found))

    def _follow(self, step: int) -> None:
        """Let the average follow the weights; the first steps, far from the end, are forgotten faster."""
        part = 1 - min(MEMORY, (1 + step) / (10 + step))
        for mean, weight in zip(self.average, self.compiled.weights, strict=True):
            mean += part * (np.asarray(weight) - mean)

    def _judge(self, state: State, loss: float, said: tuple[Any, Any] | None) -> bool:
        """Note how well the network does; return whether it never did better."""
        row = {"step": state.step, "seconds": state.seconds, "rate": self.rate(state, state.step - 1), "loss": loss}
        score = float(state.step)  # nobody validates: the last is the best
        if said is None:
            row |= {"validation_loss": math.nan, "validation_f1": math.nan}
        else:
            probabilities, true = said
            score = -macro_log_loss(true, probabilities)
            row |= {"validation_loss": -score, "validation_f1": macro_f1(true, probabilities.argmax(axis=1))}
        state.rows.append(row)
        if score > state.best:
            state.best, state.idle = score, 0
            return True
        state.idle += 1
        return False

    def _falls(self, state: State, sharers: int) -> bool:
        """Decide whether training ends, or the learning rate falls; return whether the latter."""
        spent = self.how.minutes is not None and state.seconds >= 60 * self.how.minutes / sharers
        state.done = state.step >= self.how.steps or spent
        if self.how.schedule == "cosine" or state.idle < PATIENCE or state.step < LEAST or state.done:
            return False
        state.idle, state.falls, state.factor = 0, state.falls + 1, state.factor * FALL
        state.done = state.falls > FALLS
        return not state.done

    def _mend(self, last: tuple[Numbers, Numbers, State], name: str) -> tuple[State, Numbers]:
        """Go back to the last good look with a lower rate."""
        numbers, best, before = last
        if before.mended:
            raise LulcError(
                f"{name}: the loss is no finite number, and was none at a tenth of the learning rate either. Lower "
                f"'learning_rate', and look for huge numbers in the features."
            )
        self._restore(numbers)
        return State(**asdict(before) | {"mended": True, "factor": before.factor * MENDING}), best

    def _numbers(self) -> Numbers:
        changed = *self.compiled.variables, *self.compiled.optimizer.variables, *self.average
        return [np.array(v) for v in changed]

    def _restore(self, numbers: Sequence[npt.NDArray[Any]]) -> None:
        variables = (*self.compiled.variables, *self.compiled.optimizer.variables)
        for variable, number in zip(variables, numbers, strict=False):
            variable.assign(number)
        self.average = [np.array(number) for number in numbers[len(variables) :]]
