package org.kpflow.spectral;

import java.util.Map;
import java.util.function.LongConsumer;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * One sweep over the basis of a single trial, set in all trials at once, for a factor that does not
 * mix trials. Of one that does not reach back in time, what comes before a step is left out.
 */
final class TrialwiseSweep {
  private static final long MOST_PART = 4096;

  private final LinearOperator factor;
  private final Shape state;
  private final boolean causal;

  TrialwiseSweep(LinearOperator factor, Shape state, boolean causal) {
    this.factor = factor;
    this.state = state;
    this.causal = causal;
  }

  /** Fills the matrices, which the result owns. */
  ReducedViews run(Map<View, Tensor> matrices, LongConsumer progress) {
    Map<View, Tensor> swept = ReducedViews.swept(matrices);
    long columns = state.size(1) * state.size(2);
    long block = ReducedViews.blockSize(columns, 3 * state.count() * factor.dtype().bytes());
    try (Tensor in = factor.zeros(state.block(block));
        Tensor out = factor.zeros(state.block(block));
        Tensor room = factor.zeros(state.block(block))) {
      for (long first = 0; first < columns; first += block) {
        long s = Math.min(block, columns - first);
        setInAllTrials(in, columns, first, s, 1);
        factor.matmat(in.slice(0, s), out.slice(0, s));
        setInAllTrials(in, columns, first, s, 0);
        long step = causal ? first / state.size(2) : 0;
        Tensor late = fromStep(out.slice(0, s), step, room);
        swept.forEach(
            (view, matrix) -> {
              if ((view.keep() & 1) == 0 && view.size(state) > MOST_PART) { // no room for a part
                ReducedViews.accumulate(factor, view, state, out.slice(0, s), 1, matrix);
              } else {
                addLate(factor, view, state, step, late, matrix);
              }
            });
        progress.accept(first + s);
      }
      ReducedViews.derive(matrices, state);
      return new ReducedViews(matrices, columns);
    } catch (RuntimeException failure) {
      matrices.values().forEach(Tensor::close);
      throw failure;
    }
  }

  /** The steps from the given one on of products [s, B, T, n], trial by trial: [B s, 1, T', n]. */
  private static Tensor fromStep(Tensor products, long step, Tensor room) {
    long s = products.shape().size(0);
    long trials = products.shape().size(1);
    long steps = products.shape().size(2) - step;
    Shape single = Shape.state(1, steps, products.shape().size(3));
    Tensor late =
        flat(room).slice(0, trials * s * single.count()).reshape(single.block(trials * s));
    long part = single.count();
    long whole = products.shape().size(2) * products.shape().size(3);
    long before = step * products.shape().size(3);
    TensorMath.strided( // [i, b, ·] -> [b, i, ·]
        new long[] {trials, s, part},
        1,
        flat(products).slice(before, products.count() - before),
        new long[] {whole, trials * whole, 1},
        0,
        late,
        new long[] {s * part, part, 1});
    return late;
  }

  private static Tensor flat(Tensor tensor) {
    return tensor.reshape(Shape.of(tensor.count()));
  }

  private static void setInAllTrials(Tensor block, long columns, long first, long s, double value) {
    Tensor flat = flat(block);
    long trials = block.shape().size(1);
    TensorMath.fill(
        new long[] {s, trials},
        value,
        flat.slice(first, flat.count() - first),
        new long[] {trials * columns + 1, columns});
  }

  /** Adds the products [B s, 1, T', n] of a block, from a step on, to a view. */
  private static void addLate(
      LinearOperator factor, View view, Shape state, long step, Tensor late, Tensor matrix) {
    if ((view.keep() & 1) == 0) { // trials are traced: all add to one part
      addPart(factor, view, state, 0, step, late, matrix);
      return;
    }
    long trials = state.size(0);
    long s = late.shape().size(0) / trials;
    for (long b = 0; b < trials; b++) {
      addPart(factor, view, state, b, step, late.slice(b * s, s), matrix);
    }
  }

  /** Adds products to the part of a view that belongs to a trial and to the steps from one on. */
  private static void addPart(
      LinearOperator factor,
      View view,
      Shape state,
      long b,
      long step,
      Tensor products,
      Tensor matrix) {
    Shape single = products.shape().tail();
    double weight = (double) view.traced(single) / view.traced(state);
    long size = view.size(single);
    long steps = (view.keep() & 2) != 0 ? single.size(1) : 1;
    long units = size / steps;
    long ofTrial = view.size(state) / ((view.keep() & 1) != 0 ? state.size(0) : 1);
    long d = matrix.shape().size(0);
    long row = b * ofTrial + ((view.keep() & 2) != 0 ? step * units : 0);
    Tensor flat = matrix.reshape(Shape.of(d * d));
    try (Tensor part = factor.context().zeros(DType.F64, size, size)) {
      ReducedViews.accumulate(factor, view, single, products, weight, part);
      TensorMath.strided(
          new long[] {size, size},
          1,
          part,
          new long[] {size, 1},
          1,
          flat.slice(row * (d + 1), d * d - row * (d + 1)),
          new long[] {d, 1});
    }
  }
}
