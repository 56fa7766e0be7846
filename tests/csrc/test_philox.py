"""philox.cuh gives the bits of the Python reference, compiled as C++, and compiles as CUDA."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from pyneural.kernels import backend

INCLUDE = pathlib.Path(__file__).parents[2] / "csrc" / "include"
BLOCKS = 4096

# Writes, for one (seed, offset): words, 24-bit and 53-bit uniforms, float and double normals.
PROGRAM = """
#include <cstdio>
#include <cstdlib>
#include <vector>
#include <pyneural/philox.cuh>
using namespace pyneural;

template <typename T> void write(const std::vector<T>& values) {
    std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

int main(int, char** arguments) {
    const std::uint64_t seed = std::strtoull(arguments[1], nullptr, 10);
    const std::uint64_t offset = std::strtoull(arguments[2], nullptr, 10);
    const std::uint64_t blocks = std::strtoull(arguments[3], nullptr, 10);
    std::vector<std::uint32_t> words;
    std::vector<float> uniforms, normals;
    std::vector<double> wide_uniforms, wide_normals;
    for (std::uint64_t i = 0; i < blocks; ++i) {
        const PhiloxBlock block = philox_block(seed, offset, i);
        for (int k = 0; k < 4; ++k) {
            words.push_back(block.word[k]);
            uniforms.push_back(uniform_unit(block.word[k]));
        }
        for (int k = 0; k < 4; k += 2) {
            const NormalPair<float> pair = box_muller<float>(block.word[k], block.word[k + 1]);
            normals.push_back(pair.first);
            normals.push_back(pair.second);
        }
        const std::uint64_t u = philox_value64(block, 0), v = philox_value64(block, 1);
        wide_uniforms.push_back(uniform_unit(u));
        wide_uniforms.push_back(uniform_unit(v));
        const NormalPair<double> pair = box_muller<double>(u, v);
        wide_normals.push_back(pair.first);
        wide_normals.push_back(pair.second);
    }
    write(words);
    write(uniforms);
    write(normals);
    write(wide_uniforms);
    write(wide_normals);
}
"""

KERNEL = """
#include <pyneural/philox.cuh>
using namespace pyneural;

extern "C" __global__ void fill(float* z, double* wide, float* u, std::uint64_t seed, std::uint64_t offset) {
    const std::uint64_t i = blockIdx.x * blockDim.x + threadIdx.x;
    const PhiloxBlock block = philox_block(seed, offset, i);
    const NormalPair<float> pair = box_muller<float>(block.word[0], block.word[1]);
    z[2 * i] = pair.first;
    z[2 * i + 1] = pair.second;
    wide[i] = box_muller<double>(philox_value64(block, 0), philox_value64(block, 1)).first;
    u[i] = uniform_unit(block.word[2]);
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    compiler = shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler: none of g++, clang++, c++ is on the PATH")
    folder = tmp_path_factory.mktemp("philox")
    source, binary = folder / "philox.cpp", folder / "philox"
    source.write_text(PROGRAM)
    flags = ["-std=c++17", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", f"-I{INCLUDE}"]
    subprocess.run([compiler, *flags, str(source), "-o", str(binary)], check=True)
    return binary


@pytest.mark.parametrize(
    ("seed", "offset"), [(0, 0), (2**64 - 1, 2**64 - 1), (0x0123456789ABCDEF, 5), (42, 0xFEDCBA9876543210)]
)
def test_host_compiler_gives_the_bits_of_the_reference(program: pathlib.Path, seed: int, offset: int) -> None:
    data = subprocess.run([program, str(seed), str(offset), str(BLOCKS)], check=True, capture_output=True).stdout
    stream = {"seed": seed, "offset": offset}
    reference = backend("reference")
    four, two = (4 * BLOCKS,), (2 * BLOCKS,)
    float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
    expected = [
        reference.random_bits(shape=four, **stream),
        reference.uniform(shape=four, dtype=float32, **stream),
        reference.normal(shape=four, dtype=float32, **stream),
        reference.uniform(shape=two, dtype=float64, **stream),
        reference.normal(shape=two, dtype=float64, **stream),
    ]
    assert data == b"".join(each.tobytes() for each in expected)


def test_nvcc_compiles_the_header(tmp_path: pathlib.Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not on the PATH")
    source = tmp_path / "philox.cu"
    source.write_text(KERNEL)
    command = [nvcc, "-std=c++17", "-arch=sm_80", f"-I{INCLUDE}", "-c", str(source), "-o", str(tmp_path / "philox.o")]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "philox.o").stat().st_size > 0
