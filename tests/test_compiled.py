"""The reader of programs reads them: products, element-wise work, and the memory of a schedule."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_tasks

from course import compiled, counting, models
from course.compiled import Program
from course.data import task

SHORT = """HloModule m

inner.1 {
  a.1 = f32[3,4]{1,0} parameter(0)
  ROOT dot.9 = f32[3,3]{1,0} dot(a.1, a.1), lhs_contracting_dims={1}, rhs_contracting_dims={1}
}

plus.1 {
  l.1 = f32[] parameter(0)
  r.1 = f32[] parameter(1)
  ROOT add.5 = f32[] add(l.1, r.1)
}

ENTRY main.2 {
  %x.1 = f32[3,4]{1,0} parameter(0)
  %zero.1 = f32[] constant(0)
  %unused.1 = f32[4,4]{1,0} dot(f32[3,4]{1,0} %x.1, f32[3,4]{1,0} %x.1), lhs_contracting_dims={0}, rhs_contracting_dims={0}
  %call.1 = f32[3,3]{1,0} call(f32[3,4]{1,0} %x.1), to_apply=%inner.1
  %call.2 = f32[3,3]{1,0} call(x.1), to_apply=inner.1
  %sum.1 = f32[3,3]{1,0} add(%call.1, %call.2)
  %root.1 = f32[3,3]{1,0} sqrt(%sum.1), metadata={op_name="a(b) = dot(c)"}
  ROOT %total.1 = f32[3]{0} reduce(f32[3,3]{1,0} %root.1, f32[] %zero.1), dimensions={1}, to_apply=%plus.1
}
"""

SCHEDULED = """HloModule m, is_scheduled=true, input_output_alias={ {1}: (1, {}, may-alias) }, entry={()}

ENTRY main {
  x = f32[10]{0} parameter(0)
  w = f32[10]{0} parameter(1)
  a = f32[100]{0} broadcast(x), dimensions={}
  b = f32[100]{0} negate(a)
  c = f32[50]{0} slice(b), slice={[0:50]}
  v = f32[10,5]{1,0} bitcast(c)
  new = f32[10]{0} reduce(v, x), dimensions={1}, to_apply=plus
  ROOT out = (f32[50]{0}, f32[10]{0}) tuple(c, new)
}
"""


def test_products_of_a_program_without_what_nothing_uses():
    assert Program(SHORT).flops() == 2 * (2 * 3 * 4 * 3)


def test_element_wise_work_is_one_for_each_number_and_k_minus_one_for_a_sum():
    assert Program(SHORT).element_wise() == 9 + 9 + 3 * 2


def test_the_memory_of_a_schedule():
    """b is written over a, c lives on as the result, the new weight in the old one's place."""
    moments = {m.name: m.bytes for m in Program(SCHEDULED).moments()}
    assert moments == {"x": 0, "w": 0, "a": 400, "b": 400, "c": 600, "v": 200, "new": 200, "out": 200}
    assert Program(SCHEDULED).temporary_bytes == 600
    assert Program(SCHEDULED).argument_bytes == 80


def test_a_program_without_a_schedule_has_no_memory():
    with pytest.raises(ValueError, match=r"stage='optimized_hlo'\.$"):
        Program(SHORT).moments()


def test_text_that_is_no_program_is_refused():
    with pytest.raises(ValueError, match="No instruction found"):
        Program("hello")


def test_bad_input_of_the_compiling_functions():
    with pytest.raises(ValueError, match="stage"):
        compiled.program(lambda x: x, 1.0, stage="llvm")
    with pytest.raises(ValueError, match="sgd, adam, adamw"):
        compiled.training_step("mlp", 4, tiny_tasks.pictures(), 8, "lion")
    with pytest.raises(ValueError, match="batch"):
        compiled.training_step("mlp", 4, tiny_tasks.pictures(), 0)


def test_a_product_compiled_here_has_its_flops():
    a, b = np.zeros((3, 5), np.float32), np.zeros((5, 7), np.float32)
    import tensorflow as tf

    assert compiled.program(lambda a, b: a @ b, tf.constant(a), tf.constant(b)).flops() == 2 * 3 * 5 * 7


@pytest.mark.parametrize(
    ("family", "size", "of"),
    [
        ("linear", 4, tiny_tasks.corners),
        ("mlp", 16, lambda: task("digits")),
        ("char_mlp", 16, tiny_tasks.letters),
        ("transformer", 8, tiny_tasks.sequences),
    ],
)
def test_the_arguments_of_a_step_are_batch_weights_and_two_moments(family, size, of):
    of, batch = of(), 4
    program = compiled.training_step(family, size, of, batch)
    numbers_in_batch = batch * (int(np.prod(of.inputs)) + of.tokens_per_sample)
    counts = counting.count_shape(models.shape(family, size, of))
    # The count of steps is 8 bytes, the rate 4.
    assert program.argument_bytes == 4 * numbers_in_batch + 12 * counts.n_params + 12
    assert program.temporary_bytes > 0


DUMP = """
import sys
sys.path.insert(0, sys.argv[1])
import tiny_tasks
from course import compiled
from course.data import task

for family, size, of, batch in (
    ("mlp_4", 64, task("digits"), 128),
    ("char_mlp", 40, task("characters"), 128),
    ("transformer", 16, tiny_tasks.sequences(), 16),
):
    print("ours", compiled.training_step(family, size, of, batch).temporary_bytes)
"""


def test_the_schedule_is_held_to_the_compilers_own_plan(tmp_path):
    """XLA writes its buffer assignment where it is asked to; ours is read from the schedule alone."""
    done = subprocess.run(
        [sys.executable, "-c", DUMP, str(Path(__file__).parent)],
        env=os.environ
        | {
            "XLA_FLAGS": f"--xla_dump_to={tmp_path} --xla_dump_hlo_module_re=.*step.*",
            "TF_XLA_FLAGS": "",  # a program taken from the tests' store would leave no dump
            "CUDA_VISIBLE_DEVICES": "-1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    ours = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("ours")]
    plans = sorted(tmp_path.glob("*buffer-assignment.txt"))
    if len(plans) != len(ours):
        pytest.skip("this XLA does not write its buffer assignment")
    theirs = [
        sum(int(size) for size in re.findall(r"^allocation \d+: size (\d+), preallocated-temp", plan.read_text(), re.M))
        for plan in plans
    ]
    assert ours == pytest.approx(theirs, rel=0.15)
