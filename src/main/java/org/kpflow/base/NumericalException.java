package org.kpflow.base;

/** A result overflowed or is not a number. */
public class NumericalException extends KpflowException {
  public NumericalException(String message) {
    super(message);
  }

  public NumericalException(String message, Throwable cause) {
    super(message, cause);
  }
}
