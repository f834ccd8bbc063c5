package org.kpflow.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kpflow.analysis.Analysis;
import org.kpflow.analysis.AnalysisRequest;
import org.kpflow.analysis.AnalysisResult;
import org.kpflow.base.CancelledException;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.io.Npy;
import org.kpflow.io.Npz;
import org.kpflow.io.TensorMap;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Series of checkpoints and objectives, as a user of analyze meets them. */
class CheckpointSeriesTest {
  private static final Path CASE = Path.of("src", "test", "resources", "fixtures", "gru_nobias");

  @TempDir private Path directory;

  private CommandOutcome analyze(List<Path> weights, String... more) {
    List<String> arguments = new ArrayList<>(List.of("analyze", "--cell", "gru", "--weights"));
    weights.forEach(path -> arguments.add(path.toString()));
    arguments.addAll(List.of("--inputs", CASE.resolve("x.npy").toString(), "--dtype", "f64"));
    arguments.addAll(
        List.of("--modes", "3", "--views", "temp", "--out", directory.resolve("out").toString()));
    arguments.addAll(List.of(more));
    return CommandOutcome.of(arguments);
  }

  private CommandOutcome analyzeWithTargets(List<Path> weights, String... more) {
    List<String> options =
        new ArrayList<>(List.of("--targets", CASE.resolve("targets.npy").toString()));
    options.addAll(List.of(more));
    return analyze(weights, options.toArray(String[]::new));
  }

  /** The case's weights times a factor, with its read-out, as an .npz file. */
  private Path checkpoint(String name, double factor) throws IOException {
    Path folder = Files.createDirectories(directory.resolve("run"));
    Map<String, Tensor> weights = new LinkedHashMap<>();
    for (String file : List.of("weight_ih_l0", "weight_hh_l0", "W_out")) {
      try (Tensor raw = Npy.read(CASE.resolve(file + ".npy"), DType.F64)) {
        Tensor scaled = Tensor.zeros(DType.F64, raw.shape());
        TensorMath.axpby(ExecutionContext.shared(), factor, raw, 0, scaled);
        weights.put(file.equals("W_out") ? "out.weight" : file, scaled);
      }
    }
    Path path = folder.resolve(name + ".npz");
    Npz.write(path, weights, false);
    weights.values().forEach(Tensor::close);
    return path;
  }

  private JsonNode json(String path) throws IOException {
    return new ObjectMapper().readTree(directory.resolve("out").resolve(path).toFile());
  }

  @Test
  void aFolderOfCheckpointsIsASeriesInTheOrderOfItsNumbers() throws IOException {
    checkpoint("step_10", 1.3);
    checkpoint("step_9", 1.2);
    checkpoint("step_2", 1);
    CommandOutcome outcome = analyzeWithTargets(List.of(directory.resolve("run")));
    assertEquals(0, outcome.code(), outcome.err());
    assertTrue(outcome.out().contains("3 of 3 checkpoints"), outcome.out());
    JsonNode series = json("series.json").path("series");
    assertFalse(series.path("partial").asBoolean());
    long[] steps = {2, 9, 10};
    try (TensorMap arrays = Npz.read(directory.resolve("out").resolve("series.npz"), null)) {
      for (int i = 0; i < steps.length; i++) {
        JsonNode record = series.path("checkpoints").path(i);
        assertEquals(steps[i], record.path("step").asLong());
        String name = "step_" + steps[i];
        JsonNode report = json(name + "/report.json").path("report");
        assertEquals(
            report.path("operators").path(0).path("eigenvalues").path(0).asDouble(),
            record.path("largestEigenvalue").asDouble());
        assertEquals(report.path("target").path("loss").asDouble(), arrays.get("loss").get(i));
        assertEquals(
            report.path("cosNtkCore").path("value").asDouble(), arrays.get("cos_ntk_core").get(i));
        assertEquals(steps[i], arrays.get("position").get(i));
      }
      assertTrue(Double.isNaN(arrays.get("temporal_overlap").get(0)));
      assertTrue(arrays.get("temporal_overlap").get(1) > 0.5);
    }
    String page = Files.readString(directory.resolve("out").resolve("report.html"));
    assertTrue(page.contains("href=\"./step_9/report.html\""), "a link to each report");
    for (String name :
        List.of("series_kernel.png", "series_learning.svg", "series_propagation.svg")) {
      assertTrue(Files.size(directory.resolve("out").resolve(name)) > 100, name);
    }
  }

