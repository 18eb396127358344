"""The compiled interpreter: runs the tapes of a cohort over its members' outputs, block by block within the cache.

All compiled code is in this one file, because numba looks at no other file to see whether its cache on disk is stale.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symloss.judging.compiling import cached, inline, part

BLOCK = 512  # elements that an instruction works on at once
STRIDE = BLOCK + 16  # floats from one register to the next; not a power of two, whose registers would evict each other
LANES = 16  # partial sums of a block: what one instruction of the widest processors adds

# Opcodes, in the order of `tape.OPCODES`: constants of this file, so that a change makes numba compile anew.
ADD, SUB, MUL, DIV, NEG, SQUARE, CUBE = range(7)
SQRT, LOG, EXP, ABS, SIGN, MIN, MAX, TANH, SIGMOID, SOFTPLUS, SIN, COS, POW = range(7, 20)
CLAMP, GATE, FAVOUR, SOFTPLUS_SLOPE, TANH_SLOPE, SIGMOID_SLOPE = range(20, 26)

# Elementary functions without branches or calls, so that the compiler can vectorise the loops around them. Cephes
# (Moshier 1992) and FreeBSD's msun give the polynomials; errors are below 2 units in the last place.

_ROUND = np.float32(12582912.0)  # 1.5 * 2**23: adding and subtracting it rounds to an integer
_ROUND_DOUBLE = 6755399441055744.0  # 1.5 * 2**52
_LOG2_E = np.float32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_E = tuple(
    np.float32(c)
    for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_LN2_UPPER, _LN2_LOWER = np.float32(6.9313812256e-01), np.float32(9.0580006145e-06)
_L = tuple(np.float32(c) for c in (0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841))
_T = tuple(
    np.float32(c) for c in (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
)
_S = tuple(np.float32(c) for c in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1))
_C = tuple(np.float32(c) for c in (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2))
_HALF_PI_HIGH, _HALF_PI_LOW = 1.57079632673412561417e00, 6.07710050650619224932e-11
_FAR = np.float32(1e6)  # beyond, the two parts of half pi are too few
_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_INF, _NAN = np.float32(np.inf), np.float32(np.nan)


@inline
def _two_to(n: Any) -> Any:
    return np.int32((n + np.int32(127)) << np.int32(23)).view(np.float32)


@inline
def exp(x: Any) -> Any:
    """Return e**x; 0 and infinity beyond float32's range."""
    near = x if x < np.float32(89) else np.float32(89)  # so that the integer below is one; NaN is put back at the end
    near = near if near > np.float32(-104) else np.float32(-104)
    k = (near * _LOG2_E + _ROUND) - _ROUND
    r = (near - k * _LN2_HIGH) - k * _LN2_LOW
    y = ((((_E[0] * r + _E[1]) * r + _E[2]) * r + _E[3]) * r + _E[4]) * r + _E[5]
    y = y * (r * r) + r + _ONE
    n = np.int32(k)
    half = np.int32(n >> np.int32(1))  # in two steps, as 2**n itself may be out of range
    y = y * _two_to(half) * _two_to(np.int32(n - half))
    return y if x == x else x


@inline
def log(x: Any) -> Any:
    """Return the natural logarithm: -inf at 0, NaN below."""
    small = x < np.float32(1.17549435e-38)
    normal = np.float32(x * (np.float32(8388608.0) if small else _ONE))
    bits = np.int32(normal.view(np.int32) + np.int32(0x3F800000 - 0x3F3504F3))
    k = np.float32(np.int32(bits >> np.int32(23)) - np.int32(150 if small else 127))
    f = np.int32((bits & np.int32(0x007FFFFF)) + np.int32(0x3F3504F3)).view(np.float32) - _ONE
    s = f / (_TWO + f)
    z = s * s
    w = z * z
    rest = z * (_L[0] + w * _L[2]) + w * (_L[1] + w * _L[3])
    half = _HALF * f * f
    y = s * (half + rest) + k * _LN2_LOWER - half + f + k * _LN2_UPPER
    y = y if x < _INF else x  # infinity and NaN
    y = y if x != _ZERO else -_INF
    return _NAN if x < _ZERO else y


