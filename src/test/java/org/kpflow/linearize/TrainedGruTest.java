package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.io.Npy;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Readout;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The bundled trained network against what the program that trained it computed. */
class TrainedGruTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final Path EXAMPLE =
      Path.of("src", "main", "resources", "org", "kpflow", "examples", "memory_pro_gru");
  private static final Path REFERENCE = Path.of("src", "test", "resources", "memory_pro_gru");
  private static final int[] TRIALS = {0, 5, 10, 15}; // those of ref_b4.json
  private static final long BOUND = 4L << 30;

  private static Gru model(TensorMap weights, DType dtype) {
    return new Gru(weights.asMap(), ModelOptions.of(dtype));
  }

  private static TensorMap weights() {
    return WeightFile.read(EXAMPLE.resolve("step_01818.safetensors"), null);
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void itsOutputsAreThoseOfTheProgramThatTrainedIt(DType dtype) {
    try (TensorMap weights = weights();
        Gru model = model(weights, dtype);
        Tensor inputs = Npy.read(EXAMPLE.resolve("inputs.npy"), dtype);
        Linearization linearization = Linearization.of(model, inputs);
        Tensor state = linearization.state();
        Readout readout =
            new Readout(
                CONTEXT,
                weights.get("Wout.weight"),
                weights.get("Wout.bias"),
                model.outputBlock(),
                dtype);
        Tensor outputs = readout.apply(state);
        Tensor expected = Npy.read(EXAMPLE.resolve("outputs.npy"), dtype)) {
      assertEquals(expected.shape(), outputs.shape());
      double[] ours = outputs.toDoubles();
      double[] theirs = expected.toDoubles();
      double worst = 0;
      double largest = 0;
      for (int i = 0; i < ours.length; i++) {
        worst = Math.max(worst, Math.abs(ours[i] - theirs[i]));
        largest = Math.max(largest, Math.abs(theirs[i]));
      }
      assertTrue(largest > 0.5, "outputs of order one");
      assertTrue(worst < 1e-5, "largest difference " + worst);
    }
  }

  @Test
  void itsOperatorsAreThoseOfAnIndependentProgram() {
    try (TensorMap weights = weights();
        Gru model = model(weights, DType.F64);
        Tensor inputs = chosenTrials();
        Linearization linearization = Linearization.of(model, inputs)) {
      assertEquals(
          List.of("weight_ih_l0", "weight_hh_l0"),
          linearization.trainableFamilies().stream().map(family -> family.name()).toList());
      try (Tensor state = linearization.state()) {
        assertReference("ref_b4_h", state);
      }
      LinearOperator p = new PropagationOperator(linearization);
      Map<String, LinearOperator> operators =
          Map.of("P", p, "Pt", p.adjoint(), "NTK", new NeuralTangentKernel(linearization));
      operators.forEach(
          (name, operator) -> {
            try (Tensor probe = reference("ref_b4_probe");
                Tensor product = operator.matvec(probe)) {
              assertReference("ref_b4_" + name + "_probe", product);
            }
          });
    }
  }

  private static Tensor chosenTrials() {
    try (Tensor all = Npy.read(EXAMPLE.resolve("inputs.npy"), DType.F64)) {
      Tensor chosen = Tensor.zeros(DType.F64, all.shape().tail().block(TRIALS.length));
      for (int i = 0; i < TRIALS.length; i++) {
        chosen.slice(i).copyFrom(all.slice(TRIALS[i]));
      }
      return chosen;
    }
  }

  private static Tensor reference(String name) {
    return Npy.read(REFERENCE.resolve(name + ".npy"), DType.F64);
  }

  private static void assertReference(String name, Tensor actual) {
    try (Tensor expected = reference(name);
        Tensor difference = actual.copy()) {
      TensorMath.axpby(CONTEXT, -1, expected, 1, difference);
      double error = TensorMath.norm(CONTEXT, difference) / TensorMath.norm(CONTEXT, expected);
      assertTrue(error <= 1e-10, () -> name + ": relative error " + error);
    }
  }

  /** A fresh JVM, whose peak of resident memory is that of this one thing. */
  @Test
  void fiveHundredTrialsFitIntoFourGibibytes() throws IOException, InterruptedException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    Process process =
        new ProcessBuilder(java, "-Xmx512m", "-cp", classPath, Large.class.getName())
            .redirectErrorStream(true)
            .start();
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertEquals(0, process.waitFor(), output);
    long peak = Long.parseLong(output.substring(output.lastIndexOf(' ') + 1));
    assertTrue(peak > 300L << 20, output); // the linearization alone holds more
    assertTrue(peak < BOUND, output);
  }

  /** The program of that JVM: linearizes, applies the kernel once, and prints its peak in bytes. */
  static final class Large {
    private Large() {}

    public static void main(String[] arguments) throws IOException {
      try (TensorMap weights = weights();
          Gru model = model(weights, DType.F32);
          Tensor inputs = RandomModels.gaussian(DType.F32, Shape.of(500, 90, model.inputs()), 1);
          Linearization linearization = Linearization.of(model, inputs);
          Tensor probe = Tensor.zeros(DType.F32, linearization.stateShape())) {
        RngState.of(2).fill(CONTEXT, RngState.Distribution.GAUSSIAN, probe);
        try (Tensor product = new NeuralTangentKernel(linearization).matvec(probe)) {
          System.out.println("norm " + TensorMath.norm(CONTEXT, product));
        }
      }
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmHWM:")) {
          long kibibytes = Long.parseLong(line.replaceAll("[^0-9]", ""));
          System.out.println("peak " + (kibibytes << 10));
        }
      }
    }
  }
}
