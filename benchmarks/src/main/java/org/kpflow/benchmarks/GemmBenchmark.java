package org.kpflow.benchmarks;

import java.util.concurrent.TimeUnit;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
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
 * The rate of a matrix product C = A B, [n, n] each: the ceiling of everything that runs through
 * GEMM.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
@State(Scope.Benchmark)
public class GemmBenchmark {
  @Param({"F32", "F64"})
  public DType dtype;

  @Param({"1", "2"})
  public int threads;

  @Param("2048")
  public int size;

  private ExecutionContext context;
  private Tensor a;
  private Tensor b;
  private Tensor c;

  /** Work done; JMH divides it by the time and reports {@code multiply:gflop} in GFLOP/s. */
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  @State(Scope.Thread)
  public static class Work {
    public double gflop;
  }

  @Setup(Level.Trial)
  public void setUp() {
    context = ExecutionContext.withThreads(threads);
    Shape shape = Shape.of(size, size);
    double[] values = new double[Math.toIntExact(shape.count())];
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.sin(i);
    }
    a = Tensor.of(dtype, shape, values);
    b = Tensor.of(dtype, shape, values);
    c = Tensor.zeros(dtype, shape);
  }

  @TearDown(Level.Trial)
  public void tearDown() {
    c.close();
    b.close();
    a.close();
    context.close();
  }

  @Benchmark
  public Tensor multiply(Work work) {
    TensorMath.gemm(context, false, false, 1, a, b, 0, c);
    work.gflop += 2e-9 * size * size * size;
    return c;
  }
}
