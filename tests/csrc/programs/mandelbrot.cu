// The Mandelbrot set as characters, and a Julia set: a complex type with operators for host and device.
#include <iostream>
#include <string>
#include <cstdlib>

#define DIM_X 64
#define DIM_Y 24

struct cuComplex_ {
    float r;
    float i;
    __host__ __device__ cuComplex_(float a, float b) : r(a), i(b) {}
    __host__ __device__ float magnitude2(void) const { return r * r + i * i; }
    __host__ __device__ cuComplex_ operator*(const cuComplex_& a) const {
        return cuComplex_(r * a.r - i * a.i, i * a.r + r * a.i);
    }
    __host__ __device__ cuComplex_ operator+(const cuComplex_& a) const { return cuComplex_(r + a.r, i + a.i); }
};

enum class Fractal : int { Mandelbrot, Julia };

__host__ __device__ inline cuComplex_ plane(int x, int y) {
    return cuComplex_(-2.2f + 3.2f * x / DIM_X, -1.2f + 2.4f * y / DIM_Y);
}

template <Fractal which, int MaxIterations = 100>
__host__ __device__ int escape(int x, int y) {
    cuComplex_ z = plane(x, y);
    const cuComplex_ c = which == Fractal::Mandelbrot ? z : cuComplex_(-0.8f, 0.156f);
    int n = 0;
    for (; n < MaxIterations && z.magnitude2() < 4.0f; n++) z = z * z + c;
    return n;
}

template <Fractal which>
__global__ void kernel(unsigned char* ptr) {
    // one block per pixel row, threads stride over it
    int y = blockIdx.x;
    for (int x = threadIdx.x; x < DIM_X; x += blockDim.x) ptr[x + y * DIM_X] = escape<which>(x, y);
}

__global__ void paint(const unsigned char* counts, char* text, int n) {
    const char* shades = " .:-=+*#%@";
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        text[i] = counts[i] >= 100 ? '@' : shades[counts[i] % 9];
}

template <Fractal which>
int render(const char* title) {
    unsigned char* d_counts;
    char* d_text;
    const int n = DIM_X * DIM_Y;
    if (cudaMalloc(&d_counts, n) != cudaSuccess || cudaMalloc(&d_text, n) != cudaSuccess) return -1;
    kernel<which><<<DIM_Y, 48>>>(d_counts);
    paint<<<3, 32>>>(d_counts, d_text, n);
    std::string text(n, '?');
    unsigned char counts[n];
    cudaMemcpy(&text[0], d_text, n, cudaMemcpyDeviceToHost);
    cudaMemcpy(counts, d_counts, n, cudaMemcpyDeviceToHost);
    std::cout << title << "\n";
    for (int y = 0; y < DIM_Y; y += 2) std::cout << text.substr(y * DIM_X, DIM_X) << "\n";
    int differences = 0;
    for (int i = 0; i < n; i++) {
        // Points near the border depend on how the compiler rounds.
        int host = escape<which>(i % DIM_X, i / DIM_X);
        differences += std::abs(host - counts[i]) > 1;
    }
    cudaFree(d_counts);
    cudaFree(d_text);
    return differences;
}

int main() {
    int a = render<Fractal::Mandelbrot>("Mandelbrot");
    int b = render<Fractal::Julia>("Julia");
    std::cout << a << " and " << b << " points differ\n";
    bool ok = a >= 0 && b >= 0 && a < DIM_X && b < DIM_X;
    std::cout << (ok ? "PASS" : "FAIL") << std::endl;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
