package org.kpflow.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.Map;
import java.util.TreeMap;
import java.util.function.BinaryOperator;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** Derivatives carried along, against differences and against values known by other means. */
class DualTest {
  private static final double STEP = 1e-6;

  private static Dual x(double value) {
    return Dual.variable(value, 0, 1);
  }

  @Test
  void everyFunctionCarriesItsDerivative() {
    Map<String, UnaryOperator<Dual>> functions = new TreeMap<>();
    functions.put("negate", Dual::negate);
    functions.put("oneMinus", Dual::oneMinus);
    functions.put("reciprocal", Dual::reciprocal);
    functions.put("square", Dual::square);
    functions.put("sqrt", z -> z.square().plus(1).sqrt());
    functions.put("pow", z -> z.square().plus(0.5).pow(1.7));
    functions.put("pow of exponent", z -> Dual.constant(1.3).pow(z));
    functions.put("pow of itself", z -> z.square().plus(0.5).pow(z));
    functions.put("abs", Dual::abs);
    functions.put("exp", Dual::exp);
    functions.put("expm1", Dual::expm1);
    functions.put("log", z -> z.square().plus(0.5).log());
    functions.put("log1p", z -> z.square().log1p());
    functions.put("sin", Dual::sin);
    functions.put("cos", Dual::cos);
    functions.put("tanh", Dual::tanh);
    functions.put("sigmoid", Dual::sigmoid);
    functions.put("softplus", Dual::softplus);
    functions.put("relu", Dual::relu);
    functions.put("gelu", Dual::gelu);
    functions.put("plus", z -> z.plus(z.times(2)).plus(1));
    functions.put("minus", z -> z.minus(z.times(z)).minus(3));
    functions.put("times", z -> z.times(z.sin()));
    functions.put("dividedBy", z -> z.dividedBy(z.square().plus(1)).dividedBy(3));
    functions.put("max", z -> z.max(z.square()).max(-0.4));
    functions.put("min", z -> z.min(z.square()).min(0.6));
    functions.forEach(
        (name, f) -> {
          for (double at : new double[] {-2.3, -0.7, -0.1, 0.2, 0.9, 3.1}) {
            double ahead = f.apply(x(at + STEP)).value();
            double behind = f.apply(x(at - STEP)).value();
            double expected = (ahead - behind) / (2 * STEP);
            double found = f.apply(x(at)).partial(0);
            assertEquals(expected, found, 1e-8 * (1 + Math.abs(expected)), name + " at " + at);
            assertEquals(
                f.apply(x(at)).value(), f.apply(Dual.constant(at)).value(), name + " at " + at);
          }
        });
  }

  @Test
  void severalVariablesKeepApart() {
    Dual a = Dual.variable(2, 0, 3);
    Dual b = Dual.variable(5, 2, 3);
    BinaryOperator<Dual> f = (u, v) -> u.times(v).plus(v.square());
    Dual result = f.apply(a, b);
    assertEquals(35, result.value());
    assertEquals(5, result.partial(0));
    assertEquals(0, result.partial(1));
    assertEquals(12, result.partial(2));
    assertEquals(0, f.apply(Dual.constant(2), Dual.constant(5)).partial(1));
  }

  /** From series with more digits than a double has. */
  @Test
  void saturatedFunctionsKeepTheirDigits() {
    precise(9.357622968839299e-14, x(-30).sigmoid().value()); // e^-30 / (1 + e^-30)
    precise(9.357622968839299e-14 / (1 + Math.exp(-30)), x(30).sigmoid().partial(0));
    precise(9.357622968839737e-14, x(-30).softplus().value());
    assertEquals(800, x(800).softplus().value());
    assertEquals(1, x(800).softplus().partial(0));
    assertEquals(0, x(-800).softplus().value());
    precise(4 * Math.exp(-40), x(20).tanh().partial(0)); // 1 - tanh² is 0 in f64
    assertEquals(1, x(1e300).sigmoid().value());
    assertEquals(0, x(-1e300).sigmoid().partial(0));
    precise(1e-20, x(1e-20).expm1().value());
    precise(1e-20, x(1e-20).log1p().value());
  }

  /** erfc by tables. */
  @Test
  void theNormalDistributionIsPreciseInItsTails() {
    double[][] erfc = {
      {-3, 1.999977909503001},
      {-0.5, 1.5204998778130465},
      {0.5, 0.4795001221869535},
      {1, 0.15729920705028513},
      {1.5, 0.033894853524689274},
      {2, 0.004677734981047266},
      {3, 2.209049699858544e-05},
      {6, 2.1519736712498913e-17},
      {10, 2.088487583762545e-45}
    };
    for (double[] pair : erfc) {
      precise(pair[1], NormalDistribution.complementaryError(pair[0]));
    }
    assertEquals(0.5, NormalDistribution.cumulative(0));
    assertEquals(0, NormalDistribution.cumulative(-100));
    assertEquals(1, NormalDistribution.cumulative(100));
  }

  private static void precise(double expected, double found) {
    assertEquals(expected, found, 2e-14 * Math.abs(expected));
  }

  @Test
  void kinksTakeOneSide() {
    assertEquals(0, x(0).relu().partial(0));
    assertEquals(0, x(0).abs().partial(0));
    Dual first = Dual.variable(1, 0, 2);
    Dual second = Dual.variable(1, 1, 2);
    assertEquals(1, first.max(second).partial(0));
    assertEquals(1, first.min(second).partial(0));
    assertTrue(Double.isNaN(x(Double.NaN).relu().value()));
    assertTrue(Double.isNaN(x(Double.NaN).max(0).value()));
    assertTrue(Double.isNaN(x(Double.NaN).min(0).value()));
  }

  /** √ has an infinite slope at 0, which does not reach variables that it does not depend on. */
  @Test
  void whatDoesNotDependOnAVariableStaysSo() {
    Dual root = Dual.variable(0, 0, 2).sqrt();
    assertEquals(Double.POSITIVE_INFINITY, root.partial(0));
    assertEquals(0, root.partial(1));
    assertEquals(0, x(0).pow(0).partial(0));
  }

  @Test
  void variablesOfDifferentNumbersDoNotMix() {
    refused(() -> Dual.variable(1, 0, 2).plus(Dual.variable(1, 0, 3)), "variables", "2 and 3");
    refused(() -> Dual.variable(1, 2, 2), "index", "0 to 1", "2");
    refused(() -> Dual.variable(1, 0, 0), "count", "at least 1");
  }
}
