// The simulator's curand_kernel.h: XORWOW and Philox 4x32-10, with the bits that cuRAND's device API gives.
//
// Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8, 2003 (XORWOW); Salmon et al., "Parallel Random
// Numbers: As Easy as 1, 2, 3", SC 2011 (Philox); Box and Muller, "A Note on the Generation of Random Normal
// Deviates", 1958. Sequences of XORWOW lie 2^67 numbers apart, those of Philox 2^66.
#pragma once
#include "curand.h"

// Normals are made in pairs; the second one waits in the state.
struct curandStateXORWOW {
  unsigned d, v[5];
  int boxmuller_flag, boxmuller_flag_double;
  float boxmuller_extra;
  double boxmuller_extra_double;
};
struct curandStatePhilox4_32_10 {
  uint4 ctr, output;
  uint2 key;
  unsigned STATE;
  int boxmuller_flag, boxmuller_flag_double;
  float boxmuller_extra;
  double boxmuller_extra_double;
};
typedef curandStateXORWOW curandStateXORWOW_t, curandState_t, curandState;
typedef curandStatePhilox4_32_10 curandStatePhilox4_32_10_t;

namespace pnsim {

template <typename S> inline constexpr bool is_philox = std::is_same_v<S, curandStatePhilox4_32_10>;

// A state is read and written on the user's behalf.
template <typename S>
PNSIM_INLINE void told_state(const S* s, const char* file, int line) {
  told(s, sizeof(S), PNSIM_READ, file, line);
  told(s, sizeof(S), PNSIM_WRITE, file, line);
}

static PNSIM_UNSEEN uint4 philox_rounds(uint4 c, uint2 k) {
  for (int round = 0; round < 10; ++round) {
    const unsigned long long a = 0xD2511F53ull * c.x, b = 0xCD9E8D57ull * c.z;
    c = uint4{unsigned(b >> 32) ^ c.y ^ k.x, unsigned(b), unsigned(a >> 32) ^ c.w ^ k.y, unsigned(a)};
    k.x += 0x9E3779B9u;
    k.y += 0xBB67AE85u;
  }
  return c;
}

// The counter is 128 bits: the lower half counts blocks of four numbers, the upper one names the sequence.
static PNSIM_UNSEEN void count(curandStatePhilox4_32_10* s, unsigned long long blocks, unsigned long long sequences) {
  const unsigned long long low = s->ctr.x | (unsigned long long)s->ctr.y << 32, sum = low + blocks;
  const unsigned long long high = (s->ctr.z | (unsigned long long)s->ctr.w << 32) + sequences + (sum < low);
  s->ctr = uint4{unsigned(sum), unsigned(sum >> 32), unsigned(high), unsigned(high >> 32)};
}

static PNSIM_UNSEEN void jump(curandStatePhilox4_32_10* s, unsigned long long numbers, unsigned long long sequences) {
  s->STATE += unsigned(numbers & 3);
  count(s, numbers / 4 + s->STATE / 4, sequences);
  s->STATE %= 4;
  s->output = philox_rounds(s->ctr, s->key);
}
static PNSIM_UNSEEN void jump(curandStateXORWOW* s, unsigned long long numbers, unsigned long long sequences) {
  pnsim_xorwow_jump(s->v, numbers, 0);
  pnsim_xorwow_jump(s->v, sequences, 67);
  s->d += 362437u * unsigned(numbers);
}

static PNSIM_UNSEEN void seed(curandStatePhilox4_32_10* s, unsigned long long seed) {
  *s = curandStatePhilox4_32_10{};
  s->key = uint2{unsigned(seed), unsigned(seed >> 32)};
}
static PNSIM_UNSEEN void seed(curandStateXORWOW* s, unsigned long long seed) {
  *s = curandStateXORWOW{};
  const unsigned a = 1099087573u * (unsigned(seed) ^ 0xaad26b49u), b = 2591861531u * (unsigned(seed >> 32) ^ 0xf7dcefddu);
  s->d = 6615241u + a + b;
  const unsigned v[5] = {123456789u + a, 362436069u ^ a, 521288629u + b, 88675123u ^ b, 5783321u + a};
  for (int i = 0; i < 5; ++i) s->v[i] = v[i];
}

static PNSIM_UNSEEN unsigned next(curandStateXORWOW* s) {
  const unsigned t = s->v[0] ^ s->v[0] >> 2;
  for (int i = 0; i < 4; ++i) s->v[i] = s->v[i + 1];
  s->v[4] = s->v[4] ^ s->v[4] << 4 ^ t ^ t << 1;
  s->d += 362437u;
  return s->v[4] + s->d;
}
static PNSIM_UNSEEN unsigned next(curandStatePhilox4_32_10* s) {
  const unsigned words[4] = {s->output.x, s->output.y, s->output.z, s->output.w};
  const unsigned value = words[s->STATE];
  if (++s->STATE == 4) {
    s->STATE = 0;
    count(s, 1, 0);
    s->output = philox_rounds(s->ctr, s->key);
  }
  return value;
}
static PNSIM_UNSEEN uint4 next4(curandStatePhilox4_32_10* s) {
  uint4 r;
  r.x = next(s), r.y = next(s), r.z = next(s), r.w = next(s);
  return r;
}

PNSIM_INLINE float unit(unsigned x) { return x * 2.3283064e-10f + 2.3283064e-10f / 2; }  // 2^-32: in (0, 1]
PNSIM_INLINE double unit53(unsigned x, unsigned y) {
  return double(x ^ (unsigned long long)y << 21) * 0x1p-53 + 0x1p-54;
}
static PNSIM_UNSEEN double next_double(curandStateXORWOW* s) {
  const unsigned x = next(s), y = next(s);
  return unit53(x, y);
}
static PNSIM_UNSEEN double next_double(curandStatePhilox4_32_10* s) { return next(s) * 0x1p-32 + 0x1p-32; }

static PNSIM_UNSEEN float2 normals(unsigned x, unsigned y) {
  const float r = sqrtf(-2.0f * logf(unit(x))), angle = y * (2.3283064e-10f * 6.2831855f) + 2.3283064e-10f * 6.2831855f / 2;
  return float2{sinf(angle) * r, cosf(angle) * r};
}
static PNSIM_UNSEEN double2 normals_double(uint4 x) {
  const double r = sqrt(-2.0 * log(unit53(x.x, x.y))), angle = 2 * M_PI * unit53(x.z, x.w);
  return double2{sin(angle) * r, cos(angle) * r};
}
template <typename S>
static PNSIM_UNSEEN float2 next_normal2(S* s) {
  const unsigned x = next(s), y = next(s);
  return normals(x, y);
}
template <typename S>
static PNSIM_UNSEEN double2 next_normal2_double(S* s) {
  uint4 x;
  x.x = next(s), x.y = next(s), x.z = next(s), x.w = next(s);
  return normals_double(x);
}
template <typename S>
static PNSIM_UNSEEN float next_normal(S* s) {
  s->boxmuller_flag = !s->boxmuller_flag;
  if (!s->boxmuller_flag) return s->boxmuller_extra;
  const float2 pair = next_normal2(s);
  s->boxmuller_extra = pair.y;
  return pair.x;
}
template <typename S>
static PNSIM_UNSEEN double next_normal_double(S* s) {
  s->boxmuller_flag_double = !s->boxmuller_flag_double;
  if (!s->boxmuller_flag_double) return s->boxmuller_extra_double;
  const double2 pair = next_normal2_double(s);
  s->boxmuller_extra_double = pair.y;
  return pair.x;
}

}  // namespace pnsim

