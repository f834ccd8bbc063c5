package org.kpflow.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.GraphModels;
import org.kpflow.ModelSample;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Estimate;
import org.kpflow.base.Progress;
import org.kpflow.estimate.Budget;
import org.kpflow.estimate.DiagonalEstimator;
import org.kpflow.estimate.MatrixEstimate;
import org.kpflow.estimate.NormEstimator;
import org.kpflow.estimate.PartialTraceEstimator;
import org.kpflow.estimate.RankEstimator;
import org.kpflow.estimate.SampledPartialTrace;
import org.kpflow.estimate.TensorEstimate;
import org.kpflow.estimate.TraceEstimator;
import org.kpflow.flow.KernelSpectrum;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.flow.StateRestriction;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.BlockKrylov;
import org.kpflow.spectral.BlockKrylovOptions;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.Eigsh;
import org.kpflow.spectral.LanczosOptions;
import org.kpflow.spectral.SingularTriplets;
import org.kpflow.spectral.SpectralDensity;
import org.kpflow.spectral.SubspaceIteration;
import org.kpflow.spectral.SubspaceOptions;
import org.kpflow.spectral.Svds;
import org.kpflow.spectral.View;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** Eigensolvers, views and estimators of an NTK on the GPU against the CPU's, same seeds. */
class CudaSpectralTest extends OnCuda {
  private static final int MODES = 3;
  private static final double CLOSE = 1e-8;

  private ModelSample<?> sample;
  private Linearization cpu;
  private Linearization cuda;

  @BeforeEach
  void linearize() {
    sample = Kind.GRU.sample(DType.F64, new Sizes(3, 5, 2, 7), 2);
    cpu = sample.linearize();
    cuda = sample.linearize(context);
  }

  @AfterEach
  void close() {
    if (sample != null) {
      sample.close();
    }
  }

  private void eigenvalues(Function<LinearOperator, EigenPairs> solver) {
    LinearOperator ntk = new NeuralTangentKernel(cuda);
    try (EigenPairs expected = solver.apply(new NeuralTangentKernel(cpu));
        EigenPairs found = solver.apply(ntk)) {
      double largest = expected.values()[0];
      for (int i = 0; i < expected.values().length; i++) {
        assertEquals(expected.values()[i], found.values()[i], CLOSE * largest);
        assertEquals(expected.residuals()[i], found.residuals()[i], 1e-6 * largest);
      }
      assertEquals(Device.CUDA, found.vectors().device());
      try (Tensor products = ntk.matmat(found.vectors());
          Tensor vectors = found.vectors().to(Device.CPU);
          Tensor images = products.to(Device.CPU)) {
        double[] v = vectors.slice(0).toDoubles();
        double[] image = images.slice(0).toDoubles();
        for (int i = 0; i < v.length; i++) {
          assertEquals(found.values()[0] * v[i], image[i], found.residuals()[0] + CLOSE * largest);
        }
      }
    }
  }

  @Test
  void eigenpairsBySingleVectors() {
    eigenvalues(ntk -> Eigsh.solve(ntk, LanczosOptions.largest(MODES)));
    eigenvalues(
        ntk -> {
          try (Tensor start = Tensor.of(ntk.domain(), ones(ntk.domain().count()))) {
            return Eigsh.solve(ntk, LanczosOptions.largest(MODES).start(start));
          }
        });
  }

  /** Products by an up-call to Java, which takes and gives tensors of the GPU. */
  @Test
  void eigenpairsOfAFunction() {
    eigenvalues(
        ntk ->
            Eigsh.solve(
                FunctionOperator.selfAdjoint(
                    ntk.context(), ntk.domain(), ntk.dtype(), (in, out) -> apply(ntk, in, out)),
                LanczosOptions.largest(MODES)));
  }

  private static void apply(LinearOperator operator, Tensor in, Tensor out) {
    assertEquals(operator.device(), in.device());
    operator.matmat(in, out);
  }

  @Test
  void eigenpairsByBlocks() {
    eigenvalues(ntk -> BlockKrylov.solve(ntk, BlockKrylovOptions.largest(MODES)));
    eigenvalues(ntk -> SubspaceIteration.solve(ntk, SubspaceOptions.largest(MODES)));
  }

  private static double[] ones(long count) {
    double[] values = new double[(int) count];
    java.util.Arrays.fill(values, 1);
    return values;
  }

  @Test
  void singularTripletsAndDensity() {
    PropagationOperator p = new PropagationOperator(cpu);
    PropagationOperator there = new PropagationOperator(cuda);
    BlockKrylovOptions options = BlockKrylovOptions.largest(MODES);
    try (SingularTriplets expected = Svds.largest(p, options);
        SingularTriplets found = Svds.largest(there, options);
        SingularTriplets smallest = Svds.smallest(p, p.inverse(), options);
        SingularTriplets smallestThere = Svds.smallest(there, there.inverse(), options)) {
      for (int i = 0; i < MODES; i++) {
        Cuda.assertClose("σ", expected.values()[i], found.values()[i], CLOSE);
        Cuda.assertClose("σ", smallest.values()[i], smallestThere.values()[i], CLOSE);
      }
      assertEquals(Device.CUDA, found.left().device());
    }
    SpectralDensity expected =
        SpectralDensity.of(new NeuralTangentKernel(cpu), 4, 10, RngState.of(3));
    SpectralDensity found =
        SpectralDensity.of(new NeuralTangentKernel(cuda), 4, 10, RngState.of(3));
    same("tr A²", expected.trace(x -> x * x), found.trace(x -> x * x), 1e-6);
  }

