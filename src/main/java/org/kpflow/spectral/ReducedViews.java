package org.kpflow.spectral;

import java.util.Collection;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.function.LongConsumer;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.Engine;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Partial traces of a self-adjoint operator on [B, T, n] as dense f64 matrices, exact to rounding.
 * Several views come out of one sweep. Closing frees them. Sampled views, for operators too large
 * for a sweep, are in {@link SampledViews}.
 */
public final class ReducedViews implements AutoCloseable {
  private static final int POWER_ITERATIONS = 8;

  private final Map<View, Tensor> matrices;
  private final long products;
  private final Map<View, Double> truncation;

  ReducedViews(Map<View, Tensor> matrices, long products, Map<View, Double> truncation) {
    this.matrices = matrices;
    this.products = products;
    this.truncation = truncation;
  }

  /** Exact views. */
  ReducedViews(Map<View, Tensor> matrices, long products) {
    this(matrices, products, Map.of());
  }

  /**
   * A bound on the norm of what the matrix of a view leaves out, which is positive semidefinite; 0
   * for views that leave nothing out.
   */
  public double truncation(View view) {
    return truncation.getOrDefault(view, 0.0);
  }

  /** The matrix of a view, [d, d] in f64 on the operator's device; it is freed with this object. */
  public Tensor matrix(View view) {
    Tensor matrix = matrices.get(view);
    Checks.that(matrix != null, "view: expected one of %s, got %s", matrices.keySet(), view);
    return matrix;
  }

  /** Vectors that went through an operator. */
  public long products() {
    return products;
  }

  @Override
  public void close() {
    matrices.values().forEach(Tensor::close);
  }

  /**
   * The views of any self-adjoint operator from its products with all B T n basis vectors of the
   * state.
   *
   * @param progress told the number of vectors done, after each block
   */
  public static ReducedViews ofOperator(
      LinearOperator operator, Collection<View> views, LongConsumer progress) {
    Checks.notNull(progress, "progress");
    Shape state = stateShape(Checks.notNull(operator, "operator").domain());
    Checks.that(operator.isSelfAdjoint(), "operator %s: expected a self-adjoint one", operator);
    Map<View, Tensor> matrices = allocate(operator.context(), state, views);
    long size = state.count();
    long block = blockSize(size, 2 * size * operator.dtype().bytes());
    try (Tensor in = operator.zeros(state.block(block));
        Tensor out = operator.zeros(state.block(block))) {
      for (long first = 0; first < size; first += block) {
        long s = Math.min(block, size - first);
        setUnit(in, first, s, 1);
        operator.matmat(in.slice(0, s), out.slice(0, s));
        setUnit(in, first, s, 0);
        for (long column = 0; column < s; column++) {
          Tensor product = out.slice(column);
          long flat = first + column;
          matrices.forEach((view, matrix) -> addColumn(view, state, flat, product, matrix));
        }
        progress.accept(first + s);
      }
      matrices.values().forEach(ReducedViews::symmetrize);
      return new ReducedViews(matrices, size);
    } catch (RuntimeException failure) {
      matrices.values().forEach(Tensor::close);
      throw failure;
    }
  }

  /**
   * The columns x_c of a factor F, A = F F* = Σ x_c x_c^T + rest, the rest positive semidefinite.
   */
  public interface Columns {
    /** An operator with the context, type and range [B, T, n] of the columns. */
    LinearOperator owner();

    long count();

    /** Writes columns first to first + s - 1 into out [s, B, T, n]. */
    void fill(long first, Tensor out);

    /** A bound on the norm of A without the contribution of the leading columns. */
    double restNorm(long leading);

    /** A bound on its trace. */
    double restTrace(long leading);

    /**
     * A bound on the norm of what leading columns leave out of a view: it is positive semidefinite
     * there too, and averages N diagonal blocks, so it is at most min(||rest||, tr rest / N).
     */
    default double bound(View view, long leading) {
      double traced = view.traced(stateShape(owner().range()));
      return Math.min(restNorm(leading), restTrace(leading) / traced);
    }
  }

