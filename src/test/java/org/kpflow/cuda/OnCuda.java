package org.kpflow.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** Tests on the GPU, each of which closes all of its tensors; see {@link Cuda#context}. */
abstract class OnCuda {
  ExecutionContext context;
  private long before;

  @BeforeEach
  void find() {
    context = Cuda.context();
    before = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(before, Tensor.liveCount(), "leaks");
  }
}
