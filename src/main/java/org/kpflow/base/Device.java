package org.kpflow.base;

import java.util.Locale;

/** Where a tensor lives and an operator runs. */
public enum Device {
  CPU(0),
  CUDA(1);

  private final int nativeCode;

  Device(int nativeCode) {
    this.nativeCode = nativeCode;
  }

  /** The value of {@code enum kpflow_device} in kpflow.h. */
  public int nativeCode() {
    return nativeCode;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
