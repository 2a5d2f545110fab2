"""Published data: found in the right order, checked, tidy; and one sentence where they cannot be had."""

import dataclasses
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from course.data import published
from course.data.published import DATASETS, UnavailableError, load, load_or_none, why_not, without_largest

FOLDER = os.environ.get("COURSE_DATA", "")  # before a test changes it
OWN = "Model Size,Training FLOP,loss\n1e6,6e13,3.0\n2e6,6e14,2.5\n4e6,6e15,2.0\n"


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """A folder and a cache of this test's own, and no web."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(published, "_failed", {})
    return tmp_path


@pytest.fixture
def served(monkeypatch):
    """Epoch's record for a small file of our own, and what the web answers with: text, or an error to raise."""
    import pooch

    answer = {"with": OWN, "times": 0}
    own = dataclasses.replace(DATASETS["epoch"], sha256=hashlib.sha256(OWN.encode()).hexdigest(), rows=3)
    monkeypatch.setitem(DATASETS, "epoch", own)

    def downloader(timeout):
        assert timeout <= 10

        def fetch(url, output_file, pooch):
            answer["times"] += 1
            if isinstance(answer["with"], Exception):
                raise answer["with"]
            with open(output_file, "w", newline="") as file:
                file.write(answer["with"])

        return fetch

    monkeypatch.setattr(pooch, "HTTPDownloader", downloader)
    return answer


def sentence(text):
    """Whether the text is one sentence that fits a line or two."""
    return text.endswith(".") and "\n" not in text and ". " not in text and 20 < len(text) < 400


# --- where it is found ----------------------------------------------------------------------------


def test_the_web_fills_the_cache_once(served, places, capfd):
    assert load("epoch")["loss"].tolist() == [3.0, 2.5, 2.0]
    served["with"] = AssertionError("asked again")
    assert len(load("epoch")) == 3
    assert served["times"] == 1
    assert (places / "cache" / DATASETS["epoch"].file).read_text() == OWN
    assert capfd.readouterr() == ("", "")


def test_the_named_folder_comes_before_the_cache_and_the_web(served, places):
    (places / "data" / DATASETS["epoch"].file).write_text(OWN)
    assert len(load("epoch")) == 3
    assert served["times"] == 0


def test_a_damaged_copy_in_the_cache_is_fetched_again(served, places):
    (places / "cache").mkdir()
    (places / "cache" / DATASETS["epoch"].file).write_text(OWN[:30])
    assert len(load("epoch")) == 3


def test_a_wrong_file_in_the_named_folder_is_refused(served, places):
    (places / "data" / DATASETS["epoch"].file).write_text(OWN + "1,1,1\n")
    with pytest.raises(UnavailableError, match="is not the published epoch") as error:
        load("epoch")
    assert sentence(str(error.value).replace("...", ""))


@pytest.mark.parametrize("name", [name for name, about in DATASETS.items() if not about.url])
def test_a_file_without_an_address_is_asked_for_by_name(name, places):
    assert sentence(why_not(name))
    assert DATASETS[name].file in why_not(name)
    assert "COURSE_DATA" in why_not(name)
    (places / "cache").mkdir()
    (places / "cache" / DATASETS[name].file).write_text("not the one")
    assert "is not the published" in why_not(name)


def test_out_of_reach_is_one_sentence_said_without_a_second_wait(served, capfd):
    served["with"] = ConnectionError("no route")
    assert load_or_none("epoch") is None
    assert "out of reach" in why_not("epoch")
    assert not published.available("epoch")
    with pytest.raises(UnavailableError):
        load("epoch")
    assert served["times"] == 1
    assert sentence(why_not("epoch"))
    assert capfd.readouterr() == ("", "")


def test_a_changed_file_on_the_web_is_refused(served, places):
    served["with"] = "something,else\n1,2\n"
    assert "checksum differs" in why_not("epoch")
    assert not (places / "cache" / DATASETS["epoch"].file).exists()


def test_a_cache_that_cannot_be_written_is_one_sentence(served, places, monkeypatch):
    (places / "file").write_text("")
    monkeypatch.setenv("COURSE_CACHE", str(places / "file" / "cache"))
    assert "COURSE_CACHE" in why_not("epoch")
    assert sentence(why_not("epoch"))


def test_an_unknown_name_names_those_there_are():
    for call in (load, load_or_none, why_not, published.available):
        with pytest.raises(ValueError, match="porian_points"):
            call("nothing")
        assert issubclass(UnavailableError, ValueError)


def test_importing_the_module_imports_neither_pandas_nor_pooch():
    code = "import sys; import course.data.published; sys.exit('pooch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


# --- what is in it --------------------------------------------------------------------------------


def test_dropping_the_largest(served):
    frame = load("epoch", drop_largest=1)
    assert frame["loss"].tolist() == [2.5, 2.0]
    assert len(load("epoch", drop_largest=0)) == 3
    for count in (-1, 3):
        with pytest.raises(ValueError, match="Between 0 and 2"):
            without_largest(load("epoch"), count)
    with pytest.raises(ValueError, match="no column 'nats'"):
        without_largest(frame, 1, "nats")


@pytest.mark.parametrize("name", DATASETS)
def test_the_published_files_are_tidy(name, monkeypatch):
    """The real files, where a copy is at hand."""
    monkeypatch.setenv("COURSE_DATA", FOLDER)
    monkeypatch.setitem(DATASETS, name, dataclasses.replace(DATASETS[name], url=""))
    if why_not(name):
        pytest.skip(f"{name} is not on this machine")
    about, frame = DATASETS[name], load(name)
    assert len(frame) == about.rows
    assert list(frame.columns) == list(about.columns)
    assert all(about.columns.values())
    assert frame.attrs["licence"] == about.licence
    numbers = frame.select_dtypes("number")
    assert np.isfinite(numbers.to_numpy(dtype=float)).all()
    assert (numbers.to_numpy(dtype=float) > 0).all()
    assert {"n_params", "tokens", "flops"} <= set(numbers)
    if name in {"epoch", "datablations", "gadre"}:  # the others count FLOPs in three ways
        np.testing.assert_allclose(frame["flops"], 6.0 * frame["n_params"] * frame["tokens"], rtol=1e-9)
    if name == "epoch":
        assert len(load("epoch", drop_largest=5)) == 240
