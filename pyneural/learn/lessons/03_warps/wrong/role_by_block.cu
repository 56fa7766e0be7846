// says: line 11: doubled[32] is never written; it must be ...; 64 of 150 elements are wrong (n = 150)
// look: every other block has nothing in doubled: both roles are in each block

__global__ void two_roles(const int* x, int* doubled, int* squared, int n) {
  // >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
  int role = blockIdx.x % 2;
  int i = blockIdx.x * 32 + threadIdx.x % 32;
  // <<<
  if (i >= n) return;
  if (role == 0) {
    doubled[i] = 2 * x[i];
  } else {
    squared[i] = x[i] * x[i];
  }
}
