package org.kpflow.benchmarks;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.linearize.Linearization;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
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
 * The time to the temporal, batch and time views of the bundled GRU's NTK by each method: basis to
 * rounding, factor to a bound of 1e-6, hybrid and sampled to a standard error of 1 %. JMH also
 * reports the vectors that went through P or the NTK, and the error that hybrid and sampled state
 * for the temporal view, in percent.
 */
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 1)
@Measurement(iterations = 3)
@Fork(1)
@State(Scope.Benchmark)
public class ViewsBenchmark {
  private static final List<View> VIEWS = List.of(View.TEMP, View.BATCH, View.TIME);

  @Param({"BASIS", "FACTOR", "HYBRID", "SAMPLED"})
  public LinearizationViews.Method method;

  @Param({"00000", "01818"})
  public String step;

  @Param("1")
  public int trials;

  @Param("F32")
  public DType dtype;

  @Param("2")
  public int threads;

  private ExecutionContext context;
  private Linearization linearization;

  /** What a run took and how exact it says it is. */
  @AuxCounters(AuxCounters.Type.EVENTS)
  @State(Scope.Thread)
  public static class Evidence {
    public double vectors;
    public double errorPercent;

    /** Each iteration counts for itself. */
    @Setup(Level.Iteration)
    public void clear() {
      vectors = 0;
      errorPercent = 0;
    }
  }

  @Setup(Level.Trial)
  public void setUp() {
    context = ExecutionContext.withThreads(threads);
    linearization = BundledGru.linearize(context, step, trials, dtype);
  }

  @TearDown(Level.Trial)
  public void tearDown() {
    linearization.close();
    context.close();
  }

  @Benchmark
  public long views(Evidence evidence) {
    LinearizationViews.Options options =
        new LinearizationViews.Options(VIEWS, method, 0, 0, RngState.of(1));
    try (LinearizationViews found =
        LinearizationViews.ofTangentKernel(linearization, options, Progress.NONE)) {
      evidence.vectors = found.products();
      evidence.errorPercent = 100 * found.relativeError(View.TEMP);
      return found.products();
    }
  }
}
