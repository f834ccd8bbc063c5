package org.kpflow.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.io.Npy;
import org.kpflow.tensor.Tensor;

/**
 * The command line as a user meets it: what it writes, what it refuses and with which exit code.
 */
class CommandLineTest {
  private static final Path FIXTURES = Path.of("src", "test", "resources", "fixtures");

  @TempDir private Path directory;

  private static CommandOutcome run(String... arguments) {
    return CommandOutcome.of(List.of(arguments));
  }

  private String[] analyze(String fixture, String... more) {
    Path source = FIXTURES.resolve(fixture);
    List<String> base =
        List.of(
            "analyze",
            "--weights",
            source.toString(),
            "--inputs",
            source.resolve("x.npy").toString(),
            "--out",
            directory.resolve("out").toString());
    return Stream.concat(base.stream(), Stream.of(more)).toArray(String[]::new);
  }

  @Test
  void evaluateNeedsNothingButTheInputs() throws IOException {
    Path full = FIXTURES.resolve("gru_nobias");
    Path bare = Files.createDirectory(directory.resolve("bare"));
    for (String name :
        List.of(
            "case.json",
            "x.npy",
            "h0.npy",
            "weight_ih_l0.npy",
            "weight_hh_l0.npy",
            "probe.npy",
            "theta_probe.npy",
            "core_probe_weight_ih_l0.npy",
            "core_probe_weight_hh_l0.npy",
            "W_out.npy",
            "targets.npy")) {
      Files.copy(full.resolve(name), bare.resolve(name));
    }
    CommandOutcome outcome =
        run("evaluate", bare.toString(), "--out", directory.resolve("out").toString());
    assertEquals(0, outcome.code(), outcome.err());
    try (Tensor found = Npy.read(directory.resolve("out").resolve("ntk.npy"));
        Tensor expected = Npy.read(full.resolve("ntk.npy"))) {
      double[] a = found.toDoubles();
      double[] b = expected.toDoubles();
      for (int i = 0; i < a.length; i++) {
        assertEquals(b[i], a[i], 1e-11);
      }
    }
    JsonNode metrics =
        new ObjectMapper().readTree(directory.resolve("out").resolve("metrics.json").toFile());
    JsonNode expected =
        new ObjectMapper().readTree(full.resolve("case.json").toFile()).path("metrics");
    expected.fieldNames().forEachRemaining(name -> assertTrue(metrics.has(name), name));
    assertEquals(expected.path("ntk").path("n95").asInt(), metrics.path("ntk").path("n95").asInt());
  }

