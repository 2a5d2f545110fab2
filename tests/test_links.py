"""The link check finds dead links, asks again, and this project's own links to files are alive."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import links
import pytest


@pytest.fixture
def server():
    """A web server of this machine: /well answers, /dead is 404, /late answers the second time, /shy is 403."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            code = {"/well": 200, "/dead": 404, "/shy": 403}.get(self.path, 503 if asked.count(self.path) < 2 else 200)
            self.send_response(code)
            self.end_headers()

        def log_message(self, *args):
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}", asked
    httpd.shutdown()
    httpd.server_close()


def test_an_answer_is_waited_for_and_a_dead_end_is_not(server):
    address, asked = server
    assert [links.ask(address + path, wait=0) for path in ("/well", "/late", "/shy")] == ["", "", ""]
    assert asked.count("/late") == 2
    assert links.ask(address + "/dead", wait=0) == "HTTP 404"
    assert asked.count("/dead") == 1
    assert links.ask("http://127.0.0.1:1/", tries=2, wait=0).startswith("no answer")


def test_dead_links_are_named_with_their_files(server, tmp_path, capsys):
    address, _ = server
    (tmp_path / "notebooks").mkdir()
    cells = [
        {"cell_type": "markdown", "source": [f"[a]({address}/dead) and [b](../README.md), `[c](nowhere)`\n"]},
        {"cell_type": "code", "source": ["'[d](nowhere)'"]},
    ]
    (tmp_path / "notebooks" / "one.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "README.md").write_text(f"[x](gone.md#part), [y](notebooks), see {address}/well.\n")
    assert links.main(tmp_path, wait=0) == 1
    out = capsys.readouterr().out.splitlines()
    assert sorted(out) == ["README.md: gone.md#part is not there", f"notebooks/one.ipynb: {address}/dead (HTTP 404)"]


def test_without_a_network_the_web_is_left_out_and_said_so(tmp_path, capsys):
    (tmp_path / "README.md").write_text("<http://127.0.0.1:1/x>\n")
    assert links.main(tmp_path, wait=0) == 0
    assert "No network: the 1 links to the web were not looked at." in capsys.readouterr().out


def test_this_projects_links_to_files_lead_somewhere():
    dead = [
        f"{path.relative_to(links.ROOT)}: {link}"
        for path in links.files()
        for link in links.links(links.prose(path))
        if ":" not in link and links.missing(path, link)
    ]
    assert dead == []
