package org.kpflow.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.base.CancelledException;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

class PartialTraceOperatorTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  static Stream<Arguments> instances() {
    List<Shape> shapes =
        List.of(Shape.of(2, 3, 4), Shape.of(1, 3, 2), Shape.of(2, 1, 1), Shape.of(5));
    return Stream.of(DType.values())
        .flatMap(type -> shapes.stream().map(shape -> Arguments.of(type, shape)));
  }

  @ParameterizedTest
  @MethodSource("instances")
  void everyReductionIsTheSumOverItsBlocks(DType dtype, Shape shape) {
    LoopOperator a = LoopOperator.random(dtype, shape, shape, 1);
    LoopOperator s = LoopOperator.symmetric(dtype, shape, 2);
    for (int mask = 0; mask < 1 << shape.rank(); mask++) {
      int chosen = mask;
      int[] axes =
          IntStream.range(0, shape.rank()).filter(axis -> (chosen >> axis & 1) == 1).toArray();
      int[] backwards =
          IntStream.range(0, axes.length).map(i -> axes[axes.length - 1 - i]).toArray();
      int[][] index = indices(shape, axes);
      double n = Arrays.stream(axes).mapToLong(shape::size).reduce(1, (x, y) -> x * y);
      check(blockSum(a.matrix, index, false, 1), a.partialTrace(axes));
      check(blockSum(a.matrix, index, false, 1), a.partialTrace(backwards));
      check(blockSum(a.matrix, index, false, 1 / n), a.partialAverage(axes));
      check(blockSum(a.matrix, index, true, 1 / n), a.coherentAverage(axes));
      check(blockSum(s.matrix, index, false, 1), s.partialTrace(axes));
      assertTrue(s.partialTrace(axes).isSelfAdjoint() && s.coherentAverage(axes).isSelfAdjoint());
      assertTrue(n == 1 || a.partialAverage(axes).compare(a.coherentAverage(axes)) > 0.1);
    }
  }

  /**
   * The kept and the traced index of every element of the shape, written out for at most three
   * axes.
   */
  private static int[][] indices(Shape shape, int... axes) {
    int[][] result = new int[(int) shape.count()][2];
    for (int element = 0; element < result.length; element++) {
      int rest = element;
      int[] weight = {1, 1};
      for (int axis = shape.rank() - 1; axis >= 0; axis--) {
        int size = (int) shape.size(axis);
        int current = axis;
        int part = Arrays.stream(axes).anyMatch(traced -> traced == current) ? 1 : 0;
        result[element][part] += rest % size * weight[part];
        weight[part] *= size;
        rest /= size;
      }
    }
    return result;
  }

  /** weight Σ A[(i,u), (j,v)] over u = v, or over all u and v. */
  private static double[][] blockSum(double[][] a, int[][] index, boolean all, double weight) {
    int kept = 1 + Arrays.stream(index).mapToInt(pair -> pair[0]).max().orElseThrow();
    double[][] result = new double[kept][kept];
    for (int row = 0; row < a.length; row++) {
      for (int column = 0; column < a.length; column++) {
        if (all || index[row][1] == index[column][1]) {
          result[index[row][0]][index[column][0]] += weight * a[row][column];
        }
      }
    }
    return result;
  }

  private static void check(double[][] expected, LinearOperator op) {
    Matrices.assertClose(expected, Matrices.of(op), 200 * op.dtype().epsilon(), op.toString());
    OperatorContract.check(op, 3, 8);
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void partialTraceOfATensorProductIsTheProductOfTraces(DType dtype) {
    LoopOperator a = LoopOperator.random(dtype, Shape.of(2, 3), Shape.of(2, 3), 1);
    LoopOperator b = LoopOperator.random(dtype, Shape.of(4), Shape.of(4), 2);
    LinearOperator product = a.tensorProduct(b);
    double allowed = 100 * dtype.epsilon();
    assertEquals(0, product.partialTrace(2).compare(a.scale(Matrices.trace(b.matrix))), allowed);
    assertEquals(0, product.partialTrace(0, 1).compare(b.scale(Matrices.trace(a.matrix))), allowed);
    assertEquals(0, product.partialTrace(1).compare(a.partialTrace(1).tensorProduct(b)), allowed);
    assertEquals(
        0, product.partialTrace(2).partialTrace(0).compare(product.partialTrace(0, 2)), allowed);
    try (Tensor one = Tensor.of(dtype, Shape.of(), 1);
        Tensor trace = product.partialTrace(0, 1, 2).matvec(one)) {
      assertEquals(Matrices.trace(a.matrix) * Matrices.trace(b.matrix), trace.get(), 100 * allowed);
    }
  }

  @Test
  void manyVectorsAndBasisVectorsGoThroughInBoundedBlocks() {
    Shape shape = Shape.of(3, 70);
    LoopOperator a = LoopOperator.random(DType.F64, shape, shape, 1);
    int[][] index = indices(shape, 1);
    for (boolean coherent : new boolean[] {false, true}) {
      LinearOperator op = coherent ? a.coherentAverage(1) : a.partialTrace(1);
      double[][] dense = blockSum(a.matrix, index, coherent, coherent ? 1.0 / 70 : 1);
      for (int s : new int[] {1, 7, 33, 70}) {
        double[][] x = Matrices.random(DType.F64, s, 3, s);
        try (Tensor in = Matrices.tensor(DType.F64, Shape.of(s, 3), x);
            Tensor out = op.matmat(in)) {
          double[][] expected = Matrices.multiply(x, Matrices.transpose(dense));
          Matrices.assertClose(expected, Matrices.rows(out, s), 1e-12, op + " on " + s);
        }
      }
    }
    assertEquals(64, a.largestBlock);
    assertEquals(1, BasisSweep.blockSize(1L << 40, 1000));
    assertEquals(32, BasisSweep.blockSize(2L << 20, 1000));
    assertEquals(5, BasisSweep.blockSize(8, 5));
  }

  @Test
  void sumsOfAnF32OperatorDoNotLoseDigits() {
    int n = 20_000;
    FunctionOperator.BlockFunction tenth = (in, out) -> TensorMath.axpby(CONTEXT, 0.1, in, 0, out);
    LinearOperator a = FunctionOperator.selfAdjoint(CONTEXT, Shape.of(n), DType.F32, tenth);
    try (Tensor one = Tensor.of(DType.F32, Shape.of(), 1);
        Tensor coherent = a.coherentAverage(0).matvec(one)) {
      assertEquals(0.1f, coherent.get(), 2e-8);
    }
  }

  @Test
  void wrongAxesAreRefused() {
    LinearOperator a = LoopOperator.random(DType.F64, Shape.of(2, 3), Shape.of(2, 3), 1);
    refused(a, "-1", -1);
    refused(a, "got 2", 2);
    refused(a, "twice", 1, 0, 1);
    assertSame(a, a.partialTrace());
    LinearOperator empty = LoopOperator.random(DType.F64, Shape.of(2, 0), Shape.of(2, 0), 1);
    refused(empty, "no elements", 1);
    Shape eight = Shape.of(1, 1, 1, 1, 1, 1, 1, 1);
    refused(LoopOperator.random(DType.F64, eight, eight, 1), "at most 7", 0);
  }

  private static void refused(LinearOperator a, String why, int... axes) {
    for (Executable call :
        List.<Executable>of(
            () -> a.partialTrace(axes),
            () -> a.partialAverage(axes),
            () -> a.coherentAverage(axes))) {
      String text = assertThrows(IllegalArgumentException.class, call).getMessage();
      assertTrue(text.contains(why), text);
    }
  }

  @Test
  void anInterruptStopsASweepOverAnOperatorWrittenInJava() {
    LinearOperator a = LoopOperator.random(DType.F64, Shape.of(2, 3), Shape.of(2, 3), 1);
    try (Tensor x = Tensor.zeros(DType.F64, 2)) {
      long live = Tensor.liveCount();
      LinearOperator reduced = a.partialTrace(1);
      Thread.currentThread().interrupt();
      try {
        assertThrows(CancelledException.class, () -> reduced.matvec(x));
        assertThrows(CancelledException.class, a::toDense);
      } finally {
        assertTrue(Thread.interrupted());
      }
      assertEquals(live, Tensor.liveCount());
    }
  }
}
