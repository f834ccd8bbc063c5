package org.kpflow.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;

/** Numbers as people read them: few digits, the same in every locale. */
final class Numbers {
  private static final String SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  private static final double EXACT_INTEGERS = 1e15;

  private Numbers() {}

  /** Three significant digits, for labels inside a plot. */
  static String compact(double value) {
    return significant(value, 3);
  }

  /** Six significant digits, or all of them for an integer. */
  static String value(double value) {
    if (value == Math.rint(value) && Math.abs(value) < EXACT_INTEGERS) {
      return String.valueOf((long) value);
    }
    return significant(value, 6);
  }

  /**
   * Both numbers to the second digit of the error: {@code 0.1234 ± 0.0012}. Without a positive
   * error, the value alone.
   */
  static String withError(double value, double standardError) {
    if (!Double.isFinite(value) || !(standardError > 0) || Double.isInfinite(standardError)) {
      return value(value);
    }
    double largest = Math.max(Math.abs(value), standardError);
    if (largest >= 1e6 || largest < 1e-3) {
      int exponent = exponent(largest);
      String both = rounded(value, standardError, exponent);
      return "(" + both + ")e" + exponent;
    }
    return rounded(value, standardError, 0);
  }

  /** A share of one as a percentage with one decimal, or two significant digits below 0.1 %. */
  static String percent(double share) {
    if (!Double.isFinite(share)) {
      return "? %";
    }
    double percent = 100 * share;
    boolean small = percent != 0 && Math.abs(percent) < 0.1;
    return small ? significant(percent, 2) + " %" : String.format(Locale.ROOT, "%.1f %%", percent);
  }

  /** A power of ten in superscripts: 10⁻³. */
  static String powerOfTen(long exponent) {
    StringBuilder text = new StringBuilder("10");
    for (char digit : String.valueOf(exponent).toCharArray()) {
      text.append(digit == '-' ? '⁻' : SUPERSCRIPTS.charAt(digit - '0'));
    }
    return text.toString();
  }

  /** The power of ten of the first digit; 0 for zero. */
  static int exponent(double value) {
    return value == 0 ? 0 : (int) Math.floor(Math.log10(Math.abs(value)));
  }

  /**
   * At most that many significant digits without trailing zeros; scientific outside 1e-4 to 1e6.
   */
  static String significant(double value, int digits) {
    if (!Double.isFinite(value)) {
      return Double.isNaN(value) ? "not a number" : value > 0 ? "∞" : "-∞";
    }
    if (value == 0) {
      return "0";
    }
    BigDecimal rounded =
        new BigDecimal(value)
            .round(new MathContext(digits, RoundingMode.HALF_EVEN))
            .stripTrailingZeros();
    int exponent = rounded.precision() - rounded.scale() - 1;
    if (exponent >= -4 && exponent < 6) {
      return rounded.toPlainString();
    }
    return rounded.movePointLeft(exponent).toPlainString() + "e" + exponent;
  }

  private static String rounded(double value, double standardError, int exponent) {
    int decimals = 1 - (exponent(standardError) - exponent);
    return fixed(value, exponent, decimals) + " ± " + fixed(standardError, exponent, decimals);
  }

  private static String fixed(double value, int exponent, int decimals) {
    return new BigDecimal(value)
        .movePointLeft(exponent)
        .setScale(decimals, RoundingMode.HALF_EVEN)
        .toPlainString();
  }
}
