// y = A x for sparse matrices in the usual formats, after a report on the subject.

namespace spmv {

template <typename ValueType, typename IndexType = int>
__global__ void csr_scalar(const IndexType num_rows, const IndexType* ptr, const IndexType* indices,
                           const ValueType* data, const ValueType* x, ValueType* y)
{
    IndexType row = blockDim.x * blockIdx.x + threadIdx.x;
    if (row < num_rows)
    {
        ValueType dot = 0;
        IndexType row_start = ptr[row];
        IndexType row_end   = ptr[row + 1];
        for (IndexType jj = row_start; jj < row_end; jj++)
            dot += data[jj] * x[indices[jj]];
        y[row] += dot;
    }
}

// a warp for each row
template <typename ValueType, typename IndexType = int>
__global__ void csr_vector(const IndexType num_rows, const IndexType* ptr, const IndexType* indices,
                           const ValueType* data, const ValueType* x, ValueType* y)
{
    const int thread_id = blockDim.x * blockIdx.x + threadIdx.x;
    const int warp_id   = thread_id / 32;
    const int lane      = thread_id & (32 - 1);
    const int row       = warp_id;
    if (row < num_rows)
    {
        ValueType sum = 0;
        for (IndexType jj = ptr[row] + lane; jj < ptr[row + 1]; jj += 32)
            sum += data[jj] * x[indices[jj]];
        sum += __shfl_down_sync(0xffffffff, sum, 16);
        sum += __shfl_down_sync(0xffffffff, sum, 8);
        sum += __shfl_down_sync(0xffffffff, sum, 4);
        sum += __shfl_down_sync(0xffffffff, sum, 2);
        sum += __shfl_down_sync(0xffffffff, sum, 1);
        if (lane == 0)
            y[row] += sum;
    }
}

__global__ void ell(const int num_rows, const int num_cols_per_row, const int* indices, const float* data,
                    const float* x, float* y)
{
    int row = blockDim.x * blockIdx.x + threadIdx.x;
    if (row < num_rows)
    {
        float dot = 0;
        for (int n = 0; n < num_cols_per_row; n++)
        {
            int   col = indices[num_rows * n + row];
            float val = data[num_rows * n + row];
            if (val != 0)
                dot += val * x[col];
        }
        y[row] += dot;
    }
}

__global__ void coo(const int num_nonzeros, const int* rows, const int* cols, const float* data, const float* x, float* y)
{
    for (int i = blockDim.x * blockIdx.x + threadIdx.x; i < num_nonzeros; i += blockDim.x * gridDim.x)
        atomicAdd(&y[rows[i]], data[i] * x[cols[i]]);
}

}  // namespace spmv
