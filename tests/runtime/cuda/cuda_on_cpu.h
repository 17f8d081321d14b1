// What kernels.cu takes from CUDA, for a C++17 compiler: threads run one after the other, the last
// first, so that a kernel that needs an order does not pass for one that needs none.
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__

struct Index {
  unsigned int x;
};
static Index threadIdx, blockIdx, blockDim;

static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
template <class T>
static inline void atomicAdd(T* where, T what) {
  *where += what;
}

// Arguments come as the driver's cuLaunchKernel takes them: an array of their addresses.
template <class... P, std::size_t... I>
static void run(void (*kernel)(P...), unsigned int blocks, unsigned int threads, void** arguments,
                std::index_sequence<I...>) {
  blockDim.x = threads;
  for (blockIdx.x = blocks; blockIdx.x-- > 0;)
    for (threadIdx.x = threads; threadIdx.x-- > 0;) kernel(*static_cast<P*>(arguments[I])...);
}

template <class... P>
static void sizes(void (*)(P...), int* out) {
  const int found[] = {(int)sizeof(P)..., -1};
  for (int i = 0; i < (int)(sizeof...(P) + 1); ++i) out[i] = found[i];
}

template <class... P>
static void launch(void (*kernel)(P...), unsigned int blocks, unsigned int threads,
                   void** arguments) {
  run(kernel, blocks, threads, arguments, std::index_sequence_for<P...>());
}

#define ON_CPU(kernel)                                                                    \
  extern "C" void launch_##kernel(unsigned int blocks, unsigned int threads, void** a) {  \
    launch(kernel, blocks, threads, a);                                                   \
  }                                                                                       \
  extern "C" void sizes_##kernel(int* out) { sizes(kernel, out); }
