package org.kpflow.io;

import java.nio.ByteBuffer;
import org.kpflow.base.DType;

/** Element types of files that can become tensors, and the value of one element. */
enum Encoding {
  BOOL(1, DType.F64),
  I32(4, DType.F64),
  I64(8, DType.F64),
  F16(2, DType.F32),
  BF16(2, DType.F32),
  F32(4, DType.F32),
  F64(8, DType.F64);

  private static final int F16_FRACTION_BITS = 10;
  private static final int F16_EXPONENT_MAX = 0x1f;
  private static final int EXPONENT_SHIFT =
      112; // the exponent bias of f32, 127, less that of f16, 15

  private final int bytes;
  private final DType natural;

  Encoding(int bytes, DType natural) {
    this.bytes = bytes;
    this.natural = natural;
  }

  /** Bytes of one element. */
  int bytes() {
    return bytes;
  }

  /**
   * The tensor type where the caller wants none: the narrowest that holds every value, or f64 for
   * integers.
   */
  DType natural() {
    return natural;
  }

  /** Whether the values are whole numbers, which must not be rounded. */
  boolean isInteger() {
    return this == BOOL || this == I32 || this == I64;
  }

  /** Whether little-endian bytes of this type are those of a tensor. */
  boolean isSameAs(DType dtype) {
    return this == F32 && dtype == DType.F32 || this == F64 && dtype == DType.F64;
  }

  /** The element at a byte offset. Only an i64 may be rounded; {@link #isExact} tells. */
  double value(ByteBuffer source, int at) {
    return switch (this) {
      case BOOL -> source.get(at);
      case I32 -> source.getInt(at);
      case I64 -> source.getLong(at);
      case F16 -> halfToFloat(source.getShort(at));
      case BF16 -> Float.intBitsToFloat(source.getShort(at) << 16);
      case F32 -> source.getFloat(at);
      case F64 -> source.getDouble(at);
    };
  }

  /**
   * Whether {@code value} is the element at a byte offset without rounding, and 0 or 1 for a bool.
   */
  boolean isExact(ByteBuffer source, int at, double value) {
    return switch (this) {
      case BOOL -> value == 0 || value == 1;
      // A double of 2^63 comes back as the largest long, which it is not.
      case I64 -> value < 0x1p63 && (long) value == source.getLong(at);
      default -> true;
    };
  }

  private static float halfToFloat(short half) {
    int sign = (half & 0x8000) << 16;
    int exponent = half >> F16_FRACTION_BITS & F16_EXPONENT_MAX;
    int fraction = half & 0x3ff;
    if (exponent == 0) {
      return Float.intBitsToFloat(sign | Float.floatToRawIntBits(fraction * 0x1p-24f));
    }
    int wide = exponent == F16_EXPONENT_MAX ? 0xff : exponent + EXPONENT_SHIFT;
    return Float.intBitsToFloat(sign | wide << 23 | fraction << 13);
  }
}