  @Test
  void theSeriesSaysWhichPartOfTheStateWasAnalysed() throws IOException {
    List<Path> paths = List.of(checkpoint("a", 1), checkpoint("b", 1.1));
    CommandOutcome outcome = analyze(paths, "--state", "0:3", "--steps", "1:4");
    assertEquals(0, outcome.code(), outcome.err());
    JsonNode selection = json("series.json").path("series").path("selection");
    assertEquals("0:3", selection.path("units").asText(), selection.toString());
    assertEquals("[1,2,3]", selection.path("steps").toString());
    assertFalse(selection.path("whole").asBoolean(true));
    assertEquals("0:3", json("series.json").path("provenance").path("state").asText());
    String said = "A part of the state: h (3 of " + selection.path("unitsOfState").asLong();
    assertTrue(outcome.out().contains(said), outcome.out());
    assertTrue(Files.readString(directory.resolve("out").resolve("report.html")).contains(said));
    assertEquals(0, analyze(paths).code());
    assertTrue(json("series.json").path("series").path("selection").path("whole").asBoolean());
  }

  @Test
  void theOverlapOfEqualCheckpointsIsOne() throws IOException {
    CommandOutcome outcome = analyze(List.of(checkpoint("a", 1), checkpoint("b", 1)), "--json");
    assertEquals(0, outcome.code(), outcome.err());
    JsonNode second = new ObjectMapper().readTree(outcome.out()).path("checkpoints").path(1);
    assertEquals(1, second.path("temporalOverlap").asDouble(), 1e-12);
    assertTrue(second.path("step").isNull());
  }

  @Test
  void aBrokenCheckpointLeavesTheOthersAndAPartialSeries() throws IOException {
    Path first = checkpoint("step_1", 1);
    Path broken = directory.resolve("run").resolve("step_2.npz");
    Files.writeString(broken, "no archive");
    Path last = checkpoint("step_3", 1.1);
    CommandOutcome outcome = analyzeWithTargets(List.of(first, broken, last));
    assertEquals(3, outcome.code(), outcome.err());
    JsonNode series = json("series.json").path("series");
    assertTrue(series.path("partial").asBoolean());
    assertTrue(series.path("checkpoints").path(1).path("failure").asText().contains("step_2.npz"));
    assertTrue(series.path("checkpoints").path(1).path("loss").isNull());
    assertFalse(series.path("checkpoints").path(2).path("loss").isNull());
    assertTrue(Files.exists(directory.resolve("out").resolve("step_3").resolve("report.html")));
  }

  @Test
  void aCancelKeepsWhatWasDone() throws IOException {
    List<Path> paths = List.of(Path.of("one"), Path.of("two"), Path.of("three"));
    SeriesRun.Step step =
        new SeriesRun.Step() {
          @Override
          public AnalysisResult analyse(Path weights, Tensor start) {
            if (weights.endsWith("two")) {
              Thread.currentThread().interrupt();
              throw new CancelledException("cancelled");
            }
            return small();
          }

          @Override
          public void write(AnalysisResult result, Path weights, Path out) {}
        };
    Path out = directory.resolve("out");
    var report =
        new SeriesRun(paths, out, Map.of(), List.of()).run(ExecutionContext.shared(), step);
    assertTrue(Thread.interrupted(), "the interrupt stays visible");
    assertTrue(report.partial());
    assertEquals(1, report.checkpoints().size());
    assertTrue(Files.exists(out.resolve("report.html")));
    assertTrue(json("series.json").path("series").path("partial").asBoolean());
    SeriesRun atOnce = new SeriesRun(paths.subList(1, 3), out, Map.of(), List.of());
    assertThrows(CancelledException.class, () -> atOnce.run(ExecutionContext.shared(), step));
    Thread.interrupted();
  }

  /** An analysis that was stopped halfway comes back with the interrupt set: it ends the series. */
  @Test
  void aStoppedAnalysisEndsTheSeriesAndKeepsItsOwnReport() throws IOException {
    List<Path> written = new ArrayList<>();
    SeriesRun.Step step =
        new SeriesRun.Step() {
          @Override
          public AnalysisResult analyse(Path weights, Tensor start) {
            AnalysisResult result = small();
            if (weights.endsWith("two")) {
              Thread.currentThread().interrupt();
            }
            return result;
          }

          @Override
          public void write(AnalysisResult result, Path weights, Path out) {
            assertFalse(Thread.currentThread().isInterrupted());
            written.add(weights);
          }
        };
    List<Path> paths = List.of(Path.of("one"), Path.of("two"), Path.of("three"));
    Path out = directory.resolve("out");
    var report =
        new SeriesRun(paths, out, Map.of(), List.of()).run(ExecutionContext.shared(), step);
    assertTrue(Thread.interrupted(), "the interrupt stays visible");
    assertEquals(List.of(Path.of("one"), Path.of("two")), written);
    assertTrue(report.partial());
    assertTrue(report.checkpoints().get(1).failure().contains("stopped"));
    SeriesRun atOnce = new SeriesRun(paths.subList(1, 3), out, Map.of(), List.of());
    assertThrows(CancelledException.class, () -> atOnce.run(ExecutionContext.shared(), step));
    Thread.interrupted();
  }

