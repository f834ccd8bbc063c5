package org.kpflow.operator;

import java.util.Arrays;
import java.util.BitSet;
import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The axes of a shape, cut into kept and traced ones, and the moves between blocks over all axes
 * [s, full] and over the kept ones [s, kept]. A traced index u counts row-major over the traced
 * axes.
 */
final class AxisSplit {
  private static final int MOST_AXES = 7; // strided kernels take 8, one of which counts the block

  private final Shape full;
  private final Shape kept;
  private final Shape traced;
  private final int[] axes;
  private final long[] tracedStrides;
  private final long[] keptStrides;

  /** Throws an IllegalArgumentException for an axis that is not of the shape or given twice. */
  AxisSplit(String operation, Shape full, int... axes) {
    Checks.notNull(axes, operation + ": axes");
    Checks.that(
        full.rank() <= MOST_AXES,
        "%s: expected at most %d axes, got %s",
        operation,
        MOST_AXES,
        full);
    BitSet chosen = new BitSet();
    for (int axis : axes) {
      Checks.that(
          axis >= 0 && axis < full.rank(),
          "%s: expected axes from 0 to %d of %s, got %d",
          operation,
          full.rank() - 1,
          full,
          axis);
      Checks.that(
          !chosen.get(axis),
          "%s: axis %d is given twice in %s",
          operation,
          axis,
          Arrays.toString(axes));
      chosen.set(axis);
    }
    BitSet rest = new BitSet();
    rest.set(0, full.rank());
    rest.andNot(chosen);
    this.full = full;
    this.axes = chosen.stream().toArray();
    this.kept = Shape.of(rest.stream().mapToLong(full::size).toArray());
    this.traced = Shape.of(chosen.stream().mapToLong(full::size).toArray());
    this.keptStrides = rest.stream().mapToLong(axis -> full.strides()[axis]).toArray();
    this.tracedStrides = chosen.stream().mapToLong(axis -> full.strides()[axis]).toArray();
    Checks.that(
        traced.count() > 0,
        "%s: axes %s of %s have no elements",
        operation,
        Arrays.toString(this.axes),
        full);
  }

  Shape full() {
    return full;
  }

  Shape kept() {
    return kept;
  }

  /** Number of elements of the traced axes. */
  long tracedCount() {
    return traced.count();
  }

  /**
   * block[., (i,u)] = alpha source[., i]; with {@code repeated}, source has the one element that
   * all get.
   */
  void put(Tensor source, boolean repeated, Tensor block, long u) {
    long[] sizes = kept.block(block.shape().size(0)).sizes();
    long[] strides = repeated ? new long[sizes.length] : kept.block(1).strides();
    TensorMath.strided(sizes, 1, source, strides, 0, component(block, u), componentStrides());
  }

  /** sums[., i] += block[., (i,u)]. */
  void add(Tensor block, long u, Tensor sums) {
    long[] sizes = kept.block(block.shape().size(0)).sizes();
    TensorMath.strided(
        sizes, 1, component(block, u), componentStrides(), 1, sums, kept.block(1).strides());
  }

  /** block[., (i,u)] = source[., i] for every u. */
  void expand(Tensor source, Tensor block) {
    TensorMath.strided(
        block.shape().sizes(), 1, source, repeatingStrides(), 0, block, block.shape().strides());
  }

  /** sums[., i] += Σ_u block[., (i,u)]. */
  void sum(Tensor block, Tensor sums) {
    TensorMath.strided(
        block.shape().sizes(), 1, block, block.shape().strides(), 1, sums, repeatingStrides());
  }

  /** The elements of a block from component u of its first array on. */
  private Tensor component(Tensor block, long u) {
    long offset = 0;
    long rest = u;
    for (int i = axes.length - 1; i >= 0; i--) {
      offset += rest % traced.size(i) * tracedStrides[i];
      rest /= traced.size(i);
    }
    return block.reshape(Shape.of(block.count())).slice(offset, block.count() - offset);
  }

  private long[] componentStrides() {
    long[] strides = new long[keptStrides.length + 1];
    strides[0] = full.count();
    System.arraycopy(keptStrides, 0, strides, 1, keptStrides.length);
    return strides;
  }

  /** Strides of a [s, kept] block in the index space [s, full]: 0 on the traced axes. */
  private long[] repeatingStrides() {
    long[] strides = new long[full.rank() + 1];
    long[] compact = kept.block(1).strides();
    for (int axis = 0, next = 0; axis <= full.rank(); axis++) {
      boolean isTraced = axis > 0 && Arrays.binarySearch(axes, axis - 1) >= 0;
      strides[axis] = isTraced ? 0 : compact[next++];
    }
    return strides;
  }

  /** The traced axes. */
  @Override
  public String toString() {
    return Arrays.toString(axes);
  }
}
