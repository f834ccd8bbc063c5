package org.kpflow.benchmarks;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.kpflow.base.DType;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.CellFunction;
import org.kpflow.model.CellModel;
import org.kpflow.model.Dual;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.RecurrentModel;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A GRU written as a {@link CellFunction} against the built-in one, on the same weights and inputs:
 * applications of the NTK to a block of probes, with the speed of the written one over that of the
 * built-in one ({@code writtenOverBuiltIn}), and forward passes.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 2)
@Fork(1)
@State(Scope.Benchmark)
public class CellBenchmark {
  private static final int INPUTS = 3;

  @Param({"F32", "F64"})
  public DType dtype;

  @Param("2")
  public int threads;

  @Param("256")
  public int units;

  @Param("20")
  public int trials;

  @Param("90")
  public int steps;

  @Param("16")
  public int probes;

  private ExecutionContext context;
  private RecurrentModel builtIn;
  private RecurrentModel written;
  private Tensor inputs;
  private Linearization ofBuiltIn;
  private Linearization ofWritten;
  private Tensor in;
  private Tensor out;

  /** Mean over the time of the run; JMH divides by that time. */
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  @State(Scope.Thread)
  public static class Speed {
    public double writtenOverBuiltIn;
  }

  /** PyTorch's GRU, gates (r, z, n). */
  private static final class WrittenGru implements CellFunction {
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

  @Setup(Level.Trial)
  public void setUp() {
    context = ExecutionContext.withThreads(threads);
    RngState rng = RngState.of(1);
    Map<String, Tensor> weights = new LinkedHashMap<>();
    weights.put(
        "weight_ih_l0", Gaussian.tensor(context, dtype, rng.split(1), 1, 3L * units, INPUTS));
    weights.put(
        "weight_hh_l0",
        Gaussian.tensor(context, dtype, rng.split(2), 1 / Math.sqrt(units), 3L * units, units));
    builtIn = new Gru(weights, ModelOptions.of(dtype));
    written = new CellModel("gru", new WrittenGru(), weights, ModelOptions.of(dtype));
    weights.values().forEach(Tensor::close);
    inputs = Gaussian.tensor(context, dtype, rng.split(3), 1, trials, steps, INPUTS);
    ofBuiltIn = Linearization.of(context, builtIn, inputs, null);
    ofWritten = Linearization.of(context, written, inputs, null);
    in = Gaussian.tensor(context, dtype, rng.split(4), 1, probes, trials, steps, units);
    out = Tensor.zeros(dtype, in.shape());
  }

  @TearDown(Level.Trial)
  public void tearDown() {
    for (Tensor tensor : new Tensor[] {inputs, in, out}) {
      tensor.close();
    }
    ofBuiltIn.close();
    ofWritten.close();
    builtIn.close();
    written.close();
    context.close();
  }

  /**
   * The NTK of both, one after the other in every operation, so that both meet the same machine.
   */
  @Benchmark
  public Tensor kernels(Speed speed) {
    long start = System.nanoTime();
    new NeuralTangentKernel(ofBuiltIn).matmat(in, out);
    long between = System.nanoTime();
    new NeuralTangentKernel(ofWritten).matmat(in, out);
    long end = System.nanoTime();
    double seconds = 1e-9 * (end - start);
    speed.writtenOverBuiltIn += seconds * (between - start) / (end - between);
    return out;
  }

  @Benchmark
  public long builtInForward() {
    try (Linearization linearization = Linearization.of(context, builtIn, inputs, null)) {
      return linearization.parameterCount();
    }
  }

  @Benchmark
  public long writtenForward() {
    try (Linearization linearization = Linearization.of(context, written, inputs, null)) {
      return linearization.parameterCount();
    }
  }
}
