// Kernels of a small language model, each as simple as it can be and still coalesced.
#include <assert.h>
#include <float.h>
#include <cuda_bf16.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>

#define GELU_SCALING_FACTOR sqrtf(2.0f / M_PI)

namespace cg = cooperative_groups;
typedef __nv_bfloat16 floatX;

struct __align__(16) Packed128 {
    float payload[4];
    __device__ float& operator[](int i) { return payload[i]; }
    __device__ const float& operator[](int i) const { return payload[i]; }
};
__device__ inline Packed128 load128(const float* address) { return *reinterpret_cast<const Packed128*>(address); }
__device__ inline void store128(float* target, Packed128 value) { *reinterpret_cast<Packed128*>(target) = value; }

__global__ void encoder_forward_kernel(float* out, const int* inp, const float* wte, const float* wpe, int B, int T, int C) {
    int idx = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
    int N = B * T * C;
    if (idx >= N) { return; }
    int bt = idx / C;
    int b = bt / T;
    int t = bt % T;
    int c = idx % C;
    int ix = inp[b * T + t];
    Packed128 packed_out;
    Packed128 token = load128(&wte[ix * C + c]);
    Packed128 position = load128(&wpe[t * C + c]);
    for (int k = 0; k < 4; k++) { packed_out[k] = token[k] + position[k]; }
    store128(out + idx, packed_out);
}

// Milakov and Gimelshein: the maximum and the sum in one pass; a warp for each row
__global__ void softmax_online_kernel(float* out, const float* inp, int N, int C) {
    cg::thread_block block = cg::this_thread_block();
    cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
    int idx = blockIdx.x * warp.meta_group_size() + warp.meta_group_rank();
    if (idx >= N) { return; }
    const float* x = inp + idx * C;
    float maxval = -FLT_MAX, sumval = 0.0f;
    for (int i = warp.thread_rank(); i < C; i += warp.size()) {
        float old = maxval;
        maxval = fmaxf(maxval, x[i]);
        sumval *= expf(old - maxval);
        sumval += expf(x[i] - maxval);
    }
    float global_maxval = cg::reduce(warp, maxval, cg::greater<float>{});
    sumval *= expf(maxval - global_maxval);
    float sum = cg::reduce(warp, sumval, cg::plus<float>{});
    float norm = 1.f / sum;
    for (int i = warp.thread_rank(); i < C; i += warp.size()) {
        __stcs(out + idx * C + i, expf(__ldcs(x + i) - global_maxval) * norm);
    }
}

__global__ void gelu_forward_kernel(floatX* out, const floatX* inp, int N) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < N) {
        float xi = (float)inp[i];
        float cube = 0.044715f * xi * xi * xi;
        out[i] = (floatX)(0.5f * xi * (1.0f + tanhf(GELU_SCALING_FACTOR * (xi + cube))));
    }
}

__global__ void crossentropy_softmax_backward_kernel(float* dlogits, const float* dlosses, const float* probs,
                                                     const int* targets, int B, int T, int V) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < B * T * V) {
        int bt = i / V;
        int v = i % V;
        float indicator = v == targets[bt] ? 1.0f : 0.0f;
        dlogits[i] += (probs[i] - indicator) * dlosses[bt];
    }
}

__device__ inline float lerp(float start, float end, float weight) {
    return fma(weight, end, fma(-weight, start, start));
}
__global__ void adamw_kernel(float* params_memory, const float* grads_memory, float* m_memory, float* v_memory,
                             long num_parameters, float learning_rate, float beta1, float beta2,
                             float beta1_correction, float beta2_correction, float eps, float weight_decay) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= num_parameters) return;
    float grad = grads_memory[i];
    float m = m_memory[i];
    float v = v_memory[i];
    m = lerp(grad, m, beta1);
    m_memory[i] = m;
    v = lerp(grad * grad, v, beta2);
    v_memory[i] = v;
    m /= beta1_correction;
    v /= beta2_correction;
    params_memory[i] -= learning_rate * (m / (sqrtf(v) + eps) + weight_decay * params_memory[i]);
}

// Rotary embedding on pairs, in place.
__global__ void rope_kernel(float2* x, int T, int pairs, float base) {
    int t = blockIdx.x, p = threadIdx.x;
    if (p < pairs) {
        float s, c;
        sincosf(t * powf(base, -(float)p / pairs), &s, &c);
        float2 v = x[t * pairs + p];
        x[t * pairs + p] = make_float2(v.x * c - v.y * s, v.x * s + v.y * c);
    }
}

template <int BLOCK>
__global__ void __launch_bounds__(BLOCK, 2) rmsnorm_kernel(float* __restrict__ out, const float* __restrict__ x, const float* __restrict__ w, int C) {
    __shared__ float warps[BLOCK / 32];
    const float* row = x + size_t(blockIdx.x) * C;
    float ss = 0;
    for (int i = threadIdx.x; i < C; i += BLOCK) ss += row[i] * row[i];
    for (int o = 16; o; o >>= 1) ss += __shfl_xor_sync(~0u, ss, o);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = ss;
    __syncthreads();
    ss = 0;
#pragma unroll
    for (int i = 0; i < BLOCK / 32; i++) ss += warps[i];
    const float scale = rsqrtf(ss / C + 1e-6f);
    for (int i = threadIdx.x; i < C; i += BLOCK) out[size_t(blockIdx.x) * C + i] = w[i] * (scale * row[i]);
}
