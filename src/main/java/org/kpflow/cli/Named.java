package org.kpflow.cli;

import java.util.function.Supplier;
import org.kpflow.base.InputException;

/** Faults of arguments, told by the names of the options that they come from. */
final class Named {
  private Named() {}

  /** A value; what is wrong with it is told of the option in place of the argument. */
  static <T> T option(String option, Supplier<T> value) {
    try {
      return value.get();
    } catch (IllegalArgumentException | InputException wrong) {
      String message = wrong.getMessage();
      throw new InputException(
          option + message.substring(Math.max(0, message.indexOf(": "))), wrong);
    }
  }
}
