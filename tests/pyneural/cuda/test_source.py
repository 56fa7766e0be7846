"""The rewriter: what it changes, what it notes, what it refuses; lines stay where they were."""

from __future__ import annotations

import pytest

from pyneural.cuda.errors import CompileError
from pyneural.cuda.source import rewrite
from pyneural.cuda.unit import SharedArray


def lines(text: str) -> int:
    return text.count("\n")


@pytest.mark.parametrize(
    ("launch", "parts"),
    [
        ("plain<<<g, b>>>(x, y);", ['pnsim::launch(::pnsim::launch_config(g, b), "plain", ::plain)(x, y);']),
        ("k<<<1, 2>>>();", ['launch_deduced(::pnsim::launch_config(1, 2), "k", [=](auto&... pnsim_a)']),
        (
            "ns::k<<<dim3(1, 2), f(a, b), 4, s>>>(x);",
            ["launch_config(dim3(1, 2), f(a, b), 4, s)", "ns::k(pnsim_a...); }, x);"],
        ),
        ("k<float, 2><<<1, 2>>>(x);", ["launch_deduced", "k<float, 2>(pnsim_a...)", '"k<float, 2>"']),
        ("k<(a > b), 2><<<1, 2>>>(x);", ["k<(a > b), 2>(pnsim_a...)"]),
        (
            "k<std::pair<int, std::pair<int, int>>><<<1, 2>>>(x);",
            ["k<std::pair<int, std::pair<int, int>>>(pnsim_a...)"],
        ),
    ],
)
def test_launches(launch: str, parts: list[str]) -> None:
    text = rewrite(f"__global__ void plain(int, int);\nvoid f() {{ {launch} }}", "a.cu").text
    assert "<<<" not in text
    for part in parts:
        assert part in text


def test_launch_over_several_lines_keeps_the_lines() -> None:
    source = "void f() {\n  k<\n    4\n  ><<<1,\n      2>>>(x,\n           y);\n}\nint after;\n"
    text = rewrite(source, "a.cu").text
    assert lines(text) == lines(source)
    assert text.split("\n")[7] == "int after;"


def test_a_template_kernel_is_deduced() -> None:
    unit = rewrite("template <typename T> __global__ void k(T* x) {}\nvoid f(float* x) { k<<<1, 1>>>(x); }", "a.cu")
    assert "launch_deduced" in unit.text
    assert [(k.name, k.template, k.parameters) for k in unit.kernels] == [("k", True, ["x"])]


def test_strings_and_comments_are_left_alone() -> None:
    source = 'const char* s = "k<<<1, 1>>>()"; // k<<<1, 1>>>()\n/* extern __shared__ float s[]; */'
    assert rewrite(source, "a.cu").text == source


def test_dynamic_shared_memory() -> None:
    unit = rewrite("__global__ void k() { extern __shared__ __align__(16) unsigned char raw[]; raw[0] = 1; }", "a.cu")
    assert "unsigned char* const raw = reinterpret_cast<unsigned char*>(::pnsim::dynamic_shared())" in unit.text
    assert unit.dynamic == [("raw", 1, 1)]
    outside = rewrite("extern __shared__ float all[];", "a.cu").text
    assert outside.startswith("static thread_local float* const all")


def test_variables_are_noted() -> None:
    source = """
__constant__ float coef[4];
__device__ unsigned int counter = 0;
__device__ float helper(float x) { return x; }
__global__ void k() { __shared__ float a[4][5], b[3]; __shared__ double total; }
"""
    unit = rewrite(source, "a.cu")
    assert unit.constants == {"coef": 4}
    assert unit.devices == {"counter": 4}
    assert unit.shared == {"a": 4, "b": 4, "total": 8}
    assert unit.arrays == {
        ("a", "a.cu", 5): SharedArray("k", 4, 2, 5),
        ("b", "a.cu", 5): SharedArray("k", 4, 1, 5),
        ("total", "a.cu", 5): SharedArray("k", 8, 0, 5),
    }


