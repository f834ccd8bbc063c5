// What is not written yet.
#include "graph/operators.cuh"
#include "linalg/arrays.cuh"
#include "linalg/random.cuh"
#include "linalg/unit_columns.cuh"
#include "recurrent/operators.cuh"
#include "train/training.cuh"

namespace kpflow::cuda {

namespace {
[[noreturn]] void pending() { fail(KPFLOW_INTERNAL, "cuda: not written yet"); }
}  // namespace

std::unique_ptr<kpflow_linearization> new_recurrent(Context&, int32_t) { pending(); }
std::unique_ptr<kpflow_linearization> new_graph(Context&, int32_t) { pending(); }

void strided_axpby(Context&, const StridedAxpby&) { pending(); }
void inverse_root(Context&, int64_t, const double*, int32_t, double, double*) { pending(); }

template <class T>
void axpby(Context&, int64_t, double, const T*, double, T*) {
  pending();
}
template <class T>
void dot(Context&, int64_t, int64_t, const T*, const T*, double*) {
  pending();
}
template <class T>
void row_products(Context&, int64_t, int64_t, int64_t, const T*, const T*, double*) {
  pending();
}
template <class T>
void combine_rows(Context&, int64_t, int64_t, int64_t, const double*, T*) {
  pending();
}
template <class T>
void accumulate_gram(Context&, int64_t, const int64_t (&)[3], const T*, int32_t, double, double*, const Progress&) {
  pending();
}
template <class T>
void orthonormalize(Context&, int64_t, int64_t, T*) {
  pending();
}
template <class T>
void fill_random(Context&, int32_t, uint64_t, int64_t, int64_t, T*) {
  pending();
}
template <class T>
void unit_combine(Context&, const UnitColumnsArguments&, int64_t, double, const T*, double, T*, const Progress&) {
  pending();
}
template <class T>
void unit_coefficients(Context&, const UnitColumnsArguments&, int64_t, const T*, T*, const Progress&) {
  pending();
}
template <class T>
void readout_apply(Context&, const kpflow_readout&, const T*, T*) {
  pending();
}
template <class T>
void readout_adjoint(Context&, const kpflow_readout&, const T*, T*) {
  pending();
}
template <class T>
void readout_gradient(Context&, const kpflow_readout&, const T*, const T*, T*, T*) {
  pending();
}
template <class T>
double mean_squared_error(Context&, int64_t, int64_t, T*, const T*, const T*) {
  pending();
}
template <class T>
void clamp(Context&, int64_t, double, T*) {
  pending();
}
template <class T>
void adam_step(Context&, int64_t, int64_t, double, double, double, double, const T*, T*, T*, T*) {
  pending();
}
template <class T>
void shampoo_accumulate(Context&, int64_t, int64_t, const T*, double*, double*) {
  pending();
}
template <class T>
void shampoo_step(Context&, int64_t, int64_t, double, const double*, const T*, const double*, T*) {
  pending();
}

#define KPFLOW_PENDING_ARRAYS(T)                                                                               \
  template void axpby<T>(Context&, int64_t, double, const T*, double, T*);                                     \
  template void dot<T>(Context&, int64_t, int64_t, const T*, const T*, double*);                               \
  template void row_products<T>(Context&, int64_t, int64_t, int64_t, const T*, const T*, double*);             \
  template void combine_rows<T>(Context&, int64_t, int64_t, int64_t, const double*, T*);                       \
  template void accumulate_gram<T>(Context&, int64_t, const int64_t(&)[3], const T*, int32_t, double, double*, \
                                   const Progress&);                                                           \
  template void orthonormalize<T>(Context&, int64_t, int64_t, T*);                                             \
  template void fill_random<T>(Context&, int32_t, uint64_t, int64_t, int64_t, T*);                             \
  template void unit_combine<T>(Context&, const UnitColumnsArguments&, int64_t, double, const T*, double, T*,  \
                                const Progress&);                                                              \
  template void unit_coefficients<T>(Context&, const UnitColumnsArguments&, int64_t, const T*, T*, const Progress&);
KPFLOW_PENDING_ARRAYS(float)
KPFLOW_PENDING_ARRAYS(double)

#define KPFLOW_PENDING_TRAINING(T)                                                                              \
  template void readout_apply<T>(Context&, const kpflow_readout&, const T*, T*);                                \
  template void readout_adjoint<T>(Context&, const kpflow_readout&, const T*, T*);                              \
  template void readout_gradient<T>(Context&, const kpflow_readout&, const T*, const T*, T*, T*);               \
  template double mean_squared_error<T>(Context&, int64_t, int64_t, T*, const T*, const T*);                    \
  template void clamp<T>(Context&, int64_t, double, T*);                                                        \
  template void adam_step<T>(Context&, int64_t, int64_t, double, double, double, double, const T*, T*, T*, T*); \
  template void shampoo_accumulate<T>(Context&, int64_t, int64_t, const T*, double*, double*);                  \
  template void shampoo_step<T>(Context&, int64_t, int64_t, double, const double*, const T*, const double*, T*);
KPFLOW_PENDING_TRAINING(float)
KPFLOW_PENDING_TRAINING(double)

}  // namespace kpflow::cuda
