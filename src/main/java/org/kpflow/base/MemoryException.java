package org.kpflow.base;

/** The memory a call needs is not there; the message has the numbers and what to change. */
public class MemoryException extends KpflowException {
  public MemoryException(String message) {
    super(message);
  }

  public MemoryException(String message, Throwable cause) {
    super(message, cause);
  }
}
