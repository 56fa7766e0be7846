// says: in double precision: gradcheck: inputs[0] at (..., ...): backward gives ..., central difference ... (difference ..., allowed ...)
// look: what is of single precision on its way, whatever the arrays are: a float32, an expf, a constant with an f

// An activation of your own, y = x exp(-x^2 / 2), and its gradient: in single and in double precision.

template <typename T>
__device__ void forward(const T* x, T* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  // >>> your code: y[i].
  if (i < n) y[i] = x[i] * expf(-0.5f * x[i] * x[i]);
  // <<<
}

template <typename T>
__device__ void backward(const T* grad, const T* x, T* dx, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  // >>> your code: dx[i], from grad[i], which is the loss's derivative by y[i].
  if (i < n) dx[i] = grad[i] * (1 - x[i] * x[i]) * expf(-0.5f * x[i] * x[i]);
  // <<<
}

__global__ void gate(const float* x, float* y, int n) { forward(x, y, n); }
__global__ void gate_backward(const float* grad, const float* x, float* dx, int n) { backward(grad, x, dx, n); }
__global__ void gate_double(const double* x, double* y, int n) { forward(x, y, n); }
__global__ void gate_backward_double(const double* grad, const double* x, double* dx, int n) { backward(grad, x, dx, n); }
