package org.kpflow.base;

import java.util.Locale;

/** Argument checks that say what came and what was expected. */
public final class Checks {
  private Checks() {}

  /**
   * Refuses an argument.
   *
   * @throws IllegalArgumentException with the formatted message if the condition does not hold
   */
  public static void that(boolean condition, String format, Object... arguments) {
    if (!condition) {
      throw new IllegalArgumentException(String.format(Locale.ROOT, format, arguments));
    }
  }

  /**
   * The argument itself, unless it is null.
   *
   * @throws IllegalArgumentException if it is null, naming the argument
   */
  public static <T> T notNull(T value, String name) {
    that(value != null, "%s: expected a value, got null", name);
    return value;
  }

  /** Refuses a shape other than the expected one. */
  public static void shape(String name, Shape expected, Shape actual) {
    that(expected.equals(actual), "%s: expected shape %s, got %s", name, expected, actual);
  }

  /** Refuses a type other than the expected one. */
  public static void dtype(String name, DType expected, DType actual) {
    that(expected == actual, "%s: expected dtype %s, got %s", name, expected, actual);
  }

  /** Refuses a device other than the expected one. */
  public static void device(String name, Device expected, Device actual) {
    that(expected == actual, "%s: expected device %s, got %s", name, expected, actual);
  }

  /** Refuses an int outside the closed range. */
  public static long range(String name, long value, long least, long most) {
    that(
        value >= least && value <= most, "%s: expected %d to %d, got %d", name, least, most, value);
    return value;
  }
}
