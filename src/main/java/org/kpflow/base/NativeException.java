package org.kpflow.base;

/** A fault of the native library or a missing piece of it. */
public class NativeException extends KpflowException {
  public NativeException(String message) {
    super(message);
  }

  public NativeException(String message, Throwable cause) {
    super(message, cause);
  }
}
