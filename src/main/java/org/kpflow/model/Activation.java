package org.kpflow.model;

import java.util.Locale;
import org.kpflow.base.Checks;

/** Pointwise nonlinearities of the plain and the leaky recurrent cell; relu'(0) = 0. */
public enum Activation {
  TANH,
  RELU,
  LINEAR;

  /**
   * The activation of a name: tanh, relu or linear.
   *
   * @throws IllegalArgumentException for any other name
   */
  public static Activation of(String name) {
    for (Activation activation : values()) {
      if (activation.toString().equals(name)) {
        return activation;
      }
    }
    Checks.that(false, "activation: expected tanh, relu or linear, got '%s'", name);
    return null;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
