package org.kpflow.base;

import java.util.Locale;

/** Where a tensor lives and an operator runs. */
public enum Device {
  CPU,
  CUDA;

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
