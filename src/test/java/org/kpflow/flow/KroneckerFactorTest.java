package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** NTK = L L* with the columns of the compressed Kronecker core. */
class KroneckerFactorTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  /** Fewer rows than sites, so that the sites are of low rank. */
  private static final Sizes SIZES = new Sizes(2, 2, 3, 7);

  /** L Lᵀ [N, N] of a factor, filled in blocks of 7 columns that cross the parts. */
  private static LinearOperator gram(Sample sample, KroneckerFactor factor, Shape state) {
    Tensor columns = sample.keep(Tensor.zeros(DType.F64, state.block(factor.count())));
    for (long first = 0; first < factor.count(); first += 7) {
      factor.fill(first, columns.slice(first, Math.min(7, factor.count() - first)));
    }
    Tensor flat = columns.reshape(Shape.of(factor.count(), state.count()));
    Tensor gram = sample.keep(Tensor.zeros(DType.F64, state.count(), state.count()));
    TensorMath.gemm(CONTEXT, true, false, 1, flat, flat, 0, gram);
    return MatrixOperator.symmetric(CONTEXT, state, gram);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void itsColumnsGiveTheTangentKernel(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 1)) {
      Linearization linearization = sample.linearize();
      KroneckerFactor factor = sample.keep(new KroneckerFactor(linearization, 0));
      double difference =
          new NeuralTangentKernel(linearization)
              .compare(gram(sample, factor, linearization.stateShape()));
      assertTrue(difference < 1e-10, () -> kind + ": " + difference);
      assertTrue(factor.count() < linearization.parameterCount(), "as many columns as parameters");
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void whatACoarseThresholdLeavesOutIsWithinItsBound(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 2)) {
      Linearization linearization = sample.linearize();
      KroneckerFactor factor = sample.keep(new KroneckerFactor(linearization, 0.3));
      LinearOperator ntk = new NeuralTangentKernel(linearization);
      LinearOperator error = ntk.minus(gram(sample, factor, ntk.domain()));
      LinearOperator hidden = new CorePropagator(linearization, "weight_hh_l0");
      LinearOperator input = new CorePropagator(linearization, "weight_ih_l0");
      double core = largest(sample, hidden.outerGram().plus(input.outerGram())); // ||P_core||²
      double bound = core * factor.truncatedSquare();
      double norm = largest(sample, error);
      assertTrue(norm > 1e-3 * bound, () -> kind + ": nothing was left out");
      assertTrue(norm <= bound, () -> kind + ": " + norm + " above " + bound);
    }
  }

  private static double largest(Sample sample, LinearOperator semidefinite) {
    Tensor dense = sample.keep(semidefinite.toDense());
    long n = dense.shape().size(0);
    assertEquals(n, dense.shape().size(1));
    return DenseEigen.values(dense)[0];
  }
}
