// Sum of an array by stages, the block size a template parameter chosen by a switch at run time.
#include <iostream>
#include <numeric>
#include <vector>
#include <cuda_runtime.h>

inline void gpuAssert(cudaError_t code, const char *file, int line, bool abort = true)
{
   if (code != cudaSuccess)
   {
      fprintf(stderr, "GPUassert: %s %s %d\n", cudaGetErrorString(code), file, line);
      if (abort) exit(code);
   }
}
#define gpuErrchk(ans) { gpuAssert((ans), __FILE__, __LINE__); }

template <unsigned int blockSize, class T>
__device__ void warpReduce(volatile T *sdata, unsigned int tid)
{
    // Volta and later: lanes of a warp need a barrier between each store and the loads of others.
    T v = sdata[tid];
    if (blockSize >= 64) { v += sdata[tid + 32]; __syncwarp(); sdata[tid] = v; __syncwarp(); }
    if (blockSize >= 32) { v += sdata[tid + 16]; __syncwarp(); sdata[tid] = v; __syncwarp(); }
    v += sdata[tid + 8];  __syncwarp(); sdata[tid] = v; __syncwarp();
    v += sdata[tid + 4];  __syncwarp(); sdata[tid] = v; __syncwarp();
    v += sdata[tid + 2];  __syncwarp(); sdata[tid] = v; __syncwarp();
    v += sdata[tid + 1];  __syncwarp(); sdata[tid] = v;
}

template <class T, unsigned int blockSize>
__global__ void reduce6(const T *g_idata, T *g_odata, unsigned int n)
{
    extern __shared__ int smem_raw[];
    T *sdata = (T *)smem_raw;
    unsigned int tid = threadIdx.x;
    unsigned int i = blockIdx.x * (blockSize * 2) + tid;
    unsigned int gridSize = blockSize * 2 * gridDim.x;

    T mySum = 0;
    while (i < n)
    {
        mySum += g_idata[i];
        if (i + blockSize < n) mySum += g_idata[i + blockSize];
        i += gridSize;
    }
    sdata[tid] = mySum;
    if (tid < 32) sdata[blockSize + tid] = 0;   // what the last warp reads past its own half
    __syncthreads();

    if (blockSize >= 512) { if (tid < 256) { sdata[tid] += sdata[tid + 256]; } __syncthreads(); }
    if (blockSize >= 256) { if (tid < 128) { sdata[tid] += sdata[tid + 128]; } __syncthreads(); }
    if (blockSize >= 128) { if (tid <  64) { sdata[tid] += sdata[tid +  64]; } __syncthreads(); }
    if (tid < 32) warpReduce<blockSize>(sdata, tid);
    if (tid == 0) g_odata[blockIdx.x] = sdata[0];
}

template <class T>
void reduce(int threads, int blocks, const T *d_idata, T *d_odata, unsigned n)
{
    dim3 dimBlock(threads, 1, 1);
    dim3 dimGrid(blocks, 1, 1);
    int smemSize = (threads + 32) * sizeof(T);
    switch (threads)
    {
        case 512: reduce6<T, 512><<< dimGrid, dimBlock, smemSize >>>(d_idata, d_odata, n); break;
        case 256: reduce6<T, 256><<< dimGrid, dimBlock, smemSize >>>(d_idata, d_odata, n); break;
        case 128: reduce6<T, 128><<< dimGrid, dimBlock, smemSize >>>(d_idata, d_odata, n); break;
        case  64: reduce6<T,  64><<< dimGrid, dimBlock, smemSize >>>(d_idata, d_odata, n); break;
        case  32: reduce6<T,  32><<< dimGrid, dimBlock, smemSize >>>(d_idata, d_odata, n); break;
    }
    gpuErrchk( cudaPeekAtLastError() );
    gpuErrchk( cudaDeviceSynchronize() );
}

template <class T>
bool check(int threads, unsigned n)
{
    std::vector<T> h(n);
    for (unsigned i = 0; i < n; i++) h[i] = T((i * 37) % 101);
    T *d_in, *d_part, result;
    const int blocks = 8;
    gpuErrchk( cudaMalloc((void **)&d_in, n * sizeof(T)) );
    gpuErrchk( cudaMalloc((void **)&d_part, blocks * sizeof(T)) );
    gpuErrchk( cudaMemcpy(d_in, h.data(), n * sizeof(T), cudaMemcpyHostToDevice) );
    reduce<T>(threads, blocks, d_in, d_part, n);
    reduce<T>(32, 1, d_part, d_part, blocks);
    gpuErrchk( cudaMemcpy(&result, d_part, sizeof(T), cudaMemcpyDeviceToHost) );
    gpuErrchk( cudaFree(d_in) );
    gpuErrchk( cudaFree(d_part) );
    T expected = std::accumulate(h.begin(), h.end(), T(0));
    std::cout << "threads " << threads << ", n " << n << ": " << result << std::endl;
    return result == expected;
}

int main()
{
    bool ok = true;
    for (int threads : {32, 64, 128, 256, 512})
    {
        ok = check<int>(threads, 4099) && ok;
        ok = check<double>(threads, 1000 + threads) && ok;
    }
    std::cout << (ok ? "PASS" : "FAIL") << std::endl;
    return ok ? 0 : 1;
}
