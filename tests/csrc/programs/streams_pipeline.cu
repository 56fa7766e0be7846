// Copies and kernels overlapped on several streams with pinned memory; one stream waits for another's event.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
#include "cuda_runtime.h"
#include "device_launch_parameters.h"

namespace {

class cuda_error : public std::runtime_error {
public:
    cuda_error(cudaError_t code, const std::string& what)
        : std::runtime_error(what + ": " + cudaGetErrorName(code) + " (" + cudaGetErrorString(code) + ")") {}
};
void throw_on_error(cudaError_t code, const char* what) { if (code != cudaSuccess) throw cuda_error(code, what); }

template <typename T> struct device_deleter { void operator()(T* p) const { cudaFree(p); } };
template <typename T> using device_ptr = std::unique_ptr<T[], device_deleter<T>>;
template <typename T> device_ptr<T> make_device(std::size_t n) {
    T* p = nullptr;
    throw_on_error(cudaMalloc(&p, n * sizeof(T)), "cudaMalloc");
    return device_ptr<T>(p);
}

class stream {
public:
    stream() { throw_on_error(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags"); }
    ~stream() { if (handle_) cudaStreamDestroy(handle_); }
    stream(const stream&) = delete;
    stream(stream&& other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
    operator cudaStream_t() const { return handle_; }
private:
    cudaStream_t handle_ = nullptr;
};

constexpr int kStreams = 4;
constexpr int kBlock = 128;

__global__ void kernel(float* a, int offset, int count)
{
    const int i = threadIdx.x + blockIdx.x * blockDim.x;
    if (i >= count) return;
    const float x = static_cast<float>(offset + i);
    const float s = sinf(x), c = cosf(x);
    a[offset + i] = a[offset + i] + sqrtf(s * s + c * c);
}

__global__ void total(const float* __restrict__ a, int n, float* __restrict__ sum)
{
    __shared__ float partial[kBlock];
    float mine = 0.0f;
    for (int i = threadIdx.x; i < n; i += blockDim.x) mine += __ldg(&a[i]);
    partial[threadIdx.x] = mine;
    for (int stride = blockDim.x / 2; stride; stride >>= 1) {
        __syncthreads();
        if (threadIdx.x < stride) partial[threadIdx.x] += partial[threadIdx.x + stride];
    }
    if (threadIdx.x == 0) *sum = partial[0];
}

int run()
{
    int device_id = 0;
    cudaDeviceProp prop;
    throw_on_error(cudaGetDevice(&device_id), "cudaGetDevice");
    throw_on_error(cudaGetDeviceProperties(&prop, device_id), "cudaGetDeviceProperties");
    std::printf("Device: warps of %d, at most %d threads in a block\n", prop.warpSize, prop.maxThreadsPerBlock);

    const int n = 4 * 1000 + 3, piece = (n + kStreams - 1) / kStreams;
    float* a = nullptr;
    throw_on_error(cudaHostAlloc(&a, n * sizeof(float), cudaHostAllocDefault), "cudaHostAlloc");
    std::fill(a, a + n, 1.0f);
    auto d_a = make_device<float>(n);
    auto d_sum = make_device<float>(1);

    std::vector<stream> streams(kStreams);
    cudaEvent_t begin, done[kStreams];
    throw_on_error(cudaEventCreate(&begin), "cudaEventCreate");
    throw_on_error(cudaEventRecord(begin, 0), "cudaEventRecord");
    for (int i = 0; i < kStreams; ++i) {
        const int offset = i * piece, count = std::min(piece, n - offset);
        const std::size_t bytes = count * sizeof(float);
        throw_on_error(cudaEventCreateWithFlags(&done[i], cudaEventDisableTiming), "cudaEventCreateWithFlags");
        throw_on_error(cudaMemcpyAsync(&d_a[offset], &a[offset], bytes, cudaMemcpyHostToDevice, streams[i]), "copy");
        kernel<<<(count + kBlock - 1) / kBlock, kBlock, 0, streams[i]>>>(d_a.get(), offset, count);
        throw_on_error(cudaGetLastError(), "kernel");
        throw_on_error(cudaMemcpyAsync(&a[offset], &d_a[offset], bytes, cudaMemcpyDeviceToHost, streams[i]), "copy");
        throw_on_error(cudaEventRecord(done[i], streams[i]), "cudaEventRecord");
    }
    for (int i = 1; i < kStreams; ++i)
        throw_on_error(cudaStreamWaitEvent(streams[0], done[i], 0), "cudaStreamWaitEvent");
    total<<<1, kBlock, 0, streams[0]>>>(d_a.get(), n, d_sum.get());
    float sum = 0;
    throw_on_error(cudaMemcpyAsync(&sum, d_sum.get(), sizeof sum, cudaMemcpyDeviceToHost, streams[0]), "copy");
    throw_on_error(cudaStreamSynchronize(streams[0]), "cudaStreamSynchronize");

    float worst = 0;
    for (int i = 0; i < n; ++i) worst = std::max(worst, std::fabs(a[i] - 2.0f));
    std::printf("max error %.1e, sum %.1f of %d\n", worst, sum, 2 * n);
    for (auto& event : done) cudaEventDestroy(event);
    cudaEventDestroy(begin);
    cudaFreeHost(a);
    return worst < 1e-5f && std::fabs(sum - 2 * n) < 0.1f ? 0 : 1;
}

}  // namespace

int main()
{
    try {
        const int status = run();
        std::puts(status == 0 ? "PASS" : "FAIL");
        return status;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
