package org.kpflow.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.operator.Matrices.combine;
import static org.kpflow.operator.Matrices.identity;
import static org.kpflow.operator.Matrices.kronecker;
import static org.kpflow.operator.Matrices.multiply;
import static org.kpflow.operator.Matrices.transpose;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.base.DType;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

class OperatorAlgebraTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  /** Every type with pairs of shapes: vectors, arrays, sizes of 1 and no axes at all. */
  static Stream<Arguments> instances() {
    List<List<Shape>> pairs =
        List.of(
            List.of(Shape.of(4), Shape.of(3)),
            List.of(Shape.of(2, 3), Shape.of(5)),
            List.of(Shape.of(1), Shape.of(4, 1)),
            List.of(Shape.of(1, 3), Shape.of(1)),
            List.of(Shape.of(), Shape.of(2)));
    return Stream.of(DType.values())
        .flatMap(type -> pairs.stream().map(pair -> Arguments.of(type, pair.get(0), pair.get(1))));
  }

  @ParameterizedTest
  @MethodSource("instances")
  void everyOperatorKeepsTheContractAndIsItsMatrix(DType dtype, Shape domain, Shape range) {
    LoopOperator a = LoopOperator.random(dtype, domain, range, 1);
    LoopOperator b = LoopOperator.random(dtype, domain, range, 2);
    LoopOperator c = LoopOperator.random(dtype, range, domain, 3);
    LoopOperator s = LoopOperator.symmetric(dtype, domain, 4);
    double[][] at = transpose(a.matrix);
    double[][] ca = multiply(c.matrix, a.matrix);
    Shape flatDomain = Shape.of(domain.count(), 1);
    Shape flatRange = Shape.of(range.count());
    IdentityOperator identity = new IdentityOperator(CONTEXT, range, dtype);
    Map<LinearOperator, double[][]> cases = new LinkedHashMap<>();
    cases.put(a, a.matrix);
    cases.put(s, s.matrix);
    cases.put(identity, identity(range.count()));
    cases.put(a.adjoint(), at);
    cases.put(a.plus(b), combine(1, a.matrix, 1, b.matrix));
    cases.put(a.minus(b), combine(1, a.matrix, -1, b.matrix));
    cases.put(s.plus(s.scale(2)), combine(3, s.matrix, 0, s.matrix));
    cases.put(a.minus(c.adjoint()), combine(1, a.matrix, -1, transpose(c.matrix)));
    cases.put(a.scale(-2.5), combine(-2.5, a.matrix, 0, a.matrix));
    cases.put(a.gram(), multiply(at, a.matrix));
    cases.put(a.outerGram(), multiply(a.matrix, at));
    cases.put(s.gram(), multiply(s.matrix, s.matrix));
    cases.put(c.compose(a), ca);
    cases.put(
        a.compose(c).compose(b.compose(s)),
        multiply(multiply(a.matrix, c.matrix), multiply(b.matrix, s.matrix)));
    cases.put(a.compose(s).compose(a.adjoint()), multiply(multiply(a.matrix, s.matrix), at));
    cases.put(c.compose(a).symmetricPart(), combine(0.5, ca, 0.5, transpose(ca)));
    cases.put(a.tensorProduct(c), kronecker(a.matrix, c.matrix));
    cases.put(s.tensorProduct(s), kronecker(s.matrix, s.matrix));
    cases.put(a.tensorProduct(identity), kronecker(a.matrix, identity(range.count())));
    cases.put(identity.tensorProduct(a), kronecker(identity(range.count()), a.matrix));
    cases.put(a.reshape(flatDomain, flatRange), a.matrix);
    cases.put(s.reshape(flatDomain, flatDomain), s.matrix);
    cases.forEach(OperatorAlgebraTest::check);
  }

  private static void check(LinearOperator op, double[][] expected) {
    double allowed =
        64 * op.dtype().epsilon() * Math.max(1, Matrices.norm(expected)) * expected.length;
    Matrices.assertClose(expected, Matrices.of(op), allowed, op.toString());
    OperatorContract.check(op, 5, 8);
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void theAlgebraKeepsItsIdentities(DType dtype) {
    Shape x = Shape.of(2, 2);
    LinearOperator a = LoopOperator.random(dtype, x, Shape.of(3), 1);
    LinearOperator b = LoopOperator.random(dtype, x, x, 2);
    LinearOperator c = LoopOperator.random(dtype, x, x, 3);
    Map<LinearOperator, LinearOperator> equal = new LinkedHashMap<>();
    equal.put(a.compose(b).adjoint(), b.adjoint().compose(a.adjoint()));
    equal.put(a.compose(b.plus(c)), a.compose(b).plus(a.compose(c)));
    equal.put(b.minus(c), c.minus(b).scale(-1));
    equal.put(a.gram(), a.adjoint().compose(a));
    equal.put(a.outerGram(), a.adjoint().gram());
    equal.put(a.tensorProduct(b).adjoint(), a.adjoint().tensorProduct(b.adjoint()));
    equal.put(
        a.tensorProduct(b).compose(c.tensorProduct(c)), a.compose(c).tensorProduct(b.compose(c)));
    equal.put(b.symmetricPart().plus(b.minus(b.adjoint()).scale(0.5)), b);
    equal.put(b.reshape(Shape.of(4), Shape.of(4)).like(c), b);
    equal.put(b.partialTrace(0).adjoint(), b.adjoint().partialTrace(0));
    equal.forEach(
        (left, right) ->
            assertEquals(0, left.compare(right), 50 * dtype.epsilon(), left + " = " + right));
  }

  @Test
  void selfAdjointnessIsKnownWhereItFollows() {
    LinearOperator a = LoopOperator.random(DType.F64, Shape.of(3), Shape.of(3), 1);
    LinearOperator b = LoopOperator.random(DType.F64, Shape.of(3), Shape.of(3), 4);
    LinearOperator s = LoopOperator.symmetric(DType.F64, Shape.of(3), 2);
    LinearOperator t = LoopOperator.symmetric(DType.F64, Shape.of(3), 3);
    for (LinearOperator known :
        List.of(
            a.compose(s).compose(a.adjoint()),
            a.adjoint().compose(a),
            s.compose(t).compose(s),
            s.compose(a).compose(t).compose(a.adjoint()).compose(s),
            s.plus(t),
            s.scale(3),
            s.tensorProduct(t),
            s.symmetricPart(),
            s.reshape(Shape.of(3, 1), Shape.of(3, 1)))) {
      assertTrue(known.isSelfAdjoint(), known.toString());
    }
    for (LinearOperator unknown :
        List.of(
            a,
            s.compose(t),
            a.compose(a),
            a.compose(s).compose(a),
            a.compose(b).compose(a.adjoint()),
            s.minus(a),
            a.tensorProduct(s),
            s.reshape(Shape.of(3, 1), Shape.of(3)))) {
      assertFalse(unknown.isSelfAdjoint(), unknown.toString());
    }
    assertSame(s, s.symmetricPart());
    assertSame(a, a.adjoint().adjoint());
  }

  @Test
  void compareIsTheRelativeFrobeniusDistance() {
    Shape domain = Shape.of(70); // more than one block of basis vectors
    LoopOperator a = LoopOperator.random(DType.F64, domain, Shape.of(3), 1);
    LoopOperator b = LoopOperator.random(DType.F64, domain, Shape.of(3), 2);
    double expected =
        Matrices.norm(combine(1, a.matrix, -1, b.matrix))
            / Math.max(Matrices.norm(a.matrix), Matrices.norm(b.matrix));
    assertEquals(expected, a.compare(b), 1e-14);
    assertEquals(expected, b.compare(a), 1e-14);
    assertEquals(0, a.compare(a));
    assertEquals(2, a.compare(a.scale(-1)), 1e-14);
    assertEquals(1, a.compare(a.scale(0)));
    assertEquals(0, a.scale(0).compare(b.minus(b)));
    assertEquals(Matrices.norm(a.matrix), a.frobeniusNorm(), 1e-13);
    LinearOperator broken =
        new LoopOperator(
            DType.F64, domain, Shape.of(3), Matrices.fill(3, 70, (i, j) -> Double.NaN), false);
    assertTrue(
        Double.isNaN(broken.compare(a))
            && Double.isNaN(a.compare(broken))
            && Double.isNaN(broken.frobeniusNorm()));
    Matrices.assertClose(a.matrix, Matrices.of(a), 0, "dense matrix in several blocks");
  }

  @Test
  void tensorProductLikePutsTheIdentityOnTheOtherAxes() {
    Shape state = Shape.state(2, 3, 4);
    LinearOperator target = new IdentityOperator(CONTEXT, state, DType.F64);
    for (Shape shape :
        List.of(
            Shape.of(2, 3),
            Shape.of(6),
            Shape.of(2),
            Shape.of(2, 3, 4),
            Shape.of(24),
            Shape.of(),
            Shape.of(1))) {
      LoopOperator g = LoopOperator.random(DType.F64, shape, shape, 1);
      LinearOperator lifted = g.tensorProductLike(target);
      assertEquals(state, lifted.domain());
      check(lifted, kronecker(g.matrix, identity(24 / shape.count())));
    }
    for (Shape shape : List.of(Shape.of(4), Shape.of(3, 4), Shape.of(12), Shape.of())) {
      LoopOperator g = LoopOperator.random(DType.F64, shape, shape, 1);
      check(
          g.tensorProductLike(target, AxisSide.TRAILING),
          kronecker(identity(24 / shape.count()), g.matrix));
    }
    LoopOperator wide = LoopOperator.random(DType.F64, Shape.of(2, 3), Shape.of(5), 2);
    LinearOperator between = LoopOperator.random(DType.F64, state, Shape.of(5, 4), 3);
    check(wide.tensorProductLike(between), kronecker(wide.matrix, identity(4)));
    for (Shape wrong : List.of(Shape.of(3, 2), Shape.of(5), Shape.of(4), Shape.of(2, 3, 5))) {
      LinearOperator g = LoopOperator.random(DType.F64, wrong, wrong, 1);
      String text =
          assertThrows(IllegalArgumentException.class, () -> g.tensorProductLike(target))
              .getMessage();
      assertTrue(text.contains(wrong.toString()) && text.contains(state.toString()), text);
    }
    LinearOperator other = LoopOperator.random(DType.F64, Shape.of(2, 3), Shape.of(2, 4), 3);
    assertThrows(
        IllegalArgumentException.class,
        () -> LoopOperator.random(DType.F64, Shape.of(2), Shape.of(2), 1).tensorProductLike(other));
  }

  @Test
  void formulasAreReadable() {
    LinearOperator p =
        FunctionOperator.of(
                CONTEXT, Shape.of(6), Shape.of(6), DType.F64, (x, y) -> {}, (x, y) -> {})
            .named("P");
    LinearOperator k =
        FunctionOperator.selfAdjoint(CONTEXT, Shape.of(6), DType.F64, (x, y) -> {}).named("K");
    LinearOperator state = new IdentityOperator(CONTEXT, Shape.state(2, 3, 4), DType.F64);
    assertEquals("P ∘ K ∘ P*", p.compose(k).compose(p.adjoint()).toString());
    assertEquals("(P + K) ∘ P", p.plus(k).compose(p).toString());
    assertEquals("P - (2.0 · K) + P", p.minus(k.scale(2)).plus(p).toString());
    assertEquals("(P ∘ K)*", p.compose(k).adjoint().toString());
    assertEquals("P* ∘ P, P ∘ P*, K ∘ K", p.gram() + ", " + p.outerGram() + ", " + k.gram());
    assertEquals("(P ⊗ I) [B=2, T=3, n=4]", p.tensorProductLike(state).toString());
    LinearOperator cube = k.reshape(Shape.of(2, 3), Shape.of(2, 3));
    assertEquals("tr[1](K [2, 3])", cube.partialTrace(1).toString());
    assertEquals("tr[0, 1](K [2, 3])/6", cube.partialAverage(1, 0).toString());
    assertEquals("coherent[0](K [2, 3])", cube.coherentAverage(0).toString());
    assertEquals("sym(P)", p.symmetricPart().toString());
    assertEquals("P [6, 1]→[2, 3]", p.reshape(Shape.of(6, 1), Shape.of(2, 3)).toString());
  }

  @Test
  void mismatchesNameBothSides() {
    LinearOperator a = LoopOperator.random(DType.F64, Shape.of(4), Shape.of(3), 1);
    LinearOperator single = LoopOperator.random(DType.F32, Shape.of(4), Shape.of(3), 1);
    refused("[4]", "[3]", () -> a.compose(a));
    refused("[4]", "[3]", () -> a.plus(a.adjoint()));
    refused("[4]", "[3]", () -> a.minus(a.adjoint()));
    refused("[4]", "[3]", () -> a.compare(a.adjoint()));
    refused("[4]", "[3]", a::symmetricPart);
    refused("[4]", "[3]", () -> a.partialTrace(0));
    refused("[4]", "[2, 3]", () -> a.reshape(Shape.of(2, 3), Shape.of(3)));
    refused("[3]", "[2]", () -> a.reshape(Shape.of(4), Shape.of(2)));
    refused("f64", "f32", () -> a.plus(single));
    refused("f64", "f32", () -> a.compose(single.adjoint()));
    refused("f64", "f32", () -> a.tensorProduct(single));
    refused("f64", "f32", () -> a.tensorProductLike(single));
    refused("f64", "f32", () -> a.compare(single));
    refused("null", "plus", () -> a.plus(null));
    refused("NaN", "scale", () -> a.scale(Double.NaN));
    refused("null", "domain", () -> a.reshape(null, Shape.of(3)));
  }

  private static void refused(String one, String other, Executable call) {
    String text = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(text.contains(one) && text.contains(other), text);
  }

  @Test
  void aMatrixThatCannotFitIsRefusedWithTheNumbers() {
    for (long n : new long[] {10_000_000, 1L << 40}) {
      LinearOperator huge = new IdentityOperator(CONTEXT, Shape.of(n), DType.F32);
      String text = assertThrows(MemoryException.class, huge::toDense).getMessage();
      assertTrue(text.contains("[" + n + ", " + n + "] of f32") && text.contains("bytes"), text);
    }
  }

  @Test
  void scratchIsFreedWhenAnOperatorThrows() {
    Shape shape = Shape.of(2, 3);
    LinearOperator good = LoopOperator.random(DType.F64, shape, shape, 1);
    FunctionOperator.BlockFunction fail =
        (in, out) -> {
          throw new ArithmeticException("on purpose");
        };
    LinearOperator bad = FunctionOperator.of(CONTEXT, shape, shape, DType.F64, fail, fail);
    List<LinearOperator> all =
        List.of(
            good.compose(bad).compose(good),
            good.plus(bad),
            bad.scale(2),
            bad.adjoint().gram(),
            bad.symmetricPart(),
            good.tensorProduct(bad),
            bad.tensorProduct(good),
            bad.tensorProductLike(good.tensorProduct(good)),
            bad.partialTrace(0),
            bad.coherentAverage(1));
    long live = Tensor.liveCount();
    for (LinearOperator op : all) {
      try (Tensor in = Tensor.zeros(DType.F64, op.domain())) {
        assertThrows(ArithmeticException.class, () -> op.matvec(in));
        assertThrows(ArithmeticException.class, () -> op.rmatvec(in));
        assertThrows(ArithmeticException.class, op::toDense);
        assertThrows(ArithmeticException.class, () -> op.compare(op));
      }
      assertEquals(live, Tensor.liveCount(), op.toString());
    }
  }
}
