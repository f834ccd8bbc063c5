package org.kpflow.analysis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kpflow.base.CancelledException;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.estimate.NormEstimator;
import org.kpflow.flow.KroneckerCore;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.io.Npy;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Readout;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * The whole analysis of a small network, against the operators' own dense matrices and against
 * itself by another method.
 */
class AnalysisTest {
  private static final Path CASE = Path.of("src", "test", "resources", "fixtures", "gru_medium");

  private interface Body {
    void accept(AnalysisRequest request, Gru model);
  }

  /** Hands over the request for the medium reference case with its read-out and targets. */
  private static void withCase(Body body) {
    org.kpflow.cases.CaseDirectory directory = new org.kpflow.cases.CaseDirectory(CASE);
    ExecutionContext context = ExecutionContext.shared();
    long before = Tensor.liveCount();
    try (Gru model = (Gru) directory.model(DType.F64);
        Tensor x = directory.read("x", DType.F64);
        Tensor h0 = directory.read("h0", DType.F64);
        Tensor weight = directory.read("W_out", DType.F64);
        Tensor targets = directory.read("targets", DType.F64);
        Readout readout = new Readout(context, weight, null, model.outputBlock(), DType.F64)) {
      AnalysisRequest request =
          AnalysisRequest.of(context, model, x)
              .initialState(h0)
              .targets(readout, targets)
              .modes(5)
              .rng(RngState.of(1));
      body.accept(request, model);
    }
    assertEquals(before, Tensor.liveCount());
  }

  @Test
  void theExactAnalysisReproducesTheReferenceCase() {
    withCase(
        (request, model) -> {
          try (AnalysisResult result = Analysis.run(request, Progress.NONE)) {
            AnalysisReport report = result.report();
            var metrics = new org.kpflow.cases.CaseDirectory(CASE).description().path("metrics");
            assertEquals("factor", report.method());
            for (String view : List.of("temp", "space", "batch", "time")) {
              ViewReport found = report.operator("NTK").views().get(view);
              var expected = metrics.path("ntk_" + view);
              close(expected.path("trace").asDouble(), found.trace().value());
              close(expected.path("pr").asDouble(), found.participationRatio().value());
              close(expected.path("entropy_rank").asDouble(), found.entropyRank());
              close(expected.path("lambda_max").asDouble(), found.eigenvalues()[0]);
              assertEquals(expected.path("n95").asInt(), found.modes95());
            }
            close(
                metrics.path("ntk").path("lambda_max").asDouble(),
                report.operator("NTK").eigenvalues()[0]);
            close(
                metrics.path("ntk").path("fro").asDouble(),
                report.operator("NTK").frobenius().value());
            close(
                metrics.path("PPt_temp").path("pr").asDouble(),
                report.operator("PPt").views().get("temp").participationRatio().value());
            close(
                metrics.path("core_gram").path("pr").asDouble(),
                report.operator("core").views().get("temp").participationRatio().value());
            close(metrics.path("cos_ntk_core").asDouble(), report.cosNtkCore().value());
            close(metrics.path("cos_temp_core").asDouble(), report.cosTemporal().value());
            close(metrics.path("loss").asDouble(), report.target().loss());
            close(
                metrics.path("corollary2").path("inner_ntk_err_err").asDouble(),
                report.target().lossDecrease());
            double sum =
                report.target().lossDecreaseByFamily().values().stream().mapToDouble(v -> v).sum();
            close(report.target().lossDecrease(), sum);
            assertFalse(report.partial());
          }
        });
  }

  /**
   * Interrupted after the eigenvalues, an analysis reports what it has and can still be written.
   */
  @Test
  void anInterruptLeavesWhatWasDone(@TempDir Path directory) {
    withCase(
        (request, model) -> {
          for (String last : List.of("views of the NTK", "spectra of the core", "targets")) {
            Progress stopping =
                new Progress() {
                  @Override
                  public void stage(String name, long total) {
                    if (name.startsWith(last)) {
                      Thread.currentThread().interrupt();
                    }
                  }

                  @Override
                  public void done(long count) {}
                };
            try (AnalysisResult result = Analysis.run(request, stopping)) {
              assertTrue(Thread.interrupted(), "the interrupt stays visible");
              AnalysisReport report = result.report();
              assertTrue(report.partial());
              assertTrue(report.warnings().get(0).contains("stopped during"), last);
              assertEquals(5, report.operator("NTK").eigenvalues().length);
              assertEquals(last.equals("targets"), report.operator("PPt") != null);
              assertEquals(!last.startsWith("views"), report.view("NTK", "temp") != null);
              assertNull(report.propagation());
              new AnalysisWriter(result, List.of(), Map.of()).write(directory.resolve(last));
              assertTrue(Files.exists(directory.resolve(last).resolve("report.html")));
            }
          }
          Progress atOnce =
              new Progress() {
                @Override
                public void stage(String name, long total) {
                  Thread.currentThread().interrupt();
                }

                @Override
                public void done(long count) {}
              };
          assertThrows(CancelledException.class, () -> Analysis.run(request, atOnce));
          assertTrue(Thread.interrupted());
        });
  }

  @Test
  void allEigenvaluesAreReportedWhereTheyAreFew() {
    withCase(
        (request, model) -> {
          try (AnalysisResult result = Analysis.run(request, Progress.NONE)) {
            SpectrumReport spectrum = result.report().spectrum();
            var expected =
                new org.kpflow.cases.CaseDirectory(CASE).description().path("metrics").path("ntk");
            close(expected.path("trace").asDouble(), spectrum.metrics().trace());
            close(expected.path("fro").asDouble(), spectrum.metrics().frobenius());
            close(expected.path("pr").asDouble(), spectrum.metrics().participationRatio());
            assertEquals(expected.path("n95").asInt(), spectrum.metrics().modes95());
            long size = request.inputs().shape().size(0) * request.inputs().shape().size(1);
            assertTrue(spectrum.rank() <= spectrum.dimension() && spectrum.rank() > size / 2);
          }
        });
  }

