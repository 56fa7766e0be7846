// says: line 11: 48 memory instructions were issued; 32 do if each warp has one role: here warps go through both sides of the branch with half of their lanes
// look: docs/simulator.md, `memory_instructions`

__global__ void two_roles(const int* x, int* doubled, int* squared, int n) {
  // >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
  int role = threadIdx.x % 2;
  int i = blockIdx.x * 32 + threadIdx.x / 2;
  // <<<
  if (i >= n) return;
  if (role == 0) {
    doubled[i] = 2 * x[i];
  } else {
    squared[i] = x[i] * x[i];
  }
}
