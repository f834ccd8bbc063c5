package org.kpflow.base;

/**
 * A file or a value that a user handed in is not what it should be; the message is one line: which,
 * what, what would be right.
 */
public class InputException extends KpflowException {
  public InputException(String message) {
    super(message);
  }

  public InputException(String message, Throwable cause) {
    super(message, cause);
  }
}
