// line 9: 1 / 2 is a division of whole numbers, and 0
// words: 1 / 2; 0; whole numbers
// An activation of your own, y = x exp(-x^2 / 2), and its gradient: in single and in double precision.

template <typename T>
__device__ void forward(const T* x, T* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  // >>> your code: y[i].
  if (i < n) y[i] = x[i] * exp(-x[i] * x[i] * (1 / 2));
  // <<<
}

template <typename T>
__device__ void backward(const T* grad, const T* x, T* dx, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  // >>> your code: dx[i], from grad[i], which is the loss's derivative by y[i].
  if (i < n) dx[i] = grad[i] * (1 - x[i] * x[i]) * exp(-x[i] * x[i] / 2);
  // <<<
}

__global__ void gate(const float* x, float* y, int n) { forward(x, y, n); }
__global__ void gate_backward(const float* grad, const float* x, float* dx, int n) { backward(grad, x, dx, n); }
__global__ void gate_double(const double* x, double* y, int n) { forward(x, y, n); }
__global__ void gate_backward_double(const double* grad, const double* x, double* dx, int n) { backward(grad, x, dx, n); }
