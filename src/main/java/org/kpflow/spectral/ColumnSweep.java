package org.kpflow.spectral;

import java.util.Collection;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.LongConsumer;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;

/** One sweep over the columns of a factor, until what is left out is small enough. */
final class ColumnSweep {
  private final ReducedViews.Columns columns;
  private final LinearOperator owner;
  private final Shape state;
  private final Map<View, Tensor> matrices;
  private final double tolerance;
  private final Map<View, Double> norms = new EnumMap<>(View.class); // lower bounds, so far
  private long nextLook = 1;

  ColumnSweep(ReducedViews.Columns columns, Collection<View> views, double tolerance) {
    this.columns = columns;
    this.owner = columns.owner();
    this.state = ReducedViews.stateShape(owner.range());
    this.tolerance = tolerance;
    this.matrices = ReducedViews.allocate(owner.context(), state, views);
  }

  ReducedViews run(long most, LongConsumer progress) {
    Map<View, Tensor> swept = ReducedViews.swept(matrices);
    long block =
        ReducedViews.blockSize(Math.max(most, 1), 3 * state.count() * owner.dtype().bytes());
    long done = 0;
    try (Tensor out = owner.zeros(state.block(block))) {
      while (done < most && !enough(done)) {
        Tensor products = out.slice(0, Math.min(block, most - done));
        columns.fill(done, products);
        swept.forEach(
            (view, matrix) -> ReducedViews.accumulate(owner, view, state, products, 1, matrix));
        done += products.shape().size(0);
        progress.accept(done);
      }
      ReducedViews.derive(matrices, state);
      return new ReducedViews(matrices, done, bounds(done));
    } catch (RuntimeException failure) {
      matrices.values().forEach(Tensor::close);
      throw failure;
    }
  }

  /** Looks at the norms of the views whenever the columns have doubled: they only grow. */
  private boolean enough(long done) {
    if (tolerance == 0 || done == 0) {
      return false;
    }
    if (done >= nextLook) {
      ReducedViews.derive(matrices, state);
      matrices.forEach(
          (view, matrix) -> norms.put(view, ReducedViews.normBelow(owner.context(), matrix)));
      nextLook = 2 * done;
    }
    Map<View, Double> bounds = bounds(done);
    return norms.entrySet().stream()
        .allMatch(norm -> bounds.get(norm.getKey()) <= tolerance * norm.getValue());
  }

  private Map<View, Double> bounds(long done) {
    Map<View, Double> bounds = new EnumMap<>(View.class);
    matrices.keySet().forEach(view -> bounds.put(view, columns.bound(view, done)));
    return bounds;
  }
}
