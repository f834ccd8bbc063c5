package org.kpflow.spectral;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.MemoryException;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.flow.CorePropagator;
import org.kpflow.flow.KernelFactor;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterJacobian;
import org.kpflow.flow.ParameterModes;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.IdentityOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

class SpectralMisuseTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final RngState RNG = RngState.of(1);
  private static final List<View> SPACE = List.of(View.SPACE);

  private Sample sample;
  private Linearization linearization;
  private LinearOperator ntk;
  private long live;

  @BeforeEach
  void sampleAGru() {
    CONTEXT.threads();
    live = Tensor.liveCount();
    sample = new Sample(Kind.GRU, DType.F64, Sizes.SMALL, 1); // 60 entries of the state
    linearization = sample.linearize();
    ntk = new NeuralTangentKernel(linearization);
  }

  @AfterEach
  void nothingLeaksFromARefusal() {
    sample.close();
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  private Tensor zeros(long... sizes) {
    return sample.keep(Tensor.zeros(DType.F64, sizes));
  }

  @Test
  void optionsOutsideTheirRangesAreRefused() {
    LanczosOptions options = LanczosOptions.largest(2);
    refused(() -> LanczosOptions.largest(0), "modes", "0");
    refused(() -> LanczosOptions.largest(-3), "modes", "-3");
    refused(() -> options.basis(-1), "basis", "-1");
    refused(() -> options.tolerance(-1e-9), "tolerance");
    refused(() -> options.tolerance(1), "tolerance");
    refused(() -> options.tolerance(Double.NaN), "tolerance", "NaN");
    refused(() -> options.maxIterations(0), "maxIterations", "0");
    refused(() -> options.which(null), "which", "null");
    refused(() -> new LanczosOptions(1, LanczosOptions.Which.LA, 0, 0, 1, null, null), "rng");
  }

  @Test
  void whatDoesNotFitTheOperatorIsRefused() {
    LanczosOptions options = LanczosOptions.largest(2);
    refused(() -> Eigsh.solve(null, options), "operator", "null");
    refused(() -> Eigsh.solve(ntk, null), "options", "null");
    refused(() -> Eigsh.solve(ntk, LanczosOptions.largest(61)), "modes", "60", "61");
    refused(() -> Eigsh.solve(ntk, options.basis(2)), "basis", "3 to 60", "got 2");
    refused(() -> Eigsh.solve(ntk, options.basis(61)), "basis", "3 to 60", "got 61");
    refused(() -> Eigsh.solve(ntk, options.start(zeros(60))), "start", "B=3", "[60]");
    refused(() -> Eigsh.solve(ntk, options.start(zeros(3, 4, 5))), "start", "zero");
    Tensor gone = zeros(3, 4, 5);
    gone.close();
    closed(() -> Eigsh.solve(ntk, options.start(gone)));
  }

  /** Overflow in the operator ends the iteration with a word about it, not in a loop. */
  @Test
  void anOperatorThatIsNotFiniteIsReported() {
    LinearOperator bad =
        FunctionOperator.selfAdjoint(
            CONTEXT,
            Shape.of(50),
            DType.F64,
            (in, out) -> {
              double[] values = in.toDoubles();
              values[0] = Double.NaN;
              out.copyFrom(values);
            });
    refused(NumericalException.class, () -> Eigsh.solve(bad, LanczosOptions.largest(2)), "eigsh");
  }

  @Test
  void denseMatricesAreChecked() {
    Tensor narrow = sample.keep(Tensor.zeros(DType.F32, 2, 2));
    refused(() -> DenseEigen.of(zeros(2, 3)), "matrix", "square", "[2, 3]");
    refused(() -> DenseEigen.values(zeros(4)), "matrix", "square", "[4]");
    refused(() -> DenseEigen.values(narrow), "matrix", "f64", "f32");
    refused(() -> DenseEigen.singularValues(narrow), "matrix", "f64", "f32");
    refused(() -> DenseEigen.singularValues(zeros(4)), "matrix", "[4]");
    refused(() -> DenseEigen.of(null), "matrix", "null");
    refused(() -> DenseEigen.values(null), "matrix", "null");
    refused(() -> DenseEigen.singularValues(null), "matrix", "null");
    Tensor lower = zeros(2, 2).copyFrom(new double[] {1.0, 5.0, 0.0, 1.0});
    Tensor nan = zeros(3, 3);
    nan.set(Double.NaN, 1, 1);
    refused(NumericalException.class, () -> DenseEigen.of(nan), "element 4 of 9", "finite");
    refused(NumericalException.class, () -> DenseEigen.values(nan), "element 4 of 9", "finite");
    refused(NumericalException.class, () -> DenseEigen.singularValues(nan), "finite");
    assertArrayEquals(
        new double[] {1, 1}, DenseEigen.values(lower), 1e-15, "the lower triangle is read");
    assertEquals(0, DenseEigen.values(zeros(0, 0)).length);
  }

  @Test
  void reducedViewsAreChecked() {
    LinearOperator flat = new IdentityOperator(CONTEXT, Shape.of(60), DType.F64);
    LinearOperator core = new CorePropagator(linearization, "weight_hh_l0");
    LinearOperator j = new ParameterJacobian(linearization);
    refused(() -> ReducedViews.ofOperator(flat, SPACE, done -> {}), "[B, T, n]", "[60]");
    refused(() -> ReducedViews.ofOperator(core, SPACE, done -> {}), "[B, T, n]");
    refused(() -> ReducedViews.ofOperator(null, SPACE, done -> {}), "operator", "null");
    refused(() -> ReducedViews.ofOperator(ntk, null, done -> {}), "views", "null");
    refused(() -> ReducedViews.ofOperator(ntk, SPACE, null), "progress", "null");
    refused(() -> ReducedViews.ofTrialwiseFactor(j, SPACE, done -> {}), "factor J", "domain");
    refused(() -> ReducedViews.ofTrialwiseFactor(null, SPACE, done -> {}), "factor", "null");
    refused(() -> ReducedViews.ofTrialwiseFactor(ntk, SPACE, null), "progress", "null");
    refused(() -> ReducedViews.ofColumns(null, SPACE, 0, done -> {}), "columns", "null");
    ParameterModes modes = sample.keep(ParameterModes.of(linearization, 0.1));
    KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes, 1));
    refused(() -> ReducedViews.ofColumns(factor, SPACE, -1, done -> {}), "tolerance", "-1");
    long more = factor.count() + 1;
    refused(() -> ReducedViews.ofLeadingColumns(factor, SPACE, more, done -> {}), "" + more);
    refused(() -> ReducedViews.ofColumns(factor, SPACE, 0, null), "progress", "null");
    ReducedViews views = ReducedViews.ofOperator(ntk, SPACE, done -> {});
    refused(() -> views.matrix(View.TEMP), "view", "[space]", "temp");
    refused(() -> views.matrix(null), "view", "null");
    views.close();
    closed(() -> views.matrix(View.SPACE).toDoubles());
    refused(() -> View.of("spatial"), "view", "temp, space", "'spatial'");
  }

  @Test
  void aViewThatIsTooLargeIsRefusedWithItsSize() {
    LinearOperator huge = new IdentityOperator(CONTEXT, Shape.state(400, 400, 2), DType.F64);
    refused(
        MemoryException.class,
        () -> ReducedViews.ofOperator(huge, List.of(View.BATCH, View.TEMP), done -> {}),
        "view temp",
        "160000 x 160000",
        "partialAverage");
  }

  @Test
  void sampledViewsAreChecked() {
    LinearOperator j = new ParameterJacobian(linearization);
    LinearOperator flat = new IdentityOperator(CONTEXT, Shape.of(60), DType.F64);
    refused(() -> SampledViews.of(j, SPACE, 3, RNG, done -> {}), "samples", "at least 4", "3");
    refused(() -> SampledViews.of(j, SPACE, -1, RNG, done -> {}), "samples", "-1");
    refused(() -> SampledViews.of(flat, SPACE, 8, RNG, done -> {}), "[B, T, n]", "[60]");
    refused(() -> SampledViews.of(null, SPACE, 8, RNG, done -> {}), "factor", "null");
    refused(() -> SampledViews.of(j, null, 8, RNG, done -> {}), "views", "null");
    refused(() -> SampledViews.of(j, SPACE, 8, null, done -> {}), "rng", "null");
    refused(() -> SampledViews.of(j, SPACE, 8, RNG, null), "progress", "null");
    Tensor wrong = zeros(4, 4);
    SampledViews views = SampledViews.of(j, SPACE, 8, RNG, done -> {});
    try (views) {
      refused(() -> views.matrix(View.TEMP), "view", "[space]", "temp");
      refused(() -> views.trace(View.TEMP), "view", "[space]", "temp");
      refused(() -> views.squaredNorm(View.TEMP), "view", "[space]", "temp");
      refused(() -> views.participationRatio(View.TEMP), "view", "[space]", "temp");
      refused(() -> views.relativeError(View.TEMP), "view", "[space]", "temp");
      refused(() -> views.inner(View.SPACE, wrong), "[5, 5]", "[4, 4]");
      refused(() -> views.inner(View.SPACE, null), "other", "null");
      refused(() -> views.cosine(View.SPACE, wrong), "[5, 5]", "[4, 4]");
      refused(() -> views.half(View.SPACE, 2), "parity", "0 to 1", "2");
    }
    closed(() -> views.inner(View.SPACE, zeros(5, 5)));
  }

  @Test
  void aMatrixThatIsClosedUnderAnOperatorEndsTheSolution() {
    Tensor matrix = Tensor.zeros(DType.F64, 50, 50);
    LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
    matrix.close();
    closed(() -> Eigsh.solve(operator, LanczosOptions.largest(2)));
    closed(() -> Eigsh.solve(operator, LanczosOptions.largest(50)));
  }
}
