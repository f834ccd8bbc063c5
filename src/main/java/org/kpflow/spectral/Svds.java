package org.kpflow.spectral;

import java.util.Arrays;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.Engine;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.LanczosOptions.Which;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Extreme singular triplets of any operator with an adjoint. The leading right vectors are the
 * eigenvectors of A* A (the left ones those of A A*, where the range is the smaller side), found by
 * {@link BlockKrylov}. What they span is mapped by A and back by A*, and the small matrix that
 * comes out is decomposed, so that both sides are orthonormal and singular values down to about √ε
 * of the largest keep more digits than their squares have:
 *
 * <pre>Q = orth(A V)     A* Q = B V', V' orthonormal     B = X Σ Yᵀ     u = Xᵀ Q, v = Yᵀ V'</pre>
 */
public final class Svds {
  private static final String NAME = "svds";
  private static final int PROBE = 0x57D5; // label of the probe's random stream

  private Svds() {}

  /**
   * The leading triplets, values descending. The options are those of the eigenproblem: modes is
   * the number of triplets, the tolerance bounds ‖A* A v - σ² v‖ / σ², and start holds vectors of
   * the domain, or of the range where that is smaller.
   *
   * @throws IllegalArgumentException if more triplets are asked for than there are, if the adjoint
   *     does not belong to the operator, or if the options ask for another end than the largest
   * @throws NoConvergenceException with the eigenpairs of A* A or A A* that converged
   * @throws org.kpflow.base.NumericalException if a product is infinite or not a number
   * @throws org.kpflow.base.MemoryException if the basis does not fit into memory
   * @throws org.kpflow.base.CancelledException if the thread is interrupted
   */
  public static SingularTriplets largest(LinearOperator operator, BlockKrylovOptions options) {
    Checks.notNull(operator, "operator");
    Checks.notNull(options, "options");
    Checks.that(
        options.which() == Which.LA || options.which() == Which.LM,
        "which: expected LA, the largest singular values, got %s; Svds.smallest takes an inverse",
        options.which());
    long most = Math.min(operator.domain().count(), operator.range().count());
    Checks.that(
        options.modes() <= most,
        "modes: expected at most %d for %s, got %d",
        most,
        operator,
        options.modes());
    int probed = AdjointProbe.check(NAME, operator, options.rng().split(PROBE));
    boolean tall = operator.domain().count() <= operator.range().count();
    LinearOperator map = tall ? operator : operator.adjoint();
    // A Gram operator is self-adjoint by construction once A* is the adjoint of A.
    try (EigenPairs pairs = BlockKrylov.solveTrusted(map.gram(), options)) {
      SingularTriplets found = triplets(map, pairs, options, probed);
      return tall ? found : swapped(found);
    }
  }

  /**
   * The smallest triplets of an invertible operator by the leading ones of its inverse, σ_min(A) =
   * 1 / σ_max(A^{-1}); values descending, so the smallest is the last. The residuals are those of
   * the operator itself, so an inverse that is not one shows in them.
   *
   * @param inverse A^{-1}, from the operator's range to its domain, with its adjoint
   * @throws IllegalArgumentException as {@link #largest}, or if the inverse has other shapes
   */
  public static SingularTriplets smallest(
      LinearOperator operator, LinearOperator inverse, BlockKrylovOptions options) {
    Checks.notNull(operator, "operator");
    Checks.notNull(inverse, "inverse");
    Checks.shape("inverse " + inverse + ": domain", operator.range(), inverse.domain());
    Checks.shape("inverse " + inverse + ": range", operator.domain(), inverse.range());
    Checks.dtype("inverse " + inverse, operator.dtype(), inverse.dtype());
    try (SingularTriplets leading = largest(inverse, options)) {
      int count = leading.values().length;
      double[] values = new double[count];
      int[] order = new int[count];
      for (int i = 0; i < count; i++) { // A^{-1} v = σ u means A u = v / σ
        order[i] = count - 1 - i;
        values[i] = 1 / leading.values()[order[i]];
      }
      Tensor left = chosen(leading.right(), order);
      Tensor right = null;
      try {
        right = chosen(leading.left(), order);
        return new SingularTriplets(
            values,
            left,
            right,
            residuals(operator, false, right, values, left),
            residuals(operator, true, left, values, right),
            leading.matvecs() + 2L * count,
            leading.iterations());
      } catch (RuntimeException | Error failure) {
        left.close();
        if (right != null) {
          right.close();
        }
        throw failure;
      }
    }
  }

