// Brownian motion: how far do walkers come? Each walker keeps its generator between the launches.
#include <cuda_runtime.h>
#include <curand.h>
#include <curand_kernel.h>
#include <math.h>
#include <stdio.h>

#define WALKERS 512
#define STEPS 64

__global__ void setup_kernel(curandState *state, unsigned long seed) {
  int id = threadIdx.x + blockIdx.x * blockDim.x;
  curand_init(seed, id, 0, &state[id]);
}

__global__ void walk(curandState *state, float2 *position, int steps) {
  int id = threadIdx.x + blockIdx.x * blockDim.x;
  curandState local = state[id];
  float2 p = position[id];
  for (int i = 0; i < steps; i++) {
    float2 step = curand_normal2(&local);
    p.x += step.x;
    p.y += step.y;
  }
  position[id] = p;
  state[id] = local;
}

__global__ void bernoulli(unsigned int *heads, unsigned long long seed, float p) {
  curandStatePhilox4_32_10_t state;
  curand_init(seed, threadIdx.x + blockIdx.x * blockDim.x, 0, &state);
  unsigned int mine = 0;
  for (int i = 0; i < STEPS; i += 4) {
    float4 u = curand_uniform4(&state);
    mine += (u.x < p) + (u.y < p) + (u.z < p) + (u.w < p);
  }
  atomicAdd(heads, mine);
}

int main() {
  curandState *state;
  float2 *position;
  unsigned int *heads;
  cudaMalloc((void **)&state, WALKERS * sizeof(curandState));
  cudaMalloc((void **)&position, WALKERS * sizeof(float2));
  cudaMallocManaged(&heads, sizeof(unsigned int));
  cudaMemset(position, 0, WALKERS * sizeof(float2));
  *heads = 0;

  setup_kernel<<<WALKERS / 64, 64>>>(state, 1234UL);
  walk<<<WALKERS / 64, 64>>>(state, position, STEPS / 2);
  walk<<<WALKERS / 64, 64>>>(state, position, STEPS / 2);
  bernoulli<<<WALKERS / 64, 64>>>(heads, 42ULL, 0.25f);
  cudaDeviceSynchronize();

  static float2 host[WALKERS];
  cudaMemcpy(host, position, sizeof(host), cudaMemcpyDeviceToHost);
  double squares = 0;
  for (int i = 0; i < WALKERS; i++) squares += host[i].x * host[i].x + host[i].y * host[i].y;
  // The mean square distance is 2 * STEPS = 128, with a deviation of 128 / sqrt(512) = 5.7.
  bool far = fabs(squares / WALKERS - 2 * STEPS) < 5 * 5.7;
  // One in four of 32768 draws, with a deviation of 78.
  bool fair = abs((int)*heads - WALKERS * STEPS / 4) < 5 * 78;
  printf("mean square distance %.1f, heads %u\n", squares / WALKERS, *heads);

  cudaFree(state);
  cudaFree(position);
  cudaFree(heads);
  printf(far && fair ? "PASS\n" : "FAIL\n");
  return far && fair ? 0 : 1;
}
