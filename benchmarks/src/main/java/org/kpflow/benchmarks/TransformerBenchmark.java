package org.kpflow.benchmarks;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.kpflow.base.DType;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.GraphModel;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Transformer;
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
 * The rate of the NTK of a pre-norm transformer block on a block of probes, as it stands and over
 * the rate of GEMM at 2048 x 2048 x 2048 measured before it ({@code ratioToGemm}). Work per probe
 * is that of the products alone: 8 B T m n for a weight [n, m] (W and its change on the way
 * forward, W and the gradient on the way back), half of it for W_in, whose input stays, and 16 B T²
 * n_attn for attention.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 2)
@Fork(1)
@State(Scope.Benchmark)
public class TransformerBenchmark {
  private static final int LAYERS = 3;

  @Param({"F32", "F64"})
  public DType dtype;

  @Param("2")
  public int threads;

  @Param("64")
  public int width;

  @Param("128")
  public int hidden;

  @Param("4")
  public int heads;

  @Param("16")
  public int inputs;

  @Param("10")
  public int trials;

  @Param("50")
  public int steps;

  @Param("16")
  public int probes;

  private ExecutionContext context;
  private Linearization linearization;
  private NeuralTangentKernel kernel;
  private Tensor in;
  private Tensor out;
  private double gflopPerProbe;
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
    RngState rng = RngState.of(1);
    Map<String, Tensor> weights = new LinkedHashMap<>();
    put(weights, "W_in", width, inputs);
    for (String name : new String[] {"W_q_l0", "W_k_l0", "W_z_l0", "W_o_l0"}) {
      put(weights, name, width, width);
    }
    for (int l = 1; l <= LAYERS; l++) {
      int columns = l == 1 ? width : hidden;
      put(weights, "mlp_W_" + l + "_l0", l == LAYERS ? width : hidden, columns);
      weights.put(
          "mlp_b_" + l + "_l0",
          Gaussian.tensor(context, dtype, rng.split(l), 0.1, l == LAYERS ? width : hidden));
    }
    for (String name : new String[] {"norm1", "norm2"}) {
      weights.put(name + "_weight_l0", Gaussian.tensor(context, dtype, rng.split(11), 0.5, width));
      weights.put(name + "_bias_l0", Gaussian.tensor(context, dtype, rng.split(12), 0.5, width));
    }
    try (GraphModel model =
            Transformer.of(weights, heads, false, Activation.GELU, 1e-5, ModelOptions.of(dtype));
        Tensor x = Gaussian.tensor(context, dtype, rng.split(13), 1, trials, steps, inputs)) {
      linearization = Linearization.of(context, model, x, null);
      double rows = 1.0 * trials * steps;
      for (GraphModel.Node node : model.nodes()) {
        if (node.kind() == GraphModel.Kind.LINEAR) {
          boolean first = node.inputs().contains(GraphModel.INPUT);
          gflopPerProbe +=
              (first ? 4e-9 : 8e-9) * rows * model.weight(node.weight()).shape().count();
        } else if (node.kind() == GraphModel.Kind.ATTENTION) {
          gflopPerProbe += 16e-9 * rows * steps * node.units();
        }
      }
    }
    weights.values().forEach(Tensor::close);
    kernel = new NeuralTangentKernel(linearization);
    in = Gaussian.tensor(context, dtype, rng.split(14), 1, kernel.domain().block(probes).sizes());
    out = Tensor.zeros(dtype, in.shape());
    gemmRate = GemmPeer.rate(context, dtype);
  }

  private void put(Map<String, Tensor> weights, String name, int rows, int columns) {
    RngState rng = RngState.of(100 + weights.size());
    weights.put(name, Gaussian.tensor(context, dtype, rng, 1 / Math.sqrt(columns), rows, columns));
  }

  @TearDown(Level.Trial)
  public void tearDown() {
    in.close();
    out.close();
    linearization.close();
    context.close();
  }

  @Benchmark
  public Tensor tangentKernel(Work work) {
    kernel.matmat(in, out);
    work.gflop += probes * gflopPerProbe;
    work.ratioToGemm += probes * gflopPerProbe / gemmRate;
    return out;
  }
}