def test_every_name_of_a_declaration_is_noted() -> None:
    source = """
__constant__ Pair<int, 3> first, second{1, 2};
__device__ float ratio = pick<int, 2>(1, 2), *table, *const rows[2] = {nullptr, nullptr};
template <typename A, typename B> __device__ Pair<A, B> make(A a, B b);
__device__ bool operator<(const Point& a, const Point& b);
auto twice = [] __device__ (int x) { return 2 * x; };
__global__ void k() {
  __shared__ Pair<int, Box<Box<Box<float>>>> x, y[2],
      z;
  __shared__ int n, m;
  __shared__ int *p, q;
  float __shared__ __align__(16) late[(4 < 5) ? 8 : 16];
}
"""
    unit = rewrite(source, "a.cu")
    assert unit.constants == {"first": 0, "second": 0}
    assert unit.devices == {"ratio": 4, "table": 8, "rows": 8}
    assert unit.shared == {"x": 0, "y": 0, "z": 0, "n": 4, "m": 4, "p": 8, "q": 4, "late": 4}
    assert [(name, line, array.dims) for (name, _, line), array in unit.arrays.items()][:3] == [
        ("x", 8, 0), ("y", 8, 1), ("z", 9, 0),
    ]  # fmt: skip


def test_kernels_are_noted() -> None:
    source = """
namespace a { namespace b {
__global__ void __launch_bounds__(128, 2) first(const float* __restrict__ x, int n, float (&t)[4]) {}
} }
extern "C" __global__ void second(void) {}
__global__ void first(int);
static __global__ __launch_bounds__(LIMIT) void third(float *, float y[]) {}
"""
    kernels = {k.name: k for k in rewrite(source, "a.cu").kernels}
    assert list(kernels) == ["a::b::first", "second", "first", "third"]
    assert kernels["a::b::first"].bounds == "128"
    assert kernels["a::b::first"].line == 3
    assert kernels["second"].parameters == []
    assert kernels["third"].bounds == "LIMIT"
    assert kernels["third"].parameters[1] == "y"


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("\n\n__global__ void k(cudaTextureObject_t t) {}", 3, "textures"),
        ("__global__ void child() {}\n__global__ void k() { child<<<1, 1>>>(); }", 2, "dynamic parallelism"),
        ("void f() { k<<<1, 1; }", 1, "'<<<' without '>>>'"),
        ("void f() { k<<<1, 1>>>; }", 1, "must be followed by the kernel's arguments"),
        ("void f() { (k)<<<1, 1>>>(); }", 1, "must follow the name of a kernel"),
    ],
)
def test_refusals_name_the_line(source: str, line: int, message: str) -> None:
    with pytest.raises(CompileError, match=message) as error:
        rewrite(source, "a.cu")
    assert error.value.diagnostics[0].line == line
    assert error.value.diagnostics[0].file == "a.cu"


def test_order_matters_with_atomics() -> None:
    assert not rewrite("__global__ void k(int* x) { *x = 1; }", "a.cu").ordered
    assert rewrite("__global__ void k(int* x) { atomicAdd(x, 1); }", "a.cu").ordered


def test_main_is_found() -> None:
    unit = rewrite("int main(int argc, char** argv) { return 0; }", "a.cu")
    assert unit.has_main
    assert "int pnsim_main(int argc" in unit.text
    assert not rewrite("struct A { int main(); };", "a.cu").has_main


def test_inline_assembly_is_an_error_only_where_it_is_compiled() -> None:
    source = 'void f(int x) {\n  asm volatile("mov.u32 %0,"\n      " %laneid;" : "=r"(x));\n  x = 1;\n}\n'
    text = rewrite(source, "a.cu").text
    assert 'static_assert(false, "inline PTX cannot be simulated' in text
    assert text.split("\n")[3] == "  x = 1;"


def test_alignas_after_the_qualifier() -> None:
    """C++ wants it before all specifiers."""
    unit = rewrite("__global__ void k() {\n  __shared__ alignas(1024) float s[4];\n}", "k.cu")
    assert unit.text.split("\n")[1].split() == ["alignas(1024)", "__shared__", "float", "s[4];"]
    assert unit.shared == {"s": 4}


def test_a_kernel_in_a_macro_is_none_of_the_units() -> None:
    text = "#define KERNEL(n) \\\n  __global__ void k##n(int* y) { y[0] = n; }\nKERNEL(1)\n__global__ void plain() {}\n"
    assert [kernel.name for kernel in rewrite(text, "k.cu").kernels] == ["plain"]