  private static AnalysisResult small() {
    try (TensorMap weights = org.kpflow.io.WeightFile.read(CASE, DType.F64);
        Gru model = new Gru(weights.asMap(), ModelOptions.of(DType.F64));
        Tensor x = Npy.read(CASE.resolve("x.npy"))) {
      return Analysis.run(AnalysisRequest.of(ExecutionContext.shared(), model, x), Progress.NONE);
    }
  }

  @Test
  void objectivesAreOutputsTrialsOrGroupsOfTrials() throws IOException {
    Path weights = checkpoint("net", 1);
    Path labels = directory.resolve("labels.npy");
    try (Tensor values = Tensor.of(Shape.of(3), 1, 2, 1)) {
      Npy.write(labels, values);
    }
    for (String[] expected :
        new String[][] {
          {"outputs", "output 0"}, {"trials", "trial 0"}, {labels.toString(), "group 1"}
        }) {
      CommandOutcome outcome = analyzeWithTargets(List.of(weights), "--objectives", expected[0]);
      assertEquals(0, outcome.code(), outcome.err());
      JsonNode objectives = json("report.json").path("report").path("objectives");
      assertEquals(expected[1], objectives.path("names").path(0).asText());
      assertEquals(1, objectives.path("cosines").path(0).path(0).asDouble(), 1e-12);
    }
    assertTrue(Files.exists(directory.resolve("out").resolve("objective_alignment.svg")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--objectives output     | --objectives: expected outputs, trials or a .npy file",
        "--objectives LABELS     | expected one label for each of 3 trials",
        "--objectives FRACTIONS  | expected integer labels",
        "--lyapunov -1           | lyapunov: expected at least 0",
        "--phases x              | --phases",
        "--modes 0               | modes"
      })
  void wrongOptionsAreRefusedInOneLine(String options, String fragment) throws IOException {
    Path weights = checkpoint("net", 1);
    Path other = checkpoint("other", 1);
    try (Tensor labels = Tensor.of(Shape.of(2), 1, 2);
        Tensor fractions = Tensor.of(Shape.of(3), 1, 1.5, 2)) {
      Npy.write(directory.resolve("labels.npy"), labels);
      Npy.write(directory.resolve("fractions.npy"), fractions);
    }
    String[] given =
        Stream.of(options.split(" "))
            .map(text -> text.replace("LABELS", directory.resolve("labels.npy").toString()))
            .map(text -> text.replace("FRACTIONS", directory.resolve("fractions.npy").toString()))
            .toArray(String[]::new);
    for (List<Path> paths : List.of(List.of(weights), List.of(weights, other))) {
      CommandOutcome outcome = analyzeWithTargets(paths, given);
      assertEquals(2, outcome.code(), outcome.err());
      assertEquals(1, outcome.err().strip().lines().count(), outcome.err());
      assertTrue(outcome.err().contains(fragment), outcome.err());
      assertFalse(Files.exists(directory.resolve("out").resolve("report.html")));
    }
  }

  @Test
  void checkpointsThatCannotBeToldApartOrFoundAreRefusedBeforeAnyIsAnalysed() throws IOException {
    Path first = checkpoint("step_1", 1);
    CommandOutcome outcome = analyze(List.of(first, first));
    assertEquals(2, outcome.code());
    assertTrue(outcome.err().contains("expected different names"), outcome.err());
    outcome = analyze(List.of(first, directory.resolve("absent.npz")));
    assertEquals(2, outcome.code());
    assertTrue(outcome.err().contains("absent.npz: no such file"), outcome.err());
    outcome = analyze(List.of(first), "--objectives", "trials");
    assertEquals(2, outcome.code());
    assertTrue(outcome.err().contains("--objectives: expected --targets"), outcome.err());
    assertFalse(Files.exists(directory.resolve("out")));
  }

  @Test
  void numbersInNamesAreCompared() {
    assertTrue(
        Checkpoints.sortable(Path.of("step_9.npz"))
                .compareTo(Checkpoints.sortable(Path.of("step_10.npz")))
            < 0);
    assertEquals("step_9", Checkpoints.name(Path.of("x", "step_9.safetensors")));
  }
}
