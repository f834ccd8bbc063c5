package org.kpflow.spectral;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.CancelledException;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** ARPACK is not re-entrant and an operator may do anything: threads, exceptions, interrupts. */
@Timeout(60)
class EigshThreadsTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final int SIZE = 60;

  private long live;

  @BeforeEach
  void count() {
    CONTEXT.threads();
    live = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  private static LinearOperator function(FunctionOperator.BlockFunction body) {
    return FunctionOperator.selfAdjoint(CONTEXT, Shape.of(SIZE), DType.F64, body);
  }

  /** diag(1, 2, ..., SIZE), in Java. */
  private static void diagonal(Tensor in, Tensor out) {
    double[] values = in.toDoubles();
    for (int i = 0; i < values.length; i++) {
      values[i] *= 1 + i % SIZE;
    }
    out.copyFrom(values);
  }

  @Test
  void fourThreadsAtOnceGetTheRightAnswers() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(4);
    List<Tensor> matrices = new ArrayList<>();
    try {
      List<Callable<double[]>> calls = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        double top = 10 + i;
        double[] spectrum = new double[SIZE];
        Arrays.setAll(spectrum, j -> top * Math.pow(0.8, j));
        matrices.add(EigshTest.withSpectrum(DType.F64, i, spectrum));
        LinearOperator operator = MatrixOperator.of(CONTEXT, matrices.get(i));
        calls.add(
            () -> {
              try (EigenPairs pairs = Eigsh.solve(operator, LanczosOptions.largest(3))) {
                return pairs.values();
              }
            });
      }
      for (int round = 0; round < 10; round++) {
        List<Future<double[]>> answers = pool.invokeAll(calls);
        for (int i = 0; i < 4; i++) {
          double top = 10 + i;
          double[] expected = {top, 0.8 * top, 0.64 * top};
          assertArrayEquals(expected, answers.get(i).get(), 1e-12);
        }
      }
    } finally {
      pool.shutdown();
      assertTrue(pool.awaitTermination(30, TimeUnit.SECONDS));
      matrices.forEach(Tensor::close);
    }
  }

  @Test
  void whatTheOperatorThrowsComesOutUnchangedAndTheNextCallWorks() {
    for (Throwable thrown :
        new Throwable[] {new IllegalArgumentException("mine"), new AssertionError("mine too")}) {
      int[] products = {0};
      LinearOperator failing =
          function(
              (in, out) -> {
                if (++products[0] == 5) {
                  EigshThreadsTest.<RuntimeException>sneak(thrown);
                }
                diagonal(in, out);
              });
      Throwable caught =
          assertThrows(Throwable.class, () -> Eigsh.solve(failing, LanczosOptions.largest(2)));
      assertSame(thrown, caught);
      try (EigenPairs pairs =
          Eigsh.solve(function(EigshThreadsTest::diagonal), LanczosOptions.largest(2))) {
        assertArrayEquals(new double[] {SIZE, SIZE - 1}, pairs.values(), 1e-11);
      }
    }
  }

  @SuppressWarnings("unchecked")
  private static <T extends Throwable> void sneak(Throwable thrown) throws T {
    throw (T) thrown;
  }

  @Test
  void anEigenproblemInsideAnOperatorOfAnotherIsRefusedInsteadOfADeadlock() {
    LinearOperator inner = function(EigshThreadsTest::diagonal);
    LinearOperator nested =
        function(
            (in, out) -> {
              Eigsh.solve(inner, LanczosOptions.largest(2)).close();
              diagonal(in, out);
            });
    RuntimeException failure =
        assertThrows(RuntimeException.class, () -> Eigsh.solve(nested, LanczosOptions.largest(2)));
    assertTrue(failure.getMessage().contains("not re-entrant"), failure.getMessage());
  }

  private interface Work {
    void run();
  }

  /** Interrupts a thread once it is well inside its work; what it threw, and how long after. */
  private static Throwable interrupted(Work work, CountDownLatch inside) throws Exception {
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                work.run();
              } catch (Throwable failure) {
                thrown.set(failure);
              }
            });
    thread.start();
    assertTrue(inside.await(10, TimeUnit.SECONDS), "never started");
    Thread.sleep(100);
    long start = System.nanoTime();
    thread.interrupt();
    thread.join(10_000);
    long milliseconds = (System.nanoTime() - start) / 1_000_000;
    assertTrue(milliseconds < 1000, "stopped after " + milliseconds + " ms");
    return thrown.get();
  }

  @Test
  void anInterruptStopsALongSolutionInJava() throws Exception {
    CountDownLatch inside = new CountDownLatch(1);
    LinearOperator slow =
        FunctionOperator.selfAdjoint(
            CONTEXT,
            Shape.of(20_000),
            DType.F64,
            (in, out) -> {
              inside.countDown();
              double[] values = in.toDoubles();
              Arrays.setAll(values, i -> values[i] * (1 + i % 20_000 / 20_000.0));
              out.copyFrom(values);
            });
    LanczosOptions options = LanczosOptions.largest(3).maxIterations(1_000_000);
    Throwable failure = interrupted(() -> Eigsh.solve(slow, options).close(), inside);
    assertInstanceOf(CancelledException.class, failure);
  }

  @Test
  void anInterruptStopsALongSolutionInNativeCode() throws Exception {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, new Sizes(30, 60, 4, 64), 1)) {
      Linearization linearization = sample.linearize();
      LinearOperator ntk = new NeuralTangentKernel(linearization);
      CountDownLatch inside = new CountDownLatch(0);
      LanczosOptions options = LanczosOptions.largest(200).maxIterations(1_000_000);
      Throwable failure = interrupted(() -> Eigsh.solve(ntk, options).close(), inside);
      assertInstanceOf(CancelledException.class, failure);
    }
  }

  @Test
  void closingWhatASolutionWorksOnWaitsForItsEnd() throws Exception {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, new Sizes(8, 30, 4, 64), 1)) {
      ExecutionContext context = ExecutionContext.withThreads(2);
      Linearization linearization = sample.linearize(context);
      LinearOperator ntk = new NeuralTangentKernel(linearization);
      AtomicReference<Throwable> thrown = new AtomicReference<>();
      Thread thread =
          new Thread(
              () -> {
                LanczosOptions options = LanczosOptions.largest(20);
                try (EigenPairs pairs = Eigsh.solve(ntk, options)) {
                  assertEquals(20, pairs.values().length);
                } catch (Throwable failure) {
                  thrown.set(failure);
                }
              });
      thread.start();
      Thread.sleep(50);
      linearization.close();
      context.close();
      thread.join();
      if (thrown.get() != null) { // it had not started yet
        assertInstanceOf(IllegalStateException.class, thrown.get());
      }
    }
  }

  @Test
  void anOperatorThatIsNotSelfAdjointIsRefused() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, Sizes.SMALL, 1)) {
      LinearOperator p = new PropagationOperator(sample.linearize());
      String message =
          assertThrows(
                  IllegalArgumentException.class, () -> Eigsh.solve(p, LanczosOptions.largest(2)))
              .getMessage();
      assertTrue(message.contains("operator P") && message.contains("self-adjoint"), message);
    }
  }

  /** What is refused before the loop must not leave the thread marked as inside a call. */
  @Test
  void aClosedLinearizationIsRefusedAndTheThreadCanStillBeInterruptedLater() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, Sizes.SMALL, 2);
        Tensor x = Tensor.of(Shape.of(2), 1.0, 2.0)) {
      Linearization linearization = sample.linearize();
      LinearOperator ntk = new NeuralTangentKernel(linearization);
      linearization.close();
      assertThrows(IllegalStateException.class, () -> Eigsh.solve(ntk, LanczosOptions.largest(2)));
      Linearization open = sample.linearize();
      LinearOperator kernel = new NeuralTangentKernel(open);
      Tensor probe = sample.keep(Tensor.zeros(DType.F64, open.stateShape()));
      Thread.currentThread().interrupt();
      for (long end = System.nanoTime() + 100_000_000; System.nanoTime() < end; ) {
        Thread.onSpinWait(); // long enough for whoever watches for interrupts
      }
      assertThrows(CancelledException.class, () -> kernel.matvec(probe));
      assertTrue(Thread.interrupted());
      sample.keep(kernel.matvec(probe)); // not cancelled any more
      assertEquals(5, TensorMath.dot(CONTEXT, x, x));
    }
  }
}
