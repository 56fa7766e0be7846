/* Numerical methods: transforms, tridiagonal systems, factorisations, alignment, particles. */
#include <math_constants.h>
#include <vector_functions.h>

static __device__ __host__ inline float2 ComplexMul(float2 a, float2 b)
{
    float2 c;
    c.x = a.x * b.x - a.y * b.y;
    c.y = a.x * b.y + a.y * b.x;
    return c;
}

/* Stockham's radix-2 transform of N points in shared memory, N / 2 threads. */
template <int N, bool INVERSE>
__global__ void fft_shared(const float2 *in, float2 *out)
{
    __shared__ float2 work[2][N];
    const int t = threadIdx.x;
    in += blockIdx.x * N;
    out += blockIdx.x * N;
    work[0][t] = in[t];
    work[0][t + N / 2] = in[t + N / 2];
    int from = 0;
    for (int span = 1; span < N; span *= 2)
    {
        __syncthreads();
        const int k = t % span;
        const float angle = (INVERSE ? 1.0f : -1.0f) * CUDART_PI_F * k / span;
        float2 w;
        sincosf(angle, &w.y, &w.x);
        const float2 a = work[from][t];
        const float2 b = ComplexMul(w, work[from][t + N / 2]);
        const int to = (t / span) * span * 2 + k;
        work[1 - from][to] = make_float2(a.x + b.x, a.y + b.y);
        work[1 - from][to + span] = make_float2(a.x - b.x, a.y - b.y);
        from = 1 - from;
    }
    __syncthreads();
    const float scale = INVERSE ? 1.0f / N : 1.0f;
    for (int i = t; i < N; i += N / 2) out[i] = make_float2(work[from][i].x * scale, work[from][i].y * scale);
}

/* Parallel cyclic reduction: one system to a block, one equation to a thread. */
template <class T>
__global__ void pcrKernel(T *d_a, T *d_b, T *d_c, T *d_d, T *d_x, int systemSize)
{
    extern __shared__ __align__(16) unsigned char pcr_shared[];
    T *a = reinterpret_cast<T *>(pcr_shared);
    T *b = a + systemSize, *c = b + systemSize, *d = c + systemSize;
    const int thid = threadIdx.x;
    const int at = thid + blockIdx.x * systemSize;
    a[thid] = d_a[at];
    b[thid] = d_b[at];
    c[thid] = d_c[at];
    d[thid] = d_d[at];
    __syncthreads();
    for (int delta = 1; delta < systemSize; delta *= 2)
    {
        const int i = thid;
        const int iLeft = i - delta, iRight = i + delta;
        T aNew = 0, bNew = b[i], cNew = 0, dNew = d[i];
        if (iLeft >= 0)
        {
            const T k = a[i] / b[iLeft];
            aNew = -a[iLeft] * k;
            bNew -= c[iLeft] * k;
            dNew -= d[iLeft] * k;
        }
        if (iRight < systemSize)
        {
            const T k = c[i] / b[iRight];
            cNew = -c[iRight] * k;
            bNew -= a[iRight] * k;
            dNew -= d[iRight] * k;
        }
        __syncthreads();
        a[i] = aNew, b[i] = bNew, c[i] = cNew, d[i] = dNew;
        __syncthreads();
    }
    d_x[at] = d[thid] / b[thid];
}

/* Many small Cholesky factorisations, a block of n threads to each, in place, lower triangle. */
extern "C" __global__ void cholesky_batched(double *matrices, int n, int *info)
{
    extern __shared__ double L[];
    double *A = matrices + (size_t)blockIdx.x * n * n;
    const int row = threadIdx.x;
    for (int j = 0; j < n; j++) L[row * n + j] = A[row * n + j];
    __syncthreads();
    for (int k = 0; k < n; k++)
    {
        if (row == k)
        {
            if (L[k * n + k] <= 0) atomicCAS(&info[blockIdx.x], 0, k + 1);
            L[k * n + k] = sqrt(L[k * n + k]);
        }
        __syncthreads();
        if (row > k) L[row * n + k] /= L[k * n + k];
        __syncthreads();
        for (int j = k + 1; j <= row; j++) L[row * n + j] -= L[row * n + k] * L[j * n + k];
        __syncthreads();
    }
    for (int j = 0; j < n; j++) A[row * n + j] = j <= row ? L[row * n + j] : 0;
}

/* Smith and Waterman's local alignment along antidiagonals: one block, a thread to each row. */
extern "C" __global__ void smith_waterman(const char *query, int m, const char *subject, int n, int match,
                                          int mismatch, int gap, int *score)
{
    extern __shared__ int diagonals[];  /* three of m + 1 */
    int *before = diagonals, *last = diagonals + m + 1, *now = diagonals + 2 * (m + 1);
    __shared__ int best;
    const int i = threadIdx.x + 1;
    before[i] = last[i] = now[i] = 0;
    if (threadIdx.x == 0) before[0] = last[0] = now[0] = best = 0;
    __syncthreads();
    int mine = 0;
    for (int diagonal = 2; diagonal <= m + n; ++diagonal)
    {
        const int j = diagonal - i;
        if (j >= 1 && j <= n)
        {
            int s = before[i - 1] + (query[i - 1] == subject[j - 1] ? match : mismatch);
            s = max(s, max(last[i - 1], last[i]) + gap);
            now[i] = s > 0 ? s : 0;
            mine = max(mine, now[i]);
        }
        __syncthreads();
        int *t = before;
        before = last, last = now, now = t;
    }
    atomicMax(&best, mine);
    __syncthreads();
    if (threadIdx.x == 0) *score = best;
}

/* D2Q9 lattice Boltzmann: pull, collide, write; periodic borders. */
__constant__ int ex[9] = {0, 1, 0, -1, 0, 1, -1, -1, 1};
__constant__ int ey[9] = {0, 0, 1, 0, -1, 1, 1, -1, -1};
__constant__ float w9[9] = {4.f / 9, 1.f / 9, 1.f / 9, 1.f / 9, 1.f / 9, 1.f / 36, 1.f / 36, 1.f / 36, 1.f / 36};
extern "C" __global__ void lbm_d2q9(const float *f, float *g, int nx, int ny, float omega)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= nx || y >= ny) return;
    float p[9], rho = 0, ux = 0, uy = 0;
#pragma unroll
    for (int q = 0; q < 9; q++)
    {
        p[q] = f[(q * ny + (y - ey[q] + ny) % ny) * nx + (x - ex[q] + nx) % nx];
        rho += p[q];
        ux += ex[q] * p[q];
        uy += ey[q] * p[q];
    }
    ux /= rho;
    uy /= rho;
    const float uu = 1.5f * (ux * ux + uy * uy);
#pragma unroll
    for (int q = 0; q < 9; q++)
    {
        const float eu = 3 * (ex[q] * ux + ey[q] * uy);
        const float equilibrium = w9[q] * rho * (1 + eu + 0.5f * eu * eu - uu);
        g[(q * ny + y) * nx + x] = p[q] + omega * (equilibrium - p[q]);
    }
}
