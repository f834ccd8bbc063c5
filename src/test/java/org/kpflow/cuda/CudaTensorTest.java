package org.kpflow.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.linearize.Linearization;
import org.kpflow.nativelib.Engine;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.RngState.Distribution;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Tensors of the GPU: copies, arithmetic, the same random numbers, and that devices do not mix. */
class CudaTensorTest extends OnCuda {
  private static final String MIXED = "expected device cuda, got cpu";

  @ParameterizedTest
  @EnumSource(DType.class)
  void elementsComeBackAsTheyWent(DType dtype) {
    double[] values = new double[70_001]; // more than a chunk of the copies
    Arrays.setAll(values, i -> i - 3.25);
    try (Tensor zeros = Tensor.zeros(Device.CUDA, dtype, Shape.of(values.length));
        Tensor there = Tensor.of(Device.CUDA, dtype, Shape.of(values.length), values);
        Tensor copy = there.copy();
        Tensor back = there.to(Device.CPU)) {
      assertEquals(Device.CUDA, copy.device());
      assertTrue(there.toString().contains("on cuda"), there.toString());
      assertArrayEquals(new double[values.length], zeros.toDoubles());
      assertArrayEquals(values, copy.toDoubles());
      assertArrayEquals(values, back.toDoubles());
      there.set(7, 70_000);
      assertEquals(7, there.get(70_000));
      assertEquals(values[70_000], copy.get(70_000));
      zeros.slice(10, 5).copyFrom(back.slice(20, 5));
      assertArrayEquals(Arrays.copyOfRange(values, 20, 25), zeros.slice(10, 5).toDoubles());
      assertEquals(0, zeros.get(9));
      assertArrayEquals(back.toBytes(3, 9), copy.toBytes(3, 9));
    }
  }

  @Test
  void typesAreConvertedOnEitherDevice() {
    try (Tensor wide = Tensor.of(Device.CUDA, DType.F64, Shape.of(2, 2), 1, 0.1, -2, 1e-3);
        Tensor narrow = wide.to(DType.F32);
        Tensor host = wide.to(Device.CPU, DType.F32);
        Tensor again = Tensor.zeros(Device.CUDA, DType.F64, Shape.of(2, 2))) {
      assertEquals(Device.CUDA, narrow.device());
      assertArrayEquals(new float[] {1, 0.1f, -2, 1e-3f}, narrow.toFloats());
      assertArrayEquals(narrow.toFloats(), host.toFloats());
      again.copyFrom(host);
      assertEquals((double) 0.1f, again.get(0, 1));
    }
  }