  /**
   * The views of A = Σ x_c x_c^T from its leading columns: as many as it takes to bound what every
   * view leaves out by {@code tolerance} times the view's norm, or all.
   *
   * @param tolerance relative, in the operator norm; 0 for all columns
   * @param progress told the number of columns done, after each block
   */
  public static ReducedViews ofColumns(
      Columns columns, Collection<View> views, double tolerance, LongConsumer progress) {
    Checks.notNull(columns, "columns");
    Checks.that(tolerance >= 0 && tolerance < 1, "tolerance: expected 0 to 1, got %s", tolerance);
    Checks.notNull(progress, "progress");
    return new ColumnSweep(columns, views, tolerance).run(columns.count(), progress);
  }

  /** The views of Σ x_c x_c^T over a number of leading columns alone. */
  public static ReducedViews ofLeadingColumns(
      Columns columns, Collection<View> views, long leading, LongConsumer progress) {
    Checks.notNull(columns, "columns");
    Checks.range("columns", leading, 0, columns.count());
    Checks.notNull(progress, "progress");
    return new ColumnSweep(columns, views, 0).run(leading, progress);
  }

  /** A lower bound on the norm of a positive semidefinite matrix, by a few power iterations. */
  public static double normBelow(ExecutionContext context, Tensor matrix) {
    long d = matrix.shape().size(0);
    try (Tensor x = context.zeros(DType.F64, d, 1);
        Tensor y = context.zeros(DType.F64, d, 1)) {
      RngState.of(0).fill(context, RngState.Distribution.GAUSSIAN, x);
      double norm = TensorMath.norm(context, x);
      for (int i = 0; i < POWER_ITERATIONS && norm > 0; i++) {
        TensorMath.axpby(context, 1 / norm, x, 0, y);
        TensorMath.gemm(context, false, false, 1, matrix, y, 0, x);
        norm = TensorMath.norm(context, x);
      }
      return norm > 0 ? TensorMath.dot(context, x, y) : 0;
    }
  }

  /**
   * The views of A = F F* for an F on [B, T, n] that does not mix trials, such as P: a basis vector
   * is set in all trials at once, so B times fewer products are needed.
   */
  public static ReducedViews ofTrialwiseFactor(
      LinearOperator factor, Collection<View> views, LongConsumer progress) {
    return trialwise(factor, views, false, progress);
  }

  /**
   * The same for an F that does not reach back in time either, such as P of a recurrent model: what
   * comes before the step of a basis vector is left out.
   */
  public static ReducedViews ofCausalFactor(
      LinearOperator factor, Collection<View> views, LongConsumer progress) {
    return trialwise(factor, views, true, progress);
  }

  private static ReducedViews trialwise(
      LinearOperator factor, Collection<View> views, boolean causal, LongConsumer progress) {
    Checks.notNull(progress, "progress");
    Shape state = stateShape(Checks.notNull(factor, "factor").range());
    Checks.shape("factor " + factor + ": domain", state, factor.domain());
    return new TrialwiseSweep(factor, state, causal)
        .run(allocate(factor.context(), state, views), progress);
  }

  /** matrix += (weight / N) Σ x x^T over the block and the traced axes; products [s, B, T, n]. */
  static void accumulate(
      LinearOperator factor,
      View view,
      Shape state,
      Tensor products,
      double weight,
      Tensor matrix) {
    Engine.accumulateGram(
        factor.context().handle(),
        factor.dtype(),
        products.shape().size(0),
        state.size(0),
        state.size(1),
        state.size(2),
        products.memory(),
        view.keep(),
        weight / view.traced(state),
        matrix.memory());
  }

  /**
   * The views that a sweep has to accumulate: those of batch and time follow from the temporal one.
   */
  static Map<View, Tensor> swept(Map<View, Tensor> matrices) {
    Map<View, Tensor> swept = new EnumMap<>(matrices);
    if (swept.containsKey(View.TEMP)) {
      swept.remove(View.BATCH);
      swept.remove(View.TIME);
    }
    return swept;
  }

  /**
   * Fills the views of batch and time from the temporal one, if it is there: A_batch[b, b'] = (1/T)
   * Σ_t A_temp[(b,t), (b',t)] and A_time[t, t'] = (1/B) Σ_b A_temp[(b,t), (b,t')].
   */
  static void derive(Map<View, Tensor> matrices, Shape state) {
    Tensor temporal = matrices.get(View.TEMP);
    long trials = state.size(0);
    long steps = state.size(1);
    long rows = trials * steps;
    if (temporal != null && matrices.containsKey(View.BATCH)) {
      clear(matrices.get(View.BATCH));
      TensorMath.strided(
          new long[] {steps, trials, trials},
          1.0 / steps,
          temporal,
          new long[] {rows + 1, steps * rows, steps},
          1,
          matrices.get(View.BATCH),
          new long[] {0, trials, 1});
    }
    if (temporal != null && matrices.containsKey(View.TIME)) {
      clear(matrices.get(View.TIME));
      TensorMath.strided(
          new long[] {trials, steps, steps},
          1.0 / trials,
          temporal,
          new long[] {steps * (rows + 1), rows, 1},
          1,
          matrices.get(View.TIME),
          new long[] {0, steps, 1});
    }
  }

