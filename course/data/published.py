"""Published runs of others, loaded by name: where they come from, under which licence, and with which checksum.

`load("epoch")` gives a pandas frame with tidy columns. A file is looked for in the folder that the
environment variable COURSE_DATA names, then in the cache (COURSE_CACHE names another one), then on the web where
it has an address; its SHA-256 must agree. None of the files is part of the course, and nothing requires
them: `load_or_none` returns None where `why_not` has a sentence to say. Used in lesson 5.4.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DATASETS",
    "Published",
    "UnavailableError",
    "available",
    "load",
    "load_or_none",
    "why_not",
    "without_largest",
]

SECONDS = 6.0
"""How long a server may stay silent before it counts as out of reach."""


class UnavailableError(ValueError):
    """A published data set cannot be had here; the message says why and what to do."""


@dataclass(frozen=True)
class Published:
    """A published table: its file, address ("" where it has none), SHA-256, licence, citation and number of rows.

    `columns` maps the names of the frame that `load` gives to what they mean.
    """

    name: str
    file: str
    url: str
    sha256: str
    licence: str
    citation: str
    rows: int
    columns: Mapping[str, str]


_PORIAN = "Porian et al. 2024, Resolving Discrepancies in Compute-Optimal Scaling of Language Models"
_PORIAN_SETTING = {
    "dataset": "training text: rw (RefinedWeb) or owt2 (OpenWebText2)",
    "hparams": "learning rate, batch size and beta_2: base (one for all sizes) or tuned for each size",
    "warmup": "warm-up of the learning rate: long (Kaplan's) or short (in proportion to the size)",
    "decay": "schedule: kaplan (one long cosine), chinchilla (a cosine for each budget) or const",
    "param_count": "what counts as a parameter: standard (with the head), kaplan (without), attention (FLOPs of it too)",
    "val": "loss on validation (val) or training (train) text",
    "flops": "budget, training FLOPs",
}

DATASETS: dict[str, Published] = {
    each.name: each
    for each in (
        Published(
            name="epoch",
            file="epoch_svg_extracted_data.csv",
            url="https://raw.githubusercontent.com/epoch-research/analyzing-chinchilla/main/data/svg_extracted_data.csv",
            sha256="193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
            licence="none stated: loaded from its authors, never passed on",
            citation="Besiroglu et al. 2024, Chinchilla Scaling: A replication attempt; "
            "the runs are those of Hoffmann et al. 2022, read off a figure",
            rows=245,
            columns={
                "n_params": "parameters",
                "tokens": "training tokens, flops / (6 n_params)",
                "loss": "final training loss, nats a token",
                "flops": "training FLOPs",
            },
        ),
        Published(
            name="porian_points",
            file="porian_isoflop_points.csv",
            url="",
            sha256="13ce790d46507a321a4e970007a71903af467f618e729fd91c93c8696a3028f8",
            licence="MIT",
            citation=f"{_PORIAN} (derived from summary_df of formll/resolving-scaling-law-discrepancies)",
            rows=1745,
            columns={
                **_PORIAN_SETTING,
                "n_params": "parameters, counted as param_count says",
                "tokens": "training tokens at the budget",
                "loss": "loss there, nats a token",
            },
        ),
        Published(
            name="porian_optima",
            file="porian_optima.csv",
            url="",
            sha256="6dde709888cb79b8f1dfaf48cacc3cd1d93ef447822d9d3dd9b943b2f30a503e",
            licence="MIT",
            citation=f"{_PORIAN} (bootstrap medians a budget, from formll/resolving-scaling-law-discrepancies)",
            rows=173,
            columns={
                **_PORIAN_SETTING,
                "n_params": "best number of parameters at the budget, median over resamples",
                "n_params_log_std": "standard deviation of its natural logarithm over resamples",
                "tokens": "best number of training tokens, median",
                "tokens_log_std": "standard deviation of its logarithm",
                "loss": "loss there, nats a token, median",
                "loss_log_std": "standard deviation of its logarithm",
                "resamples": "number of resamples",
            },
        ),
        Published(
            name="datablations",
            file="datablations_val_loss_182.csv",
            url="",
            sha256="347049d5afb1844b80031f10312e5d4a69ec5016ede3981ea42f06ae953024bf",
            licence="Apache-2.0",
            citation="Muennighoff et al. 2023, Scaling Data-Constrained Language Models "
            "(derived from utils/parametric_fit.ipynb of huggingface/datablations)",
            rows=182,
            columns={
                "name": "name of the run",
                "n_params": "parameters",
                "tokens": "training tokens, repetitions counted",
                "unique_tokens": "distinct training tokens; tokens / unique_tokens is the number of epochs",
                "loss": "validation loss, nats a token",
                "flops": "training FLOPs, 6 n_params tokens",
            },
        ),
        Published(
            name="gadre",
            file="gadre_overtraining_104.csv",
            url="",
            sha256="7552f6003a2fb3889bf480a7aba670d3ab158c0ac5ef91875a46fdf6c4429a11",
            licence="MIT",
            citation="Gadre et al. 2024, Language models scale reliably with over-training and on downstream tasks "
            "(derived from exp_data/models of mlfoundations/scaling)",
            rows=104,
            columns={
                "name": "name of the run",
                "dataset": "training text: c4_original, rpj (RedPajama) or rw_original (RefinedWeb)",
                "n_params": "parameters",
                "tokens": "training tokens",
                "flops": "training FLOPs, 6 n_params tokens",
                "chinchilla_multiple": "tokens over 20 n_params",
                "loss_c4_val": "loss on C4's validation text, nats a token: the one that the paper predicts",
                "loss_openlm": "loss on OpenLM's validation text",
                "loss_paloma_c4_en": "loss on C4 of Paloma",
                "loss_paloma_code": "loss on Paloma's 100 programming languages",
                "loss_paloma_refinedweb": "loss on Paloma's RefinedWeb",
                "loss_paloma_ptb": "loss on Paloma's Penn Treebank",
                "loss_paloma_redpajama": "loss on Paloma's RedPajama",
                "loss_german_english": "loss on translated German and English text",
            },
        ),
    )
}
"""Every data set by name."""

_RENAMED = {
    "epoch": {"Model Size": "n_params", "Training FLOP": "flops"},
    "porian_points": {"n": "n_params"},
    "porian_optima": {
        "n_star_median": "n_params",
        "n_star_logstd": "n_params_log_std",
        "tokens_star_median": "tokens",
        "tokens_star_logstd": "tokens_log_std",
        "loss_star_median": "loss",
        "loss_star_logstd": "loss_log_std",
        "n_boot": "resamples",
    },
    "datablations": {"N": "n_params", "D": "tokens", "U": "unique_tokens", "val_loss": "loss"},
    "gadre": {
        "N": "n_params",
        "D": "tokens",
        "cc_mult": "chinchilla_multiple",
        "loss_paloma_dolma_100_programing_languages": "loss_paloma_code",
        "loss_paloma_falcon-refinedweb": "loss_paloma_refinedweb",
        "loss_training/eval_data/val_tok_mult/de-en/val_de-en_100.tar": "loss_german_english",
    },
}
_DERIVED: dict[str, dict[str, Callable[[pd.DataFrame], pd.Series]]] = {
    "epoch": {"tokens": lambda frame: frame["flops"] / (6 * frame["n_params"])},
    "datablations": {"flops": lambda frame: 6.0 * frame["n_params"] * frame["tokens"]},
    "gadre": {"flops": lambda frame: 6.0 * frame["n_params"] * frame["tokens"]},
}


# --- loading --------------------------------------------------------------------------------------


def load(name: str, *, drop_largest: int = 0) -> pd.DataFrame:
    """The data set as a frame with the columns that `DATASETS[name].columns` explains.

    drop_largest: leave out that many rows with the largest loss; `load("epoch", drop_largest=5)` gives the 240
    points that Besiroglu et al. fit. Raises UnavailableError, a ValueError, where no good copy is within reach,
    and ValueError for an unknown name.
    """
    import pandas as pd

    about = _about(name)
    frame = pd.read_csv(_path(about)).rename(columns=_RENAMED[name])
    frame = frame.assign(**_DERIVED.get(name, {}))[list(about.columns)]
    frame.attrs["citation"], frame.attrs["licence"] = about.citation, about.licence
    return without_largest(frame, drop_largest) if drop_largest else frame


def without_largest(frame: pd.DataFrame, count: int, column: str = "loss") -> pd.DataFrame:
    """The frame less the `count` rows with the largest `column`, the others in their order.

    Raises ValueError for a column that is not there, or a count that is negative or leaves no row.
    """
    if column not in frame.columns:
        raise ValueError(f"There is no column {column!r} to drop the largest of; there are {', '.join(frame.columns)}.")
    if not 0 <= count < len(frame):
        raise ValueError(f"Between 0 and {len(frame) - 1} of {len(frame)} rows can be dropped; got {count}.")
    largest = frame[column].sort_values(ascending=False, kind="stable").index[:count]
    return frame.drop(index=largest)


def load_or_none(name: str, *, drop_largest: int = 0) -> pd.DataFrame | None:
    """`load`, or None where the data set cannot be had; prints nothing. `why_not` says why."""
    try:
        return load(name, drop_largest=drop_largest)
    except UnavailableError:
        return None


def available(name: str) -> bool:
    """Whether `load` can give the data set here; downloads it where need be."""
    return not why_not(name)


def why_not(name: str) -> str:
    """One sentence on why the data set cannot be had here, or "" where it can."""
    try:
        _path(_about(name))
    except UnavailableError as error:
        return str(error)
    return ""


# --- where it lies --------------------------------------------------------------------------------


def _about(name: str) -> Published:
    if name not in DATASETS:
        raise ValueError(f"There is no published data set {name!r}; there are {', '.join(DATASETS)}.")
    return DATASETS[name]


def _path(about: Published) -> Path:
    """The file: in COURSE_DATA's folder, in the cache, or downloaded to the cache. Raises UnavailableError."""
    if folder := os.environ.get("COURSE_DATA"):
        path = Path(folder).expanduser() / about.file
        if path.is_file():
            return _checked(path, about)
    path = _cache() / about.file
    if path.is_file() and (not about.url or _sha256(path) == about.sha256):
        return _checked(path, about)
    if about.url:
        return _download(about, path)
    raise UnavailableError(
        f"The data set {about.name} has no address on the web: put {about.file} into a folder and name that folder in "
        f"COURSE_DATA."
    )


