// The sweeps through a graph on blocks of probes: forward with perturbations, backward with cotangents. A worker takes a panel of
// rows through the whole graph.
#pragma once

#include <cstdint>

#include "graph/panel.hpp"

namespace kpflow {

template <class T>
class GraphSweeps {
 public:
  GraphSweeps(const Graph<T>& graph, kpflow_context& context) : graph_(graph), context_(context) {}

  // out [s, k, n] = P (in + D_theta f theta), its inverse on in, or D_theta f theta; in or theta may be nullptr. theta is
  // [s k / group_rows, p] with group_rows k or T. Unless inverse, in may be out.
  void forward(Sweep sweep, int64_t s, const T* in, const T* theta, int64_t group_rows, T* out,
               const Progress& progress);

  // out [s, k, n] = P* in or its inverse, theta [s k / group_rows, p] = (D_theta f)* P* in or (D_theta f)* in; out or theta may
  // be nullptr.
  void reverse(Sweep sweep, int64_t s, const T* in, T* out, T* theta, int64_t group_rows, const Progress& progress);

 private:
  int64_t sequence() const { return graph_.has_attention ? graph_.steps : 1; }
  int64_t panel_rows(int64_t rows) const;
  T* scratch(int worker, int64_t rows) {
    return context_.template worker_scratch<T>(worker, Panel<T>::elements(graph_, rows));
  }
  void require_scratch(int64_t panel, int64_t tasks);
  const T* pack_weights(const T* theta, int64_t groups);
  void reverse_panel(Sweep sweep, const Panel<T>& panel, const T* in, T* out, const Gradient<T>& gradient) const;
  void forward_panel(Sweep sweep, const Panel<T>& panel, const T* in, const Perturbation<T>& weights, T* out) const;

  const Graph<T>& graph_;
  kpflow_context& context_;
  int64_t granted_bytes_ = 0, granted_tasks_ = 0;  // scratch of a worker, and workers, that there was memory for
  Array<T> packed_, partials_;                     // scratch that only grows
};

// An array of at least so many elements; what it held is lost when it grows.
template <class T>
T* reserve(Array<T>& workspace, int64_t count);

}  // namespace kpflow
