package org.kpflow.nativelib;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.NumericalException;
import org.kpflow.nativelib.TrainingKernels.AdamConstants;
import org.kpflow.tensor.ExecutionContext;

/**
 * Misuse of the training functions: native code stays inside its arrays and says what was wrong.
 */
class TrainingKernelsTest {
  private static final DType F64 = DType.F64;
  private static final AdamConstants ADAM = new AdamConstants(0.9, 0.99, 1e-8);
  private static final long[] ODD = {
    Long.MIN_VALUE, -1, 0, 9, 1L << 31, 1L << 32, 1L << 61, Long.MAX_VALUE
  };

  private ContextHandle context;
  private NativeMemory a;
  private NativeMemory b;
  private NativeMemory c;
  private NativeMemory d;
  private long live;

  @BeforeEach
  void allocate() {
    ExecutionContext.shared();
    live = NativeMemory.liveCount();
    context = new ContextHandle(Device.CPU, 2);
    a = NativeMemory.allocate(512); // 64 numbers each
    b = NativeMemory.allocate(512);
    c = NativeMemory.allocate(512);
    d = NativeMemory.allocate(512);
  }

  @AfterEach
  void free() {
    for (NativeMemory memory : List.of(a, b, c, d)) {
      memory.close();
    }
    context.close();
    assertEquals(live, NativeMemory.liveCount(), "leaks");
  }

  @Test
  void sizesThatDoNotFitTheMemoryAreRefused() {
    for (long odd : ODD) {
      refused(() -> new ReadoutArrays(F64, 8, 8, 0, odd, 9, a, null).apply(context, b, c), "");
      refused(() -> new ReadoutArrays(F64, odd, 9, 0, 2, 2, a, null).gradient(context, b, c), "");
      refused(() -> new ReadoutArrays(F64, 2, odd, 8, 2, 2, a, null).adjoint(context, b, c), "");
      refused(() -> TrainingKernels.meanSquaredError(context, F64, odd, 8, a, b, null), "");
      refused(() -> TrainingKernels.shampooAccumulate(context, F64, odd, 8, a, b, c), "");
      refused(() -> TrainingKernels.shampooStep(context, F64, odd, 8, 1, a, b, c, d), "");
      refused(() -> TrainingKernels.inverseRoot(context, odd, a, 4, 1, b), "");
    }
    refused(() -> TrainingKernels.meanSquaredError(context, F64, 64, 2, a, b, null), "128");
    refused(() -> TrainingKernels.clamp(context, F64, 65, 1, a), "65");
    refused(() -> TrainingKernels.adamStep(context, F64, 65, 1, 1, ADAM, a, b, c, d), "65");
    refused(() -> new ReadoutArrays(F64, 1, 8, 0, 8, 8, a, b.span(0, 56)), "56 bytes");
  }

  @Test
  void valuesThatMakeNoSenseAreRefused() {
    for (long begin : new long[] {-1, 7, Long.MAX_VALUE, Long.MIN_VALUE}) {
      refused(
          () -> new ReadoutArrays(F64, 8, 8, begin, 2, 2, a, null).apply(context, b, c), "begin");
    }
    refused(
        () -> new ReadoutArrays(F64, 0, 8, 0, 2, 2, a, null).gradient(context, b, c), "rows", "0");
    refused(() -> TrainingKernels.clamp(context, F64, 4, -1, a), "limit", "-1");
    refused(() -> TrainingKernels.clamp(context, F64, 4, Double.NaN, a), "limit", "nan");
    refused(() -> TrainingKernels.adamStep(context, F64, 4, 0, 1, ADAM, a, b, c, d), "step", "0");
    refused(
        () -> TrainingKernels.adamStep(context, F64, 4, 1, Double.NaN, ADAM, a, b, c, d), "rate");
    for (double bad : new double[] {-0.1, 1, Double.NaN}) {
      AdamConstants first = new AdamConstants(bad, 0.9, 1);
      AdamConstants second = new AdamConstants(0.9, bad, 1);
      refused(() -> TrainingKernels.adamStep(context, F64, 4, 1, 1, first, a, b, c, d), "beta1");
      refused(() -> TrainingKernels.adamStep(context, F64, 4, 1, 1, second, a, b, c, d), "beta2");
    }
    refused(() -> TrainingKernels.inverseRoot(context, 8, a, 3, 1, b), "root", "3");
    refused(() -> TrainingKernels.inverseRoot(context, 8, a, 4, 0, b), "floor", "0");
    a.put(0, new double[] {Double.NaN}, 0, 1);
    refused(
        NumericalException.class,
        () -> TrainingKernels.inverseRoot(context, 8, a, 4, 1, b),
        "finite");
  }

  @Test
  void masksOfOtherThanZeroAndOneAreRefused() {
    refused(() -> TrainingKernels.meanSquaredError(context, F64, 4, 2, a, b, c), "at least one");
    c.put(0, new double[] {1, 0.5}, 0, 2);
    refused(() -> TrainingKernels.meanSquaredError(context, F64, 4, 2, a, b, c), "mask", "0.5");
    refused(() -> TrainingKernels.meanSquaredError(context, F64, 4, 2, a, b, c.span(0, 24)), "24");
  }

  /** The handle of the run before is of no more use, whether the new run succeeds or not. */
  @Test
  void aLinearizationIsReplacedOnce() {
    LinearizationHandle first = LinearizationHandle.recurrent(context, gru(F64, 2, 2, 1, a));
    LinearizationHandle second = first.replaced(gru(F64, 1, 3, 1, a));
    assertEquals(3, second.steps());
    closed(() -> first.state(b));
    closed(() -> first.replaced(gru(F64, 1, 1, 1, a)));
    second.state(b);
    refused(() -> second.replaced(gru(DType.F32, 1, 1, 1, a)), "dtype", "as before");
    closed(() -> second.state(b));
    LinearizationHandle large = LinearizationHandle.recurrent(context, gru(F64, 1, 1, 1, a));
    refused(() -> large.replaced(gru(F64, 9, 9, 1, a)), "512 bytes");
    closed(() -> large.state(b));
    LinearizationHandle third = LinearizationHandle.recurrent(context, gru(F64, 2, 2, 1, a));
    a.put(0, new double[] {Double.NaN}, 0, 1);
    refused(NumericalException.class, () -> third.replaced(gru(F64, 2, 2, 1, a)), "not finite");
    closed(() -> third.state(b));
    a.put(0, new double[1], 0, 1);
    GraphDescription graph =
        new GraphDescription(
            F64,
            1,
            2,
            3,
            List.of(
                new GraphDescription.Node(
                    "Y", 0, 3, true, false, false, 2, 1, new long[] {-1, -1, -1}, 0, a, null)),
            b,
            null);
    LinearizationHandle fourth = LinearizationHandle.recurrent(context, gru(F64, 2, 2, 1, a));
    refused(() -> fourth.replaced(graph), "recurrent");
    closed(() -> fourth.state(b));
    LinearizationHandle fifth = LinearizationHandle.graph(context, graph);
    refused(() -> fifth.replaced(gru(F64, 1, 1, 1, a)), "feed-forward");
    closed(() -> fifth.state(b));
  }

  private RecurrentDescription gru(
      DType dtype, long trials, long steps, long inputs, NativeMemory weights) {
    RecurrentDescription.Layer layer =
        new RecurrentDescription.Layer(3, weights, weights, null, null, null);
    return new RecurrentDescription(
        "gru", 0, 0, 0, dtype, trials, steps, inputs, 2, List.of(layer), b, null, null);
  }
}
