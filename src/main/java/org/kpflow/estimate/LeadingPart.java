package org.kpflow.estimate;

import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The exact part of a deflated partial trace, with P = Q* Q from a sketch: A - (I - P) A (I - P) =
 * P A + A P - P A P, so with y_j = (I - P/2) A* q_j and v_j = (I - P/2) A q_j
 *
 * <pre>
 *   tr(A - (I - P) A (I - P)) = Σ_j mat(q_j) mat(y_j)ᵀ + mat(v_j) mat(q_j)ᵀ
 * </pre>
 *
 * where mat reads an array as a matrix [κ, ρ]. All three are kept side by side, as [κ, r ρ].
 */
final class LeadingPart implements AutoCloseable {
  private final LinearOperator operator;
  private final Tensor q;
  private final Tensor y;
  private final Tensor v; // y itself where A is self-adjoint

  private LeadingPart(LinearOperator operator, Tensor q, Tensor y, Tensor v) {
    this.operator = operator;
    this.q = q;
    this.y = y;
    this.v = v;
  }

  /** The part of a sketched range: r products, or 2 r where A is not self-adjoint. */
  static LeadingPart of(LinearOperator operator, AxisOrder order, Deflation leading) {
    Tensor[] made = new Tensor[3];
    try {
      made[0] = sideBySide(operator, order, leading.basis());
      made[1] = image(operator.adjoint(), order, leading);
      made[2] = operator.isSelfAdjoint() ? made[1] : image(operator, order, leading);
      return new LeadingPart(operator, made[0], made[1], made[2]);
    } catch (RuntimeException | Error failure) {
      for (Tensor tensor : made) {
        if (tensor != null) {
          tensor.close();
        }
      }
      throw failure;
    }
  }

  /** (I - P/2) A q_j, side by side. */
  private static Tensor image(LinearOperator operator, AxisOrder order, Deflation leading) {
    try (Tensor images = operator.matmat(leading.basis())) {
      leading.project(0.5, images);
      return sideBySide(operator, order, images);
    }
  }

  private static Tensor sideBySide(LinearOperator operator, AxisOrder order, Tensor block) {
    Tensor out = operator.zeros(order.kept(), block.shape().size(0) * order.traced());
    order.sideBySide(block, out);
    return out;
  }

  /** The part as a matrix, out [κ, κ]. */
  void form(Tensor out) {
    TensorMath.gemm(operator.context(), false, true, 1, q, y, 0, out);
    TensorMath.gemm(operator.context(), false, true, 1, v, q, 1, out);
  }

  /** out = M in for a block [s, κ], or Mᵀ in if {@code adjoint}. */
  void apply(boolean adjoint, Tensor in, Tensor out) {
    // rows: x Mᵀ = (x y) qᵀ + (x q) vᵀ,    x M = (x q) yᵀ + (x v) qᵀ
    term(in, adjoint ? q : y, adjoint ? y : q, 0, out);
    term(in, adjoint ? v : q, adjoint ? q : v, 1, out);
  }

  /** out = (in a) bᵀ + beta out. */
  private void term(Tensor in, Tensor a, Tensor b, double beta, Tensor out) {
    Tensor rows = Sampling.rows(in);
    try (Tensor coefficients = operator.zeros(Shape.of(rows.shape().size(0), a.shape().size(1)))) {
      TensorMath.gemm(operator.context(), false, false, 1, rows, a, 0, coefficients);
      TensorMath.gemm(
          operator.context(), false, true, 1, coefficients, b, beta, Sampling.rows(out));
    }
  }

  @Override
  public void close() {
    q.close();
    y.close();
    v.close();
  }
}
