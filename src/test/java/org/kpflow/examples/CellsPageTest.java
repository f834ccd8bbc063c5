package org.kpflow.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.examples.Cells.probe;
import static org.kpflow.examples.Cells.sample;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.CellFunction;
import org.kpflow.model.CellModel;
import org.kpflow.model.Dual;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.NeuralOde;
import org.kpflow.tensor.Tensor;

/** The cells of docs/models/cells.md: they are the code below, and it runs. */
final class CellsPageTest {
  private static final Path SOURCE =
      Path.of("src/test/java/org/kpflow/examples/CellsPageTest.java");
  private static final Path PAGE = Path.of("docs/models/cells.md");

  // page begins: mgu
  /** Minimal gated unit: f = σ(q_f + p_f), n = tanh(p_n + f q_n), h' = (1 - f) h + f n. */
  record MinimalGatedUnit() implements CellFunction {
    @Override
    public int gates() {
      return 2;
    }

    @Override
    public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
      Dual f = q[0].plus(p[0]).sigmoid();
      Dual n = p[1].plus(f.times(q[1])).tanh();
      return new Dual[] {f.oneMinus().times(previous[0]).plus(f.times(n))};
    }
  }

  // page ends

  // page begins: gru
  /** PyTorch's GRU, gates (r, z, n). */
  record GatedRecurrentUnit() implements CellFunction {
    @Override
    public int gates() {
      return 3;
    }

    @Override
    public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
      Dual r = q[0].plus(p[0]).sigmoid();
      Dual z = q[1].plus(p[1]).sigmoid();
      Dual n = p[2].plus(r.times(q[2])).tanh();
      return new Dual[] {z.oneMinus().times(n).plus(z.times(previous[0]))};
    }
  }

  // page ends

  // page begins: rate
  /** τ_u dv_u/dt = -v_u + W r + W_in x, rates r = softplus(v), by Euler steps of dt. */
  record RateNetwork(double dt, double[] tau) implements CellFunction {
    @Override
    public int gates() {
      return 1;
    }

    @Override
    public Dual site(Dual[] previous, long step, int unit) {
      return previous[0].softplus();
    }

    @Override
    public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
      double share = dt / tau[unit];
      Dual drive = q[0].plus(p[0]);
      return new Dual[] {previous[0].times(1 - share).plus(drive.times(share))};
    }
  }

  // page ends

  // page begins: batch
  /** h' = tanh(q + p) with its derivatives by hand, a whole step at once. */
  record FastTanh() implements CellFunction {
    @Override
    public int gates() {
      return 1;
    }

    @Override
    public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
      return new Dual[] {q[0].plus(p[0]).tanh()};
    }

    @Override
    public void stepBatch(org.kpflow.model.CellBatch batch) {
      var q = batch.q();
      var p = batch.p();
      var next = batch.next();
      var byHidden = batch.nextByHidden();
      var byInput = batch.nextByInput();
      var byState = batch.nextByState();
      while (next.hasRemaining()) { // one gate and one component: all have the same shape
        double value = Math.tanh(q.get() + p.get());
        next.put(value);
        byHidden.put(1 - value * value);
        byInput.put(1 - value * value);
        byState.put(0);
      }
    }
  }

  // page ends

  private static void tangentKernel(Map<String, Tensor> weights, Tensor inputs, Tensor error) {
    // page begins: use
    try (CellModel model =
            new CellModel("mgu", new MinimalGatedUnit(), weights, ModelOptions.of(DType.F64));
        Linearization linearization = Linearization.of(model, inputs);
        Tensor change = new NeuralTangentKernel(linearization).matvec(error)) {
      System.out.println("the state moves by " + change);
    }
    // page ends
  }

  private static void wholeSteps(Map<String, Tensor> weights, Tensor inputs) {
    // page begins: ode
    double[] tau = {0.5, 1, 2, 4};
    try (NeuralOde ode =
            new NeuralOde(weights, NeuralOde.Method.RK4, 0.1, tau, ModelOptions.of(DType.F64));
        Linearization linearization = Linearization.of(ode, inputs);
        Tensor state = linearization.state()) { // [B, 4 T, 3 H]
      System.out.println("whole time steps: every " + ode.stepsPerInput() + "th, from the 4th");
      System.out.println("of each, " + ode.outputBlock() + ", without the integrator's k and sum");
      System.out.println("the first unit after one: " + state.get(0, 3, 0));
    }
    // page ends
  }

  @Test
  void theExamplesRun() {
    Sizes sizes = new Sizes(2, 3, 2, 4);
    try (Sample mgu = sample(new MinimalGatedUnit(), 1, DType.F64, sizes, 1);
        Sample ode = sample(new FastTanh(), 1, DType.F64, sizes, 1)) {
      Tensor error = mgu.keep(probe(mgu.linearize(), 2));
      ByteArrayOutputStream printed = new ByteArrayOutputStream();
      PrintStream console = System.out;
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      try {
        tangentKernel(Cells.weights(mgu), mgu.inputs, error);
        wholeSteps(Cells.weights(ode), ode.inputs);
      } finally {
        System.setOut(console);
      }
      String text = printed.toString(StandardCharsets.UTF_8);
      assertTrue(text.contains("moves by Tensor f64[B=2, T=3, n=4]"), text);
      assertTrue(text.contains("every 4th") && text.contains("name=h, begin=0, units=4"), text);
    }
  }

  @Test
  void thePageShowsThisCode() throws IOException {
    String source = Files.readString(SOURCE);
    Pattern block = Pattern.compile("(?s)// page begins: \\w+\n(.*?)\n? *// page ends");
    List<String> code =
        block
            .matcher(source)
            .results()
            .map(found -> found.group(1).replace("org.kpflow.model.CellBatch", "CellBatch"))
            .map(text -> text.stripTrailing().stripIndent().strip())
            .toList();
    List<String> shown = new ArrayList<>();
    for (MatchResult found :
        Pattern.compile("(?s)```java\n(.*?)```")
            .matcher(Files.readString(PAGE))
            .results()
            .toList()) {
      shown.add(found.group(1).strip());
    }
    assertTrue(code.size() >= 6, "examples found: " + code.size());
    for (String example : code) {
      assertTrue(shown.contains(example), () -> "not on the page:\n" + example);
    }
    assertEquals(code.size(), shown.size(), "the page shows other code");
  }
}
