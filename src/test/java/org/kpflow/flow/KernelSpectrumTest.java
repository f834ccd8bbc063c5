package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.IdentityOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.ColumnGram;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** All eigenvalues of the NTK against those of its dense matrix, through each of the spaces. */
class KernelSpectrumTest {
  private static final Sizes FEW_SITES = new Sizes(2, 2, 3, 7);
  private static final Sizes FEW_WEIGHTS = new Sizes(5, 9, 1, 2);

  private static void check(String through, Kind kind, DType dtype, Sizes sizes) {
    try (Sample sample = new Sample(kind, dtype, sizes, 1)) {
      Linearization linearization = sample.linearize();
      NeuralTangentKernel ntk = new NeuralTangentKernel(linearization);
      double[] truth = DenseEigen.values(sample.keep(sample.keep(ntk.toDense()).to(DType.F64)));
      KernelSpectrum found =
          sample.keep(
              through.equals("weights")
                  ? KernelSpectrum.ofWeights(
                      StateRestriction.whole(linearization), 5, Progress.NONE)
                  : KernelSpectrum.of(linearization, 5, Progress.NONE));
      assertTrue(found.dimension() <= Math.min(truth.length, linearization.parameterCount()));
      assertEquals(through, found.through(), kind.toString());
      double allowed = 20 * dtype.epsilon() * truth.length * truth[0];
      for (int i = 0; i < truth.length; i++) {
        double value = i < found.values().length ? found.values()[i] : 0;
        assertEquals(truth[i], value, allowed, kind + ", eigenvalue " + i);
      }
      Tensor vectors = found.vectors();
      assertEquals(5, vectors.shape().size(0));
      Tensor products = sample.keep(ntk.matmat(vectors));
      for (int i = 0; i < 5; i++) {
        Tensor residual = products.slice(i);
        TensorMath.axpby(ntk.context(), -found.values()[i], vectors.slice(i), 1, residual);
        assertTrue(TensorMath.norm(ntk.context(), residual) < 50 * allowed, kind + ", vector " + i);
        assertEquals(1, TensorMath.norm(ntk.context(), vectors.slice(i)), 1e-5);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void throughTheFactor(Kind kind) {
    check("factor", kind, DType.F64, FEW_SITES);
    check("factor", kind, DType.F32, FEW_SITES);
    check("factor", kind, DType.F64, FEW_WEIGHTS);
  }

  @Test
  void throughTheWeights() {
    check("weights", Kind.RNN_TANH, DType.F64, FEW_WEIGHTS);
  }

  @Test
  void tooManyColumnsAreRefusedWithTheNumbers() {
    LinearOperator owner =
        new IdentityOperator(ExecutionContext.shared(), Shape.state(1, 1, 1), DType.F64);
    ReducedViews.Columns many =
        new ReducedViews.Columns() {
          @Override
          public LinearOperator owner() {
            return owner;
          }

          @Override
          public long count() {
            return ColumnGram.MOST_COLUMNS + 1;
          }

          @Override
          public void fill(long first, Tensor out) {}

          @Override
          public double restNorm(long leading) {
            return 0;
          }

          @Override
          public double restTrace(long leading) {
            return 0;
          }
        };
    MemoryException refused =
        assertThrows(MemoryException.class, () -> ColumnGram.of(many, Progress.NONE));
    assertTrue(refused.getMessage().contains("16001"), refused.getMessage());
  }
}