  @Test
  void theWholeSpectrum() {
    try (KernelSpectrum expected =
            KernelSpectrum.of(StateRestriction.whole(cpu), MODES, Progress.NONE);
        KernelSpectrum found =
            KernelSpectrum.of(StateRestriction.whole(cuda), MODES, Progress.NONE)) {
      assertEquals(expected.values().length, found.values().length);
      for (int i = 0; i < expected.values().length; i++) {
        assertEquals(expected.values()[i], found.values()[i], CLOSE * expected.values()[0]);
      }
      assertEquals(Device.CUDA, found.vectors().device());
    }
  }

  @ParameterizedTest
  @EnumSource(LinearizationViews.Method.class)
  void viewsByEveryMethod(LinearizationViews.Method method) {
    compareViews(cpu, cuda, method);
    try (ModelSample<?> graph =
        new GraphModels.Sample(GraphModels.Kind.ATTENTION, DType.F64, GraphModels.Sizes.SMALL, 4)) {
      compareViews(graph.linearize(), graph.linearize(context), method);
    }
  }

  private static void compareViews(
      Linearization cpu, Linearization cuda, LinearizationViews.Method method) {
    LinearizationViews.Options options =
        new LinearizationViews.Options(List.of(View.values()), method, 0, 64, RngState.of(5));
    try (LinearizationViews expected =
            LinearizationViews.ofTangentKernel(cpu, options, Progress.NONE);
        LinearizationViews found =
            LinearizationViews.ofTangentKernel(cuda, options, Progress.NONE);
        LinearizationViews propagation =
            LinearizationViews.ofPropagation(cpu, options, Progress.NONE);
        LinearizationViews propagationThere =
            LinearizationViews.ofPropagation(cuda, options, Progress.NONE)) {
      assertEquals(expected.method(), found.method());
      for (View view : View.values()) {
        assertEquals(Device.CUDA, found.matrix(view).device());
        double allowed = method == LinearizationViews.Method.BASIS ? 1e-11 : 1e-6; // modes are cut
        double error = Cuda.difference(expected.matrix(view), found.matrix(view));
        assertTrue(error <= allowed, view + " of the NTK: " + error);
        Cuda.assertSame(view + " of P P*", propagation.matrix(view), propagationThere.matrix(view));
        assertEquals(
            expected.relativeError(view),
            found.relativeError(view),
            1e-4 * expected.relativeError(view) + 1e-8); // the rest may be rounding
      }
    }
  }

  private void estimates(String what, Function<LinearOperator, Estimate> estimator) {
    same(
        what,
        estimator.apply(new NeuralTangentKernel(cpu)),
        estimator.apply(new NeuralTangentKernel(cuda)),
        CLOSE);
  }

  private static void same(String what, Estimate expected, Estimate found, double tolerance) {
    Cuda.assertClose(what, expected.value(), found.value(), tolerance);
    double error = expected.standardError();
    assertEquals(error, found.standardError(), tolerance * (error + Math.abs(expected.value())));
  }

  @Test
  void estimatorsOfNumbers() {
    RngState rng = RngState.of(7);
    estimates("tr", ntk -> TraceEstimator.hutchinson(ntk, 12, rng));
    estimates("tr, Hutch++", ntk -> TraceEstimator.hutchPlusPlus(ntk, 24, rng));
    estimates("tr, XTrace", ntk -> TraceEstimator.xTrace(ntk, 24, rng));
    estimates("tr, XNysTrace", ntk -> TraceEstimator.xNysTrace(ntk, 12, rng));
    estimates("norm", ntk -> NormEstimator.frobenius(ntk, 12, rng));
    estimates("ratio", ntk -> RankEstimator.participationRatio(ntk, 12, rng));
  }

  @Test
  void estimatorsOfArrays() {
    Budget budget = Budget.of(120);
    RngState rng = RngState.of(9);
    for (int deflation : new int[] {0, 4}) {
      arrays(
          ntk -> {
            try (TensorEstimate found = DiagonalEstimator.diagonal(ntk, deflation, budget, rng)) {
              return found.value().to(Device.CPU);
            }
          });
      arrays(
          ntk -> {
            try (MatrixEstimate found =
                PartialTraceEstimator.matrix(ntk, new int[] {1, 2}, deflation, budget, rng)) {
              return found.value().to(Device.CPU);
            }
          });
      arrays(
          ntk -> {
            try (SampledPartialTrace trace =
                    PartialTraceEstimator.operator(ntk, new int[] {2}, deflation, 3, rng);
                Tensor x = Tensor.of(trace.domain(), ones(trace.domain().count()));
                Tensor there = trace.context().copyOf(x);
                Tensor image = trace.matvec(there)) {
              return image.to(Device.CPU);
            }
          });
    }
  }

  private void arrays(Function<LinearOperator, Tensor> estimator) {
    try (Tensor expected = estimator.apply(new NeuralTangentKernel(cpu));
        Tensor found = estimator.apply(new NeuralTangentKernel(cuda))) {
      double error = Cuda.difference(expected, found);
      assertTrue(error <= CLOSE, "difference " + error);
    }
  }
}
