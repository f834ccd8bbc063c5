package org.kpflow.base;

import java.util.Locale;

/** Element types of tensors and operators. */
public enum DType {
  F32(4, 1, Math.ulp(1f)),
  F64(8, 2, Math.ulp(1d));

  private final int bytes;
  private final int nativeCode;
  private final double epsilon;

  DType(int bytes, int nativeCode, double epsilon) {
    this.bytes = bytes;
    this.nativeCode = nativeCode;
    this.epsilon = epsilon;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** The value of {@code enum kpflow_dtype} in kpflow.h. */
  public int nativeCode() {
    return nativeCode;
  }

  /** Distance from 1 to the next larger number. */
  public double epsilon() {
    return epsilon;
  }

  /**
   * The type of a name: {@code f32} or {@code f64}.
   *
   * @throws IllegalArgumentException if the name is neither
   */
  public static DType of(String name) {
    for (DType type : values()) {
      if (type.toString().equals(name)) {
        return type;
      }
    }
    throw new IllegalArgumentException("dtype: expected f32 or f64, got '" + name + "'");
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
