package org.kpflow.estimate;

import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * An estimated partial trace as an operator on the kept axes, for views too large to be formed. The
 * probes are fixed by the seed, so it is one fixed linear map, symmetric up to rounding where the
 * operator is; its expectation over seeds is {@link LinearOperator#partialTrace}. A product costs
 * as many products of the operator as there are probes. It holds the sketched range, which {@link
 * #close} frees; probes are drawn anew at every product.
 */
public final class SampledPartialTrace extends LinearOperator implements AutoCloseable {
  private final LinearOperator part;
  private final String axes;
  private final TracedProbes rest;
  private final Deflation leading; // null without deflation
  private final LeadingPart exact; // null without deflation
  private final int probes;
  private final long seed;

  SampledPartialTrace(
      LinearOperator part,
      Shape kept,
      String axes,
      TracedProbes rest,
      Deflation leading,
      LeadingPart exact,
      int probes,
      long seed) {
    super(part.context(), kept, kept, part.dtype(), part.isSelfAdjoint());
    this.part = part;
    this.axes = axes;
    this.rest = rest;
    this.leading = leading;
    this.exact = exact;
    this.probes = probes;
    this.seed = seed;
  }

  /** The number of probes: products of the operator for one of this. */
  public int probes() {
    return probes;
  }

  /** The seed of the probes. */
  public long seed() {
    return seed;
  }

  @Override
  protected void apply(Tensor in, Tensor out) {
    product(false, in, out);
  }

  @Override
  protected void applyAdjoint(Tensor in, Tensor out) {
    product(true, in, out);
  }

  private void product(boolean adjoint, Tensor in, Tensor out) {
    Tensor x = Sampling.rows(in);
    long kept = domain().count();
    long[] unit = {1};
    try (Tensor sums = context().zeros(DType.F64, x.shape())) {
      rest.visit(
          adjoint,
          x,
          0,
          probes,
          (first, rows) ->
              TensorMath.strided(
                  new long[] {rows.count()},
                  1,
                  rows,
                  unit,
                  1,
                  sums.slice(first, rows.count() / kept),
                  unit));
      double beta = 0;
      if (exact != null) {
        exact.apply(adjoint, in, out);
        beta = 1;
      }
      TensorMath.strided(new long[] {sums.count()}, 1.0 / probes, sums, unit, beta, out, unit);
    }
  }

  @Override
  public void close() {
    if (leading != null) {
      leading.close();
      exact.close();
    }
  }

  @Override
  public String toString() {
    return "tr~" + axes + "(" + part + ")";
  }
}
