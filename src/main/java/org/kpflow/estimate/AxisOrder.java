package org.kpflow.estimate;

import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Arrays over all axes as matrices [κ, ρ]: κ runs over the kept axes, ρ over the traced ones, both
 * row-major.
 */
final class AxisOrder {
  private final int keptAxes;
  private final long kept;
  private final long traced;
  private final long[] sizes; // kept axes, then traced axes
  private final long[] strides; // of these axes in an array over all

  AxisOrder(Shape full, int... tracedAxes) {
    int[] last = Arrays.stream(tracedAxes).sorted().toArray();
    int[] first =
        IntStream.range(0, full.rank())
            .filter(axis -> Arrays.binarySearch(last, axis) < 0)
            .toArray();
    this.keptAxes = first.length;
    int[] order = IntStream.concat(Arrays.stream(first), Arrays.stream(last)).toArray();
    this.sizes = Arrays.stream(order).mapToLong(full::size).toArray();
    long[] original = full.strides();
    this.strides = Arrays.stream(order).mapToLong(axis -> original[axis]).toArray();
    this.kept = Arrays.stream(first).mapToLong(full::size).reduce(1, Math::multiplyExact);
    this.traced = full.count() / Math.max(kept, 1);
  }

  long kept() {
    return kept;
  }

  long traced() {
    return traced;
  }

  /** out [s, κ, ρ] = block [s, full]. */
  void toMatrices(Tensor block, Tensor out) {
    move(block, true, out, compact(kept * traced, 1));
  }

  /** out [s, full] = matrices [s, κ, ρ]. */
  void fromMatrices(Tensor matrices, Tensor out) {
    move(out, false, matrices, compact(kept * traced, 1));
  }

  /** out [κ, s ρ] = the matrices of block [s, full], side by side. */
  void sideBySide(Tensor block, Tensor out) {
    move(block, true, out, compact(traced, block.shape().size(0)));
  }

  /** Strides of [s, kept axes, traced axes] where matrix rows are {@code apart} times ρ apart. */
  private long[] compact(long sample, long apart) {
    long[] result = new long[sizes.length + 1];
    result[0] = sample;
    long stride = 1;
    for (int axis = sizes.length - 1; axis >= 0; axis--) {
      if (axis == keptAxes - 1) {
        stride = traced * apart;
      }
      result[axis + 1] = stride;
      stride *= sizes[axis];
    }
    return result;
  }

  private void move(Tensor block, boolean outwards, Tensor matrices, long[] compactStrides) {
    long s = block.shape().size(0);
    long[] index = LongStream.concat(LongStream.of(s), Arrays.stream(sizes)).toArray();
    long[] full = LongStream.concat(LongStream.of(kept * traced), Arrays.stream(strides)).toArray();
    if (outwards) {
      TensorMath.strided(index, 1, block, full, 0, matrices, compactStrides);
    } else {
      TensorMath.strided(index, 1, matrices, compactStrides, 0, block, full);
    }
  }
}
