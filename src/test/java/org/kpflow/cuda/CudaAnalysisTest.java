package org.kpflow.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kpflow.analysis.Analysis;
import org.kpflow.analysis.AnalysisRequest;
import org.kpflow.analysis.AnalysisResult;
import org.kpflow.analysis.DiagnosisOptions;
import org.kpflow.analysis.Objectives;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.cases.CaseDirectory;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.StateSelection;
import org.kpflow.model.Model;
import org.kpflow.model.Readout;
import org.kpflow.report.JsonWriter;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** A whole analysis on the GPU gives the report of the CPU, and arrays on the CPU. */
class CudaAnalysisTest {
  private static final Path FIXTURES = Path.of("src", "test", "resources", "fixtures");
  private static final Set<String> UNLIKE =
      Set.of(
          "seconds",
          "threads",
          "matvecs",
          "residuals",
          "conditionNumber", // within its error
          "conditionNumberError");
  private static final double RELATIVE = 1e-5;
  private static final double ROUNDING = 1e-9;

  @ParameterizedTest
  @CsvSource({
    "gru_bias_h0, AUTO, ''",
    "gru_nobias, SAMPLED, ''",
    "lstm_bias_s0, HYBRID, '1:'",
    "attn_2head_causal, FACTOR, ''"
  })
  void theReportIsThatOfTheCpu(String name, LinearizationViews.Method method, String steps)
      throws IOException {
    ExecutionContext cuda = Cuda.context();
    long before = Tensor.liveCount();
    try (AnalysisResult expected = run(ExecutionContext.shared(), name, method, steps);
        AnalysisResult found = run(cuda, name, method, steps)) {
      compare("report", json(expected), json(found));
      assertEquals(expected.arrays().names(), found.arrays().names());
      for (Tensor array : found.arrays().asMap().values()) {
        assertEquals(Device.CPU, array.device());
      }
      for (String array : List.of("err", "adj", "dh", "ntk_eigenvalues", "lyapunov")) {
        if (expected.arrays().contains(array)) {
          double error = Cuda.difference(expected.arrays().get(array), found.arrays().get(array));
          assertTrue(error < 1e-8, array + ": " + error);
        }
      }
      assertEquals(Device.CPU, found.eigenvectors().device());
    }
    assertEquals(before, Tensor.liveCount());
  }

  /** 0 at every third step of targets [B, T, n_out], 1 at the others. */
  private static Tensor twoOfThree(Shape targets) {
    Shape shape = Shape.of(targets.size(0), targets.size(1));
    double[] counts = new double[(int) shape.count()];
    for (int i = 0; i < counts.length; i++) {
      counts[i] = i % 3 == 0 ? 0 : 1;
    }
    return Tensor.of(shape, counts);
  }

  private static AnalysisResult run(
      ExecutionContext context, String name, LinearizationViews.Method method, String steps) {
    CaseDirectory directory = new CaseDirectory(FIXTURES.resolve(name));
    try (Model model = directory.model(DType.F64);
        Tensor x = directory.read("x", DType.F64);
        Tensor initial = directory.initialState(DType.F64);
        Tensor weight = directory.has("W_out") ? directory.read("W_out", DType.F64) : null;
        Tensor targets = weight == null ? null : directory.read("targets", DType.F64);
        Tensor mask = targets == null ? null : twoOfThree(targets.shape());
        Readout readout = // of the CPU, whatever the request's device
            weight == null
                ? null
                : new Readout(
                    ExecutionContext.shared(), weight, null, model.outputBlock(), DType.F64)) {
      AnalysisRequest request =
          AnalysisRequest.of(context, model, x)
              .initialState(initial)
              .views(List.of(View.values()))
              .method(method)
              .samples(method == LinearizationViews.Method.AUTO ? 0 : 64)
              .modes(3)
              .wholeSpectrum(true)
              .rng(RngState.of(1))
              .with(
                  steps.isEmpty()
                      ? StateSelection.all()
                      : new StateSelection(List.of(), List.of(steps)));
      if (weight != null) {
        request = request.targets(readout, targets, mask);
      }
      DiagnosisOptions diagnosis = new DiagnosisOptions(4, Objectives.trials(), null, true);
      return Analysis.run(request, diagnosis, Progress.NONE);
    }
  }

  private static JsonNode json(AnalysisResult result) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    JsonWriter.write(out, result.report());
    return new ObjectMapper().readTree(out.toByteArray());
  }

  /** Numbers that a solver gives to a tolerance have a bound on their error. */
  private static void compareBounded(
      String place, JsonNode a, JsonNode b, String value, String bound) {
    double allowed = 2 * (a.path(bound).asDouble() + b.path(bound).asDouble()) + ROUNDING;
    double expected = a.path(value).asDouble();
    assertEquals(
        expected, b.path(value).asDouble(), allowed + RELATIVE * Math.abs(expected), place);
  }

  private static void compare(String place, JsonNode expected, JsonNode found) {
    if (expected.has("errorBound")) {
      compareBounded(place, expected, found, "value", "errorBound");
      return;
    }
    if (expected.has("conditionNumber")) {
      compareBounded(place, expected, found, "conditionNumber", "conditionNumberError");
    }
    assertEquals(expected.getNodeType(), found.getNodeType(), place);
    assertEquals(expected.size(), found.size(), place);
    if (expected.isObject()) {
      expected
          .fieldNames()
          .forEachRemaining(
              name -> {
                if (!UNLIKE.contains(name)) {
                  compare(place + "." + name, expected.get(name), found.get(name));
                }
              });
    } else if (expected.isArray()) {
      for (int i = 0; i < expected.size(); i++) {
        compare(place + "[" + i + "]", expected.get(i), found.get(i));
      }
    } else if (expected.isNumber()) {
      double value = expected.asDouble();
      assertEquals(value, found.asDouble(), RELATIVE * Math.abs(value) + ROUNDING, place);
    } else {
      assertEquals(expected, found, place);
    }
  }
}
