// printf and assert on the device, thread indices in three dimensions, device properties, errors on purpose.
#include <cassert>
#include <cstdio>
#include <cstring>

__global__ void hello()
{
    printf("Hello from block (%d, %d), thread (%d, %d, %d)\n", blockIdx.x, blockIdx.y, threadIdx.x, threadIdx.y, threadIdx.z);
}

__global__ void whoAmI(dim3* seen, int* error)
{
    const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const int id = block * (blockDim.x * blockDim.y * blockDim.z) + thread;
    seen[id] = dim3(threadIdx.x, threadIdx.y, threadIdx.z);
    assert(threadIdx.z < blockDim.z);
    if (blockIdx.z >= gridDim.z) *error = id;
}

__global__ void never() { printf("this must not run\n"); }

int main()
{
    int devices = 0;
    cudaGetDeviceCount(&devices);
    printf("%d device(s)\n", devices);
    if (devices == 0) return 1;
    cudaDeviceProp properties;
    cudaGetDeviceProperties(&properties, 0);
    printf("compute capability %d.%d, %zu bytes of shared memory\n", properties.major, properties.minor, properties.sharedMemPerBlock);

    hello<<<dim3(2, 1), dim3(1, 2, 1)>>>();
    cudaDeviceSynchronize();

    const dim3 grid(2, 3, 2), block(3, 2, 2);
    const int n = 12 * 12;
    dim3* d_seen;
    int* d_error;
    cudaMalloc(&d_seen, n * sizeof(dim3));
    cudaMalloc(&d_error, sizeof(int));
    cudaMemset(d_error, 0xff, sizeof(int));
    whoAmI<<<grid, block>>>(d_seen, d_error);
    dim3 seen[n];
    int error;
    cudaMemcpy(seen, d_seen, sizeof(seen), cudaMemcpyDeviceToHost);
    cudaMemcpy(&error, d_error, sizeof(error), cudaMemcpyDeviceToHost);
    bool ok = error == -1;
    for (int i = 0; i < n; i++) {
        const int t = i % 12;
        ok = ok && seen[i].x == t % 3 && seen[i].y == t / 3 % 2 && seen[i].z == t / 6;
    }

    // Mistakes that a program must be able to notice.
    never<<<1, 2048>>>();
    cudaError_t status = cudaGetLastError();
    printf("2048 threads: %s\n", cudaGetErrorName(status));
    ok = ok && status == cudaErrorInvalidConfiguration;
    ok = ok && cudaGetLastError() == cudaSuccess;
    void* huge = nullptr;
    status = cudaMalloc(&huge, (size_t)1 << 60);
    printf("an exabyte: %s\n", cudaGetErrorString(status));
    ok = ok && status == cudaErrorMemoryAllocation;
    cudaGetLastError();
    ok = ok && cudaSetDevice(99) == cudaErrorInvalidDevice;
    cudaGetLastError();

    cudaFree(d_seen);
    cudaFree(d_error);
    printf(ok ? "PASS\n" : "FAIL\n");
    return ok ? 0 : 1;
}
