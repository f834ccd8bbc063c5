package org.kpflow.benchmarks;

import java.util.concurrent.TimeUnit;
import org.kpflow.base.DType;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.linearize.Linearization;
import org.kpflow.spectral.BlockKrylovOptions;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.Eigensolver;
import org.kpflow.spectral.LanczosOptions;
import org.kpflow.spectral.SubspaceOptions;
import org.kpflow.tensor.ExecutionContext;
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
  public void setUp() {
    context = ExecutionContext.withThreads(threads);
    linearization = BundledGru.linearize(context, "01818", trials, DType.F32);
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
