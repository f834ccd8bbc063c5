package org.kpflow.operator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Locale;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/**
 * What holds for every {@link LinearOperator}; call {@link #check} on an instance small enough for
 * its dense matrix. Rounding is allowed for by 16 ε sqrt(m + n) ||A||_F ||x|| times a slack, for
 * operators whose steps are larger than their result.
 */
public final class OperatorContract {
  private final LinearOperator op;
  private final long seed;
  private final double[][] dense;
  private final double tolerance; // of A x, for ||x|| = 1

  private OperatorContract(LinearOperator op, long seed, double slack) {
    this.op = op;
    this.seed = seed;
    this.dense = Matrices.of(op);
    double size = op.domain().count() + op.range().count();
    this.tolerance = slack * 16 * op.dtype().epsilon() * Math.sqrt(size) * Matrices.norm(dense);
  }

  /** Checks the whole contract with random inputs of a seed. */
  public static void check(LinearOperator op, long seed) {
    check(op, seed, 1);
  }

  /** As {@link #check(LinearOperator, long)} with {@code slack} times the tolerance. */
  public static void check(LinearOperator op, long seed, double slack) {
    op.context().threads(); // the shared context counts as a live resource once it is there
    long live = Tensor.liveCount();
    OperatorContract contract = new OperatorContract(op, seed, slack);
    assertEquals(op.range().count(), contract.dense.length);
    Matrices.assertClose(
        Matrices.transpose(contract.dense),
        Matrices.of(op.adjoint()),
        contract.tolerance,
        op + ": matrix of the adjoint");
    for (boolean adjoint : new boolean[] {false, true}) {
      for (int s : new int[] {1, 3, 7}) {
        contract.blockProductsAreThoseOfTheMatrix(adjoint, s);
      }
      contract.productsAreLinear(adjoint);
      contract.anEmptyBlockGivesAnEmptyBlock(adjoint);
      contract.misuseIsRefused(adjoint);
    }
    contract.adjointIsAdjoint();
    assertEquals(live, Tensor.liveCount(), op + ": leaks tensors");
  }

  private void blockProductsAreThoseOfTheMatrix(boolean adjoint, int s) {
    double[][] x = Matrices.random(op.dtype(), s, source(adjoint).count(), seed + s);
    double[][] expected = Matrices.multiply(x, adjoint ? dense : Matrices.transpose(dense));
    String what = op + (adjoint ? ", adjoint" : "") + ", block of " + s;
    double allowed = tolerance * Matrices.norm(x);
    try (Tensor in = Matrices.tensor(op.dtype(), source(adjoint).block(s), x);
        Tensor out = nan(target(adjoint).block(s));
        Tensor fresh = adjoint ? op.rmatmat(in) : op.matmat(in)) {
      product(adjoint, in, out);
      Matrices.assertClose(expected, Matrices.rows(out, s), allowed, what);
      assertArrayEquals(out.toDoubles(), fresh.toDoubles(), what + ": the form that allocates");
      assertArrayEquals(flat(x), in.toDoubles(), what + ": the input has changed");
      assertEquals(target(adjoint).block(s), fresh.shape());
      for (int row = 0; row < s; row++) {
        try (Tensor single = nan(target(adjoint));
            Tensor freshSingle = adjoint ? op.rmatvec(in.slice(row)) : op.matvec(in.slice(row))) {
          vectorProduct(adjoint, in.slice(row), single);
          double[][] one = {single.toDoubles()};
          Matrices.assertClose(
              new double[][] {expected[row]}, one, allowed, what + ": vector " + row);
          assertArrayEquals(one[0], freshSingle.toDoubles(), what + ": the form that allocates");
        }
      }
      assertArrayEquals(flat(x), in.toDoubles(), what + ": the input has changed");
    }
  }

  private void productsAreLinear(boolean adjoint) {
    double[][] x = Matrices.random(op.dtype(), 2, source(adjoint).count(), seed + 11);
    double[][] sum = Matrices.combine(2, new double[][] {x[0]}, -0.5, new double[][] {x[1]});
    try (Tensor in = Matrices.tensor(op.dtype(), source(adjoint).block(2), x);
        Tensor mixed = Matrices.tensor(op.dtype(), source(adjoint).block(1), sum);
        Tensor images = adjoint ? op.rmatmat(in) : op.matmat(in);
        Tensor image = adjoint ? op.rmatmat(mixed) : op.matmat(mixed)) {
      double[][] y = Matrices.rows(images, 2);
      double[][] expected = Matrices.combine(2, new double[][] {y[0]}, -0.5, new double[][] {y[1]});
      Matrices.assertClose(
          expected, Matrices.rows(image, 1), 4 * tolerance * Matrices.norm(x), op + ": linearity");
    }
  }