@inline
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    a = abs(x)
    z = x * x
    near = ((((_T[0] * z + _T[1]) * z + _T[2]) * z + _T[3]) * z + _T[4]) * z * x + x
    far = _ONE - _TWO / (exp(a + a) + _ONE)
    far = far if x > _ZERO else -far
    return near if a < np.float32(0.625) else far


@inline
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + e**-x)."""
    return _ONE / (_ONE + exp(-x))


@inline
def softplus(x: Any) -> Any:
    """Return log(1 + e**x), and x above 20, as torch does."""
    z = exp(x)
    u = _ONE + z
    return x if x > np.float32(20) else log(u) + (z - (u - _ONE)) / u  # the last term is what u rounded off


@inline
def _quarter_turns(x: Any) -> Any:
    """Return the angle's rest within an eighth of a turn, and which quarter it is in, 0 to 3."""
    wide = np.float64(x)
    shifted = np.float64(wide * 0.63661977236758134308 + _ROUND_DOUBLE)
    q = shifted - _ROUND_DOUBLE
    return np.float32((wide - q * _HALF_PI_HIGH) - q * _HALF_PI_LOW), shifted.view(np.int64) & 3


@inline
def _sine_of(r: Any, quarter: Any) -> Any:
    z = r * r
    sine = ((_S[0] * z + _S[1]) * z + _S[2]) * z * r + r
    cosine = ((_C[0] * z + _C[1]) * z + _C[2]) * z * z - _HALF * z + _ONE
    y = cosine if (quarter & 1) != 0 else sine
    return -y if (quarter & 2) != 0 else y


@inline
def sin(x: Any) -> Any:
    """Return the sine of |x| <= 1e6."""
    r, quarter = _quarter_turns(x)
    return _sine_of(r, quarter)


@inline
def cos(x: Any) -> Any:
    """Return the cosine of |x| <= 1e6."""
    r, quarter = _quarter_turns(x)
    return _sine_of(r, quarter + 1)


