package org.kpflow.model;

import java.util.Arrays;
import org.kpflow.base.Checks;

/**
 * A number with its partial derivatives with respect to some variables, a + Σ_i a_i ε_i with ε_i
 * ε_j = 0: what is computed from variables carries its exact derivatives. Functions that saturate
 * keep their precision in the tails. Immutable.
 */
public final class Dual {
  private static final double[] NONE = {};

  private final double value;
  private final double[] partials; // empty for a constant

  private Dual(double value, double[] partials) {
    this.value = value;
    this.partials = partials;
  }

  /** A number that depends on no variable. */
  public static Dual constant(double value) {
    return new Dual(value, NONE);
  }

  /** Variable number {@code index} of {@code count}. */
  public static Dual variable(double value, int index, int count) {
    Checks.that(count >= 1, "count: expected at least 1, got %d", count);
    Checks.range("index", index, 0, count - 1);
    double[] partials = new double[count];
    partials[index] = 1;
    return new Dual(value, partials);
  }

  /** The number. */
  public double value() {
    return value;
  }

  /** The number of variables, 0 for a constant. */
  public int variables() {
    return partials.length;
  }

  /** The derivative with respect to a variable. */
  public double partial(int index) {
    return partials.length == 0 ? 0 : partials[index];
  }

  /** f(this) from f's value and slope. */
  private Dual chain(double result, double slope) {
    if (partials.length == 0) {
      return constant(result);
    }
    double[] out = new double[partials.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = term(slope, partials[i]);
    }
    return new Dual(result, out);
  }

  /** f(this, other) from f's value and its two slopes. */
  private Dual chain(double result, double slope, Dual other, double otherSlope) {
    if (other.partials.length == 0) {
      return chain(result, slope);
    } else if (partials.length == 0) {
      return other.chain(result, otherSlope);
    }
    Checks.that(
        partials.length == other.partials.length,
        "dual numbers: expected the same variables, got %d and %d of them",
        partials.length,
        other.partials.length);
    double[] out = new double[partials.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = term(slope, partials[i]) + term(otherSlope, other.partials[i]);
    }
    return new Dual(result, out);
  }

  /** What does not depend on a variable stays so where the slope is infinite. */
  private static double term(double slope, double partial) {
    return partial == 0 ? 0 : slope * partial;
  }

  public Dual plus(Dual other) {
    return chain(value + other.value, 1, other, 1);
  }

  public Dual plus(double other) {
    return new Dual(value + other, partials);
  }

  public Dual minus(Dual other) {
    return chain(value - other.value, 1, other, -1);
  }

  public Dual minus(double other) {
    return new Dual(value - other, partials);
  }

  public Dual times(Dual other) {
    return chain(value * other.value, other.value, other, value);
  }

  public Dual times(double other) {
    return chain(value * other, other);
  }

  public Dual dividedBy(Dual other) {
    double ratio = value / other.value;
    return chain(ratio, 1 / other.value, other, -ratio / other.value);
  }

  public Dual dividedBy(double other) {
    return chain(value / other, 1 / other);
  }

  public Dual negate() {
    return chain(-value, -1);
  }

  /** 1 - x, what a gate leaves. */
  public Dual oneMinus() {
    return chain(1 - value, -1);
  }

  /** 1 / x. */
  public Dual reciprocal() {
    return chain(1 / value, -1 / (value * value));
  }

  public Dual square() {
    return chain(value * value, 2 * value);
  }

  public Dual sqrt() {
    double root = Math.sqrt(value);
    return chain(root, 0.5 / root);
  }

  /** x^n for a fixed exponent. */
  public Dual pow(double exponent) {
    double slope = exponent == 0 ? 0 : exponent * Math.pow(value, exponent - 1);
    return chain(Math.pow(value, exponent), slope);
  }

  /** x^y; its slope in y is x^y ln x, which is not a number for a negative x. */
  public Dual pow(Dual exponent) {
    double power = Math.pow(value, exponent.value);
    double slope = exponent.value == 0 ? 0 : exponent.value * Math.pow(value, exponent.value - 1);
    return chain(power, slope, exponent, power == 0 ? 0 : power * Math.log(value));
  }

  /** |x|, with slope 0 at 0. */
  public Dual abs() {
    return chain(Math.abs(value), Math.signum(value));
  }

  /** The larger; this where they are equal. */
  public Dual max(Dual other) {
    return value >= other.value || Double.isNaN(value) ? this : other;
  }

  /** The smaller; this where they are equal. */
  public Dual min(Dual other) {
    return value <= other.value || Double.isNaN(value) ? this : other;
  }

  public Dual max(double other) {
    return max(constant(other));
  }

  public Dual min(double other) {
    return min(constant(other));
  }

  public Dual exp() {
    double power = Math.exp(value);
    return chain(power, power);
  }

  /** e^x - 1, precise for small x. */
  public Dual expm1() {
    return chain(Math.expm1(value), Math.exp(value));
  }

  public Dual log() {
    return chain(Math.log(value), 1 / value);
  }

  /** ln(1 + x), precise for small x. */
  public Dual log1p() {
    return chain(Math.log1p(value), 1 / (1 + value));
  }

  public Dual sin() {
    return chain(Math.sin(value), Math.cos(value));
  }

  public Dual cos() {
    return chain(Math.cos(value), -Math.sin(value));
  }

  /** tanh x, with slope 4 e^{-2|x|} / (1 + e^{-2|x|})². */
  public Dual tanh() {
    double decay = Math.exp(-2 * Math.abs(value));
    return chain(Math.tanh(value), 4 * decay / ((1 + decay) * (1 + decay)));
  }

  /** 1 / (1 + e^{-x}), with slope e^{-|x|} / (1 + e^{-|x|})². */
  public Dual sigmoid() {
    double decay = Math.exp(-Math.abs(value));
    return chain(sigmoid(value), decay / ((1 + decay) * (1 + decay)));
  }

  private static double sigmoid(double x) {
    double decay = Math.exp(-Math.abs(x));
    return (x >= 0 ? 1 : decay) / (1 + decay);
  }

  /** ln(1 + e^x) = max(x, 0) + ln(1 + e^{-|x|}), with slope σ(x). */
  public Dual softplus() {
    double rest = Math.log1p(Math.exp(-Math.abs(value)));
    return chain(Math.max(value, 0) + rest, sigmoid(value));
  }

  /** max(x, 0), with slope 0 at 0. */
  public Dual relu() {
    return value <= 0 ? chain(0, 0) : this;
  }

  /** x Φ(x), Φ the distribution function of the normal distribution. */
  public Dual gelu() {
    double normal = NormalDistribution.cumulative(value);
    return chain(value * normal, normal + value * NormalDistribution.density(value));
  }

  @Override
  public String toString() {
    return value + " " + Arrays.toString(partials);
  }
}
