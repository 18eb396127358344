"""The interpreter of tapes on a GPU, for Triton to compile; `gpu_interpreter.py` launches it.

A program of the grid takes a candidate's rows block by block and runs its tape over them: the branch on an opcode is
the same for the whole block, and registers are slices of scratch memory that stays in the cache. Elementary functions
are those of `interpreter.py`, so that both agree and no approximate instruction of a GPU comes in. Negation is a
product with -1: Triton's minus subtracts from 0, which loses the sign of zero, and division shows it.
"""

from __future__ import annotations

import triton
import triton.language as tl

from symloss.language.tape import OPCODES

_ADD = tl.constexpr(OPCODES["add"])
_SUB = tl.constexpr(OPCODES["sub"])
_MUL = tl.constexpr(OPCODES["mul"])
_DIV = tl.constexpr(OPCODES["div"])
_NEG = tl.constexpr(OPCODES["neg"])
_SQUARE = tl.constexpr(OPCODES["square"])
_CUBE = tl.constexpr(OPCODES["cube"])
_SQRT = tl.constexpr(OPCODES["sqrt"])
_LOG = tl.constexpr(OPCODES["log"])
_EXP = tl.constexpr(OPCODES["exp"])
_ABS = tl.constexpr(OPCODES["abs"])
_SIGN = tl.constexpr(OPCODES["sign"])
_MIN = tl.constexpr(OPCODES["min"])
_MAX = tl.constexpr(OPCODES["max"])
_TANH = tl.constexpr(OPCODES["tanh"])
_SIGMOID = tl.constexpr(OPCODES["sigmoid"])
_SOFTPLUS = tl.constexpr(OPCODES["softplus"])
_SIN = tl.constexpr(OPCODES["sin"])
_COS = tl.constexpr(OPCODES["cos"])
_POW = tl.constexpr(OPCODES["pow"])
_CLAMP = tl.constexpr(OPCODES["clamp"])
_GATE = tl.constexpr(OPCODES["gate"])
_FAVOUR = tl.constexpr(OPCODES["favour"])
_SOFTPLUS_SLOPE = tl.constexpr(OPCODES["softplus_slope"])
_TANH_SLOPE = tl.constexpr(OPCODES["tanh_slope"])
_SIGMOID_SLOPE = tl.constexpr(OPCODES["sigmoid_slope"])
_FIELDS = tl.constexpr(10)  # of packing.TAPE
_INF = tl.constexpr(float("inf"))
_NAN = tl.constexpr(float("nan"))

# Elementary functions: Cephes (Moshier 1992) and FreeBSD's msun give the polynomials, as in `interpreter.py`.


@triton.jit
def _two_to(n):
    return ((n + 127) << 23).to(tl.float32, bitcast=True)


@triton.jit
def _exp_of(x):
    near = tl.where(x < 89.0, x, 89.0)  # so that the integer below is one; NaN is put back at the end
    near = tl.where(near > -104.0, near, -104.0)
    k = (near * 1.44269504088896341 + 12582912.0) - 12582912.0
    r = (near - k * 0.693359375) - k * -2.12194440e-4
    y = 1.9875691500e-4 * r + 1.3981999507e-3
    y = ((y * r + 8.3334519073e-3) * r + 4.1665795894e-2) * r + 1.6666665459e-1
    y = y * r + 5.0000001201e-1
    y = y * (r * r) + r + 1.0
    n = k.to(tl.int32)
    half = n >> 1  # in two steps, as 2**n itself may be out of range
    y = y * _two_to(half) * _two_to(n - half)
    return tl.where(x == x, y, x)


@triton.jit
def _log_of(x):
    small = x < 1.17549435e-38
    normal = x * tl.where(small, 8388608.0, 1.0)
    bits = normal.to(tl.int32, bitcast=True) + (0x3F800000 - 0x3F3504F3)
    k = ((bits >> 23) - tl.where(small, 150, 127)).to(tl.float32)
    f = ((bits & 0x007FFFFF) + 0x3F3504F3).to(tl.float32, bitcast=True) - 1.0
    s = tl.div_rn(f, 2.0 + f)
    z = s * s
    w = z * z
    rest = z * (0.66666662693 + w * 0.28498786688) + w * (0.40000972152 + w * 0.24279078841)
    half = 0.5 * f * f
    y = s * (half + rest) + k * 9.0580006145e-06 - half + f + k * 6.9313812256e-01
    y = tl.where(x < _INF, y, x)  # infinity and NaN
    y = tl.where(x != 0.0, y, -_INF)
    return tl.where(x < 0.0, _NAN, y)


