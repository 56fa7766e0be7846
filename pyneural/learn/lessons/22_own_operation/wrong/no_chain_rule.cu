// says: line 18: dx[...] is ..., not ...; ... of 300 elements are wrong (backward, n = 300); this one is the work of thread ... of block ...
// look: the chain rule: the slope of this operation times what comes from behind it, grad

// An activation of your own, y = x exp(-x^2 / 2), and its gradient: in single and in double precision.

template <typename T>
__device__ void forward(const T* x, T* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  // >>> your code: y[i].
  if (i < n) y[i] = x[i] * exp(-x[i] * x[i] / 2);
  // <<<
}

template <typename T>
__device__ void backward(const T* grad, const T* x, T* dx, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  // >>> your code: dx[i], from grad[i], which is the loss's derivative by y[i].
  if (i < n) dx[i] = (1 - x[i] * x[i]) * exp(-x[i] * x[i] / 2);
  // <<<
}

__global__ void gate(const float* x, float* y, int n) { forward(x, y, n); }
__global__ void gate_backward(const float* grad, const float* x, float* dx, int n) { backward(grad, x, dx, n); }
__global__ void gate_double(const double* x, double* y, int n) { forward(x, y, n); }
__global__ void gate_backward_double(const double* grad, const double* x, double* dx, int n) { backward(grad, x, dx, n); }