@inline
def _log_double(a: Any) -> Any:
    bits = np.float64(a).view(np.int64) + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
    k = np.float64((bits >> 52) - 1023)
    m = np.int64((bits & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = 1 / 15 * z + 1 / 13
    series = (((((series * z + 1 / 11) * z + 1 / 9) * z + 1 / 7) * z + 1 / 5) * z + 1 / 3) * z + 1.0
    return k * 0.69314718055994530942 + 2.0 * s * series


@inline
def _exp_double(x: Any) -> Any:
    near = x if x < 700.0 else 700.0
    near = near if near > -700.0 else -700.0
    shifted = near * 1.44269504088896340736 + _ROUND_DOUBLE
    k = shifted - _ROUND_DOUBLE
    r = near - k * 0.69314718055994530942
    y = 1 / 362880 * r + 1 / 40320
    y = (((((y * r + 1 / 5040) * r + 1 / 720) * r + 1 / 120) * r + 1 / 24) * r + 1 / 6) * r + 0.5
    y = (y * r + 1.0) * r + 1.0
    return y * np.int64((np.int64(k) + 1023) << 52).view(np.float64)


@inline
def power(x: Any, c: Any, whole: Any, odd: Any) -> Any:
    """Return x**c for c other than 0; NaN where x is negative and c not whole."""
    a = abs(x)
    y = np.float32(_exp_double(c * _log_double(np.float64(a))))
    y = y if a != _ZERO else (_ZERO if c > 0 else _INF)
    y = y if a != _INF else (_INF if c > 0 else _ZERO)
    y = y if a == a else a
    negative = -y if odd else (y if whole | (a == _INF) else _NAN)
    return negative if x < _ZERO else y


# Instructions: d is the target, n how many elements; loops over whole vectors.


@part
def _add(d: Any, a: Any, b: Any, n: int) -> None:
    for i in range(n):
        d[i] = a[i] + b[i]


@part
def _sub(d: Any, a: Any, b: Any, n: int) -> None:
    for i in range(n):
        d[i] = a[i] - b[i]


@part
def _mul(d: Any, a: Any, b: Any, n: int) -> None:
    for i in range(n):
        d[i] = a[i] * b[i]


@part
def _div(d: Any, a: Any, b: Any, n: int) -> None:
    for i in range(n):
        d[i] = a[i] / b[i]


@part
def _neg(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = -a[i]


@part
def _cube(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = a[i] * a[i] * a[i]


@part
def _sqrt(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = math.sqrt(a[i])


@part
def _log(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = log(a[i])


@part
def _exp(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = exp(a[i])


@part
def _abs(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = abs(a[i])


@part
def _sign(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = (_ONE if a[i] > _ZERO else _ZERO) - (_ONE if a[i] < _ZERO else _ZERO)


@part
def _min(d: Any, a: Any, b: Any, n: int) -> None:
    for i in range(n):
        d[i] = a[i] if (a[i] <= b[i]) | (a[i] != a[i]) else b[i]  # NaN wins on either side


@part
def _max(d: Any, a: Any, b: Any, n: int) -> None:
    for i in range(n):
        d[i] = a[i] if (a[i] >= b[i]) | (a[i] != a[i]) else b[i]


@part
def _tanh(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = tanh(a[i])


@part
def _sigmoid(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = sigmoid(a[i])


@part
def _softplus(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = softplus(a[i])


@part
def _any_far(a: Any, n: int) -> Any:
    far = np.int32(0)
    for i in range(n):
        far |= np.int32(abs(a[i]) > _FAR)
    return far != 0


@part
def _sin(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = sin(a[i])
    if _any_far(a, n):
        for i in range(n):
            if abs(a[i]) > _FAR:
                d[i] = np.float32(math.sin(np.float64(a[i])))


@part
def _cos(d: Any, a: Any, n: int) -> None:
    for i in range(n):
        d[i] = cos(a[i])
    if _any_far(a, n):
        for i in range(n):
            if abs(a[i]) > _FAR:
                d[i] = np.float32(math.cos(np.float64(a[i])))


@part
def _pow(d: Any, a: Any, upper: Any, lower: Any, n: int) -> None:
    c = np.float64(upper[0]) + np.float64(lower[0])
    whole = np.floor(c) == c
    odd = whole & (np.floor(c * 0.5) * 2 != c)
    for i in range(n):
        d[i] = power(a[i], c, whole, odd)


@part
def _clamp(d: Any, a: Any, low: Any, high: Any, n: int) -> None:
    for i in range(n):
        x = low[i] if a[i] < low[i] else a[i]
        d[i] = high[i] if x > high[i] else x


@part
def _gate(d: Any, g: Any, a: Any, b: Any, n: int) -> None:
    for i in range(n):
        d[i] = g[i] if a[i] == b[i] else _ZERO


@part
def _favour(d: Any, g: Any, a: Any, b: Any, n: int) -> None:
    for i in range(n):
        share = g[i] * _HALF if a[i] == b[i] else g[i]
        d[i] = _ZERO if a[i] < b[i] else share


@part
def _softplus_slope(d: Any, g: Any, a: Any, n: int) -> None:
    for i in range(n):
        z = exp(a[i])
        d[i] = g[i] if a[i] > np.float32(20) else g[i] * z / (z + _ONE)


@part
def _tanh_slope(d: Any, g: Any, y: Any, n: int) -> None:
    for i in range(n):
        d[i] = g[i] * (_ONE - y[i] * y[i])


@part
def _sigmoid_slope(d: Any, g: Any, y: Any, n: int) -> None:
    for i in range(n):
        d[i] = g[i] * (_ONE - y[i]) * y[i]


@part
def _execute_plain(opcode: int, d: Any, a: Any, b: Any, n: int) -> None:
    if opcode == ADD:
        _add(d, a, b, n)
    elif opcode == SUB:
        _sub(d, a, b, n)
    elif opcode == MUL:
        _mul(d, a, b, n)
    elif opcode == DIV:
        _div(d, a, b, n)
    elif opcode == NEG:
        _neg(d, a, n)
    elif opcode == SQUARE:
        _mul(d, a, a, n)
    elif opcode == CUBE:
        _cube(d, a, n)
    elif opcode == MIN:
        _min(d, a, b, n)
    elif opcode == MAX:
        _max(d, a, b, n)
    elif opcode == ABS:
        _abs(d, a, n)
    else:
        _sign(d, a, n)


@part
def _execute_function(opcode: int, d: Any, a: Any, b: Any, c: Any, n: int) -> None:
    if opcode == SQRT:
        _sqrt(d, a, n)
    elif opcode == LOG:
        _log(d, a, n)
    elif opcode == EXP:
        _exp(d, a, n)
    elif opcode == TANH:
        _tanh(d, a, n)
    elif opcode == SIGMOID:
        _sigmoid(d, a, n)
    elif opcode == SOFTPLUS:
        _softplus(d, a, n)
    elif opcode == SIN:
        _sin(d, a, n)
    elif opcode == COS:
        _cos(d, a, n)
    else:
        _pow(d, a, b, c, n)


@part
def _execute_slope(opcode: int, d: Any, a: Any, b: Any, c: Any, n: int) -> None:
    if opcode == CLAMP:
        _clamp(d, a, b, c, n)
    elif opcode == GATE:
        _gate(d, a, b, c, n)
    elif opcode == FAVOUR:
        _favour(d, a, b, c, n)
    elif opcode == SOFTPLUS_SLOPE:
        _softplus_slope(d, a, b, n)
    elif opcode == TANH_SLOPE:
        _tanh_slope(d, a, b, n)
    else:
        _sigmoid_slope(d, a, b, n)


@part
def _execute(code: Any, first: int, last: int, registers: Any, n: int) -> None:
    for at in range(first, last):
        opcode = code[at, 0]
        d, a, b, c = (
            registers[code[at, 1]],
            registers[code[at, 2]],
            registers[code[at, 3]],
            registers[code[at, 4]],
        )
        if opcode >= CLAMP:
            _execute_slope(opcode, d, a, b, c, n)
        elif opcode <= CUBE or (opcode >= ABS and opcode <= MAX):
            _execute_plain(opcode, d, a, b, n)
        else:
            _execute_function(opcode, d, a, b, c, n)


@part
def _total(values: Any, n: int, partial: Any) -> Any:
    """Sum in one fixed order, in double precision."""
    partial[:] = 0.0
    whole = n - n % LANES
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            partial[lane] += np.float64(values[start + lane])
    total = 0.0
    for lane in range(LANES):
        total += partial[lane]
    for i in range(whole, n):
        total += np.float64(values[i])
    return total


# A member's elements are worked on class by class, so that one instruction serves many rows of a sum over the classes.


@part
def _log_softmax(logits: Any, log_p: Any, exps: Any, row: Any, sums: Any) -> None:
    """Turn logits `(classes, batch)` into log-softmax, with e**(logit - largest) and its sums over the classes."""
    classes, batch = log_p.shape
    row[:] = logits[0]
    for j in range(1, classes):
        for i in range(batch):
            row[i] = logits[j, i] if logits[j, i] > row[i] else row[i]
    for j in range(classes):
        for i in range(batch):
            log_p[j, i] = logits[j, i] - row[i]
    _exp(exps.reshape(exps.size), log_p.reshape(log_p.size), exps.size)
    _sum_classes(exps, sums)
    for i in range(batch):
        row[i] = log(np.float32(sums[i]))
    for j in range(classes):
        for i in range(batch):
            log_p[j, i] -= row[i]


@part
def _sum_classes(values: Any, sums: Any) -> None:
    sums[:] = 0.0
    for j in range(values.shape[0]):
        for i in range(values.shape[1]):
            sums[i] += np.float64(values[j, i])


@part
def _pull_back(slopes: Any, exps: Any, row: Any, sums: Any) -> None:
    """Turn slopes along log-softmax, `(classes, batch)`, into slopes along the logits."""
    classes, batch = slopes.shape
    for i in range(batch):
        row[i] = _ONE / np.float32(sums[i])
    _sum_classes(slopes, sums)
    for i in range(batch):
        row[i] = np.float32(sums[i]) * row[i]
    for j in range(classes):
        for i in range(batch):
            slopes[j, i] -= exps[j, i] * row[i]


@part
def _write_mean(slopes: Any, gradient: Any) -> None:
    classes, batch = gradient.shape
    scale = _ONE / np.float32(batch)
    for j in range(classes):
        for i in range(batch):
            gradient[j, i] = slopes[j, i] * scale


@part
def _run_member(
    tape: Any, code: Any, sources: Any, along: Any, given: Any, slopes: Any, registers: Any, partial: Any
) -> Any:
    """Run one candidate's tape over one member; write the slopes, return the sum of the values."""
    size = len(along)
    pieces = (size + BLOCK - 1) // BLOCK
    block = ((size + pieces - 1) // pieces + LANES - 1) // LANES * LANES
    total = 0.0
    for start in range(0, size, block):
        n = min(block, size - start)
        for i in range(tape["inputs"]):
            source = sources[tape["first_input"] + i]
            values = along if source == 0 else given[source - 1]
            registers[tape["constants"] + i][:n] = values[start : start + n]
        _execute(code, tape["first"], tape["last"], registers, block)  # what lies beyond n is computed and not used
        total += _total(registers[tape["value"]], n, partial)
        slopes[start : start + n] = registers[tape["slope"]][:n]
    return total


@cached
def run_cohort(
    tapes: NDArray[Any],
    code: NDArray[np.int32],
    sources: NDArray[np.int32],
    constants: NDArray[np.float32],
    output: NDArray[np.float32],
    given: NDArray[np.float32],
    softmax: bool,
    registers: NDArray[np.float32],
    losses: NDArray[np.float32],
    gradients: NDArray[np.float32],
) -> None:
    """Compute every taped candidate's mean losses and their gradients at the output.

    Args:
        tapes: one `packing.TAPE` record per taped candidate, which says where its columns lie.
        code: `(instructions, 5)`: opcode, target, three sources.
        sources: of each tape's inputs in turn: 0 the output (or its log-softmax), i the given variable i - 1.
        constants: of each tape in turn.
        output: `(seeds, columns, outputs, batch)`.
        given: `(seeds, variables, outputs * batch)`, class by class.
        softmax: whether log-softmax over the outputs comes first.
        registers: `(registers, STRIDE)`, scratch.
        losses: `(seeds, columns)`, written.
        gradients: like `output`, written.
    """
    seeds, _, classes, batch = output.shape
    log_p, exps, slopes = (
        np.empty((classes, batch), np.float32),
        np.empty((classes, batch), np.float32),
        np.empty((classes, batch), np.float32),
    )
    row, sums, partial = np.empty(batch, np.float32), np.empty(batch, np.float64), np.empty(LANES, np.float64)
    for t in range(len(tapes)):
        tape = tapes[t]
        for i in range(tape["constants"]):
            registers[i][:] = constants[tape["first_constant"] + i]
        for seed in range(seeds):
            for column in range(tape["first_column"], tape["first_column"] + tape["columns"]):
                along = output[seed, column]
                if softmax:
                    _log_softmax(along, log_p, exps, row, sums)
                    along = log_p
                total = _run_member(tape, code, sources, along.ravel(), given[seed], slopes.ravel(), registers, partial)
                if softmax:
                    _pull_back(slopes, exps, row, sums)
                _write_mean(slopes, gradients[seed, column])
                losses[seed, column] = np.float32(total / batch)