  /** The triplets of an operator whose right vectors span what the pairs of A* A do. */
  private static SingularTriplets triplets(
      LinearOperator map, EigenPairs pairs, BlockKrylovOptions options, int probed) {
    int count = pairs.values().length;
    Tensor right = pairs.vectors().copy();
    Tensor left = null;
    try {
      left = map.zeros(map.range().block(count));
      double[] values = refine(map, options, right, left);
      return new SingularTriplets(
          values,
          left,
          right,
          residuals(map, false, right, values, left),
          residuals(map, true, left, values, right),
          // A* A is two products
          2 * pairs.matvecs() + probed + 4L * count,
          pairs.iterations());
    } catch (RuntimeException | Error failure) {
      right.close();
      if (left != null) {
        left.close();
      }
      throw failure;
    }
  }

  /** Overwrites both sides with singular vectors and returns the values. */
  private static double[] refine(
      LinearOperator map, BlockKrylovOptions options, Tensor right, Tensor left) {
    int count = (int) right.shape().size(0);
    RngState rng = options.rng().split(PROBE + 1);
    try (KrylovBasis images = new KrylovBasis(NAME, map, map.range(), count, count, rng);
        KrylovBasis backs = new KrylovBasis(NAME, map, map.domain(), count, 0, rng.split(1));
        Tensor x = Tensor.zeros(DType.F64, count, count);
        Tensor yt = Tensor.zeros(DType.F64, count, count)) {
      map.matmat(right, images.block(0, count));
      factor(map, images, count); // Q
      map.rmatmat(images.block(0, count), backs.block(0, count));
      double[] values;
      try (Tensor b = Tensor.of(DType.F64, Shape.of(count, count), factor(map, backs, count))) {
        values = Engine.svd(count, count, b.memory(), x.memory(), yt.memory());
      }
      backs.combine(0, count, yt.toDoubles());
      right.copyFrom(backs.block(0, count));
      images.combine(0, count, SmallMatrix.transposed(x.toDoubles(), count));
      left.copyFrom(images.block(0, count));
      return values;
    }
  }

  /** Replaces rows W by orthonormal ones Q, W = B Q, and returns B. */
  private static double[] factor(LinearOperator map, KrylovBasis rows, int count) {
    double largest = Arrays.stream(rows.norms(0, count)).max().orElse(0);
    return rows.orthonormalize(0, count, map.dtype().epsilon() * largest).coupling();
  }

  /** ‖A x_i - σ_i y_i‖, or with A* for A. */
  private static double[] residuals(
      LinearOperator map, boolean adjoint, Tensor x, double[] values, Tensor y) {
    double[] residuals = new double[values.length];
    try (Tensor products = adjoint ? map.rmatmat(x) : map.matmat(x)) {
      for (int i = 0; i < values.length; i++) {
        TensorMath.axpby(map.context(), -values[i], y.slice(i), 1, products.slice(i));
        residuals[i] = TensorMath.norm(map.context(), products.slice(i));
      }
    }
    return residuals;
  }

  private static Tensor chosen(Tensor vectors, int[] order) {
    Tensor chosen = Tensor.zeros(vectors.device(), vectors.dtype(), vectors.shape());
    for (int i = 0; i < order.length; i++) {
      chosen.slice(i, 1).copyFrom(vectors.slice(order[i], 1));
    }
    return chosen;
  }

  private static SingularTriplets swapped(SingularTriplets found) {
    return new SingularTriplets(
        found.values(),
        found.right(),
        found.left(),
        found.adjointResiduals(),
        found.residuals(),
        found.matvecs(),
        found.iterations());
  }
}
