package org.kpflow.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

class MatrixAndFunctionOperatorTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  @ParameterizedTest
  @EnumSource(DType.class)
  void aMatrixOperatorKeepsTheContractAndIsItsMatrix(DType dtype) {
    for (Shape[] pair :
        new Shape[][] {
          {Shape.of(4), Shape.of(3)},
          {Shape.of(2, 3), Shape.of(5, 1)},
          {Shape.of(1), Shape.of(1)},
          {Shape.of(1), Shape.of(90)}
        }) {
      double[][] m = Matrices.random(dtype, pair[1].count(), pair[0].count(), 1);
      try (Tensor full = Matrices.tensor(dtype, pair[1].concat(pair[0]), m)) {
        MatrixOperator shaped = MatrixOperator.of(CONTEXT, pair[0], pair[1], full);
        Tensor flat = full.reshape(Shape.of(pair[1].count(), pair[0].count()));
        Matrices.assertClose(m, Matrices.of(shaped), 0, "matrix");
        Matrices.assertClose(m, Matrices.of(MatrixOperator.of(CONTEXT, flat)), 0, "flat matrix");
        OperatorContract.check(shaped, 2);
        OperatorContract.check(MatrixOperator.of(CONTEXT, pair[0], pair[1], flat).named("G"), 3);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void symmetryIsSeenAndVerified(DType dtype) {
    Shape shape = Shape.of(10, 13); // more rows than a panel
    double[][] s = LoopOperator.symmetric(dtype, shape, 1).matrix;
    long n = shape.count();
    try (Tensor matrix = Matrices.tensor(dtype, Shape.of(n, n), s)) {
      assertTrue(MatrixOperator.of(CONTEXT, matrix).isSelfAdjoint());
      assertTrue(MatrixOperator.of(CONTEXT, shape, shape, matrix).isSelfAdjoint());
      assertFalse(MatrixOperator.of(CONTEXT, shape, Shape.of(n), matrix).isSelfAdjoint());
      OperatorContract.check(MatrixOperator.symmetric(CONTEXT, shape, matrix), 2);
      matrix.set(s[100][7] * (1 + 8 * dtype.epsilon()), 100, 7);
      assertFalse(MatrixOperator.of(CONTEXT, matrix).isSelfAdjoint());
      assertTrue(MatrixOperator.symmetric(CONTEXT, shape, matrix).isSelfAdjoint());
      for (double wrong : new double[] {s[100][7] + 0.01, Double.NaN}) {
        matrix.set(wrong, 100, 7);
        assertFalse(MatrixOperator.of(CONTEXT, matrix).isSelfAdjoint());
        refused("symmetric", () -> MatrixOperator.symmetric(CONTEXT, shape, matrix));
      }
    }
  }

  @Test
  void aMatrixOfAnotherShapeOrClosedIsRefused() {
    try (Tensor cube = Tensor.zeros(DType.F64, 2, 3, 4);
        Tensor x = Tensor.zeros(DType.F64, 4)) {
      refused("[2, 3, 4]", () -> MatrixOperator.of(CONTEXT, cube));
      refused(
          "[6, 5] or [2, 3, 5]",
          () -> MatrixOperator.of(CONTEXT, Shape.of(5), Shape.of(2, 3), cube));
      refused("null", () -> MatrixOperator.of(CONTEXT, null));
      refused("null", () -> MatrixOperator.of(null, Shape.of(4), Shape.of(2, 3), cube));
      Tensor gone = cube.copy();
      LinearOperator op = MatrixOperator.of(CONTEXT, Shape.of(4), Shape.of(2, 3), gone);
      gone.close();
      assertThrows(IllegalStateException.class, () -> op.matvec(x));
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void functionsMakeAnOperator(DType dtype) {
    Shape line = Shape.of(3);
    Shape twice = Shape.of(2, 3);
    FunctionOperator.BlockFunction repeat = // x -> [x, 2 x]
        (in, out) ->
            TensorMath.strided(
                new long[] {in.shape().size(0), 3},
                1,
                in,
                new long[] {3, 1},
                0,
                out,
                new long[] {6, 1});
    FunctionOperator.BlockFunction stack =
        (in, out) -> {
          repeat.apply(in, out);
          long s = in.shape().size(0);
          Tensor second = out.reshape(Shape.of(s * 6)).slice(3, s * 6 - 3);
          TensorMath.strided(
              new long[] {s, 3}, 2, in, new long[] {3, 1}, 0, second, new long[] {6, 1});
        };
    FunctionOperator.BlockFunction fold =
        (in, out) -> {
          long s = in.shape().size(0);
          TensorMath.strided(
              new long[] {s, 3}, 1, in, new long[] {6, 1}, 0, out, new long[] {3, 1});
          Tensor second = in.reshape(Shape.of(s * 6)).slice(3, s * 6 - 3);
          TensorMath.strided(
              new long[] {s, 3}, 2, second, new long[] {6, 1}, 1, out, new long[] {3, 1});
        };
    LinearOperator op = FunctionOperator.of(CONTEXT, line, twice, dtype, stack, fold);
    OperatorContract.check(op, 1);
    OperatorContract.check(op.gram(), 2);
    OperatorContract.check(op.outerGram().partialTrace(0), 3);
    LinearOperator scaling =
        FunctionOperator.selfAdjoint(
                CONTEXT, twice, dtype, (in, out) -> TensorMath.axpby(CONTEXT, -3, in, 0, out))
            .named("D");
    OperatorContract.check(scaling, 4);
    assertEquals(0, scaling.compare(new IdentityOperator(CONTEXT, twice, dtype).scale(-3)));
  }

  @Test
  void aMissingAdjointIsSaidClearly() {
    Shape shape = Shape.of(2, 3);
    LinearOperator op =
        FunctionOperator.forwardOnly(
                CONTEXT, shape, shape, DType.F64, (in, out) -> out.copyFrom(in))
            .named("Q");
    long live = Tensor.liveCount();
    try (Tensor x = Tensor.of(shape, 1.0, 2, 3, 4, 5, 6);
        Tensor y = op.matvec(x);
        Tensor traced = op.partialTrace(1).matvec(x.reshape(Shape.of(3, 2)).slice(0))) {
      assertEquals(6, y.get(1, 2));
      assertEquals(6, traced.get(1));
      for (Executable call :
          new Executable[] {
            () -> op.rmatvec(x),
            () -> op.gram().matvec(x),
            () -> op.adjoint().matvec(x),
            () -> op.adjoint().toDense()
          }) {
        String text = assertThrows(UnsupportedOperationException.class, call).getMessage();
        assertTrue(text.contains("Q") && text.contains("no adjoint"), text);
      }
    }
    assertEquals(live, Tensor.liveCount());
    refused(
        "applyAdjoint",
        () -> FunctionOperator.of(CONTEXT, shape, shape, DType.F64, (in, out) -> {}, null));
    refused("apply", () -> FunctionOperator.selfAdjoint(CONTEXT, shape, DType.F64, null));
  }

  private static void refused(String why, Executable call) {
    String text = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(text.contains(why), text);
  }
}
