"""What generated kernels call: elementary functions that Triton lacks, and the scan over time.

NaN and infinity pass through. Nothing here needs a GPU's own library by name, so that all of it also runs in
Triton's interpreter.
"""

import triton
import triton.language as tl


@triton.jit
def op_expm1(x):
    """Kahan's way: where exp(x) was rounded, its logarithm says to what (Higham 2002, section 1.14.1)."""
    u = tl.exp(x)
    near = tl.where(u == 1.0, x, (u - 1.0) * x / tl.log(tl.where(u == 1.0, 2.0, u)))
    return tl.where(tl.abs(x) < 0.5, near, u - 1.0)


@triton.jit
def op_log1p(x):
    """Likewise (Higham 2002, problem 1.5)."""
    u = 1.0 + x
    near = tl.where(u == 1.0, x, tl.log(u) * x / tl.where(u == 1.0, 1.0, u - 1.0))
    return tl.where(tl.abs(x) < 0.5, near, tl.log(u))


@triton.jit
def op_tanh(x):
    """-E / (2 + E) with E = expm1(-2 |x|), which neither overflows nor loses anything near zero."""
    e = op_expm1(tl.abs(x) * -2.0)
    t = -e / (2.0 + e)
    return tl.where(x < 0.0, -t, t)


@triton.jit
def op_sigmoid(x):
    e = tl.exp(-tl.abs(x))
    return tl.where(x < 0.0, e, 1.0) / (1.0 + e)


@triton.jit
def op_sign(x):
    return tl.where(x > 0.0, 1.0, tl.where(x < 0.0, -1.0, 0.0)).to(x.dtype)


@triton.jit
def op_maximum(a, b):
    return tl.where((a > b) | (a != a), a, b)


@triton.jit
def op_minimum(a, b):
    return tl.where((a < b) | (a != a), a, b)


@triton.jit
def after(a, b, c, d):
    """Return the slope and the rest of s -> c * (a * s + b) + d."""
    return a * c, b * c + d


@triton.jit
def scan_kernel(
    slope, rest, start, out, steps, width, BACKWARDS: tl.constexpr, STEPS: tl.constexpr, UNITS: tl.constexpr
):
    """out[t] = slope[t] * out[t - 1] + rest[t] for each of ``width`` units, from ``start`` on; ``BACKWARDS``:
    from the last step to the first. A program takes some units, and ``STEPS`` steps at a time."""
    unit = tl.program_id(0).to(tl.int64) * UNITS + tl.arange(0, UNITS)[None, :]
    state = tl.load(start + unit, mask=unit < width, other=0.0)
    for first in range(0, steps, STEPS):
        step = first + tl.arange(0, STEPS)[:, None]
        inside = (step < steps) & (unit < width)
        at = (steps - 1 - step if BACKWARDS else step).to(tl.int64) * width + unit
        a = tl.load(slope + at, mask=inside, other=1.0)
        b = tl.load(rest + at, mask=inside, other=0.0)
        a, b = tl.associative_scan((a, b), 0, after)
        new = a * state + b
        tl.store(out + at, new, mask=inside)
        last = step == first + STEPS - 1
        state = tl.sum(tl.where(last, new, 0.0), 0, keep_dims=True)