  private static void close(double expected, double found) {
    assertEquals(expected, found, 1e-6 * Math.abs(expected));
  }

  @Test
  void theSampledAnalysisAgreesWithTheExactOneWithinItsErrors() {
    withCase(
        (request, model) -> {
          AnalysisRequest sampled =
              AnalysisRequest.of(request.context(), model, request.inputs())
                  .initialState(request.initialState())
                  .views(request.views())
                  .modes(5)
                  .method(LinearizationViews.Method.SAMPLED)
                  .samples(512)
                  .rng(RngState.of(3));
          try (AnalysisResult exact = Analysis.run(request, Progress.NONE);
              AnalysisResult estimated = Analysis.run(sampled, Progress.NONE)) {
            within(exact.report().cosNtkCore(), estimated.report().cosNtkCore());
            within(exact.report().cosTemporal(), estimated.report().cosTemporal());
            for (String operator : List.of("NTK", "PPt")) {
              OperatorReport truth = exact.report().operator(operator);
              OperatorReport found = estimated.report().operator(operator);
              within(truth.trace(), found.trace());
              within(truth.frobenius(), found.frobenius());
              found
                  .views()
                  .forEach(
                      (name, view) -> {
                        within(truth.views().get(name).trace(), view.trace());
                        within(
                            truth.views().get(name).participationRatio(),
                            view.participationRatio());
                        assertTrue(view.modes95() <= truth.views().get(name).modes95() + 1, name);
                      });
            }
          }
        });
  }

  private static void within(Estimate exact, Estimate estimate) {
    double error = Math.abs(exact.value() - estimate.value());
    assertTrue(error <= 4 * estimate.standardError() + 1e-9, exact + " against " + estimate);
  }

  @Test
  void theCosineWithTheCoreIsThatOfTheTwoOperators() {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    ExecutionContext context = ExecutionContext.shared();
    weights.put("weight_ih_l0", random(context, 1, 12, 2));
    weights.put("weight_hh_l0", random(context, 2, 12, 4));
    try (Gru model = new Gru(weights, ModelOptions.of(DType.F64));
        Tensor x = random(context, 3, 3, 5, 2);
        Linearization linearization = Linearization.of(model, x);
        Tensor gram = KroneckerCore.gram(linearization);
        AnalysisResult result =
            Analysis.run(AnalysisRequest.of(context, model, x), Progress.NONE)) {
      NeuralTangentKernel kernel = new NeuralTangentKernel(linearization);
      LinearOperator core = KroneckerCore.proxy(linearization, gram);
      double difference = kernel.minus(core).frobeniusNorm();
      double a = kernel.frobeniusNorm();
      double b = core.frobeniusNorm();
      close(
          (a * a + b * b - difference * difference) / (2 * a * b),
          result.report().cosNtkCore().value());
      Estimate estimate = NormEstimator.cosine(kernel, core, 400, RngState.of(4));
      within(result.report().cosNtkCore(), estimate);
    }
    weights.values().forEach(Tensor::close);
  }

  /**
   * On the bundled GRU before training, with one trial: the low temporal rank of the paper's figure
   * 3C, exactly and by samples.
   */
  @Test
  void theUntrainedMemoryProGruHasALowTemporalRankByBothMethods() {
    Path example =
        Path.of("src", "main", "resources", "org", "kpflow", "examples", "memory_pro_gru");
    ExecutionContext context = ExecutionContext.shared();
    try (TensorMap weights = WeightFile.read(example.resolve("step_00000.safetensors"), DType.F32);
        Gru model = new Gru(weights.asMap(), ModelOptions.of(DType.F32));
        Tensor all = Npy.read(example.resolve("inputs.npy"))) {
      AnalysisReport exact =
          untrained(context, model, all.slice(0, 1), LinearizationViews.Method.FACTOR);
      AnalysisReport sampled =
          untrained(context, model, all.slice(0, 1), LinearizationViews.Method.SAMPLED);
      ViewReport view = exact.operator("NTK").views().get("temp");
      ViewReport core = exact.operator("core").views().get("temp");
      assertTrue(
          view.modes95() <= 3 && core.modes95() <= 3, view.modes95() + " and " + core.modes95());
      assertTrue(exact.operator("PPt").views().get("temp").modes95() > 60);
      assertTrue(
          view.eigenvalues()[0] / view.trace().value()
              > core.eigenvalues()[0] / core.trace().value());
      ViewReport estimate = sampled.operator("NTK").views().get("temp");
      within(view.trace(), estimate.trace());
      within(view.participationRatio(), estimate.participationRatio());
      assertEquals(view.modes95(), estimate.modes95());
      within(exact.cosTemporal(), sampled.cosTemporal());
    }
  }

  private static AnalysisReport untrained(
      ExecutionContext context, Gru model, Tensor inputs, LinearizationViews.Method method) {
    AnalysisRequest request =
        AnalysisRequest.of(context, model, inputs)
            .views(List.of(View.TEMP))
            .modes(3)
            .method(method)
            .samples(256)
            .rng(RngState.of(5));
    try (AnalysisResult result = Analysis.run(request, Progress.NONE)) {
      return result.report();
    }
  }

  private static Tensor random(ExecutionContext context, long seed, long... sizes) {
    Tensor tensor = Tensor.zeros(DType.F64, Shape.of(sizes));
    RngState.of(seed).fill(context, RngState.Distribution.GAUSSIAN, tensor);
    return tensor;
  }
}
