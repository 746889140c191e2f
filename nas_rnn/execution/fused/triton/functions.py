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


# Of a program that runs a block of sequences through all steps: ``row`` are its rows' numbers, (ROWS, 1), of which
# those in ``inside`` count.


@triton.jit
def multiply(
    source,
    source_row,
    source_apart,
    weight,
    to,
    to_row,
    to_apart,
    inside,
    heads,
    columns,
    depth,
    column_apart,
    depth_apart,
    F: tl.constexpr,
    P: tl.constexpr,
    DOT: tl.constexpr,
    PRECISION: tl.constexpr,
    ADDS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """to[row, n] (+)= sum over k of source[row, k] * weight[n * column_apart + k * depth_apart], for each of ``heads``
    blocks of ``columns`` and ``depth``. Factors are rounded to ``P`` and multiplied as ``DOT``, sums are ``F``.

    The weights are read from memory at every step: caches hold them. What is read must have been written before a
    barrier, as another thread may have done so, and a barrier is wanted before the results are read.
    """
    for head in range(heads):
        for first in range(0, columns, COLUMNS):
            n = first + tl.arange(0, COLUMNS)[None, :]
            in_n = n < columns
            sums = tl.zeros((ROWS, COLUMNS), F)
            for begin in range(0, depth, DEPTH):
                k = begin + tl.arange(0, DEPTH)
                in_k = k < depth
                left = source + source_row * source_apart + (head * depth + k[None, :])
                a = tl.load(left, mask=inside & in_k[None, :], other=0.0)
                right = weight + head * columns * depth + n * column_apart + k[:, None] * depth_apart
                b = tl.load(right, mask=in_n & in_k[:, None], other=0.0)
                sums = tl.dot(a.to(P).to(DOT), b.to(P).to(DOT), sums, input_precision=PRECISION, out_dtype=F)
            place = to + to_row * to_apart + (head * columns + n)
            if ADDS:
                sums += tl.load(place, mask=inside & in_n, other=0.0)
                tl.debug_barrier()  # another thread may hold a copy of what one writes
            tl.store(place, sums, mask=inside & in_n)


@triton.jit
def copy_rows(to, source, row, inside, units, UNITS: tl.constexpr):
    """to[row] = source[row], ``units`` wide."""
    for first in range(0, units, UNITS):
        u = first + tl.arange(0, UNITS)[None, :]
        mask = inside & (u < units)
        tl.store(to + row * units + u, tl.load(source + row * units + u, mask=mask, other=0.0), mask=mask)


@triton.jit
def begin_anew(to, source, row, inside, again, init, units, UNITS: tl.constexpr):
    """to[row] = init where ``again``, else source[row]."""
    for first in range(0, units, UNITS):
        u = first + tl.arange(0, UNITS)[None, :]
        mask = inside & (u < units)
        carried = tl.load(source + row * units + u, mask=mask, other=0.0)
        tl.store(to + row * units + u, tl.where(again, init, carried), mask=mask)


@triton.jit
def clear_rows(to, row, inside, units, UNITS: tl.constexpr):
    """to[row] = 0."""
    for first in range(0, units, UNITS):
        u = first + tl.arange(0, UNITS)[None, :]
        empty = tl.broadcast_to(inside & False, (inside.shape[0], UNITS)).to(to.dtype.element_ty)
        tl.store(to + row * units + u, empty, mask=inside & (u < units))
