package org.kpflow.task;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.kpflow.base.Shape;
import org.kpflow.model.FourierFeatures;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

class FourierTaskTest {
  private final ExecutionContext context = ExecutionContext.shared();

  @Test
  void theInputsAreFeaturesOfTheTasksAndTheTargetsAreItsOwn() {
    long before = Tensor.liveCount();
    Task task = new MemoryPro(2, 1, 1, 3);
    FourierFeatures features = FourierFeatures.harmonics(2);
    Task with = new FourierTask(task, features);
    assertEquals(12, with.inputs());
    assertEquals(task.steps(), with.steps());
    try (Trials plain = task.draw(context, 5, RngState.of(3));
        Trials found = with.draw(context, 5, RngState.of(3));
        Trials judged = with.evaluation(context)) {
      assertEquals(Shape.of(5, 4, 12), found.inputs().shape());
      assertEquals(Shape.of(3, 4, 12), judged.inputs().shape());
      assertArrayEquals(plain.targets().toDoubles(), found.targets().toDoubles());
      double x = plain.inputs().get(4, 1, 2);
      double[] expected = {
        Math.cos(2 * Math.PI * x),
        Math.cos(4 * Math.PI * x),
        Math.sin(2 * Math.PI * x),
        Math.sin(4 * Math.PI * x)
      };
      for (int j = 0; j < expected.length; j++) {
        assertEquals(expected[j], found.inputs().get(4, 1, 8 + j), 1e-15);
      }
    }
    assertEquals(before, Tensor.liveCount());
  }

  @Test
  void whatIsMissingIsNamed() {
    assertThrows(IllegalArgumentException.class, () -> new FourierTask(null, null));
  }
}
