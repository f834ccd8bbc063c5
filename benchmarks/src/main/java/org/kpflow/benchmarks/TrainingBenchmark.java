package org.kpflow.benchmarks;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.kpflow.base.DType;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Readout;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.train.Adam;
import org.kpflow.train.Network;
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
 * Training steps of a GRU per second: forward pass, loss, gradient and Adam. Its limit is that of
 * its matrix products, 2 B T 3H (H + n_in) FLOP forwards, 2 B T 3H² for the adjoint and 2 B T 3H (H
 * + n_in) for the gradient, at the rate of GEMM at 2048 x 2048 x 2048, which is measured just
 * before. A step takes 1 / score seconds; {@code …:ratioToGemm} is the step's rate over GEMM's.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 5, time = 4)
@Fork(1)
@State(Scope.Benchmark)
public class TrainingBenchmark {
  private static final int OUTPUTS = 3;

  @Param({"F32"})
  public DType dtype;

  @Param("2")
  public int threads;

  @Param("256")
  public int units;

  @Param("3")
  public int inputs;

  @Param("500")
  public int trials;

  @Param("90")
  public int steps;

  private ExecutionContext context;
  private Network network;
  private Adam adam;
  private Trials batch;
  private long taken;
  private double gemmRate;

  /** Work done; JMH divides it by the time. */
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  @State(Scope.Thread)
  public static class Work {
    public double gflop;
    public double ratioToGemm;
  }

  @Setup(Level.Trial)
  public void setUp() {
    context = ExecutionContext.withThreads(threads);
    double scale = 1 / Math.sqrt(units);
    Map<String, Tensor> weights = new LinkedHashMap<>();
    weights.put("weight_ih_l0", gaussian(1, scale, 3L * units, inputs));
    weights.put("weight_hh_l0", gaussian(2, scale, 3L * units, units));
    weights.put("bias_ih_l0", gaussian(3, scale, 3L * units));
    weights.put("bias_hh_l0", gaussian(4, scale, 3L * units));
    try (Tensor weight = gaussian(5, scale, OUTPUTS, units);
        Tensor bias = gaussian(6, scale, OUTPUTS)) {
      Gru gru = new Gru(weights, ModelOptions.of(dtype));
      Readout readout = new Readout(context, weight, bias, gru.outputBlock(), dtype);
      network = new Network(context, gru, readout, true);
    }
    weights.values().forEach(Tensor::close);
    adam = new Adam(context, network.parameters());
    batch =
        new Trials(
            gaussian(7, 1, trials, steps, inputs), gaussian(8, 1, trials, steps, OUTPUTS), null);
  }

  /** Before every iteration: the machine's speed drifts. */
  @Setup(Level.Iteration)
  public void measurePeer() {
    gemmRate = GemmPeer.rate(context, dtype);
  }

  private Tensor gaussian(long seed, double scale, long... sizes) {
    return Gaussian.tensor(context, dtype, RngState.of(seed), scale, sizes);
  }

  @TearDown(Level.Trial)
  public void tearDown() {
    adam.close();
    network.close();
    batch.close();
    context.close();
  }

  private void count(Work work, double widths) {
    double gflop = 6e-9 * trials * steps * units * widths;
    work.gflop += gflop;
    work.ratioToGemm += gflop / gemmRate;
  }

  @Benchmark
  public double step(Work work) {
    double loss = network.lossAndGradient(batch);
    adam.step(++taken, 1e-3);
    count(work, 3.0 * units + 2.0 * inputs);
    return loss;
  }

  /** The loss alone, as in an evaluation. */
  @Benchmark
  public double evaluation(Work work) {
    count(work, units + inputs);
    return network.loss(batch);
  }
}
