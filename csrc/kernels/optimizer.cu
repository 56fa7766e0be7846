// Optimizer steps on many parameters of PYNEURAL_ELEMENT in one launch, in place.
#include <pyneural/tensors.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

// The gradient, with the weight decay that goes through it.
struct Decayed {
  Real decay;
  bool maximize;
  __device__ __forceinline__ Real operator()(Real grad, Real param) const {
    return (maximize ? -grad : grad) + (decay == Real(0) ? Real(0) : decay * param);
  }
};

// param, grad, and with momentum its buffer; `first` buffers hold nothing yet.
__global__ void __launch_bounds__(256) sgd_step(Tensors<Element, 2> tensors, Real lr, Real decay, bool maximize) {
  const Decayed decayed{decay, maximize};
  update_chunk<2>(tensors, 0b11, 0b01, [=](Real (&value)[2]) { value[0] -= lr * decayed(value[1], value[0]); });
}
__global__ void __launch_bounds__(256) sgd_momentum_step(
    Tensors<Element, 3> tensors, Real lr, Real momentum, Real taken, Real decay, bool nesterov, bool maximize,
    bool first) {
  const Decayed decayed{decay, maximize};
  update_chunk<3>(tensors, first ? 0b011 : 0b111, 0b101, [=](Real (&value)[3]) {
    const Real g = decayed(value[1], value[0]);
    value[2] = first ? g : momentum * value[2] + taken * g;
    value[0] -= lr * (nesterov ? g + momentum * value[2] : value[2]);
  });
}

// param, grad, and the averages of grad and of its square. `taken1` is 1 - beta1; `rate` the learning rate over the
// first average's correction, `root` the second's root.
__global__ void __launch_bounds__(256) adam_step(
    Tensors<Element, 4> tensors, Real rate, Real taken1, Real beta2, Real taken2, Real root, Real eps, Real decay,
    Real kept, bool maximize) {
  const Decayed decayed{decay, maximize};
  update_chunk<4>(tensors, 0b1111, 0b1101, [=](Real (&value)[4]) {
    const Real g = decayed(value[1], value[0]);
    value[2] += taken1 * (g - value[2]);
    value[3] = beta2 * value[3] + taken2 * g * g;
    value[0] = kept * value[0] - rate * value[2] / (sqrt(value[3]) / root + eps);
  });
}

// param, grad, the average of its square, and if not null a momentum buffer and the average of grad.
__global__ void __launch_bounds__(256) rmsprop_step(
    Tensors<Element, 5> tensors, Real lr, Real alpha, Real taken, Real eps, Real decay, Real momentum, bool centered,
    bool maximize) {
  const Decayed decayed{decay, maximize};
  const bool buffered = momentum != Real(0);
  const unsigned kept = 0b00100 | (buffered ? 0b01000 : 0) | (centered ? 0b10000 : 0);
  update_chunk<5>(tensors, 0b00011 | kept, 0b00001 | kept, [=](Real (&value)[5]) {
    const Real g = decayed(value[1], value[0]);
    value[2] = alpha * value[2] + taken * g * g;
    Real spread = value[2];
    if (centered) {
      value[4] += taken * (g - value[4]);
      spread -= value[4] * value[4];
    }
    Real step = g / (sqrt(spread) + eps);
    if (buffered) step = value[3] = momentum * value[3] + step;
    value[0] -= lr * step;
  });
}
