// Steps of recurrent layers, of floats, PYNEURAL_ELEMENT. Gates lie side by side in rows of 4 * size.
#include <pyneural/held_rows.cuh>
#include <pyneural/map.cuh>
#include <pyneural/math.cuh>
#include <pyneural/parameter.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = vector_width<Element>();

template <int Width> __device__ __forceinline__ void store(Element* to, const Real (&from)[Width]) {
  store_part<Element, Width>(to, [&](int k) { return from[k]; });
}

// A thread has Width neighbouring columns of a row.
template <int Width>
__device__ __forceinline__ void lstm_forward(
    const Element* projected, const Element* product, const Element* memory, Element* hidden, Element* following,
    Element* gates, Index rows, Index size) {
  const Index parts = size / Width;
  for (Index at = thread_of_grid(); at < rows * parts; at += threads_of_grid()) {
    const Index row = at / parts, column = at % parts * Width, place = row * size + column;
    Real gate[4][Width], c[Width], h[Width];
#pragma unroll
    for (int which = 0; which < 4; ++which) {
      const Index from = (row * 4 + which) * size + column;
      Real added[Width];
      load_wide(projected + from, gate[which]);
      load_wide(product + from, added);
#pragma unroll
      for (int k = 0; k < Width; ++k) {
        const Real sum = gate[which][k] + added[k];
        gate[which][k] = which == 2 ? tanh(sum) : sigmoid_of(sum);
      }
      store(gates + from, gate[which]);
    }
    load_wide(memory + place, c);
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      c[k] = gate[1][k] * c[k] + gate[0][k] * gate[2][k];
      h[k] = gate[3][k] * tanh(c[k]);
    }
    store(following + place, c);
    store(hidden + place, h);
  }
}

template <int Width>
__device__ __forceinline__ void lstm_backward(
    const Element* grad_hidden, const Element* grad_memory, const Element* gates, const Element* memory,
    const Element* following, Element* by_gates, Element* by_memory, Index rows, Index size) {
  const Index parts = size / Width;
  for (Index at = thread_of_grid(); at < rows * parts; at += threads_of_grid()) {
    const Index row = at / parts, column = at % parts * Width, place = row * size + column;
    Real gate[4][Width], by_h[Width], by_next[Width], old[Width], next[Width];
#pragma unroll
    for (int which = 0; which < 4; ++which) load_wide(gates + (row * 4 + which) * size + column, gate[which]);
    load_wide(grad_hidden + place, by_h);
    load_wide(grad_memory + place, by_next);
    load_wide(memory + place, old);
    load_wide(following + place, next);
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      const Real i = gate[0][k], f = gate[1][k], g = gate[2][k], o = gate[3][k], t = tanh(next[k]);
      const Real d = by_next[k] + by_h[k] * o * (Real(1) - t * t);
      gate[0][k] = d * g * i * (Real(1) - i);
      gate[1][k] = d * old[k] * f * (Real(1) - f);
      gate[2][k] = d * i * (Real(1) - g * g);
      gate[3][k] = by_h[k] * t * o * (Real(1) - o);
      old[k] = d * f;
    }
#pragma unroll
    for (int which = 0; which < 4; ++which) store(by_gates + (row * 4 + which) * size + column, gate[which]);
    store(by_memory + place, old);
  }
}

template <typename... T> __device__ __forceinline__ bool all_wide(Index size, const T*... each) {
  return size % kWide == 0 && (is_aligned<kWide>(each) && ...);
}

__global__ void __launch_bounds__(256) lstm_cell(
    const Element* projected, const Element* product, const Element* memory, Element* hidden, Element* following,
    Element* gates, Index rows, Index size) {
  if (all_wide(size, projected, product, memory, hidden, following, gates)) {
    lstm_forward<kWide>(projected, product, memory, hidden, following, gates, rows, size);
  } else {
    lstm_forward<1>(projected, product, memory, hidden, following, gates, rows, size);
  }
}

__global__ void __launch_bounds__(256) lstm_cell_backward(
    const Element* grad_hidden, const Element* grad_memory, const Element* gates, const Element* memory,
    const Element* following, Element* by_gates, Element* by_memory, Index rows, Index size) {
  if (all_wide(size, grad_hidden, grad_memory, gates, memory, following, by_gates, by_memory)) {
    lstm_backward<kWide>(
        grad_hidden, grad_memory, gates, memory, following, by_gates, by_memory, rows, size);
  } else {
    lstm_backward<1>(grad_hidden, grad_memory, gates, memory, following, by_gates, by_memory, rows, size);
  }
}
