package org.kpflow.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.NativeMemory;

class TensorTest {
  @Test
  void valuesComeBackAsTheyWentIn() {
    double[] values = {1, -2.5, 3, 1e-300, 5, 6};
    try (Tensor tensor = Tensor.of(Shape.of(2, 3), values);
        Tensor narrow = tensor.to(DType.F32)) {
      assertArrayEquals(values, tensor.toDoubles());
      assertEquals(-2.5, tensor.get(0, 1));
      assertArrayEquals(new double[] {1e-300, 5, 6}, tensor.slice(1).toDoubles());
      assertEquals(0.0, narrow.get(1, 0));
      assertEquals(5f, narrow.toFloats()[4]);
    }
  }

  @Test
  void usingAClosedTensorIsAnExceptionAndNotACrash() {
    Tensor tensor = Tensor.zeros(DType.F64, 4);
    Tensor view = tensor.slice(1, 2);
    tensor.close();
    tensor.close();
    assertTrue(view.isClosed());
    assertTrue(
        assertThrows(IllegalStateException.class, view::toDoubles).getMessage().contains("closed"));
    assertThrows(IllegalStateException.class, () -> tensor.set(1, 0));
  }

  @Test
  void closingGivesTheMemoryBack() {
    long before = Tensor.liveCount();
    try (Tensor tensor = Tensor.zeros(DType.F32, 1000)) {
      assertEquals(before + 1, Tensor.liveCount());
      assertEquals(1000, tensor.count());
    }
    assertEquals(before, Tensor.liveCount());
  }

  @Test
  void floatsStayFloats() {
    try (Tensor tensor = Tensor.ofFloats(Shape.of(2), 0.1f, -3f)) {
      assertEquals(DType.F32, tensor.dtype());
      assertEquals(0.1f, tensor.toFloats()[0]);
    }
  }

  /** Intended as the backstop only: everything else closes what it opens. */
  @Test
  void whatIsNeverClosedIsFoundByTheGarbageCollectorAndCounted() throws InterruptedException {
    System.gc(); // what earlier tests left is not counted here
    Thread.sleep(100);
    long live = Tensor.liveCount();
    long leaked = NativeMemory.leakedCount();
    Tensor.zeros(DType.F32, 1000).slice(0, 10); // neither the tensor nor its view is kept
    for (int i = 0; i < 200 && NativeMemory.leakedCount() == leaked; i++) {
      System.gc();
      Thread.sleep(10);
    }
    assertEquals(leaked + 1, NativeMemory.leakedCount());
    assertEquals(live, Tensor.liveCount());
  }

  @Test
  void wrongSizesNameWhatCameAndWhatWasExpected() {
    String negative =
        assertThrows(IllegalArgumentException.class, () -> Shape.of(2, -1)).getMessage();
    assertTrue(negative.contains("[2, -1]") && negative.contains("negative"), negative);
    String huge =
        assertThrows(IllegalArgumentException.class, () -> Shape.of(1L << 40, 1L << 40))
            .getMessage();
    assertTrue(huge.contains("overflows"), huge);
    try (Tensor tensor = Tensor.zeros(DType.F64, 2, 2)) {
      assertThrows(IllegalArgumentException.class, () -> tensor.get(2, 0));
      assertThrows(IllegalArgumentException.class, () -> tensor.get(0));
      assertThrows(IllegalArgumentException.class, () -> tensor.slice(1, 2));
      assertThrows(IllegalArgumentException.class, () -> tensor.reshape(Shape.of(3)));
      assertThrows(IllegalArgumentException.class, () -> tensor.copyFrom(new double[] {1, 2}));
    }
  }
}