def _cache() -> Path:
    if folder := os.environ.get("COURSE_CACHE"):
        return Path(folder).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("scaling-laws-course", appauthor=False))


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _checked(path: Path, about: Published) -> Path:
    found = _sha256(path)
    if not found:
        raise UnavailableError(f"The file {path} cannot be read: make it readable, or take it away.")
    if found != about.sha256:
        raise UnavailableError(
            f"The file {path} is not the published {about.name} (SHA-256 {found[:12]}..., expected "
            f"{about.sha256[:12]}...): take it away, or put the right one there."
        )
    return path


_failed: dict[str, tuple[float, str]] = {}  # name: when a download failed, and what was said


def _download(about: Published, path: Path) -> Path:
    """Fetch the file into the cache. After a failure it is not tried again for a minute, so that nobody waits twice."""
    import logging

    import pooch

    when, said = _failed.get(about.name, (0.0, ""))
    if said and time.monotonic() - when < 60:
        raise UnavailableError(said)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        pooch.retrieve(
            about.url,
            known_hash=f"sha256:{about.sha256}",
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(timeout=SECONDS),
        )
    except Exception as error:  # a server's answer, a proxy's, a checksum, a cache that cannot be written
        said = _why_no_download(about, path.parent, error)
        _failed[about.name] = (time.monotonic(), said)
        raise UnavailableError(said) from None
    finally:
        logger.setLevel(level)
    return path


def _why_no_download(about: Published, cache: Path, error: Exception) -> str:
    elsewhere = f"put {about.file} into a folder and name that folder in COURSE_DATA"
    if isinstance(error, ValueError) and "hash" in str(error):
        return f"What {about.url} holds now is not the published {about.name} (its checksum differs): {elsewhere}."
    if isinstance(error, PermissionError | FileExistsError | NotADirectoryError):
        return f"The cache {cache} cannot be written: name another folder in COURSE_CACHE, or {elsewhere}."
    return (
        f"The data set {about.name} is not on this machine and {about.url} is out of reach: go online, or {elsewhere}."
    )
