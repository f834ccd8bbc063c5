package org.kpflow.benchmarks;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.kpflow.base.DType;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.io.Npy;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.spectral.BlockKrylovOptions;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.Eigensolver;
import org.kpflow.spectral.LanczosOptions;
import org.kpflow.spectral.SubspaceOptions;
import org.kpflow.tensor.ExecutionContext;
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
 * The time to the leading eigenpairs of the NTK of the bundled GRU (256 units, 90 steps, trained on
 * Memory-Pro), by each solver to the same tolerance. Beside the seconds stand the products and the
 * largest residual ‖A v - λ v‖ / λ_1, in billionths. Subspace iteration runs to 1e-2 alone: it
 * gains a digit in about ten passes here. One shot is measured: JMH adds up the counters of
 * several.
 */
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 1)
@Measurement(iterations = 1)
@Fork(1)
@State(Scope.Benchmark)
public class EigensolverBenchmark {
  private static final String EXAMPLE = "/org/kpflow/examples/memory_pro_gru/";

  @Param({"1", "10", "50", "200"})
  public int modes;

  @Param("8")
  public int trials;

  @Param("1e-4")
  public double tolerance;

  @Param("2")
  public int threads;

  private ExecutionContext context;
  private Linearization linearization;

  /** What a solution took and how good it is. */
  @AuxCounters(AuxCounters.Type.EVENTS)
  @State(Scope.Thread)
  public static class Evidence {
    public long matvecs;
    public long residualE9;
  }

  @Setup(Level.Trial)
  public void setUp() throws IOException {
    context = ExecutionContext.withThreads(threads);
    Path directory = Files.createTempDirectory("kpflow-benchmark");
    Path weightFile = unpack("step_01818.safetensors", directory);
    Path inputFile = unpack("inputs.npy", directory);
    try (TensorMap weights = WeightFile.read(weightFile, null);
        Gru model = new Gru(weights.asMap(), ModelOptions.of(DType.F32));
        Tensor inputs = Npy.read(inputFile, DType.F32)) {
      linearization = Linearization.of(context, model, inputs.slice(0, trials), null);
    } finally {
      Files.delete(weightFile);
      Files.delete(inputFile);
      Files.delete(directory);
    }
  }

  private static Path unpack(String name, Path directory) throws IOException {
    Path target = directory.resolve(name);
    try (InputStream source = EigensolverBenchmark.class.getResourceAsStream(EXAMPLE + name)) {
      Files.copy(source, target);
    }
    return target;
  }

  @TearDown(Level.Trial)
  public void tearDown() {
    linearization.close();
    context.close();
  }

  private double solve(Eigensolver solver, Evidence evidence) {
    try (EigenPairs pairs = solver.solve(new NeuralTangentKernel(linearization))) {
      double worst = 0;
      for (double residual : pairs.residuals()) {
        worst = Math.max(worst, residual / pairs.values()[0]);
      }
      evidence.matvecs = pairs.matvecs();
      evidence.residualE9 = Math.round(1e9 * worst);
      return pairs.values()[0];
    }
  }

  @Benchmark
  public double arpack(Evidence evidence) {
    return solve(Eigensolver.of(LanczosOptions.largest(modes).tolerance(tolerance)), evidence);
  }

  @Benchmark
  public double blockKrylov(Evidence evidence) {
    return solve(Eigensolver.of(BlockKrylovOptions.largest(modes).tolerance(tolerance)), evidence);
  }

  @Benchmark
  public double randomized(Evidence evidence) {
    return solve(Eigensolver.of(SubspaceOptions.largest(modes)), evidence);
  }
}
