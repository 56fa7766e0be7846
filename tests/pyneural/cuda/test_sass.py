"""Machine code read from cuobjdump's listing: instructions, loops, and the way through a loop."""

from __future__ import annotations

import pytest

from pyneural import cuda
from pyneural.cuda import sass

# Of the form that cuobjdump writes: two words of code behind each instruction. The loop at 0x20 waits in a loop of its
# own, loads 16 bytes or, at an edge, one element after another, multiplies, and stands in a loop over tiles.
LISTING = """
\tcode for sm_80
\t\tFunction : _Z4gemmPf
\t.headerflags\t@"EF_CUDA_SM80 EF_CUDA_VIRTUAL_SM(EF_CUDA_SM80)"
        /*0000*/                   MOV R1, c[0x0][0x28] ;                     /* 0x00000a0000017a02 */
                                                                              /* 0x000fe40000000f00 */
        /*0010*/                   FFMA R0, R0, R0, R0 ;                      /* 0x0000000000007223 */
        /*0020*/                   DEPBAR.LE SB0, 0x1 ;                       /* 0x000080400000791a */
        /*0030*/              @!P3 BRA 0x20 ;                                 /* 0xffffffe00000b947 */
        /*0040*/               @P0 BRA 0x80 ;                                 /* 0x0000003000000947 */
        /*0050*/                   LDG.E.128 R4, [R2.64] ;                    /* 0x0000000402047981 */
        /*0060*/                   STS.128 [R9], R4 ;                         /* 0x0000000409007388 */
        /*0070*/                   BRA 0xc0 ;                                 /* 0x0000004000007947 */
        /*0080*/                   LDG.E R4, [R2.64] ;                        /* 0x0000000402047981 */
        /*0090*/                   LDG.E R5, [R2.64+0x4] ;                    /* 0x0000040402057981 */
        /*00a0*/                   STS [R9], R4 ;                             /* 0x0000000409007388 */
        /*00b0*/                   STS [R9+0x4], R5 ;                         /* 0x0000040509007388 */
        /*00c0*/                   LDS.128 R4, [R8] ;                         /* 0x0000000008047984 */
        /*00d0*/                   FFMA R10, R4, R5, R10 ;                    /* 0x00000005040a7223 */
        /*00e0*/                   FFMA R11, R6, R7, R11 ;                    /* 0x00000007060b7223 */
        /*00f0*/               @P1 BRA 0x20 ;                                 /* 0xffffff2000001947 */
        /*0100*/                   FFMA R12, R4, R5, R12 ;                    /* 0x00000005040c7223 */
        /*0110*/                   FFMA R13, R4, R5, R13 ;                    /* 0x00000005040d7223 */
        /*0120*/                   FFMA R14, R4, R5, R14 ;                    /* 0x00000005040e7223 */
        /*0130*/                   STG.E [R2.64], R10 ;                       /* 0x0000000a02007986 */
        /*0140*/               @P2 BRA 0x10 ;                                 /* 0xfffffec000002947 */
        /*0150*/                   EXIT ;                                     /* 0x000000000000794d */
        /*0160*/                   BRA 0x160;                                 /* 0xfffffff000007947 */
\t\tFunction : plain
        /*0000*/                   EXIT ;                                     /* 0x000000000000794d */
"""


def _is_product(each: sass.Instruction) -> bool:
    return each.base == "FFMA"


def _is_wide(each: sass.Instruction) -> bool:
    return each.name == "LDG.E.128"


def test_instructions() -> None:
    kernels = sass.read(LISTING)
    assert list(kernels) == ["_Z4gemmPf", "plain"]
    gemm = kernels["_Z4gemmPf"]
    assert len(gemm) == 23
    assert gemm[5] == sass.Instruction(0x50, "LDG.E.128", "R4, [R2.64]")
    assert gemm[3] == sass.Instruction(0x30, "BRA", "0x20", "@!P3")
    assert (gemm[3].target, gemm[5].target) == (0x20, None)
    assert (gemm.count("LDG"), gemm.count("LDG.E"), gemm.count("LDG.E.128"), gemm.count(_is_product)) == (3, 3, 1, 6)
    assert gemm.count("LD") == 0


def test_main_loop() -> None:
    """Not the one that waits, nor the one around it, though that has most products."""
    gemm = sass.read(LISTING)["_Z4gemmPf"]
    assert sorted((each[0].address, each[-1].address) for each in gemm.loops()) == [
        (0x10, 0x140),
        (0x20, 0x30),
        (0x20, 0xF0),
    ]
    loop = gemm.main_loop(_is_product)
    assert (loop[0].address, loop[-1].address) == (0x20, 0xF0)
    assert gemm.main_loop(lambda each: each.base == "HMMA") == ()
    assert sass.read(LISTING)["plain"].main_loop(_is_product) == ()


def test_way_through_the_loop() -> None:
    """Past the waiting, by the wide load though the branch over it is no longer, and without the edge's elements."""
    way = sass.read(LISTING)["_Z4gemmPf"].main_loop(_is_product).way(_is_product, _is_wide)
    expected = ["DEPBAR.LE", "BRA", "BRA", "LDG.E.128", "STS.128", "BRA", "LDS.128", "FFMA", "FFMA", "BRA"]
    assert [each.name for each in way] == expected
    edge = sass.read(LISTING)["_Z4gemmPf"].main_loop(_is_product).way(_is_product, lambda each: each.name == "LDG.E")
    assert [each.name for each in edge if each.base == "LDG"] == ["LDG.E", "LDG.E"]


@pytest.mark.skipif(sass.cuobjdump() is None, reason="cuobjdump is not installed")
def test_a_file_that_is_no_cubin() -> None:
    with pytest.raises(RuntimeError, match="cuobjdump"):
        sass.disassemble(__file__)


def test_without_cuobjdump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sass, "cuobjdump", lambda: None)
    with pytest.raises(cuda.CompilerNotFoundError, match="pip install nvidia-cuda-cuobjdump"):
        sass.disassemble("x.cubin")
