// line 8: the place in the warp is the remainder by 32: half of the thread's number is 0 to 15 in one warp
// words: /; never written
// Blocks of 64 threads for 32 elements: every element gets two threads, one for each result.

__global__ void two_roles(const int* x, int* doubled, int* squared, int n) {
  // >>> your code: role (0 or 1) and element of this thread, such that a warp has one role.
  int role = threadIdx.x / 32;
  int i = blockIdx.x * 32 + threadIdx.x / 2;
  // <<<
  if (i >= n) return;
  if (role == 0) {
    doubled[i] = 2 * x[i];
  } else {
    squared[i] = x[i] * x[i];
  }
}
