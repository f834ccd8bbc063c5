package org.kpflow.model;

import java.util.Locale;
import org.kpflow.base.Checks;

/**
 * Pointwise nonlinearities; relu'(0) = 0, and gelu is the exact one, z Φ(z) with the normal
 * distribution function Φ.
 */
public enum Activation {
  TANH,
  RELU,
  GELU,
  LINEAR;

  /**
   * The activation of a name: tanh, relu, gelu or linear.
   *
   * @throws IllegalArgumentException for any other name
   */
  public static Activation of(String name) {
    for (Activation activation : values()) {
      if (activation.toString().equals(name)) {
        return activation;
      }
    }
    Checks.that(false, "activation: expected tanh, relu, gelu or linear, got '%s'", name);
    return null;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
