package org.kpflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.estimate.NormEstimator;
import org.kpflow.estimate.TraceEstimator;
import org.kpflow.flow.KroneckerCore;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.io.Npy;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.Eigsh;
import org.kpflow.spectral.LanczosOptions;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** The Java example of README.md: it is the code below, it runs, and what it prints is true. */
class ReadmeExampleTest {
  private static final Path SOURCE = Path.of("src/test/java/org/kpflow/ReadmeExampleTest.java");

  static void example() {
    // README begins
    Path example = Path.of("src/main/resources/org/kpflow/examples/memory_pro_gru");
    try (TensorMap weights = WeightFile.read(example.resolve("step_00000.safetensors"), DType.F64);
        Gru gru = new Gru(weights.asMap(), ModelOptions.of(DType.F64));
        Tensor inputs = Npy.read(example.resolve("inputs.npy"));
        Linearization linearization = Linearization.of(gru, inputs.slice(0, 2)); // two trials
        Tensor gram = KroneckerCore.gram(linearization)) {
      NeuralTangentKernel ntk = new NeuralTangentKernel(linearization);
      try (EigenPairs top = Eigsh.solve(ntk, LanczosOptions.largest(3).tolerance(1e-6))) {
        System.out.println("leading eigenvalue " + top.values()[0] + " ± " + top.residuals()[0]);
      }
      System.out.println("trace " + TraceEstimator.hutchPlusPlus(ntk, 60, RngState.of(1)));
      LinearOperator core = KroneckerCore.proxy(linearization, gram);
      System.out.println("alignment " + NormEstimator.cosine(ntk, core, 60, RngState.of(2)));
    }
    // README ends
  }

  @Test
  void theReadmeShowsThisCode() throws IOException {
    String source = Files.readString(SOURCE);
    String code = only("(?s)// README begins\n(.*?)// README ends", source).stripIndent();
    assertEquals(only("(?s)```java\n(.*?)```", Files.readString(Path.of("README.md"))), code);
  }

  @Test
  void whatItPrintsIsConsistent() {
    long live = Tensor.liveCount();
    String printed = printedByExample();
    assertEquals(live, Tensor.liveCount(), "the example leaks");

    double[] eigenvalue = number("leading eigenvalue", printed);
    assertTrue(eigenvalue[0] > 0 && eigenvalue[1] < 1e-5 * eigenvalue[0], printed);
    double[] trace = number("trace", printed);
    assertTrue(trace[0] - 4 * trace[1] > eigenvalue[0], "positive semidefinite: " + printed);
    double[] cosine = number("alignment", printed);
    assertTrue(cosine[1] > 0 && cosine[1] < 0.05, printed);
    assertTrue(cosine[0] > 0.5 && cosine[0] < 1, printed);
  }

  private static String printedByExample() {
    PrintStream console = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      example();
    } finally {
      System.setOut(console);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  /** The value and the error of a printed line. */
  private static double[] number(String label, String printed) {
    Matcher line = Pattern.compile("(?m)^" + label + " (\\S+) ± (\\S+)$").matcher(printed);
    assertTrue(line.find(), "no line '" + label + "' in\n" + printed);
    return new double[] {Double.parseDouble(line.group(1)), Double.parseDouble(line.group(2))};
  }

  private static String only(String pattern, String text) {
    Matcher found = Pattern.compile(pattern).matcher(text);
    assertTrue(found.find(), "nothing matches " + pattern);
    String result = found.group(1);
    assertTrue(!found.find(), "more than one match of " + pattern);
    return result;
  }
}
