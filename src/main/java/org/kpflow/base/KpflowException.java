package org.kpflow.base;

/**
 * A failure that is not a wrong argument of a call; the subclasses say which. Wrong arguments are
 * IllegalArgumentException.
 */
public class KpflowException extends RuntimeException {
  public KpflowException(String message) {
    super(message);
  }

  public KpflowException(String message, Throwable cause) {
    super(message, cause);
  }
}
