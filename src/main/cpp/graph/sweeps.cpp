#include "graph/sweeps.hpp"

#include "core/system.hpp"
#include "graph/rows.hpp"

namespace kpflow {

namespace {

constexpr int64_t kPanel = 192;  // rows that stay in cache through all nodes
constexpr int64_t kTasks = 16;  // as many as there should be for many workers; a constant, as results depend on the cut

template <class T>
bool is_zero(int64_t rows, int64_t width, const T* x, int64_t stride) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < width; ++i) {
      if (x[r * stride + i] != T(0)) return false;
    }
  }
  return true;
}

template <class T>
void clear_rows(int64_t rows, int64_t width, T* x, int64_t stride) {
  for (int64_t r = 0; r < rows; ++r) std::fill_n(x + r * stride, width, T(0));
}

}  // namespace

template <class T>
T* reserve(Array<T>& workspace, int64_t count) {
  if (count > workspace.size()) {
    require_memory(checked_product(count, static_cast<int64_t>(sizeof(T))), "the scratch of an operator",
                   "use fewer trials or steps, or f32");
    workspace.resize(count);
  }
  return workspace.data();
}

template <class T>
int64_t GraphSweeps<T>::panel_rows(int64_t rows) const {
  const int64_t sequences = rows / sequence();
  return std::clamp<int64_t>(pieces(sequences, kTasks), 1, std::max<int64_t>(1, kPanel / sequence())) * sequence();
}

template <class T>
void GraphSweeps<T>::require_scratch(int64_t panel, int64_t tasks) {
  tasks = std::min<int64_t>(tasks, context_.pool.threads());
  const int64_t bytes = checked_product(Panel<T>::elements(graph_, panel), static_cast<int64_t>(sizeof(T)));
  if (bytes <= granted_bytes_ && tasks <= granted_tasks_) return;
  require_memory(context_.missing_scratch(bytes, tasks), "the scratch of the workers",
                 "use fewer steps or threads, or f32");
  granted_bytes_ = bytes;
  granted_tasks_ = tasks;
}

template <class T>
const T* GraphSweeps<T>::pack_weights(const T* theta, int64_t groups) {
  if (theta == nullptr || graph_.packed_size == 0) return nullptr;
  T* packed = reserve(packed_, checked_product(groups, graph_.packed_size));
  context_.pool.run(groups, [&](int64_t group, int) {
    for (int64_t j = 0; j < graph_.count(); ++j) {
      const GraphNode<T>& node = graph_.node(j);
      if (node.packed_offset < 0) continue;
      pack(true, node.width, node.units, theta + group * graph_.parameters + node.weight_offset, node.width,
           packed + group * graph_.packed_size + node.packed_offset);
    }
  });
  return packed;
}

template <class T>
void GraphSweeps<T>::forward_panel(Sweep sweep, const Panel<T>& panel, const T* in, const Perturbation<T>& weights,
                                   T* out) const {
  const int64_t n = graph_.units, rows = panel.rows;
  if (sweep == Sweep::kInverse) {
    for (int64_t j = 0; j < graph_.count(); ++j) {
      const GraphNode<T>& node = graph_.node(j);
      panel.live[j] = !is_zero(rows, node.units, in + node.begin, n);
      if (panel.live[j]) move_rows(rows, node.units, in + node.begin, n, false, panel.block(j), node.units);
    }
  }
  for (int64_t j = 0; j < graph_.count(); ++j) {
    const GraphNode<T>& node = graph_.node(j);
    const T* injected = in == nullptr ? nullptr : in + node.begin;
    T* target = out + node.begin;
    if (sweep == Sweep::kInverse) {
      if (local_tangent(panel, j, weights, panel.spare)) {
        subtract_rows(rows, node.units, injected, n, panel.spare, target);
      } else {
        move_rows(rows, node.units, injected, n, false, target, n);
      }
      continue;
    }
    T* y = panel.block(j);
    bool moved = local_tangent(panel, j, weights, y);
    if (injected != nullptr && !is_zero(rows, node.units, injected, n)) {
      move_rows(rows, node.units, injected, n, moved, y, node.units);
      moved = true;
    }
    if (moved) {
      move_rows(rows, node.units, y, node.units, false, target, n);
    } else {
      clear_rows(rows, node.units, target, n);
    }
    panel.live[j] = moved && sweep == Sweep::kPropagate;
  }
}

