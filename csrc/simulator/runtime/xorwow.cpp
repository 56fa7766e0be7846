// Jumps of XORWOW's generator: its step is a linear map of 160 bits, and powers of it are applied to a state.
#include <string.h>

#include <memory>
#include <mutex>
#include <vector>

#include "worker.h"

namespace pnsim {
namespace {

constexpr unsigned WORDS = 5, BITS = 160;
using Matrix = unsigned[BITS][WORDS];  // the image of each bit
struct Power {
  Matrix m;
};

void apply(const Matrix& m, unsigned* v) {
  unsigned out[WORDS] = {};
  for (unsigned bit = 0; bit < BITS; ++bit)
    if (v[bit / 32] >> bit % 32 & 1)
      for (unsigned w = 0; w < WORDS; ++w) out[w] ^= m[bit][w];
  memcpy(v, out, sizeof out);
}

// The step 2^exponent times over. The powers are squares of each other, made when they are first needed.
const Matrix& power(unsigned exponent) {
  static std::mutex lock;
  static auto& powers = *new std::vector<std::unique_ptr<Power>>;
  std::lock_guard<std::mutex> hold(lock);
  while (powers.size() <= exponent) {
    auto next = std::make_unique<Power>();
    for (unsigned bit = 0; bit < BITS; ++bit) {
      unsigned* v = next->m[bit];
      if (powers.empty()) {
        memset(v, 0, sizeof(unsigned) * WORDS);
        v[bit / 32] = 1u << bit % 32;
        const unsigned t = v[0] ^ v[0] >> 2;
        memmove(v, v + 1, sizeof(unsigned) * (WORDS - 1));
        v[4] = v[4] ^ v[4] << 4 ^ t ^ t << 1;
      } else {
        memcpy(v, powers.back()->m[bit], sizeof(unsigned) * WORDS);
        apply(powers.back()->m, v);
      }
    }
    powers.push_back(std::move(next));
  }
  return powers[exponent]->m;
}

}  // namespace
}  // namespace pnsim

// count * 2^scale steps
extern "C" void pnsim_xorwow_jump(unsigned* v, unsigned long long count, unsigned scale) {
  pnsim::Busy busy;
  for (unsigned bit = 0; count >> bit; ++bit) {
    if (count >> bit & 1) pnsim::apply(pnsim::power(scale + bit), v);
    if (bit == 63) break;
  }
}
