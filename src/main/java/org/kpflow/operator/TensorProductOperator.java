package org.kpflow.operator;

import java.util.Arrays;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.stream.LongStream;
import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * A ⊗ B: B goes over the trailing axes of every row, then A over the leading axes. An identity
 * factor costs nothing.
 */
final class TensorProductOperator extends DerivedOperator {
  private final LinearOperator left;
  private final LinearOperator right;

  TensorProductOperator(LinearOperator left, LinearOperator right) {
    super(
        left.context(),
        left.domain().concat(right.domain()),
        left.range().concat(right.range()),
        left.dtype(),
        left.isSelfAdjoint() && right.isSelfAdjoint());
    this.left = left;
    this.right = right;
  }

  /** A ⊗ I or I ⊗ A between the spaces of {@code target}. */
  static LinearOperator lift(LinearOperator part, LinearOperator target, AxisSide side) {
    Shape others = others("domain", part.domain(), target.domain(), side);
    Shape rangeOthers = others("range", part.range(), target.range(), side);
    Checks.that(
        others.equals(rangeOthers),
        "tensorProductLike: the identity's axes %s of domain %s and %s of range %s differ",
        others,
        target.domain(),
        rangeOthers,
        target.range());
    LinearOperator identity = new IdentityOperator(part.context(), others, part.dtype());
    return (side == AxisSide.LEADING ? part.tensorProduct(identity) : identity.tensorProduct(part))
        .like(target);
  }

  /** The axes of {@code whole} that remain when those of {@code part} are taken from a side. */
  private static Shape others(String name, Shape part, Shape whole, AxisSide side) {
    long[] sizes = whole.sizes();
    boolean leading = side == AxisSide.LEADING;
    for (int length = 0; length <= sizes.length; length++) {
      int cut = leading ? length : sizes.length - length;
      long[] head = Arrays.copyOfRange(sizes, 0, cut);
      long[] tail = Arrays.copyOfRange(sizes, cut, sizes.length);
      long[] taken = leading ? head : tail;
      boolean flat = part.rank() == 1 || length == 1;
      boolean matches =
          flat
              ? LongStream.of(taken).reduce(1, (a, b) -> a * b) == part.count()
              : Arrays.equals(taken, part.sizes());
      if (matches) {
        return Shape.of(leading ? tail : head);
      }
    }
    throw new IllegalArgumentException(
        "tensorProductLike: expected a "
            + name
            + " of the shape of "
            + side.name().toLowerCase(Locale.ROOT)
            + " axes of "
            + whole
            + ", got "
            + part);
  }

  @Override
  void product(boolean adjoint, Tensor in, Tensor out) {
    if (right instanceof IdentityOperator) {
      overLeading(adjoint, in, out);
    } else if (left instanceof IdentityOperator) {
      overTrailing(adjoint, in, out);
    } else {
      try (Tensor between = scratch(left.source(adjoint).concat(right.target(adjoint)), in)) {
        overTrailing(adjoint, in, between);
        overLeading(adjoint, between, out);
      }
    }
  }

  /** [s, left, right source] -> [s, left, right target]. */
  private void overTrailing(boolean adjoint, Tensor in, Tensor out) {
    long rows = in.shape().size(0) * left.source(adjoint).count();
    right.apply(
        adjoint,
        in.reshape(right.source(adjoint).block(rows)),
        out.reshape(right.target(adjoint).block(rows)));
  }

  /**
   * [s, left source, right] -> [s, left target, right], by way of [s, right, left]: the left factor
   * wants its axes last.
   */
  private void overLeading(boolean adjoint, Tensor in, Tensor out) {
    long s = in.shape().size(0);
    long columns = right.target(adjoint).count();
    Shape source = left.source(adjoint).block(s * columns);
    Shape target = left.target(adjoint).block(s * columns);
    if (columns == 1) {
      left.apply(adjoint, in.reshape(source), out.reshape(target));
      return;
    }
    try (Tensor swapped = zeros(source);
        Tensor image = zeros(target)) {
      swap(s, left.source(adjoint).count(), columns, in, swapped);
      left.apply(adjoint, swapped, image);
      swap(s, columns, left.target(adjoint).count(), image, out);
    }
  }

  /** [s, p, q] -> [s, q, p]. */
  private static void swap(long s, long p, long q, Tensor from, Tensor to) {
    TensorMath.strided(
        new long[] {s, p, q}, 1, from, new long[] {p * q, q, 1}, 0, to, new long[] {p * q, 1, p});
  }

  /** tr(A ⊗ B) = tr A tr B. */
  @Override
  public OptionalDouble knownTrace() {
    return product(left.knownTrace(), right.knownTrace());
  }

  /** ||A ⊗ B||_F = ||A||_F ||B||_F. */
  @Override
  public OptionalDouble knownFrobeniusNorm() {
    return product(left.knownFrobeniusNorm(), right.knownFrobeniusNorm());
  }

  @Override
  boolean isCompound() {
    return true;
  }

  @Override
  public String toString() {
    return left.factor() + " ⊗ " + right.factor();
  }
}