  /** A = (A + Aᵀ) / 2: rounding in the products differs between a column and its row. */
  private static void symmetrize(Tensor matrix) {
    long d = matrix.shape().size(0);
    long[] sizes = {d, d};
    try (Tensor copy = matrix.copy()) {
      TensorMath.strided(sizes, 0.5, copy, new long[] {1, d}, 0.5, matrix, new long[] {d, 1});
    }
  }

  private static void clear(Tensor matrix) {
    Tensor flat = matrix.reshape(Shape.of(matrix.count()));
    long[] one = {1};
    TensorMath.strided(new long[] {matrix.count()}, 0, flat, one, 0, flat, one);
  }

  /** Zero matrices for the views, or a refusal with the numbers. */
  static Map<View, Tensor> allocate(ExecutionContext context, Shape state, Collection<View> views) {
    requireRoom(context.device(), state, views);
    Map<View, Tensor> matrices = new EnumMap<>(View.class);
    try {
      for (View view : Set.copyOf(views)) {
        matrices.put(view, context.zeros(DType.F64, view.size(state), view.size(state)));
      }
      return matrices;
    } catch (RuntimeException failure) {
      matrices.values().forEach(Tensor::close);
      throw failure;
    }
  }

  /**
   * Refuses views whose matrices would not fit on a device.
   *
   * @throws MemoryException with the view and its size, and what to do
   */
  public static void requireRoom(Device device, Shape state, Collection<View> views) {
    long available = Engine.availableMemory(device);
    for (View view : Checks.notNull(views, "views")) {
      long size = view.size(state);
      if (size > 1 << 16 || (available >= 0 && size * size * Double.BYTES > available / 2)) {
        throw new MemoryException(
            "view "
                + view
                + " of "
                + state
                + " is "
                + size
                + " x "
                + size
                + " ("
                + (size * size >> 27)
                + " GiB); leave it out, use fewer trials or steps, or keep it matrix-free with partialAverage");
      }
    }
  }

  static Shape stateShape(Shape shape) {
    Checks.that(shape.rank() == 3, "operator: expected a state of shape [B, T, n], got %s", shape);
    return shape;
  }

  /** Vectors per block: at most 256 MiB of scratch, at least one. */
  static long blockSize(long most, long bytesPerVector) {
    return Math.max(1, Math.min(Math.min(most, 128), (256L << 20) / Math.max(1, bytesPerVector)));
  }

  private static void setUnit(Tensor block, long first, long s, double value) {
    Tensor flat = block.reshape(Shape.of(block.count()));
    long vector = block.shape().tail().count();
    TensorMath.fill(
        new long[] {s}, value, flat.slice(first, flat.count() - first), new long[] {vector + 1});
  }

  /**
   * Adds what the column A e_(b,t,u) contributes to row (kept part of (b,t,u)) of a view, A being
   * self-adjoint.
   */
  private static void addColumn(View view, Shape state, long flat, Tensor column, Tensor matrix) {
    long[] strides = state.strides();
    long row = 0;
    long offset = 0;
    long[] sizes = new long[3];
    long[] from = new long[3];
    long[] to = new long[3];
    long kept = 1;
    for (int axis = 2; axis >= 0; axis--) {
      long index = flat / strides[axis] % state.size(axis);
      if ((view.keep() >> axis & 1) != 0) {
        row += index * kept;
        sizes[axis] = state.size(axis);
        from[axis] = strides[axis];
        to[axis] = kept;
        kept *= state.size(axis);
      } else {
        offset += index * strides[axis];
        sizes[axis] = 1;
      }
    }
    Tensor source = column.reshape(Shape.of(column.count()));
    TensorMath.strided(
        sizes,
        1.0 / view.traced(state),
        source.slice(offset, source.count() - offset),
        from,
        1,
        matrix.slice(row),
        to);
  }
}