template <class T>
void GraphSweeps<T>::reverse_panel(Sweep sweep, const Panel<T>& panel, const T* in, T* out,
                                   const Gradient<T>& gradient) const {
  const int64_t n = graph_.units, rows = panel.rows;
  for (int64_t j = graph_.count() - 1; j >= 0; --j) {
    const GraphNode<T>& node = graph_.node(j);
    const T* injected = in + node.begin;
    const bool given = !is_zero(rows, node.units, injected, n);
    T* a = panel.block(j);
    if (sweep == Sweep::kInverse) {
      if (panel.live[j]) {
        subtract_rows(rows, node.units, injected, n, a, out + node.begin);
      } else {
        move_rows(rows, node.units, injected, n, false, out + node.begin, n);
      }
      a = panel.spare;
      panel.live[j] = false;
    }
    if (given) {
      move_rows(rows, node.units, injected, n, panel.live[j], a, node.units);
      panel.live[j] = true;
    }
    if (out != nullptr && sweep != Sweep::kInverse) {
      if (panel.live[j]) {
        move_rows(rows, node.units, a, node.units, false, out + node.begin, n);
      } else {
        clear_rows(rows, node.units, out + node.begin, n);
      }
    }
    if (panel.live[j]) local_cotangent(panel, j, gradient, sweep != Sweep::kLocal, a);
  }
}

template <class T>
void GraphSweeps<T>::forward(Sweep sweep, int64_t s, const T* in, const T* theta, int64_t group_rows, T* out,
                             const Progress& progress) {
  const int64_t rows = s * graph_.rows(), size = panel_rows(rows), n = graph_.units;
  require_scratch(size, pieces(rows, size));
  const Perturbation<T> weights{theta, pack_weights(theta, rows / group_rows), group_rows};
  context_.pool.run(pieces(rows, size), [&](int64_t task, int worker) {
    const int64_t first = task * size, count = std::min(size, rows - first);
    progress.advance(count);
    const Panel<T> panel(graph_, first, count, scratch(worker, size));
    forward_panel(sweep, panel, in == nullptr ? nullptr : in + first * n, weights, out + first * n);
  });
}

template <class T>
void GraphSweeps<T>::reverse(Sweep sweep, int64_t s, const T* in, T* out, T* theta, int64_t group_rows,
                             const Progress& progress) {
  const int64_t rows = s * graph_.rows(), n = graph_.units, p = graph_.parameters;
  const int64_t size = panel_rows(rows), groups = rows / group_rows;
  // A task sums the gradients of its rows in order: whole groups where they are small or many, else one part of a group.
  // The parts' own sums take 256 MiB at most: where p is large there are few, and one probe keeps few workers busy.
  int64_t task_rows = size, parts = 1;
  const bool split = theta != nullptr && group_rows > size;
  if (split) {
    constexpr int64_t kMostPartials = (int64_t(256) << 20) / static_cast<int64_t>(sizeof(T));
    const int64_t most = std::max<int64_t>(1, kMostPartials / std::max<int64_t>(1, p * groups));
    parts = std::min({pieces(kTasks, groups), most, group_rows / sequence()});
    task_rows = pieces(group_rows / sequence(), parts) * sequence();
    parts = pieces(group_rows, task_rows);
  } else if (theta != nullptr) {
    task_rows = size / group_rows * group_rows;
  }
  T* target = parts > 1 ? reserve(partials_, checked_product(groups * parts, p)) : theta;
  const int64_t span = split ? group_rows : rows, tasks = pieces(span, task_rows);
  require_scratch(size, rows / span * tasks);
  context_.pool.run(rows / span * tasks, [&](int64_t task, int worker) {
    const int64_t begin = task / tasks * span + task % tasks * task_rows;
    const int64_t end = std::min(begin + task_rows, (task / tasks + 1) * span);
    Gradient<T> gradient{nullptr, group_rows, 0};
    if (theta != nullptr) {
      gradient.first_group = begin / group_rows;
      gradient.theta = target + (parts > 1 ? task : gradient.first_group) * p;
      std::fill_n(gradient.theta, (parts > 1 ? 1 : (end - begin) / group_rows) * p, T(0));
    }
    for (int64_t first = begin; first < end; first += size) {
      const int64_t count = std::min(size, end - first);
      progress.advance(count);
      const Panel<T> panel(graph_, first, count, scratch(worker, size));
      reverse_panel(sweep, panel, in + first * n, out == nullptr ? nullptr : out + first * n, gradient);
    }
  });
  if (parts == 1) return;
  constexpr int64_t kPiece = 4096;
  context_.pool.run(groups * pieces(p, kPiece), [&](int64_t task, int) {
    const int64_t group = task / pieces(p, kPiece), begin = task % pieces(p, kPiece) * kPiece;
    const int64_t count = std::min(kPiece, p - begin);
    for (int64_t part = 0; part < parts; ++part) {
      move_rows(1, count, partials_.data() + (group * parts + part) * p + begin, count, part > 0,
                theta + group * p + begin, count);
    }
  });
}

template class GraphSweeps<float>;
template class GraphSweeps<double>;
template float* reserve<float>(Array<float>&, int64_t);
template double* reserve<double>(Array<double>&, int64_t);

}  // namespace kpflow
