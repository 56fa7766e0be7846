// All-pairs gravity with unified memory: bodies in float4, tiles of them in shared memory.
#include <cstdio>
#include <cmath>
#include <cuda_runtime.h>

#define SOFTENING 1e-9f
#define BLOCK 64

// Anything that derives from this lives in memory that both sides see.
class Managed {
public:
  void *operator new(size_t len) {
    void *ptr;
    cudaMallocManaged(&ptr, len);
    cudaDeviceSynchronize();
    return ptr;
  }
  void operator delete(void *ptr) {
    cudaDeviceSynchronize();
    cudaFree(ptr);
  }
};

struct Bodies : public Managed {
  int count;
  float4 *position;  // w is the mass
  float4 *velocity;
  explicit Bodies(int n) : count(n) {
    cudaMallocManaged(&position, n * sizeof(float4));
    cudaMallocManaged(&velocity, n * sizeof(float4));
  }
  ~Bodies() {
    cudaFree(position);
    cudaFree(velocity);
  }
};

__device__ float3 bodyBodyInteraction(float4 bi, float4 bj, float3 ai) {
  float3 r;
  r.x = bj.x - bi.x;
  r.y = bj.y - bi.y;
  r.z = bj.z - bi.z;
  float distSqr = r.x * r.x + r.y * r.y + r.z * r.z + SOFTENING;
  float invDist = rsqrtf(distSqr);
  float s = bj.w * invDist * invDist * invDist;
  ai.x += r.x * s;
  ai.y += r.y * s;
  ai.z += r.z * s;
  return ai;
}

__global__ void integrate(const Bodies *bodies, float4 *newPosition, float dt) {
  __shared__ float4 shPosition[BLOCK];
  const int n = bodies->count;
  const int gtid = blockIdx.x * blockDim.x + threadIdx.x;
  float4 myPosition = gtid < n ? bodies->position[gtid] : make_float4(0, 0, 0, 0);
  float3 acc = {0.0f, 0.0f, 0.0f};
  for (int tile = 0; tile < gridDim.x; tile++) {
    const int idx = tile * blockDim.x + threadIdx.x;
    shPosition[threadIdx.x] = idx < n ? bodies->position[idx] : make_float4(0.f, 0.f, 0.f, 0.f);
    __syncthreads();
#pragma unroll 4
    for (int i = 0; i < BLOCK; i++) acc = bodyBodyInteraction(myPosition, shPosition[i], acc);
    __syncthreads();
  }
  if (gtid < n) {
    float4 v = bodies->velocity[gtid];
    v.x += acc.x * dt;
    v.y += acc.y * dt;
    v.z += acc.z * dt;
    bodies->velocity[gtid] = v;
    newPosition[gtid] = make_float4(myPosition.x + v.x * dt, myPosition.y + v.y * dt, myPosition.z + v.z * dt, myPosition.w);
  }
}

static float3 momentum(const Bodies &b) {
  double px = 0, py = 0, pz = 0;
  for (int i = 0; i < b.count; i++) {
    px += (double)b.position[i].w * b.velocity[i].x;
    py += (double)b.position[i].w * b.velocity[i].y;
    pz += (double)b.position[i].w * b.velocity[i].z;
  }
  return make_float3(px, py, pz);
}

int main(const int argc, const char **argv) {
  const int n = 150, steps = 2;
  const float dt = 1e-3f;
  Bodies *bodies = new Bodies(n);
  float4 *next;
  if (cudaMallocManaged(&next, n * sizeof(float4)) != cudaSuccess) return 1;
  for (int i = 0; i < n; i++) {
    float a = 2.399963f * i, r = sqrtf(i + 0.5f), z = 1.0f - 2.0f * ((i * 61) % n) / n;
    bodies->position[i] = make_float4(r * cosf(a), r * sinf(a), z, 0.5f + (i % 3));
    bodies->velocity[i] = make_float4(0.f, 0.f, 0.f, 0.f);
  }
  int blocks = (n + BLOCK - 1) / BLOCK;
  for (int step = 0; step < steps; step++) {
    integrate<<<blocks, BLOCK>>>(bodies, next, dt);
    cudaError_t err = cudaDeviceSynchronize();
    if (err != cudaSuccess) {
      printf("step %d: %s\n", step, cudaGetErrorString(err));
      return 1;
    }
    float4 *t = bodies->position;
    bodies->position = next;
    next = t;
  }
  const float3 p = momentum(*bodies);
  double speed = 0;
  for (int i = 0; i < n; i++) speed += std::sqrt(std::pow(bodies->velocity[i].x, 2) + std::pow(bodies->velocity[i].y, 2));
  printf("momentum (%.2e, %.2e, %.2e), mean speed %.4f\n", p.x, p.y, p.z, speed / n);
  const bool ok = std::fabs(p.x) + std::fabs(p.y) + std::fabs(p.z) < 1e-2 && speed / n > 1e-4 && std::isfinite(speed);
  cudaFree(next);
  delete bodies;
  printf("%s\n", ok ? "PASS" : "FAIL");
  return !ok;
}