  private void adjointIsAdjoint() {
    double[][] x = Matrices.random(op.dtype(), 1, op.domain().count(), seed + 12);
    double[][] y = Matrices.random(op.dtype(), 1, op.range().count(), seed + 13);
    try (Tensor in = Matrices.tensor(op.dtype(), op.domain(), x);
        Tensor other = Matrices.tensor(op.dtype(), op.range(), y);
        Tensor image = op.matvec(in);
        Tensor back = op.rmatvec(other);
        Tensor viaAdjoint = op.adjoint().matvec(other)) {
      double left = Matrices.multiply(Matrices.rows(image, 1), Matrices.transpose(y))[0][0];
      double right = Matrices.multiply(x, Matrices.transpose(Matrices.rows(back, 1)))[0][0];
      double allowed = 2 * tolerance * Matrices.norm(x) * Matrices.norm(y);
      assertTrue(
          Math.abs(left - right) <= allowed, op + ": <Ax,y> = " + left + ", <x,A*y> = " + right);
      Matrices.assertClose(
          Matrices.rows(back, 1), Matrices.rows(viaAdjoint, 1), allowed, op + ": adjoint()");
    }
    assertTrue(
        op.adjoint().adjoint() == op || op instanceof AdjointOperator,
        op + ": adjoint of the adjoint");
    assertEquals(op.range(), op.adjoint().domain());
    assertEquals(op.domain(), op.adjoint().range());
    if (op.isSelfAdjoint()) {
      assertSame(op, op.adjoint());
      Matrices.assertClose(
          dense, Matrices.transpose(dense), 2 * tolerance, op + ": called self-adjoint");
    }
    assertTrue(!op.toString().isEmpty());
  }

  private void anEmptyBlockGivesAnEmptyBlock(boolean adjoint) {
    try (Tensor in = Tensor.zeros(op.dtype(), source(adjoint).block(0));
        Tensor out = adjoint ? op.rmatmat(in) : op.matmat(in)) {
      assertEquals(target(adjoint).block(0), out.shape());
    }
  }

  private void misuseIsRefused(boolean adjoint) {
    DType otherType = op.dtype() == DType.F32 ? DType.F64 : DType.F32;
    Shape source = source(adjoint);
    Shape target = target(adjoint);
    try (Tensor in = Tensor.zeros(op.dtype(), source.block(2));
        Tensor out = Tensor.zeros(op.dtype(), target.block(2));
        Tensor long3 = Tensor.zeros(op.dtype(), target.block(3));
        Tensor wrongIn = Tensor.zeros(op.dtype(), source.block(2).block(2));
        Tensor typedIn = Tensor.zeros(otherType, source.block(2));
        Tensor typedOut = Tensor.zeros(otherType, target.block(2));
        Tensor both = Tensor.zeros(op.dtype(), 2 * Math.max(source.count(), target.count()))) {
      refused("null", adjoint, null, out);
      refused("null", adjoint, in, null);
      refused("shape", adjoint, wrongIn, out);
      refused("shape", adjoint, in, long3);
      refused("dtype", adjoint, typedIn, out);
      refused("dtype", adjoint, in, typedOut);
      Tensor sharedIn = both.slice(0, 2 * source.count()).reshape(source.block(2));
      Tensor sharedOut = both.slice(0, 2 * target.count()).reshape(target.block(2));
      refused("shares memory", adjoint, sharedIn, sharedOut);
      Tensor closedIn = closed(source.block(2));
      Tensor closedOut = closed(target.block(2));
      assertThrows(
          IllegalStateException.class,
          () -> product(adjoint, closedIn, out),
          op + ": closed input");
      assertThrows(
          IllegalStateException.class,
          () -> product(adjoint, in, closedOut),
          op + ": closed output");
      assertThrows(
          IllegalStateException.class,
          () -> vectorProduct(adjoint, closedIn.slice(0), out.slice(0)));
    }
  }

  private Tensor closed(Shape shape) {
    Tensor tensor = Tensor.zeros(op.dtype(), shape);
    tensor.close();
    return tensor;
  }

  private void refused(String why, boolean adjoint, Tensor in, Tensor out) {
    String text =
        assertThrows(
                IllegalArgumentException.class, () -> product(adjoint, in, out), op + ": " + why)
            .getMessage();
    assertTrue(text.toLowerCase(Locale.ROOT).contains(why), text);
  }

  private void product(boolean adjoint, Tensor in, Tensor out) {
    if (adjoint) {
      op.rmatmat(in, out);
    } else {
      op.matmat(in, out);
    }
  }

  private void vectorProduct(boolean adjoint, Tensor in, Tensor out) {
    if (adjoint) {
      op.rmatvec(in, out);
    } else {
      op.matvec(in, out);
    }
  }

  private Tensor nan(Shape shape) {
    double[] values = new double[(int) shape.count()];
    Arrays.fill(values, Double.NaN);
    return Tensor.of(op.dtype(), shape, values);
  }

  private static double[] flat(double[][] x) {
    return Arrays.stream(x).flatMapToDouble(Arrays::stream).toArray();
  }

  private Shape source(boolean adjoint) {
    return adjoint ? op.range() : op.domain();
  }

  private Shape target(boolean adjoint) {
    return adjoint ? op.domain() : op.range();
  }
}
