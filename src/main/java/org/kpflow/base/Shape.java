package org.kpflow.base;

import java.util.Arrays;
import java.util.stream.LongStream;

/**
 * Sizes of an array's axes, row-major, with optional axis names for messages. Two shapes are equal
 * when their sizes are. Sizes are not negative and their product fits a signed 64-bit number of
 * bytes at 8 bytes an element.
 */
public final class Shape {
  private final long[] sizes;
  private final String[] names;
  private final long count;

  private Shape(long[] sizes, String[] names) {
    this.sizes = sizes;
    this.names = names;
    long product = 1;
    for (int axis = 0; axis < sizes.length; axis++) {
      if (sizes[axis] < 0) {
        throw new IllegalArgumentException(
            "shape "
                + Arrays.toString(sizes)
                + ": axis "
                + axis
                + " is negative; expected sizes of at least 0");
      }
      product = multiply(product, sizes[axis], sizes);
    }
    multiply(product, Double.BYTES, sizes);
    this.count = product;
  }

  private static long multiply(long product, long size, long[] sizes) {
    try {
      return Math.multiplyExact(product, size);
    } catch (ArithmeticException overflow) {
      throw new IllegalArgumentException(
          "shape "
              + Arrays.toString(sizes)
              + ": the number of elements overflows; expected below 2^60",
          overflow);
    }
  }

  /**
   * A shape of the given sizes.
   *
   * @throws IllegalArgumentException if a size is negative or the product overflows
   */
  public static Shape of(long... sizes) {
    return new Shape(sizes.clone(), null);
  }

  /** The shape of a state: [B, T, n]. */
  public static Shape state(long trials, long steps, long units) {
    return new Shape(new long[] {trials, steps, units}, new String[] {"B", "T", "n"});
  }

  /** This shape with names for its axes. */
  public Shape named(String... axisNames) {
    Checks.that(
        axisNames.length == sizes.length,
        "axis names: expected %d, got %d",
        sizes.length,
        axisNames.length);
    return new Shape(sizes, axisNames.clone());
  }

  /** Number of axes. */
  public int rank() {
    return sizes.length;
  }

  /** Size of an axis. */
  public long size(int axis) {
    Checks.that(
        axis >= 0 && axis < sizes.length, "axis: expected 0 to %d, got %d", sizes.length - 1, axis);
    return sizes[axis];
  }

  /** Number of elements: the product of the sizes, 1 for no axes. */
  public long count() {
    return count;
  }

  /** A copy of the sizes. */
  public long[] sizes() {
    return sizes.clone();
  }

  /** Row-major strides in elements. */
  public long[] strides() {
    long[] strides = new long[sizes.length];
    long stride = 1;
    for (int axis = sizes.length - 1; axis >= 0; axis--) {
      strides[axis] = stride;
      stride *= sizes[axis];
    }
    return strides;
  }

  /** This shape behind a leading axis of size {@code s}: a block of s such arrays. */
  public Shape block(long s) {
    long[] result = LongStream.concat(LongStream.of(s), Arrays.stream(sizes)).toArray();
    if (names == null) {
      return new Shape(result, null);
    }
    String[] resultNames = new String[result.length];
    resultNames[0] = "s";
    System.arraycopy(names, 0, resultNames, 1, names.length);
    return new Shape(result, resultNames);
  }

  /** This shape without its leading axis. */
  public Shape tail() {
    Checks.that(sizes.length > 0, "shape []: no leading axis to drop");
    return new Shape(
        Arrays.copyOfRange(sizes, 1, sizes.length),
        names == null ? null : Arrays.copyOfRange(names, 1, names.length));
  }

  /** The axes of this shape, then those of another. */
  public Shape concat(Shape other) {
    return new Shape(
        LongStream.concat(Arrays.stream(sizes), Arrays.stream(other.sizes)).toArray(), null);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(sizes, shape.sizes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(sizes);
  }

  @Override
  public String toString() {
    if (names == null) {
      return Arrays.toString(sizes);
    }
    StringBuilder text = new StringBuilder("[");
    for (int axis = 0; axis < sizes.length; axis++) {
      text.append(axis == 0 ? "" : ", ").append(names[axis]).append('=').append(sizes[axis]);
    }
    return text.append(']').toString();
  }
}