  /** Element i depends on seed and position alone, on every device. */
  @ParameterizedTest
  @EnumSource(Distribution.class)
  void randomNumbersAreThoseOfTheCpu(Distribution distribution) {
    for (DType dtype : DType.values()) {
      for (long count : new long[] {1, 7, 1000}) {
        try (Tensor cpu = Tensor.zeros(dtype, count);
            Tensor cuda = context.zeros(dtype, count)) {
          new RngState(11, 3).fill(ExecutionContext.shared(), distribution, cpu);
          new RngState(11, 3).fill(context, distribution, cuda);
          assertArrayEquals(cpu.toDoubles(), cuda.toDoubles());
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void arithmeticIsThatOfTheCpu(DType dtype) {
    try (Tensor a = RandomModels.gaussian(dtype, Shape.of(7, 33), 1);
        Tensor b = RandomModels.gaussian(dtype, Shape.of(5, 33), 2);
        Tensor c = RandomModels.gaussian(DType.F64, Shape.of(4, 7), 3);
        Tensor aThere = context.copyOf(a);
        Tensor bThere = context.copyOf(b)) {
      ExecutionContext host = ExecutionContext.shared();
      double tolerance = Cuda.tolerance(dtype);
      Cuda.assertClose("dot", dot(host, a), dot(context, aThere), tolerance);
      try (Tensor products = TensorMath.rowProducts(host, a, b);
          Tensor found = TensorMath.rowProducts(context, aThere, bThere)) {
        assertEquals(Device.CPU, found.device());
        assertTrue(Cuda.difference(products, found) <= tolerance);
      }
      TensorMath.axpby(host, 2, a.slice(0, 5), 0.5, b);
      TensorMath.axpby(context, 2, aThere.slice(0, 5), 0.5, bThere);
      Cuda.assertSame("axpby", b, bThere);
      TensorMath.combineRows(host, c, a);
      TensorMath.combineRows(context, c, aThere);
      Cuda.assertSame("combineRows", a, aThere);
      TensorMath.fill(new long[] {5}, 3, b, new long[] {34});
      TensorMath.fill(new long[] {5}, 3, bThere, new long[] {34});
      Cuda.assertSame("fill", b, bThere);
      TensorMath.orthonormalizeRows(bThere);
      try (Tensor gram = TensorMath.rowProducts(context, bThere, bThere)) {
        for (int i = 0; i < 5; i++) {
          for (int j = 0; j < 5; j++) {
            assertEquals(i == j ? 1 : 0, gram.get(i, j), 100 * dtype.epsilon());
          }
        }
      }
    }
  }

  private static double dot(ExecutionContext context, Tensor x) {
    return TensorMath.dot(context, x, x);
  }

  @Test
  void devicesDoNotMix() {
    try (Tensor cpu = RandomModels.gaussian(DType.F64, Shape.of(3, 3), 1);
        Tensor cuda = context.copyOf(cpu);
        RandomModels.Sample sample = Kind.GRU.sample(DType.F64, Sizes.SMALL, 1);
        Tensor state = Tensor.zeros(DType.F64, 3, 4, 5)) {
      ExecutionContext host = ExecutionContext.shared();
      refused(() -> TensorMath.axpby(context, 1, cuda, 1, cpu), "y", MIXED);
      refused(() -> TensorMath.axpby(context, 1, cpu, 1, cuda), "x", MIXED);
      refused(() -> TensorMath.dot(host, cpu, cuda), "y", "expected device cpu, got cuda");
      refused(() -> TensorMath.gemm(context, false, false, 1, cuda, cpu, 0, cuda), "gemm", MIXED);
      refused(() -> TensorMath.rowProducts(context, cuda, cpu), "y", MIXED);
      refused(() -> TensorMath.combineRows(context, cuda, cuda), "coefficients", "device cpu");
      refused(() -> TensorMath.combineRows(context, cpu, cpu), "x", MIXED);
      try (Tensor inputs = context.copyOf(sample.inputs)) {
        refused(
            () -> Linearization.of(host, sample.model, inputs, null),
            "expected device cpu, got cuda");
      }
      long[] nine = {9};
      long[] one = {1};
      refused(() -> TensorMath.strided(nine, 1, cuda, one, 0, cpu, one), "y", MIXED);
      refused(() -> RngState.of(1).fill(context, Distribution.UNIFORM, cpu), "out", MIXED);
      refused(() -> RngState.of(1).fill(host, Distribution.UNIFORM, cuda), "out", "device cpu");
      refused(() -> MatrixOperator.of(context, cpu), "matrix", MIXED);
      LinearOperator there = MatrixOperator.of(context, cuda);
      LinearOperator here = MatrixOperator.of(host, cpu);
      refused(() -> there.compose(here), "compose", MIXED);
      refused(() -> there.plus(here), "plus", MIXED);
      LinearOperator ntk = new NeuralTangentKernel(sample.linearize(context));
      refused(() -> ntk.matvec(state), "x", MIXED);
      refused(
          () -> Engine.axpby(context.handle(), DType.F64, 9, 1, cuda.memory(), 0, cpu.memory()),
          MIXED);
      refused(() -> Engine.symmetricEigen(3, cuda.memory(), false), "expected device cpu");
      try (DenseEigen eigen = DenseEigen.of(cuda)) { // brings it to the CPU
        assertEquals(Device.CPU, eigen.vectors().device());
      }
    }
  }

  @Test
  void whatIsTooLargeIsRefusedWithTheNumbers() {
    refused(
        MemoryException.class,
        () -> context.zeros(DType.F64, 1L << 47),
        "cannot allocate",
        "on cuda");
    Tensor gone = context.zeros(DType.F64, 4);
    gone.close();
    closed(() -> gone.toDoubles());
    closed(() -> TensorMath.norm(context, gone));
  }

  @Test
  void contextsOfTheGpu() {
    assertTrue(context.toString().startsWith("cuda, "), context.toString());
    assertEquals(context, ExecutionContext.cuda());
    assertEquals(Device.CPU, context.host().device());
    try (ExecutionContext own = ExecutionContext.on(Device.CUDA, 1);
        Tensor there = Tensor.of(Device.CUDA, DType.F32, Shape.of(2), 3, 4)) {
      assertEquals(5, TensorMath.norm(own, there));
    }
    context.close(); // does nothing
    ExecutionContext.require(Device.CUDA);
  }
}
