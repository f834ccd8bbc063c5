package org.kpflow.benchmarks;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.kpflow.base.DType;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterOperator;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;
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
 * The rate of one application of a GRU's operators to a block of probes, against the rate of GEMM
 * at 2048 x 2048 x 2048 in the same run. Work per probe is counted by the products with W_hh alone:
 * 24 B T H² for the NTK, 12 B T H² for K, 6 B T H² for P and P*.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 2)
@Fork(1)
@State(Scope.Benchmark)
public class NtkBenchmark {
  private static final int GEMM_SIZE = 2048;
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
  private Linearization linearization;
  private Tensor in;
  private Tensor out;
  private Tensor a;
  private Tensor b;
  private Tensor c;

  /** Work done; JMH divides it by the time and reports {@code …:gflop} in GFLOP/s. */
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  @State(Scope.Thread)
  public static class Work {
    public double gflop;
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
    try (Gru model = new Gru(weights, ModelOptions.of(dtype));
        Tensor inputs = Gaussian.tensor(context, dtype, rng.split(3), 1, trials, steps, INPUTS)) {
      linearization = Linearization.of(context, model, inputs, null);
    }
    weights.values().forEach(Tensor::close);
    in = Gaussian.tensor(context, dtype, rng.split(4), 1, probes, trials, steps, units);
    out = Tensor.zeros(dtype, in.shape());
    a = Gaussian.tensor(context, dtype, rng.split(5), 1, GEMM_SIZE, GEMM_SIZE);
    b = Gaussian.tensor(context, dtype, rng.split(6), 1, GEMM_SIZE, GEMM_SIZE);
    c = Tensor.zeros(dtype, GEMM_SIZE, GEMM_SIZE);
  }

  @TearDown(Level.Trial)
  public void tearDown() {
    for (Tensor tensor : new Tensor[] {in, out, a, b, c}) {
      tensor.close();
    }
    linearization.close();
    context.close();
  }

  private Tensor apply(LinearOperator operator, boolean adjoint, int flopPerProbe, Work work) {
    if (adjoint) {
      operator.rmatmat(in, out);
    } else {
      operator.matmat(in, out);
    }
    work.gflop += 1e-9 * flopPerProbe * probes * trials * steps * units * units;
    return out;
  }

  @Benchmark
  public Tensor tangentKernel(Work work) {
    return apply(new NeuralTangentKernel(linearization), false, 24, work);
  }

  @Benchmark
  public Tensor parameterOperator(Work work) {
    return apply(new ParameterOperator(linearization), false, 12, work);
  }

  @Benchmark
  public Tensor propagation(Work work) {
    return apply(new PropagationOperator(linearization), false, 6, work);
  }

  @Benchmark
  public Tensor propagationAdjoint(Work work) {
    return apply(new PropagationOperator(linearization), true, 6, work);
  }

  @Benchmark
  public Tensor gemm(Work work) {
    TensorMath.gemm(context, false, false, 1, a, b, 0, c);
    work.gflop += 2e-9 * GEMM_SIZE * GEMM_SIZE * GEMM_SIZE;
    return c;
  }
}
