"""A real Ray cluster of several nodes on this machine, for tests and benchmarks: started, and its nodes killed."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["cluster", "environment"]

_SKIPPED = "rfc3987_syntax"
"""What jsonschema reads for addresses in other alphabets: its grammar takes seconds to build in every process of Ray, and
Ray gives up on a node whose processes need more than 15 s to start."""


def environment(folder: Path) -> dict[str, str]:
    """Variables for Ray's processes and for those that lead a sweep: this package first, no time lost at the start."""
    folder.mkdir(exist_ok=True)
    (folder / f"{_SKIPPED}.py").write_text("raise ImportError('left out of the tests: slow to load')\n")
    paths = [str(folder), str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]
    if "PYTHONPATH" in os.environ:
        paths.append(os.environ["PYTHONPATH"])
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONDONTWRITEBYTECODE": "",
    }


def _ports() -> dict[str, int]:
    """Free ports for what a node would else choose itself and be waited for."""
    names = ("metrics_agent_port", "runtime_env_agent_port", "metrics_export_port")
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for each in sockets:
            each.bind(("", 0))
        return {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}


_QUIET = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
"""A node starts five processes at once; these are the ones it can do without."""


def _started(nodes: int, cpus: int) -> Any:
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **_QUIET, **_ports()})
    try:
        for _ in range(nodes):
            started.add_node(num_cpus=cpus, **_ports())
    except BaseException:
        started.shutdown()
        raise
    return started


@contextlib.contextmanager
def cluster(nodes: int, variables: dict[str, str] | None = None, cpus: int = 1, tries: int = 4) -> Iterator[Any]:
    """A `ray.cluster_utils.Cluster`: a head without processors of its own and `nodes` of `cpus` each, with these variables.

    `.address` is the head's, `.worker_nodes` are the nodes; `.remove_node(node, allow_graceful=False)` kills one. On a
    busy machine Ray may give up on a node: the cluster is started anew, `tries` times.
    """
    with tempfile.TemporaryDirectory(prefix="course-ray-") as folder:
        before = dict(os.environ)
        os.environ.update(environment(Path(folder) / "paths") | (variables or {}))
        try:
            while True:
                tries -= 1
                try:
                    started = _started(nodes, cpus)
                    break
                except Exception:
                    if not tries:
                        raise
        finally:
            os.environ.clear()
            os.environ.update(before)
        try:
            yield started
        finally:
            started.shutdown()
