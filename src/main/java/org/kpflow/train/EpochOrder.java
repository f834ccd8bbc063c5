package org.kpflow.train;

import java.util.Arrays;
import java.util.Comparator;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * The order in which the trials of a data set are visited: position i is trial π_e(i mod N) with e
 * = i div N. π_e sorts N uniform numbers of the stream of epoch e, so it depends on seed and epoch
 * alone; the last one is kept.
 */
final class EpochOrder {
  private final ExecutionContext context;
  private final int count;
  private final RngState stream;
  private long epoch = -1;
  private Integer[] order;

  EpochOrder(ExecutionContext context, long count, RngState stream) {
    this.context = context;
    this.count = (int) Checks.range("data set", count, 1, 1 << 24);
    this.stream = stream;
  }

  /** The trial at a position, 0 for the first of all epochs. */
  synchronized long at(long position) {
    long wanted = position / count;
    if (wanted != epoch) {
      order = permutation(wanted);
      epoch = wanted;
    }
    return order[(int) (position % count)];
  }

  private Integer[] permutation(long of) {
    double[] keys;
    try (Tensor uniform = Tensor.zeros(DType.F64, count)) {
      stream.split(of).fill(context.host(), RngState.Distribution.UNIFORM, uniform);
      keys = uniform.toDoubles();
    }
    Integer[] trials = new Integer[count];
    Arrays.setAll(trials, i -> i);
    Arrays.sort(trials, Comparator.comparingDouble(i -> keys[i])); // stable where keys are equal
    return trials;
  }
}
