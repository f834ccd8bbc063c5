package org.kpflow.io;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/** The check that weights and inputs hold numbers. */
public final class Finite {
  private static final int CHUNK = 1 << 16;

  private Finite() {}

  /**
   * Refuses NaN and infinities.
   *
   * @param what names the tensor in the message, such as {@code weights.npz: rnn.bias_hh_l0}
   * @throws InputException with the index and the value of the first element that is not finite
   */
  public static void require(String what, Tensor tensor) {
    boolean wide = tensor.dtype() == DType.F64;
    for (long first = 0; first < tensor.count(); first += CHUNK) {
      int count = (int) Math.min(CHUNK, tensor.count() - first);
      ByteBuffer chunk =
          ByteBuffer.wrap(tensor.toBytes(first, count)).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < count; i++) {
        double value = wide ? chunk.getDouble(i * Double.BYTES) : chunk.getFloat(i * Float.BYTES);
        if (!Double.isFinite(value)) {
          throw Fault.of(
              what,
              "element %s is %s; expected finite numbers",
              Arrays.toString(index(tensor, first + i)),
              value);
        }
      }
    }
  }

  private static long[] index(Tensor tensor, long flat) {
    long[] index = tensor.shape().strides();
    long rest = flat;
    for (int axis = 0; axis < index.length; axis++) {
      long stride = index[axis];
      index[axis] = rest / stride;
      rest %= stride;
    }
    return index;
  }
}
