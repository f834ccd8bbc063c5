package org.kpflow.analysis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.GraphModels;
import org.kpflow.ModelKind;
import org.kpflow.ModelSample;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Rnn;
import org.kpflow.report.Phase;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** The report on P against dense matrices, and the warm start of its neighbour. */
class PropagationAnalysisTest {
  @Test
  void singularValuesAndTransitionsAreThoseOfTheDenseP() {
    long before = Tensor.liveCount();
    try (Sample sample = new Sample(Kind.GRU, DType.F64, new Sizes(3, 9, 2, 12), 1)) {
      AnalysisRequest request =
          AnalysisRequest.of(ExecutionContext.shared(), sample.model, sample.inputs);
      try (AnalysisResult result = Analysis.run(request, Progress.NONE);
          Linearization fromZero = Linearization.of(sample.model, sample.inputs);
          Tensor dense = new PropagationOperator(fromZero).toDense()) {
        PropagationReport found = result.report().propagation();
        double[] singular =
            DenseEigen.singularValues(dense.reshape(Shape.of(3 * 9 * 12, 3 * 9 * 12)));
        double least = singular[singular.length - 1];
        within(singular[0], found.largest());
        within(least, found.smallest());
        assertEquals(singular[0] / least, found.conditionNumber(), found.conditionNumberError());
        PropagationReport.Transitions middle = found.transitions().get(1);
        assertEquals(3, middle.source());
        int last = middle.lags().length - 1;
        try (Tensor phi = fromZero.stateTransition(3 + middle.lags()[last], 3)) {
          double mean = 0;
          for (long b = 0; b < 3; b++) {
            mean += DenseEigen.singularValues(phi.slice(b))[0] / 3;
          }
          assertEquals(mean, middle.mean()[last], 1e-5 * mean);
        }
        assertEquals(12, found.lyapunov().mean().length); // at most n
        assertEquals(
            found.lyapunov().mean()[0],
            java.util.Arrays.stream(fromZero.lyapunov().exponents())
                .mapToDouble(trial -> java.util.Arrays.stream(trial).max().getAsDouble())
                .average()
                .getAsDouble(),
            1e-9);
        assertEquals(Shape.of(3, 12), result.arrays().get("lyapunov").shape());
        assertEquals(3, result.arrays().get("transition_sources").count());
      }
    }
    assertEquals(before, Tensor.liveCount());
  }

  /** Of every model; one that does not step through time has singular values alone. */
  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void singularValuesOfEveryModelAreThoseOfTheDenseP(ModelKind kind, @TempDir Path directory)
      throws IOException {
    for (Sizes sizes : List.of(new Sizes(2, 4, 2, 4), new Sizes(2, 1, 2, 4))) {
      try (ModelSample<?> sample = kind.sample(DType.F64, sizes, 3)) {
        AnalysisRequest request =
            AnalysisRequest.of(ExecutionContext.shared(), sample.model, sample.inputs);
        try (AnalysisResult result = Analysis.run(request, Progress.NONE);
            Linearization fromZero = Linearization.of(sample.model, sample.inputs);
            Tensor dense = new PropagationOperator(fromZero).toDense()) {
          PropagationReport found = result.report().propagation();
          long size = fromZero.stateShape().count();
          double[] singular = DenseEigen.singularValues(dense.reshape(Shape.of(size, size)));
          within(singular[0], found.largest());
          within(singular[singular.length - 1], found.smallest());
          boolean steps = kind instanceof Kind;
          assertEquals(steps, found.stepsThroughTime());
          assertEquals(steps, found.lyapunov() != null);
          assertEquals(steps, result.arrays().contains("transition_norms"));
          if (kind == Kind.GRU || kind == GraphModels.Kind.ATTENTION) {
            List<Phase> phases = List.of(new Phase("all", 0));
            Path page = new AnalysisWriter(result, phases, Map.of()).write(directory);
            assertEquals(!steps, Files.readString(page).contains("does not step through time"));
          }
        }
      }
    }
  }

  private static void within(double expected, SingularValue found) {
    assertTrue(found.errorBound() < 0.05 * expected, found.toString());
    assertEquals(expected, found.value(), found.errorBound() + 1e-12);
  }

  @Test
  void exponentsAtMinusInfinityAreSaidAndNoneAreComputedWhenNotAskedFor() {
    try (Tensor hidden = Tensor.of(Shape.of(2, 2), 0.5, 0, 0, 0);
        Tensor input = Tensor.of(Shape.of(2, 1), 1, 1);
        Tensor x = Tensor.of(Shape.of(1, 4, 1), 1, 0, 0, 0);
        Rnn model =
            new Rnn(
                Map.of("weight_hh_l0", hidden, "weight_ih_l0", input),
                Activation.LINEAR,
                ModelOptions.of(DType.F64))) {
      AnalysisRequest request = AnalysisRequest.of(ExecutionContext.shared(), model, x);
      try (AnalysisResult result = Analysis.run(request, Progress.NONE)) {
        assertEquals(1, result.report().propagation().lyapunov().minusInfinities());
        assertTrue(
            result.report().warnings().stream().anyMatch(line -> line.contains("are -infinity")),
            result.report().warnings().toString());
      }
      DiagnosisOptions none = new DiagnosisOptions(0, Objectives.outputs(), null, false);
      try (AnalysisResult result = Analysis.run(request, none, Progress.NONE)) {
        assertNull(result.report().propagation().lyapunov());
        assertNull(result.eigenvectors());
      }
    }
  }

  @Test
  void aStartFromTheLastEigenvectorsTakesFewerProductsToTheSameEigenvalues() {
    long before = Tensor.liveCount();
    // Many inputs: a slowly falling spectrum, on which Lanczos has to restart.
    try (Sample sample = new Sample(Kind.GRU, DType.F64, new Sizes(6, 20, 40, 12), 2)) {
      AnalysisRequest request =
          AnalysisRequest.of(ExecutionContext.shared(), sample.model, sample.inputs)
              .views(List.of(View.TEMP))
              .modes(4)
              .method(LinearizationViews.Method.SAMPLED)
              .samples(8)
              .rng(RngState.of(0));
      DiagnosisOptions keeping = new DiagnosisOptions(1, Objectives.outputs(), null, true);
      try (AnalysisResult cold = Analysis.run(request, keeping, Progress.NONE);
          AnalysisResult warm =
              Analysis.run(
                  request,
                  new DiagnosisOptions(1, Objectives.outputs(), cold.eigenvectors(), false),
                  Progress.NONE)) {
        OperatorReport first = cold.report().operator("NTK");
        OperatorReport second = warm.report().operator("NTK");
        assertTrue(
            second.matvecs() < first.matvecs(), second.matvecs() + " and " + first.matvecs());
        for (int i = 0; i < first.eigenvalues().length; i++) {
          assertEquals(
              first.eigenvalues()[i], second.eigenvalues()[i], 1e-5 * first.eigenvalues()[0]);
        }
      }
    }
    assertEquals(before, Tensor.liveCount());
  }
}
