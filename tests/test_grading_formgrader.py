"""nbgrader's own formgrader on a class that `course grade` has graded: it shows an answer and takes a mark."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request

import pytest
from test_grading_running import LONG, answer, classroom, fresh, hand_in, run  # noqa: F401 - fixtures

from course.grading import gradebook

pytest.importorskip("jupyter_server", reason="needs a Jupyter server, which comes with the lab extra")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A Jupyter server with formgrader in a class's folder."""

    def __init__(self, folder, home):
        self.address = f"http://127.0.0.1:{free_port()}"
        home.mkdir()
        settings = {
            "ServerApp": {
                "port": int(self.address.rpartition(":")[2]),
                "root_dir": str(folder),
                "open_browser": False,
                "allow_root": True,
                "disable_check_xsrf": True,
                "jpserver_extensions": {"nbgrader.server_extensions.formgrader": True},
            },
            "IdentityProvider": {"token": ""},
        }
        (home / "jupyter_server_config.json").write_text(json.dumps(settings), encoding="utf-8")
        command = [sys.executable, "-W", "ignore", "-m", "jupyter_server"]
        places = {"HOME": home, "JUPYTER_CONFIG_DIR": home, "JUPYTER_DATA_DIR": home, "JUPYTER_RUNTIME_DIR": home}
        environment = {**os.environ, **{name: str(path) for name, path in places.items()}}
        # The server's own environment, as `make lab` gives it: nbgrader calls `alembic` by its name.
        environment["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
        self._log = open(home / "log", "wb")  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(command, cwd=folder, env=environment, stdout=self._log, stderr=self._log)
        end = time.monotonic() + 180
        while True:
            try:
                self.get("/formgrader/api/status")
                return
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < end and self._process.poll() is None, (home / "log").read_text()
                time.sleep(0.3)

    def get(self, path):
        with urllib.request.urlopen(self.address + path, timeout=60) as reply:
            return reply.read().decode()

    def put(self, path, **body):
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method="PUT")
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read())

    def close(self):
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


def test_formgrader_shows_the_answer_and_takes_a_mark(classroom, tmp_path):  # noqa: F811
    hand_in(classroom, "ada", answer(classroom, LONG + " <script>alert(1)</script>"))
    run(classroom)
    server = Server(classroom.root, tmp_path / "home")
    try:
        (assignment,) = json.loads(server.get("/formgrader/api/assignments"))
        assert (assignment["name"], assignment["num_submissions"]) == ("week", 1)
        (submission,) = json.loads(server.get("/formgrader/api/submitted_notebooks/week/power_laws"))
        assert (submission["student"], submission["needs_manual_grade"]) == ("ada", True)
        page = server.get(f"/formgrader/submissions/{submission['id']}/")
        assert "I promise the loss at four times the data" in page
        assert "<script>alert(1)" not in page
        grades = json.loads(server.get(f"/formgrader/api/grades?submission_id={submission['id']}"))
        (waiting,) = [grade for grade in grades if grade["needs_manual_grade"]]
        assert waiting["name"] == "exercise-1-1-6"
        assert server.put(f"/formgrader/api/grade/{waiting['id']}", manual_score=2)["manual_score"] == 2
    finally:
        server.close()
    assert gradebook.scores(classroom, "week") == {"ada": {"1.1.1": 1.0, "1.1.6": 2.0}}
    assert run(classroom).waiting == {}
