/* Jacobi iteration for the heat equation: pitched memory, double buffering, a residual that stops the loop,
 * a launch by cudaLaunchKernel and a block size by the occupancy calculator. */
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime_api.h>

typedef double real;

static const int NX = 50, NY = 34;

#define SAFE(call) do { cudaError_t e_ = (call); if (e_ != cudaSuccess) { \
    fprintf(stderr, "%s(%i): %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(e_)); exit(EXIT_FAILURE); } } while (0)

__device__ inline real* row_of(real* base, size_t pitch, int y) { return (real*)((char*)base + y * pitch); }
__device__ inline const real* row_of(const real* base, size_t pitch, int y) { return (const real*)((const char*)base + y * pitch); }

__device__ real atomicMaxReal(real* address, real value)
{
    unsigned long long int* bits = (unsigned long long int*)address;
    unsigned long long int old = atomicAdd(bits, 0ULL), assumed;
    while (__longlong_as_double(old) < value)
    {
        assumed = old;
        old = atomicCAS(bits, assumed, __double_as_longlong(value));
        if (old == assumed) break;
    }
    return __longlong_as_double(old);
}

__global__ void jacobi(const real* in, real* out, size_t pitch, int nx, int ny, real* residual)
{
    __shared__ real largest[32];
    const int x = blockIdx.x * blockDim.x + threadIdx.x + 1;
    const int y = blockIdx.y * blockDim.y + threadIdx.y + 1;
    real change = 0;
    if (x < nx - 1 && y < ny - 1)
    {
        const real* up = row_of(in, pitch, y - 1);
        const real* here = row_of(in, pitch, y);
        const real* down = row_of(in, pitch, y + 1);
        const real v = 0.25 * (up[x] + down[x] + here[x - 1] + here[x + 1]);
        change = fabs(v - here[x]);
        row_of(out, pitch, y)[x] = v;
    }
    for (int offset = 16; offset > 0; offset /= 2) change = fmax(change, __shfl_down_sync(0xffffffff, change, offset));
    const int tid = threadIdx.y * blockDim.x + threadIdx.x;
    if (tid % 32 == 0) largest[tid / 32] = change;
    __syncthreads();
    if (tid == 0)
    {
        for (int w = 1; w < blockDim.x * blockDim.y / 32; ++w) change = fmax(change, largest[w]);
        atomicMaxReal(residual, change);
    }
}

__global__ void fill(real* data, size_t pitch, int nx, int ny)
{
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < nx * ny; i += blockDim.x * gridDim.x)
    {
        int x = i % nx, y = i / nx;
        row_of(data, pitch, y)[x] = y == 0 ? sin(3.14159265358979323846 * x / (nx - 1)) : 0.0;
    }
}

int main(void)
{
    int device, smCount;
    SAFE(cudaGetDevice(&device));
    SAFE(cudaDeviceGetAttribute(&smCount, cudaDevAttrMultiProcessorCount, device));
    int minGridSize, blockSize;
    SAFE(cudaOccupancyMaxPotentialBlockSize(&minGridSize, &blockSize, fill, 0, 0));
    if (smCount < 1 || blockSize < 32) return 1;

    real *a, *b, *d_residual, residual = DBL_MAX;
    size_t pitch, pitch_b;
    SAFE(cudaMallocPitch((void**)&a, &pitch, NX * sizeof(real), NY));
    SAFE(cudaMallocPitch((void**)&b, &pitch_b, NX * sizeof(real), NY));
    SAFE(cudaMalloc((void**)&d_residual, sizeof(real)));
    fill<<<2, blockSize>>>(a, pitch, NX, NY);
    fill<<<2, blockSize>>>(b, pitch_b, NX, NY);
    SAFE(cudaGetLastError());

    dim3 block(16, 8), grid((NX - 2 + 15) / 16, (NY - 2 + 7) / 8);
    int iterations = 0;
    const int most = 40;
    while (residual > 1e-3 && iterations < most)
    {
        SAFE(cudaMemsetAsync(d_residual, 0, sizeof(real)));
        int nx = NX, ny = NY;
        void* args[] = {&a, &b, &pitch, &nx, &ny, &d_residual};
        SAFE(cudaLaunchKernel((const void*)jacobi, grid, block, args, 0, 0));
        SAFE(cudaMemcpy(&residual, d_residual, sizeof(real), cudaMemcpyDeviceToHost));
        real* t = a; a = b; b = t;
        ++iterations;
    }

    static real result[NY][NX], reference[2][NY][NX];
    SAFE(cudaMemcpy2D(result, NX * sizeof(real), a, pitch, NX * sizeof(real), NY, cudaMemcpyDeviceToHost));
    for (int x = 0; x < NX; ++x) reference[0][0][x] = reference[1][0][x] = sin(3.14159265358979323846 * x / (NX - 1));
    for (int i = 0; i < iterations; ++i)
        for (int y = 1; y < NY - 1; ++y)
            for (int x = 1; x < NX - 1; ++x)
            {
                real (*p)[NX] = reference[i % 2];
                reference[1 - i % 2][y][x] = 0.25 * (p[y - 1][x] + p[y + 1][x] + p[y][x - 1] + p[y][x + 1]);
            }
    real error = 0;
    for (int y = 0; y < NY; ++y)
        for (int x = 0; x < NX; ++x) error = fmax(error, fabs(result[y][x] - reference[iterations % 2][y][x]));
    printf("%d iterations, residual %.2e, error %.1e\n", iterations, residual, error);
    SAFE(cudaFree(a));
    SAFE(cudaFree(b));
    SAFE(cudaFree(d_residual));
    puts(error < 1e-12 ? "PASS" : "FAIL");
    return error < 1e-12 ? 0 : 1;
}
