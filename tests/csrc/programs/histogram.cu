// A histogram of bytes, each block with a private one in shared memory, merged by atomics.
// The input comes over in two halves, each on a stream of its own.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef unsigned char uchar;
typedef unsigned int uint;

#define BIN_COUNT 256
#define THREADS 192

static void HandleError(cudaError_t err, const char *file, int line) {
    if (err != cudaSuccess) {
        printf("%s in %s at line %d\n", cudaGetErrorString(err), file, line);
        exit(EXIT_FAILURE);
    }
}
#define HANDLE_ERROR(err) (HandleError(err, __FILE__, __LINE__))

__device__ uint d_Total;

__global__ void histo_kernel(const uchar *buffer, long size, uint *histo) {
    __shared__ uint temp[BIN_COUNT];
    for (int bin = threadIdx.x; bin < BIN_COUNT; bin += blockDim.x) temp[bin] = 0;
    __syncthreads();

    int i = threadIdx.x + blockIdx.x * blockDim.x;
    int offset = blockDim.x * gridDim.x;
    while (i < size) {
        atomicAdd(&temp[buffer[i]], 1);
        i += offset;
    }

    __syncthreads();
    for (int bin = threadIdx.x; bin < BIN_COUNT; bin += blockDim.x) {
        if (temp[bin]) atomicAdd(&(histo[bin]), temp[bin]);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        uint mine = 0;
        for (int bin = 0; bin < BIN_COUNT; bin++) mine += temp[bin];
        atomicAdd(&d_Total, mine);
    }
}

int main(void) {
    const long SIZE = 40001;
    uchar *buffer;
    HANDLE_ERROR(cudaMallocHost((void **)&buffer, SIZE));
    uint seed = 12345;
    for (long i = 0; i < SIZE; i++) {
        seed = seed * 1664525u + 1013904223u;
        buffer[i] = (uchar)((seed >> 24) & (seed >> 16));   // small values are more likely
    }

    uchar *dev_buffer;
    uint *dev_histo;
    HANDLE_ERROR(cudaMalloc((void **)&dev_buffer, SIZE));
    HANDLE_ERROR(cudaMalloc((void **)&dev_histo, BIN_COUNT * sizeof(uint)));
    HANDLE_ERROR(cudaMemset(dev_histo, 0, BIN_COUNT * sizeof(uint)));
    uint zero = 0;
    HANDLE_ERROR(cudaMemcpyToSymbol(d_Total, &zero, sizeof(zero)));

    cudaStream_t stream[2];
    for (int s = 0; s < 2; s++) HANDLE_ERROR(cudaStreamCreate(&stream[s]));
    long half = SIZE / 2;
    for (int s = 0; s < 2; s++) {
        long begin = s * half, length = s ? SIZE - half : half;
        HANDLE_ERROR(cudaMemcpyAsync(dev_buffer + begin, buffer + begin, length, cudaMemcpyHostToDevice, stream[s]));
        histo_kernel<<<12, THREADS, 0, stream[s]>>>(dev_buffer + begin, length, dev_histo);
        HANDLE_ERROR(cudaGetLastError());
    }
    for (int s = 0; s < 2; s++) HANDLE_ERROR(cudaStreamSynchronize(stream[s]));

    uint histo[BIN_COUNT], total;
    HANDLE_ERROR(cudaMemcpy(histo, dev_histo, sizeof(histo), cudaMemcpyDeviceToHost));
    HANDLE_ERROR(cudaMemcpyFromSymbol(&total, d_Total, sizeof(total)));
    printf("Histogram sum: %u\n", total);
    for (long i = 0; i < SIZE; i++) histo[buffer[i]]--;
    for (int i = 0; i < BIN_COUNT; i++) {
        if (histo[i] != 0) printf("Failure at %d!\n", i);
        assert(histo[i] == 0);
    }
    assert(total == SIZE);

    for (int s = 0; s < 2; s++) HANDLE_ERROR(cudaStreamDestroy(stream[s]));
    cudaFree(dev_histo);
    cudaFree(dev_buffer);
    cudaFreeHost(buffer);
    puts("PASS");
    return 0;
}