#define PNSIM_STATES(S)                                                                                                \
  PNSIM_INLINE void curand_init(unsigned long long seed, unsigned long long sequence, unsigned long long offset, S* s, \
                                PNSIM_HERE) {                                                                          \
    pnsim::told(s, sizeof(S), PNSIM_WRITE, file, line);                                                                \
    pnsim::seed(s, seed);                                                                                              \
    pnsim::jump(s, offset, sequence);                                                                                  \
  }                                                                                                                    \
  PNSIM_INLINE void skipahead(unsigned long long numbers, S* s, PNSIM_HERE) {                                          \
    pnsim::told_state(s, file, line);                                                                                  \
    pnsim::jump(s, numbers, 0);                                                                                        \
  }                                                                                                                    \
  PNSIM_INLINE void skipahead_sequence(unsigned long long sequences, S* s, PNSIM_HERE) {                               \
    pnsim::told_state(s, file, line);                                                                                  \
    pnsim::jump(s, 0, sequences);                                                                                      \
  }                                                                                                                    \
  PNSIM_DRAW(S, unsigned, curand, pnsim::next(s))                                                                      \
  PNSIM_DRAW(S, float, curand_uniform, pnsim::unit(pnsim::next(s)))                                                    \
  PNSIM_DRAW(S, double, curand_uniform_double, pnsim::next_double(s))                                                  \
  PNSIM_DRAW(S, float, curand_normal, pnsim::next_normal(s))                                                           \
  PNSIM_DRAW(S, double, curand_normal_double, pnsim::next_normal_double(s))                                            \
  PNSIM_DRAW(S, float2, curand_normal2, pnsim::next_normal2(s))                                                        \
  PNSIM_DRAW(S, double2, curand_normal2_double, pnsim::next_normal2_double(s))                                         \
  PNSIM_INLINE float curand_log_normal(S* s, float mean, float deviation, PNSIM_HERE) {                                \
    return expf(mean + deviation * curand_normal(s, file, line));                                                      \
  }                                                                                                                    \
  PNSIM_INLINE double curand_log_normal_double(S* s, double mean, double deviation, PNSIM_HERE) {                      \
    return exp(mean + deviation * curand_normal_double(s, file, line));                                                \
  }
#define PNSIM_DRAW(S, T, name, value)   \
  PNSIM_INLINE T name(S* s, PNSIM_HERE) { \
    pnsim::told_state(s, file, line);   \
    return value;                       \
  }
PNSIM_STATES(curandStateXORWOW)
PNSIM_STATES(curandStatePhilox4_32_10)
PNSIM_DRAW(curandStatePhilox4_32_10, uint4, curand4, pnsim::next4(s))
#undef PNSIM_STATES
#undef PNSIM_DRAW

PNSIM_INLINE float4 curand_uniform4(curandStatePhilox4_32_10* s, PNSIM_HERE) {
  const uint4 x = curand4(s, file, line);
  return {pnsim::unit(x.x), pnsim::unit(x.y), pnsim::unit(x.z), pnsim::unit(x.w)};
}
PNSIM_INLINE double2 curand_uniform2_double(curandStatePhilox4_32_10* s, PNSIM_HERE) {
  const uint4 x = curand4(s, file, line);
  return {pnsim::unit53(x.x, x.y), pnsim::unit53(x.z, x.w)};
}
PNSIM_INLINE float4 curand_normal4(curandStatePhilox4_32_10* s, PNSIM_HERE) {
  const uint4 x = curand4(s, file, line);
  const float2 a = pnsim::normals(x.x, x.y), b = pnsim::normals(x.z, x.w);
  return {a.x, a.y, b.x, b.y};
}
