"""Settings of every test, the notebooks' kernels included."""

import os
import tempfile

# A test must not touch the progress of whoever runs it; kernels inherit the variable.
os.environ["COURSE_HOME"] = tempfile.mkdtemp(prefix="course-test-")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLCONFIGDIR", tempfile.mkdtemp(prefix="course-mpl-"))
