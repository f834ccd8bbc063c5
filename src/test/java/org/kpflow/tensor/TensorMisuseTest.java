package org.kpflow.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Shape;
import org.kpflow.tensor.RngState.Distribution;

class TensorMisuseTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  @Test
  void sizesThatCannotBeAreRefusedWithTheNumbers() {
    refused(() -> Tensor.zeros(DType.F64, 3, -1), "[3, -1]", "negative");
    refused(() -> Tensor.zeros(DType.F64, Long.MAX_VALUE, 2), "overflows");
    refused(MemoryException.class, () -> Tensor.zeros(DType.F64, 1L << 50), "9007199254740992");
    refused(() -> Tensor.zeros(null, 3), "dtype", "null");
    refused(() -> Tensor.zeros(DType.F32, (Shape) null), "shape", "null");
    refused(() -> Tensor.of(Shape.of(2), 1.0, 2.0, 3.0), "values", "expected 2", "got 3");
    refused(() -> Tensor.of(Shape.of(2), 1f), "values", "expected 2", "got 1");
    refused(() -> Tensor.of(Shape.of(2), (double[]) null), "values", "null");
    refused(() -> Tensor.ofFloats(Shape.of(2), (float[]) null), "values", "null");
  }

  @Test
  void indicesAndPartsOutsideAreRefusedWithTheShape() {
    try (Tensor tensor = Tensor.zeros(DType.F32, 2, 3);
        Tensor scalar = Tensor.zeros(DType.F32)) {
      refused(() -> tensor.get(0, 3), "index [0, 3]", "[2, 3]");
      refused(() -> tensor.get(-1, 0), "index [-1, 0]");
      refused(() -> tensor.set(1, 0), "index [0]", "expected 2 axes");
      refused(() -> tensor.slice(2), "[2, 3]", "from 2");
      refused(() -> tensor.slice(0, -1), "[2, 3]", "-1");
      refused(() -> tensor.slice(Long.MAX_VALUE, 1), "slice");
      refused(() -> scalar.slice(0), "slice", "at least one axis");
      refused(() -> tensor.reshape(Shape.of(7)), "reshape", "6", "[7]");
      refused(() -> tensor.reshape(null), "shape", "null");
      refused(() -> tensor.to((DType) null), "dtype", "null");
      refused(() -> tensor.copyFrom((Tensor) null), "source", "null");
      refused(() -> tensor.copyFrom(scalar), "source", "[2, 3]", "[]");
      refused(() -> tensor.overlaps(null), "other", "null");
    }
  }

  /** Wherever a Java array meets native memory, both ends are checked. */
  @Test
  void copiesOfBytesStayInsideBothArrays() {
    byte[] bytes = new byte[16];
    try (Tensor tensor = Tensor.zeros(DType.F64, 4)) {
      refused(() -> tensor.copyFromBytes(bytes, 0, 3, 2), "elements", "2 from 3");
      refused(() -> tensor.copyFromBytes(bytes, 8, 0, 2), "array", "16 from 8");
      refused(() -> tensor.copyFromBytes(bytes, -8, 0, 1), "array", "-8");
      refused(() -> tensor.copyFromBytes(null, 0, 0, 1), "array", "null");
      refused(() -> tensor.copyFromBytes(bytes, 0, 0, -1), "elements", "-1");
      refused(() -> tensor.copyFromBytes(bytes, 0, -1, 1), "elements", "-1");
      refused(() -> tensor.copyFromBytes(bytes, 0, 1L << 61, 1), "elements");
      refused(() -> tensor.copyFromBytes(bytes, 0, 0, 1 << 29), "elements");
      refused(() -> tensor.toBytes(0, 5), "elements", "part of 4");
      refused(() -> tensor.toBytes(0, -1), "elements", "-1");
      refused(() -> tensor.toBytes(1L << 61, 1), "elements");
    }
  }

  @Test
  void aClosedTensorIsRefusedEverywhere() {
    Tensor gone = Tensor.zeros(DType.F64, 2, 2);
    gone.close();
    try (Tensor open = Tensor.zeros(DType.F64, 2, 2)) {
      closed(gone::copy);
      closed(gone::toDoubles);
      closed(gone::toFloats);
      closed(() -> gone.get(0, 0));
      closed(() -> gone.set(1, 0, 0));
      closed(() -> gone.to(DType.F32));
      closed(() -> gone.copyFrom(open));
      closed(() -> open.copyFrom(gone));
      closed(() -> gone.copyFrom(new double[4]));
      closed(() -> gone.toBytes(0, 1));
      closed(() -> gone.slice(0).toDoubles());
      closed(() -> TensorMath.axpby(CONTEXT, 1, open, 1, gone));
      closed(() -> TensorMath.dot(CONTEXT, gone, open));
      closed(() -> TensorMath.norm(CONTEXT, gone));
      closed(() -> TensorMath.gemm(CONTEXT, false, false, 1, open, open, 0, gone));
      closed(() -> TensorMath.orthonormalizeRows(gone));
      closed(() -> RngState.of(1).fill(CONTEXT, Distribution.GAUSSIAN, gone));
      long[] one = {1};
      closed(() -> TensorMath.strided(one, 1, gone, one, 0, open, one));
    }
  }

  @Test
  void arithmeticWantsOneShapeAndOneType() {
    long[] two = {2};
    try (Tensor a = Tensor.zeros(DType.F64, 2, 3);
        Tensor b = Tensor.zeros(DType.F64, 3, 2);
        Tensor narrow = Tensor.zeros(DType.F32, 2, 3)) {
      refused(() -> TensorMath.axpby(CONTEXT, 1, a, 1, b), "y", "[2, 3]", "[3, 2]");
      refused(() -> TensorMath.axpby(CONTEXT, 1, a, 1, narrow), "y", "f64", "f32");
      refused(() -> TensorMath.axpby(CONTEXT, 1, null, 1, a), "x", "null");
      refused(() -> TensorMath.axpby(CONTEXT, 1, a, 1, null), "y", "null");
      refused(() -> TensorMath.axpby(null, 1, a, 1, a), "context", "null");
      refused(() -> TensorMath.dot(CONTEXT, a, b), "y", "[2, 3]", "[3, 2]");
      refused(() -> TensorMath.dot(CONTEXT, null, b), "x", "null");
      refused(() -> TensorMath.dots(CONTEXT, a, narrow), "y", "f64", "f32");
      refused(() -> TensorMath.norm(CONTEXT, null), "x", "null");
      refused(() -> TensorMath.gemm(CONTEXT, false, false, 1, a, a, 0, a), "inner sizes", "[2, 3]");
      refused(() -> TensorMath.gemm(CONTEXT, false, false, 1, a, b, 0, a), "c", "[2, 2]", "[2, 3]");
      refused(() -> TensorMath.gemm(CONTEXT, false, false, 1, a, narrow, 0, a), "f64", "f32");
      refused(() -> TensorMath.gemm(CONTEXT, false, false, 1, a, null, 0, a), "gemm", "null");
      refused(
          () -> TensorMath.gemm(CONTEXT, false, false, 1, a.slice(0), b, 0, a), "matrices", "[3]");
      refused(() -> TensorMath.orthonormalizeRows(b), "rows", "[3, 2]");
      refused(() -> TensorMath.orthonormalizeRows(null), "a", "null");
      refused(() -> TensorMath.strided(two, 1, a, two, 0, b, new long[2]), "strides");
      refused(() -> TensorMath.strided(two, 1, a, new long[] {6}, 0, b, two), "strides");
      refused(() -> TensorMath.strided(two, 1, a, new long[] {-1}, 0, b, two), "strides");
      refused(() -> TensorMath.strided(two, 1, null, two, 0, b, two), "x", "null");
      refused(() -> TensorMath.strided(null, 1, a, two, 0, b, two), "sizes", "null");
      refused(() -> TensorMath.strided(new long[9], 1, a, new long[9], 0, b, new long[9]), "axes");
    }
  }

  /** The reach of these strides is 2^63, which wraps around to a negative number. */
  @Test
  void stridesWhoseReachOverflowsAreRefused() {
    long[] sizes = {2, 2};
    long[] far = {1L << 62, 1L << 62};
    try (Tensor a = Tensor.zeros(DType.F64, 4)) {
      refused(() -> TensorMath.strided(sizes, 1, a, new long[2], 0, a, far), "overflow");
      refused(() -> TensorMath.strided(sizes, 1, a, far, 0, a, new long[2]), "overflow");
    }
  }

  @Test
  void randomStatesAreChecked() {
    RngState state = RngState.of(1);
    try (Tensor out = Tensor.zeros(DType.F64, 4)) {
      refused(() -> new RngState(1, -1), "position", "-1");
      refused(() -> state.fill(null, Distribution.GAUSSIAN, out), "context", "null");
      refused(() -> state.fill(CONTEXT, null, out), "distribution", "null");
      refused(() -> state.fill(CONTEXT, Distribution.GAUSSIAN, null), "out", "null");
      RngState last = new RngState(1, Long.MAX_VALUE);
      refused(() -> last.fill(CONTEXT, Distribution.UNIFORM, out), "offset");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MIN_VALUE, -1, 0, 257, Integer.MAX_VALUE})
  void aNumberOfThreadsThatCannotBeIsRefused(int threads) {
    refused(() -> ExecutionContext.withThreads(threads), "threads", "1 to 256", "" + threads);
  }

  @Test
  void aClosedContextIsRefusedAndTheSharedOneStaysOpen() {
    ExecutionContext gone = ExecutionContext.withThreads(2);
    gone.close();
    gone.close();
    ExecutionContext.shared().close();
    try (Tensor a = Tensor.zeros(DType.F64, 4)) {
      closed(() -> TensorMath.norm(gone, a));
      closed(() -> TensorMath.axpby(gone, 1, a, 0, a));
      closed(() -> RngState.of(1).fill(gone, Distribution.GAUSSIAN, a));
      TensorMath.norm(ExecutionContext.shared(), a);
    }
  }

  @Test
  void devicesAreNamed() {
    refused(() -> ExecutionContext.require(null), "device", "null");
    refused(() -> ExecutionContext.on(null, 1), "device", "null");
    refused(() -> Tensor.zeros(null, DType.F32, Shape.of(1)), "device", "null");
    ExecutionContext.require(Device.CPU);
    assertEquals(Device.CPU, ExecutionContext.shared().device());
    try (Tensor tensor = Tensor.zeros(DType.F32, 1)) {
      assertEquals(Device.CPU, tensor.device());
      refused(() -> tensor.to((Device) null), "device", "null");
    }
  }
}
