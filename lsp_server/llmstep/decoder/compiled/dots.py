"""Products of four bytes each, exact, as each kind of processor has them.

Weights are bytes of 128 more than what they mean, activations are signed. `OFFSET` is what the weights still have too
much when they are multiplied.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from llmstep.decoder.compiled.llvm import I8, I32, INTS, LANES, OCTETS, SHORTS, all_of, call, load, plus, spread
from llmstep.decoder.compiled.target import target


class Vnni:
    """`vpdpbusd`: unsigned bytes times signed ones."""

    offset = 128

    def weights(self, _builder: ir.IRBuilder, raw: Any) -> Any:
        """Of a register of bytes as they are in memory, int32 lanes: what `dot` takes."""
        return raw

    def row(self, builder: ir.IRBuilder, address: Any) -> Any:
        """Four activations, for all outputs."""
        return spread(builder, load(builder, address, I32, 1), INTS)

    def dot(self, builder: ir.IRBuilder, sums: Any, weights: Any, row: Any) -> Any:
        octets = (builder.bitcast(weights, OCTETS), builder.bitcast(row, OCTETS))
        return call(builder, f"llvm.x86.avx512.vpdpbusd.{32 * LANES}", INTS, (sums, *octets))


class Avx2(Vnni):
    """`vpmaddubsw`, whose sums of two products would not fit unless the sign is moved to the activations:
    2 · 127 · 127 < 32768."""

    offset = 0

    def weights(self, builder: ir.IRBuilder, raw: Any) -> Any:
        signed = builder.bitcast(builder.xor(raw, all_of(INTS, 0x80808080 - (1 << 32))), OCTETS)
        size = call(builder, f"llvm.abs.v{4 * LANES}i8", OCTETS, (signed, ir.Constant(ir.IntType(1), 0)))
        return size, signed

    def dot(self, builder: ir.IRBuilder, sums: Any, weights: Any, row: Any) -> Any:
        size, signed = weights
        moved = call(builder, "llvm.x86.avx2.psign.b", OCTETS, (builder.bitcast(row, OCTETS), signed))
        pairs = call(builder, "llvm.x86.avx2.pmadd.ub.sw", SHORTS, (size, moved))
        return builder.add(sums, call(builder, "llvm.x86.avx2.pmadd.wd", INTS, (pairs, all_of(SHORTS, 1))))


class NeonDot(Vnni):
    """`sdot`: signed bytes times signed ones."""

    offset = 0

    def weights(self, builder: ir.IRBuilder, raw: Any) -> Any:
        return builder.xor(raw, all_of(INTS, 0x80808080 - (1 << 32)))

    def dot(self, builder: ir.IRBuilder, sums: Any, weights: Any, row: Any) -> Any:
        octets = (builder.bitcast(weights, OCTETS), builder.bitcast(row, OCTETS))
        return call(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", INTS, (sums, *octets))


class Plain(Vnni):
    """Nothing but multiplication of integers."""

    def weights(self, builder: ir.IRBuilder, raw: Any) -> Any:
        shifted = [builder.lshr(raw, all_of(INTS, 8 * place)) if place else raw for place in range(4)]
        return [builder.and_(each, all_of(INTS, 255)) for each in shifted]

    def row(self, builder: ir.IRBuilder, address: Any) -> Any:
        numbers = [builder.sext(load(builder, plus(builder, address, place), I8, 1), I32) for place in range(4)]
        return [spread(builder, each, INTS) for each in numbers]

    def dot(self, builder: ir.IRBuilder, sums: Any, weights: Any, row: Any) -> Any:
        for one, other in zip(weights, row, strict=True):
            sums = builder.add(sums, builder.mul(one, other))
        return sums


_DOTS = {"avx512-vnni": Vnni, "avx-vnni": Vnni, "avx2": Avx2, "neon-dot": NeonDot, "plain": Plain}
DOTS = _DOTS[target().name]()
OFFSET = DOTS.offset