@triton.jit
def _tanh_of(x):
    a = tl.abs(x)
    z = x * x
    near = (-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2
    near = ((near * z + 1.33314422036e-1) * z - 3.33332819422e-1) * z * x + x
    far = 1.0 - tl.div_rn(tl.full(x.shape, 2.0, tl.float32), _exp_of(a + a) + 1.0)
    return tl.where(a < 0.625, near, tl.where(x > 0.0, far, far * -1.0))


@triton.jit
def _sigmoid_of(x):
    return tl.div_rn(tl.full(x.shape, 1.0, tl.float32), 1.0 + _exp_of(-x))


@triton.jit
def _softplus_of(x):
    z = _exp_of(x)
    u = 1.0 + z
    return tl.where(x > 20.0, x, _log_of(u) + tl.div_rn(z - (u - 1.0), u))  # the last term is what u rounded off


@triton.jit
def _far_turns(x, turns, far):
    """Return the rest in radians and the quarter turns of |x| > 2**20, by Payne and Hanek's exact reduction.

    The angle is m * 2**e, so that its quarter turns modulo 4 are m times a window of 64 bits of 2 / pi.
    """
    bits = x.to(tl.int32, bitcast=True)
    e = ((bits >> 23) & 0xFF) - 150
    m = ((bits & 0x007FFFFF) | 0x00800000).to(tl.int64)
    product = m * tl.load(turns + tl.where(far, e + 3, 0))
    quarter = (product + 2305843009213693952) >> 62
    rest = (product - (quarter << 62)).to(tl.float64) * 3.406121580086554e-19  # pi / 2 / 2**62
    return tl.where(x < 0.0, rest * -1.0, rest).to(tl.float32), tl.where(x < 0.0, -quarter, quarter)


@triton.jit
def _sine_of(x, turns, quarters):
    """Return the sine of an angle and a number of quarter turns."""
    far = (tl.abs(x) > 1048576.0) & (tl.abs(x) < _INF)
    wide = x.to(tl.float64)
    shifted = wide * 0.63661977236758134308 + 6755399441055744.0
    q = shifted - 6755399441055744.0
    near = ((wide - q * 1.57079632673412561417) - q * 6.07710050650619224932e-11).to(tl.float32)
    far_rest, far_quarter = _far_turns(x, turns, far)
    r = tl.where(far, far_rest, near)
    quarter = (tl.where(far, far_quarter, shifted.to(tl.int64, bitcast=True)) + quarters) & 3
    z = r * r
    sine = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r
    cosine = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0
    y = tl.where((quarter & 1) != 0, cosine, sine)
    return tl.where((quarter & 2) != 0, y * -1.0, y)


@triton.jit
def _log_double(a):
    bits = a.to(tl.int64, bitcast=True) + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
    k = ((bits >> 52) - 1023).to(tl.float64)
    m = ((bits & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD).to(tl.float64, bitcast=True)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = 0.06666666666666667 * z + 0.07692307692307693
    series = ((series * z + 0.09090909090909091) * z + 0.1111111111111111) * z + 0.14285714285714285
    series = ((series * z + 0.2) * z + 0.3333333333333333) * z + 1.0
    return k * 0.69314718055994530942 + 2.0 * s * series


@triton.jit
def _exp_double(x):
    near = tl.where(x < 700.0, x, 700.0)
    near = tl.where(near > -700.0, near, -700.0)
    k = (near * 1.44269504088896340736 + 6755399441055744.0) - 6755399441055744.0
    r = near - k * 0.69314718055994530942
    y = 2.7557319223985893e-06 * r + 2.48015873015873e-05
    y = ((y * r + 1.984126984126984e-04) * r + 1.388888888888889e-03) * r + 8.333333333333333e-03
    y = ((y * r + 4.1666666666666664e-02) * r + 1.6666666666666666e-01) * r + 0.5
    y = (y * r + 1.0) * r + 1.0
    return y * ((k.to(tl.int64) + 1023) << 52).to(tl.float64, bitcast=True)


@triton.jit
def _power_of(x, c):
    """Return x**c for one number c in double precision, other than 0; NaN where x is negative and c not whole."""
    whole = tl.floor(c) == c
    odd = whole & (tl.floor(c * 0.5) * 2.0 != c)
    a = tl.abs(x)
    y = _exp_double(c * _log_double(a.to(tl.float64))).to(tl.float32)
    y = tl.where(a != 0.0, y, tl.where(c > 0.0, 0.0, _INF))
    y = tl.where(a != _INF, y, tl.where(c > 0.0, _INF, 0.0))
    y = tl.where(a == a, y, a)
    negative = tl.where(odd, y * -1.0, tl.where(whole | (a == _INF), y, _NAN))
    return tl.where(x < 0.0, negative, y)


# Instructions, found by halving: an opcode is the same for the whole block, so that every branch is a jump.


@triton.jit
def _arithmetic(opcode, a, b):
    if opcode <= _MUL:
        if opcode == _ADD:
            d = a + b
        elif opcode == _SUB:
            d = a - b
        else:
            d = a * b
    elif opcode <= _NEG:
        d = tl.div_rn(a, b) if opcode == _DIV else a * -1.0
    else:
        d = a * a if opcode == _SQUARE else a * a * a
    return d


@triton.jit
def _choice(opcode, a, b):
    if opcode <= _SIGN:
        d = tl.abs(a) if opcode == _ABS else tl.where(a > 0.0, 1.0, 0.0) - tl.where(a < 0.0, 1.0, 0.0)
    elif opcode == _MIN:
        d = tl.where((a <= b) | (a != a), a, b)  # NaN wins on either side
    else:
        d = tl.where((a >= b) | (a != a), a, b)
    return d


@triton.jit
def _function(opcode, a, b, c, turns):
    if opcode <= _EXP:
        if opcode == _SQRT:
            d = tl.sqrt_rn(a)
        elif opcode == _LOG:
            d = _log_of(a)
        else:
            d = _exp_of(a)
    elif opcode <= _SOFTPLUS:
        if opcode == _TANH:
            d = _tanh_of(a)
        elif opcode == _SIGMOID:
            d = _sigmoid_of(a)
        else:
            d = _softplus_of(a)
    elif opcode == _POW:
        d = _power_of(a, b.to(tl.float64) + c.to(tl.float64))
    else:
        d = _sine_of(a, turns, tl.where(opcode == _SIN, 0, 1))
    return d


@triton.jit
def _slope(opcode, a, b, c):
    if opcode <= _FAVOUR:
        if opcode == _CLAMP:
            d = tl.where(a < b, b, a)
            d = tl.where(d > c, c, d)
        elif opcode == _GATE:
            d = tl.where(b == c, a, 0.0)
        else:
            d = tl.where(b < c, 0.0, tl.where(b == c, a * 0.5, a))
    elif opcode == _SOFTPLUS_SLOPE:
        z = _exp_of(b)
        d = tl.where(b > 20.0, a, tl.div_rn(a * z, z + 1.0))
    else:
        d = a * (1.0 - b * b) if opcode == _TANH_SLOPE else a * (1.0 - b) * b
    return d


@triton.jit
def _fetch(register, constants, constant_count, scratch, places, SIZE: tl.constexpr):
    if register < constant_count:
        value = tl.full(places.shape, 0.0, tl.float32) + tl.load(constants + register)
    else:
        value = tl.load(scratch + (register - constant_count) * SIZE + places)
    return value


@triton.jit
def _execute(code, first, last, constants, constant_count, turns, scratch, places, SIZE: tl.constexpr):
    for at in range(first, last):
        opcode = tl.load(code + at * 5)
        target = tl.load(code + at * 5 + 1)
        b_from = tl.load(code + at * 5 + 3)
        c_from = tl.load(code + at * 5 + 4)
        a = _fetch(tl.load(code + at * 5 + 2), constants, constant_count, scratch, places, SIZE)
        b = a
        c = a
        if b_from >= 0:
            b = _fetch(b_from, constants, constant_count, scratch, places, SIZE)
        if c_from >= 0:
            c = _fetch(c_from, constants, constant_count, scratch, places, SIZE)
        if opcode >= _CLAMP:
            d = _slope(opcode, a, b, c)
        elif opcode <= _CUBE:
            d = _arithmetic(opcode, a, b)
        elif (opcode >= _ABS) & (opcode <= _MAX):
            d = _choice(opcode, a, b)
        else:
            d = _function(opcode, a, b, c, turns)
        tl.store(scratch + (target - constant_count) * SIZE + places, d)
        tl.debug_barrier()  # another thread may read this element next


@triton.jit(do_not_specialize=["items", "seeds", "columns", "batch", "classes", "variables", "registers"])
def run_tapes(
    work,
    tapes,
    code,
    sources,
    constants,
    turns,
    output,
    given,
    scratch,
    row_values,
    gradients,
    items,
    seeds,
    columns,
    batch,
    classes,
    variables,
    registers,
    ROWS: tl.constexpr,
    PADDED: tl.constexpr,
    SOFTMAX: tl.constexpr,
):
    SIZE: tl.constexpr = ROWS * PADDED
    program = tl.program_id(0)
    scratch += program.to(tl.int64) * registers * SIZE
    lane = tl.arange(0, PADDED)
    places = tl.arange(0, ROWS)[:, None] * PADDED + lane[None, :]
    for item in range(program, items, tl.num_programs(0)):
        tape = tapes + tl.load(work + item * 2) * _FIELDS
        first_column, own_columns = tl.load(tape), tl.load(tape + 1)
        first, last = tl.load(tape + 2), tl.load(tape + 3)
        own_constants, constant_count = constants + tl.load(tape + 4), tl.load(tape + 5)
        own_sources, inputs = sources + tl.load(tape + 6), tl.load(tape + 7)

        row = tl.load(work + item * 2 + 1) + tl.arange(0, ROWS)
        member = row // batch
        seed = member // own_columns
        column = first_column + member % own_columns
        inside = row < seeds * own_columns * batch
        own_row = row % batch
        of_member = (seed * columns + column).to(tl.int64)
        kept = inside[:, None] & (lane < classes)[None, :]
        at = (of_member[:, None] * classes + lane[None, :]) * batch + own_row[:, None]
        along = tl.load(output + at, mask=kept, other=0.0)
        exps = along
        total = along
        if SOFTMAX:
            along -= tl.max(tl.where(kept, along, -_INF), 1)[:, None]
            exps = tl.where(kept, _exp_of(along), 0.0)
            total = tl.sum(exps.to(tl.float64), 1).to(tl.float32)[:, None]
            total = tl.where(inside[:, None], total, 1.0)
            along -= _log_of(total)

        tl.debug_barrier()  # the item before has been read
        for i in range(inputs):
            source = tl.load(own_sources + i)
            value = along
            if source > 0:
                variable = (seed * variables + source - 1)[:, None] * classes + lane[None, :]
                value = tl.load(given + variable * batch + own_row[:, None], mask=kept, other=0.0)
            tl.store(scratch + i * SIZE + places, value)
        tl.debug_barrier()
        _execute(code, first, last, own_constants, constant_count, turns, scratch, places, SIZE)

        value = _fetch(tl.load(tape + 8), own_constants, constant_count, scratch, places, SIZE)
        tl.store(
            row_values + of_member * batch + own_row, tl.sum(tl.where(kept, value, 0.0).to(tl.float64), 1), mask=inside
        )
        slope = _fetch(tl.load(tape + 9), own_constants, constant_count, scratch, places, SIZE)
        if SOFTMAX:
            pull = tl.sum(tl.where(kept, slope, 0.0).to(tl.float64), 1).to(tl.float32)[:, None]
            slope -= exps * (pull * tl.div_rn(tl.full(total.shape, 1.0, tl.float32), total))
        share = tl.div_rn(tl.full((1, 1), 1.0, tl.float32), batch.to(tl.float32))
        tl.store(gradients + at, slope * share, mask=kept)


@triton.jit(do_not_specialize=["members", "batch"])
def add_rows(row_values, losses, members, batch, MEMBERS: tl.constexpr, AT_ONCE: tl.constexpr):
    member = tl.program_id(0) * MEMBERS + tl.arange(0, MEMBERS)
    first = member.to(tl.int64)[:, None] * batch
    totals = tl.zeros((MEMBERS, AT_ONCE), tl.float64)
    for start in range(0, batch, AT_ONCE):
        row = start + tl.arange(0, AT_ONCE)[None, :]
        totals += tl.load(row_values + first + row, mask=(member < members)[:, None] & (row < batch), other=0.0)
    tl.store(losses + member, (tl.sum(totals, 1) / batch).to(tl.float32), mask=member < members)
