package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.OperatorContract;
import org.kpflow.tensor.Tensor;

/** Every flow operator keeps the contract of operators, at ordinary and at degenerate sizes. */
class FlowContractTest {
  private static final double SLACK = 4; // an NTK is six products deep

  private static void check(Kind kind, DType dtype, Sizes sizes, long seed) {
    check(kind, kind.layers, dtype, sizes, seed);
  }

  private static void check(Kind kind, int layers, DType dtype, Sizes sizes, long seed) {
    long before = Tensor.liveCount();
    try (Sample sample = new Sample(kind, layers, dtype, sizes, seed)) {
      for (LinearOperator operator : FlowOperators.of(sample.linearize())) {
        OperatorContract.check(operator, seed, SLACK);
      }
    }
    assertEquals(before, Tensor.liveCount(), "leaks");
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void everyOperatorKeepsTheContract(Kind kind, DType dtype) {
    check(kind, dtype, Sizes.SMALL, 1);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4})
  void everyOperatorKeepsTheContractWhereAnAxisHasOneEntry(int axis) {
    Sizes sizes =
        switch (axis) {
          case 0 -> new Sizes(1, 4, 2, 3);
          case 1 -> new Sizes(3, 1, 2, 3);
          case 2 -> new Sizes(3, 4, 1, 3);
          case 3 -> new Sizes(3, 4, 2, 1);
          default -> new Sizes(1, 1, 1, 1);
        };
    for (Kind kind : Kind.values()) {
      check(kind, DType.F64, sizes, 2);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void everyOperatorOfThreeLayersKeepsTheContract(Kind kind) {
    check(kind, 3, DType.F64, new Sizes(2, 3, 2, 3), 4);
  }

  /** 13 trials times the contract's blocks of 7 are more than the 80 rows of a panel. */
  @ParameterizedTest
  @ValueSource(strings = {"LEAKY", "GRU", "LSTM"})
  void everyOperatorKeepsTheContractWithMoreRowsThanAPanel(String kind) {
    check(Kind.valueOf(kind), DType.F64, new Sizes(13, 3, 2, 3), 3);
  }
}
