"""Products of four bytes each, exact, as each kind of processor has them.

Weights are bytes of 128 more than what they mean, activations are signed.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from llmstep.decoder.compiled.llvm import I8, I32, INTS, LANES, OCTETS, SHORTS, all_of, call, load, plus, spread
from llmstep.decoder.compiled.target import target

_PRODUCTS = target().name
OFFSET = 0 if _PRODUCTS in ("avx2", "neon-dot") else 128
"""What the weights still have too much when they are multiplied."""


def dot_weights(builder: ir.IRBuilder, raw: Any) -> Any:
    """What `dot` takes of a register of weights, int32 lanes as they are in memory."""
    if _PRODUCTS == "plain":
        return [builder.and_(builder.lshr(raw, all_of(INTS, 8 * place)), all_of(INTS, 255)) for place in range(4)]
    if OFFSET:
        return raw
    signed = builder.xor(raw, all_of(INTS, 0x80808080 - (1 << 32)))
    if _PRODUCTS == "neon-dot":
        return signed
    octets = builder.bitcast(signed, OCTETS)
    return call(builder, f"llvm.abs.v{4 * LANES}i8", OCTETS, (octets, ir.Constant(ir.IntType(1), 0))), octets


def dot_row(builder: ir.IRBuilder, address: Any) -> Any:
    """What `dot` takes of four activations, for all outputs."""
    if _PRODUCTS != "plain":
        return spread(builder, load(builder, address, I32, 1), INTS)
    numbers = [builder.sext(load(builder, plus(builder, address, place), I8, 1), I32) for place in range(4)]
    return [spread(builder, each, INTS) for each in numbers]


def dot(builder: ir.IRBuilder, sums: Any, weights: Any, row: Any) -> Any:
    """Sums with the products of four weights and four activations for each output."""
    if _PRODUCTS == "plain":
        for one, other in zip(weights, row, strict=True):
            sums = builder.add(sums, builder.mul(one, other))
        return sums
    octets = builder.bitcast(row, OCTETS)
    if _PRODUCTS == "avx2":
        # Sums of two products would not fit into 16 bits unless the sign is moved to the activations:
        # 2 · 127 · 127 < 32768.
        size, signed = weights
        moved = call(builder, "llvm.x86.avx2.psign.b", OCTETS, (octets, signed))
        pairs = call(builder, "llvm.x86.avx2.pmadd.ub.sw", SHORTS, (size, moved))
        return builder.add(sums, call(builder, "llvm.x86.avx2.pmadd.wd", INTS, (pairs, all_of(SHORTS, 1))))
    arm = _PRODUCTS == "neon-dot"
    name = "llvm.aarch64.neon.sdot.v4i32.v16i8" if arm else f"llvm.x86.avx512.vpdpbusd.{32 * LANES}"
    return call(builder, name, INTS, (sums, builder.bitcast(weights, OCTETS), octets))