  @Test
  void verifyPassesOnTheReferenceAndFailsOnAWrongAnswer() throws IOException {
    Path copy = directory.resolve("case");
    try (Stream<Path> files = Files.list(FIXTURES.resolve("rnn_tanh_bias"))) {
      Files.createDirectory(copy);
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    assertEquals(0, run("verify", copy.toString()).code());
    try (Tensor answer = Npy.read(copy.resolve("NTK_probe.npy"))) {
      answer.set(answer.get(0, 0, 0, 0) + 1e-6, 0, 0, 0, 0);
      Npy.write(copy.resolve("NTK_probe.npy"), answer);
    }
    CommandOutcome outcome = run("verify", directory.toString()); // the folder of the case
    assertEquals(1, outcome.code());
    assertTrue(outcome.out().contains("FAIL NTK_probe"), outcome.out());
  }

  @Test
  void anAnswerThatIsListedButMissingFailsTheVerification() throws IOException {
    Path copy = Files.createDirectory(directory.resolve("case"));
    try (Stream<Path> files = Files.list(FIXTURES.resolve("rnn_tanh_bias"))) {
      for (Path file : files.filter(file -> !file.endsWith("NTK_probe.npy")).toList()) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    CommandOutcome outcome = run("verify", copy.toString());
    assertEquals(1, outcome.code());
    assertTrue(outcome.out().contains("has no NTK_probe.npy"), outcome.out());
  }

  @Test
  void analyzeWritesTheReportItsArraysAndPictures() throws IOException {
    CommandOutcome outcome =
        run(analyze("gru_medium", "--cell", "gru", "--dtype", "f64", "--json"));
    assertEquals(0, outcome.code(), outcome.err());
    for (String name :
        List.of(
            "report.json",
            "arrays.npz",
            "report.html",
            "cumulative_variance.png",
            "cumulative_variance.svg",
            "temporal_modes.png",
            "view_spectra.png",
            "ntk_spectrum.png")) {
      assertTrue(Files.size(directory.resolve("out").resolve(name)) > 100, name);
    }
    JsonNode printed = new ObjectMapper().readTree(outcome.out());
    assertEquals("factor", printed.path("method").asText());
    assertEquals(3, printed.path("operators").size());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--cell gru --method sampled --samples 2 | samples",
        "--cell lstm                             | weight_hh_l0: expected shape",
        "--cell gru --views temp,bogus           | bogus",
        "--cell gru --dtype f16                  | dtype: expected f32 or f64",
        "--cell gru --device cuda                | cuda",
        "--cell gru --threads 0                  | threads",
        "--cell gru --freeze weight_xx           | weight_xx",
        "--cell gru --freeze weight_ih_l0,weight_hh_l0 | frozen",
        "--cell gru --trials 0,99                | trials 0 to",
        "--cell gru --trials x                   | --trials",
        "--cell gru --modes 0                    | modes",
        "--cell gru --phases x                   | --phases",
        "--cell gru --readout Wout               | --targets",
        "--cell elman                            | elman",
        "--cell gru --nonsense                   | --nonsense"
      })
  void wrongOptionsAreRefusedInOneLine(String options, String fragment) {
    CommandOutcome outcome = run(analyze("gru_nobias", options.trim().split(" ")));
    assertEquals(2, outcome.code(), outcome.err());
    assertEquals(1, outcome.err().strip().lines().count(), outcome.err());
    assertTrue(outcome.err().contains(fragment), outcome.err());
    assertFalse(Files.exists(directory.resolve("out").resolve("report.json")));
  }

  @Test
  void missingAndBrokenFilesAreNamed() throws IOException {
    Path broken = directory.resolve("x.npy");
    try (Tensor nan = Tensor.of(Shape.of(1, 2, 3), 1, 2, Double.NaN, 4, 5, 6)) {
      Npy.write(broken, nan);
    }
    Path weights = FIXTURES.resolve("gru_nobias");
    CommandOutcome outcome =
        run(
            "analyze",
            "--cell",
            "gru",
            "--weights",
            weights.toString(),
            "--inputs",
            broken.toString(),
            "--out",
            "unused");
    assertEquals(2, outcome.code());
    assertTrue(outcome.err().contains("x.npy"), outcome.err());
    outcome = run("evaluate", directory.resolve("absent").toString(), "--out", "unused");
    assertEquals(2, outcome.code());
    assertTrue(outcome.err().contains("case.json"), outcome.err());
  }

  @Test
  void anOverflowOfTheForwardPassIsNumericalTrouble() throws IOException {
    Path weights = Files.createDirectory(directory.resolve("weights"));
    try (Tensor hidden = Tensor.of(Shape.of(2, 2), 30, 0, 0, 30);
        Tensor input = Tensor.of(Shape.of(2, 1), 1, 1);
        Tensor x = Tensor.zeros(DType.F64, 1, 60, 1)) {
      x.set(1, 0, 0, 0);
      Npy.write(weights.resolve("weight_hh_l0.npy"), hidden);
      Npy.write(weights.resolve("weight_ih_l0.npy"), input);
      Npy.write(directory.resolve("x.npy"), x);
    }
    CommandOutcome outcome =
        run(
            "analyze",
            "--cell",
            "rnn",
            "--activation",
            "linear",
            "--weights",
            weights.toString(),
            "--inputs",
            directory.resolve("x.npy").toString(),
            "--out",
            directory.resolve("out").toString());
    assertEquals(3, outcome.code(), outcome.err());
    assertTrue(outcome.err().contains("step"), outcome.err());
  }

  /** A recurrent gain of 3 over 60 steps: in f32 an error that says what helps, in f64 a report. */
  @Test
  void anNtkThatOverflowsIsAnErrorThatSaysWhatHelps() throws IOException {
    int units = 16;
    try (Tensor hidden = Tensor.zeros(DType.F64, units, units);
        Tensor input = Tensor.zeros(DType.F64, units, 1);
        Tensor x = Tensor.zeros(DType.F64, 2, 60, 1)) {
      for (int i = 0; i < units; i++) {
        hidden.set(3, i, (i + 1) % units); // three times a rotation of the units
        input.set(1, i, 0);
        x.set(1e-6, 0, i, 0);
      }
      Npy.write(directory.resolve("weight_hh_l0.npy"), hidden);
      Npy.write(directory.resolve("weight_ih_l0.npy"), input);
      Npy.write(directory.resolve("x.npy"), x);
    }
    String[] arguments = {
      "analyze",
      "--cell=rnn",
      "--activation=linear",
      "--weights=" + directory,
      "--inputs=" + directory.resolve("x.npy"),
      "--out=" + directory.resolve("out")
    };
    CommandOutcome narrow = run(arguments);
    assertEquals(3, narrow.code());
    assertTrue(
        narrow.err().contains("overflows f32") && narrow.err().contains("f64"), narrow.err());
    String[] wide = java.util.Arrays.copyOf(arguments, arguments.length + 1);
    wide[arguments.length] = "--dtype=f64";
    CommandOutcome outcome = run(wide);
    assertEquals(0, outcome.code(), outcome.err());
  }

  @Test
  void aZeroKernelIsSaidToBeZeroAndItsRanksAreUndefined() throws IOException {
    Path zero = directory.resolve("zero.npy");
    try (Tensor x = Tensor.zeros(DType.F64, 2, 5, 3)) {
      Npy.write(zero, x);
    }
    Path weights = FIXTURES.resolve("gru_nobias");
    for (String method : List.of("basis", "factor", "hybrid", "sampled")) {
      Path out = directory.resolve(method);
      CommandOutcome outcome =
          run(
              "analyze",
              "--cell",
              "gru",
              "--weights",
              weights.toString(),
              "--inputs",
              zero.toString(),
              "--method",
              method,
              "--out",
              out.toString());
      assertEquals(0, outcome.code(), outcome.err());
      assertTrue(
          outcome.out().contains("NTK is zero") && outcome.out().contains("undefined"),
          outcome.out());
      JsonNode report =
          new ObjectMapper().readTree(out.resolve("report.json").toFile()).path("report");
      JsonNode view = report.path("operators").path(0).path("views").path("temp");
      assertEquals(0, view.path("modes95").asInt());
      assertTrue(view.path("entropyRank").isNull() && view.path("stableRank").isNull());
    }
  }

  @Test
  void infoTellsTheGemmKernelAndWhyThereIsNoGpu() {
    CommandOutcome outcome = run("info");
    assertEquals(0, outcome.code());
    assertTrue(
        outcome.out().contains("GEMM kernel") && outcome.out().contains("gpu"), outcome.out());
  }
}
