"""Settings of every test, the notebooks' kernels included."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# A test must not touch the progress of whoever runs it; kernels inherit the variable.
_home = tempfile.mkdtemp(prefix="course-test-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["COURSE_HOME"] = _home
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Sliders draw one figure: without a browser to answer them, live ones now and then keep the client of a busy
# kernel waiting for ever. They are turned in tests/test_browser.py.
os.environ["COURSE_STATIC"] = "1"

# What XLA compiles for one test, or for one edition of a lesson, serves the others: it is the same program, to the bit.
# Not for readers: TensorFlow stops with an error where such a folder is full or a file in it is damaged.
if "TF_XLA_FLAGS" not in os.environ:
    _compiled = tempfile.mkdtemp(prefix="course-compiled-")
    atexit.register(shutil.rmtree, _compiled, ignore_errors=True)
    os.environ["TF_XLA_FLAGS"] = (
        f"--tf_xla_persistent_cache_directory={_compiled} --tf_xla_persistent_cache_device_types=CPU"
    )

# The tests take a laptop's time on any machine; those of the tiers say what they want.
os.environ.setdefault("COURSE_TIER", "laptop")

# Published data, where a copy lies beside the project; nothing requires it.
_published = Path(__file__).resolve().parent.parent / "shared" / "data"
if _published.is_dir():
    os.environ.setdefault("COURSE_DATA", str(_published))

# How long an example takes says nothing here: the first one may import TensorFlow.
try:
    import hypothesis
except ImportError:  # the notebooks alone can be run without the test tools
    pass
else:
    hypothesis.settings.register_profile("course", hypothesis.settings(), deadline=None)
    hypothesis.settings.load_profile("course")
