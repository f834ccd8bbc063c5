package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.GraphModels.Kind;
import org.kpflow.GraphModels.Sample;
import org.kpflow.GraphModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.linearize.Linearization;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The modes of K, the factor, the views and the spectrum of feed-forward models. */
class GraphKernelTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final List<View> ALL = List.of(View.values());

  private static double difference(Tensor a, Tensor b) {
    try (Tensor difference = a.copy()) {
      TensorMath.axpby(CONTEXT, -1, b, 1, difference);
      return TensorMath.norm(CONTEXT, difference) / TensorMath.norm(CONTEXT, b);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theModesAreTheEigenpairsOfKAndTheirColumnsGiveTheTangentKernel(Kind kind) {
    modes(kind);
  }

  /** A layer norm's γ and β are different sides of one block of K, each of which may be frozen. */
  @ParameterizedTest
  @ValueSource(strings = {"norm1_weight_l0", "norm1_bias_l0"})
  void theModesAreThoseOfThePartOfALayerNormThatIsTrained(String frozen) {
    modes(Kind.TRANSFORMER, frozen);
  }

  private static void modes(Kind kind, String... frozen) {
    long before = Tensor.liveCount();
    try (Sample sample = new Sample(kind, DType.F64, Sizes.SMALL, 1, frozen)) {
      Linearization linearization = sample.linearize();
      double[] truth =
          DenseEigen.values(sample.keep(new ParameterOperator(linearization).toDense()));
      ParameterModes modes = sample.keep(ParameterModes.of(linearization, 1e-14));
      for (int i = 0; i < truth.length; i++) {
        double value = i < modes.count() ? modes.value(i) : 0;
        assertEquals(truth[i], value, 1e-11 * truth[0], kind + ", mode " + i);
      }
      KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes, 1));
      NeuralTangentKernel ntk = new NeuralTangentKernel(linearization);
      Tensor columns =
          sample.keep(Tensor.zeros(DType.F64, linearization.stateShape().block(factor.count())));
      factor.fill(0, columns);
      long size = linearization.stateShape().count();
      Tensor flat = columns.reshape(org.kpflow.base.Shape.of(factor.count(), size));
      Tensor product = sample.keep(Tensor.zeros(DType.F64, size, size));
      TensorMath.gemm(CONTEXT, true, false, 1, flat, flat, 0, product);
      assertTrue(difference(product, sample.keep(ntk.toDense())) < 1e-10, kind.toString());
    }
    assertEquals(before, Tensor.liveCount(), "leaks");
  }

  private static LinearizationViews views(
      Sample sample,
      Linearization linearization,
      LinearizationViews.Method method,
      double tolerance) {
    LinearizationViews.Options options =
        new LinearizationViews.Options(ALL, method, tolerance, 0, RngState.of(7));
    return sample.keep(LinearizationViews.ofTangentKernel(linearization, options, Progress.NONE));
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"CAUSAL_ATTENTION", "MLP_GELU", "TRANSFORMER"})
  void allMethodsGiveTheSameViews(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, new Sizes(3, 4, 3, 4, 2, 2), 2)) {
      Linearization linearization = sample.linearize();
      LinearizationViews basis = views(sample, linearization, LinearizationViews.Method.BASIS, 0);
      LinearizationViews factor =
          views(sample, linearization, LinearizationViews.Method.FACTOR, 1e-10);
      LinearizationViews hybrid =
          views(sample, linearization, LinearizationViews.Method.HYBRID, 0.01);
      LinearizationViews sampled =
          views(sample, linearization, LinearizationViews.Method.SAMPLED, 0.05);
      for (View view : ALL) {
        assertTrue(difference(factor.matrix(view), basis.matrix(view)) < 1e-9, kind + ", " + view);
        assertTrue(difference(hybrid.matrix(view), basis.matrix(view)) < 0.04, kind + ", " + view);
        assertTrue(difference(sampled.matrix(view), basis.matrix(view)) < 0.2, kind + ", " + view);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theSpectrumIsThatOfTheDenseTangentKernel(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, Sizes.SMALL, 3)) {
      Linearization linearization = sample.linearize();
      NeuralTangentKernel ntk = new NeuralTangentKernel(linearization);
      double[] truth = DenseEigen.values(sample.keep(ntk.toDense()));
      KernelSpectrum found = sample.keep(KernelSpectrum.of(linearization, 3, Progress.NONE));
      for (int i = 0; i < truth.length; i++) {
        double value = i < found.values().length ? found.values()[i] : 0;
        assertEquals(truth[i], value, 1e-10 * truth[0], kind + ", eigenvalue " + i);
      }
    }
  }
}
