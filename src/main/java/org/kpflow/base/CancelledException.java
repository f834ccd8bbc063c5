package org.kpflow.base;

/** A long call was stopped by a thread interrupt. */
public class CancelledException extends KpflowException {
  public CancelledException(String message) {
    super(message);
  }

  public CancelledException(String message, Throwable cause) {
    super(message, cause);
  }
}
