// says: line 13: squared[0] is never written; it must be ...; 32 of 150 elements are wrong (n = 150)
// look: threadIdx.x of the second warp is 32 to 63, its first element that of the block

__global__ void two_roles(const int* x, int* doubled, int* squared, int n) {
  // >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
  int role = threadIdx.x / 32;
  int i = blockIdx.x * 32 + threadIdx.x;
  // <<<
  if (i >= n) return;
  if (role == 0) {
    doubled[i] = 2 * x[i];
  } else {
    squared[i] = x[i] * x[i];
  }
}
