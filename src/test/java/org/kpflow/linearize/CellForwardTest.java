package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.nio.DoubleBuffer;
import java.nio.ReadOnlyBufferException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.CancelledException;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.MemoryException;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.model.CellBatch;
import org.kpflow.model.CellFunction;
import org.kpflow.model.CellModel;
import org.kpflow.model.Dual;
import org.kpflow.model.ModelOptions;
import org.kpflow.nativelib.Engine;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * Whatever a user's cell does: nothing crashes, nothing leaks, and its own exceptions come through.
 */
class CellForwardTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final Sizes SIZES = new Sizes(3, 4, 2, 5);

  private long live;

  @BeforeEach
  void count() {
    CONTEXT.threads();
    live = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  /** h' = q + p, to be spoilt. */
  private static class Linear implements CellFunction {
    @Override
    public int gates() {
      return 1;
    }

    @Override
    public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
      return new Dual[] {q[0].plus(p[0])};
    }
  }

  private static void run(CellFunction cell, DType dtype, int layers) {
    run(cell, dtype, layers, SIZES, linearization -> {});
  }

  private static void run(
      CellFunction cell, DType dtype, int layers, Sizes sizes, Consumer<Linearization> use) {
    Map<String, Tensor> weights = RandomModels.weights(1, true, layers, sizes, new Random(1));
    try (CellModel model = new CellModel("test", cell, weights, ModelOptions.of(dtype));
        Tensor x =
            RandomModels.gaussian(
                DType.F64, Shape.of(sizes.trials(), sizes.steps(), sizes.inputs()), 2);
        Linearization linearization = Linearization.of(model, x)) {
      use.accept(linearization);
    } finally {
      weights.values().forEach(Tensor::close);
    }
  }

  @Test
  void itsExceptionsReachTheCallerUnharmed() {
    for (Throwable thrown :
        new Throwable[] {new IllegalStateException("mine"), new AssertionError("my own")}) {
      CellFunction cell =
          new Linear() {
            @Override
            public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
              if (step == 2 && unit == 3) {
                if (thrown instanceof Error error) {
                  throw error;
                }
                throw (RuntimeException) thrown;
              }
              return super.step(q, p, previous, step, unit);
            }
          };
      assertSame(thrown, assertThrows(Throwable.class, () -> run(cell, DType.F64, 2)));
    }
  }

  /** What the forward pass stores fits, its copy in the engine does not. */
  @Test
  void whatItNeedsIsPredictedBeforeTheFirstStep() {
    int units = 500;
    long perRow = (4 + 2) * units * 8; // A, C, D and S; site and state
    int steps = (int) (0.7 * Engine.availableMemory(Device.CPU) / perRow);
    CellFunction cell =
        new Linear() {
          @Override
          public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
            throw new AssertionError("it ran");
          }
        };
    Sizes sizes = new Sizes(1, steps, 1, units);
    refused(
        MemoryException.class,
        () -> run(cell, DType.F64, 1, sizes, linearization -> {}),
        "L = 1, H = " + units,
        "GiB",
        "fewer trials or steps");
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void whatIsNotFiniteIsNamedByTrialStepAndUnit(double bad) {
    int[] calls = {0};
    CellFunction state =
        new Linear() {
          @Override
          public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
            boolean second = step == 2 && unit == 3 && calls[0]++ == 1; // of the three trials
            return second
                ? new Dual[] {Dual.constant(bad)}
                : super.step(q, p, previous, step, unit);
          }
        };
    refused(
        NumericalException.class,
        () -> run(state, DType.F64, 1),
        "the state is not finite at trial 1, step 2, unit 3;");
    CellFunction site =
        new Linear() {
          @Override
          public Dual site(Dual[] previous, long step, int unit) {
            return step == 1 && unit == 4 ? previous[0].plus(bad) : previous[0];
          }
        };
    refused(NumericalException.class, () -> run(site, DType.F64, 2), "step 1, unit 4 of layer 0");
    CellFunction slope =
        new Linear() {
          @Override
          public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
            Dual kink = previous[0].minus(previous[0].value()).sqrt(); // 0 with an infinite slope
            return new Dual[] {unit == 2 && step == 3 ? kink : q[0]};
          }
        };
    refused(NumericalException.class, () -> run(slope, DType.F64, 1), "derivative", "unit 2");
  }

  @Test
  void whatOverflowsOnlyInF32IsRefusedInF32() {
    CellFunction large =
        new Linear() {
          @Override
          public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
            return new Dual[] {q[0].tanh().plus(1e39)};
          }
        };
    run(large, DType.F64, 1);
    refused(NumericalException.class, () -> run(large, DType.F32, 1), "overflows in f32", "f64");
  }

  @Test
  void resultsOfTheWrongLengthAreRefused() {
    for (Dual[] wrong : new Dual[][] {null, {}, {null}, {Dual.constant(1), Dual.constant(2)}}) {
      CellFunction cell =
          new Linear() {
            @Override
            public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
              return wrong;
            }
          };
      refused(() -> run(cell, DType.F64, 1), "step", "expected");
    }
    CellFunction foreign =
        new Linear() {
          @Override
          public Dual site(Dual[] previous, long step, int unit) {
            return Dual.variable(1, 0, 7);
          }
        };
    refused(() -> run(foreign, DType.F64, 1), "site", "1 variables", "7");
    CellFunction none =
        new Linear() {
          @Override
          public Dual site(Dual[] previous, long step, int unit) {
            return null;
          }
        };
    refused(() -> run(none, DType.F64, 1), "site", "null");
  }

  /** h' = sqrt(q - its value): finite at 0, where its slope is not. */
  @Test
  void anInfiniteSlopeIsSaidToBeOne() {
    CellFunction root =
        new Linear() {
          @Override
          public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
            return new Dual[] {q[0].minus(q[0].value()).sqrt()};
          }
        };
    refused(
        NumericalException.class,
        () -> run(root, DType.F64, 1),
        "a derivative of the cell",
        "infinite slope");
  }

  /** Buffers end where they end, and what is kept of them stays valid memory. */
  @Test
  void aBatchThatIsMisusedStopsWithAnException() {
    CellFunction beyond =
        new Linear() {
          @Override
          public void stepBatch(CellBatch batch) {
            DoubleBuffer next = batch.next();
            next.put(next.limit(), 1);
          }
        };
    assertThrows(IndexOutOfBoundsException.class, () -> run(beyond, DType.F64, 1));
    CellFunction lazy =
        new Linear() {
          @Override
          public void stepBatch(CellBatch batch) {
            batch.next().put(0, 1);
          }
        };
    refused(NumericalException.class, () -> run(lazy, DType.F64, 1), "unit 1", "left it out");
    List<DoubleBuffer> kept = new ArrayList<>();
    CellFunction keeping =
        new Linear() {
          @Override
          public void siteBatch(CellBatch batch) {
            kept.add(batch.q());
            super.siteBatch(batch);
            batch.site().position(3).limit(4); // a view of its own
          }
        };
    run(keeping, DType.F64, 2);
    for (DoubleBuffer buffer : kept) {
      assertEquals(buffer.get(0), buffer.duplicate().get());
    }
    CellFunction writing =
        new Linear() {
          @Override
          public void stepBatch(CellBatch batch) {
            for (DoubleBuffer given : List.of(batch.previous(), batch.q(), batch.p())) {
              assertThrows(ReadOnlyBufferException.class, () -> given.put(0, 1));
            }
            super.stepBatch(batch);
          }
        };
    run(writing, DType.F64, 2);
    CellFunction moving =
        new Linear() {
          @Override
          public void stepBatch(CellBatch batch) {
            super.stepBatch(batch);
            batch.begin(0, batch.rows() + 1, 0);
          }
        };
    refused(() -> run(moving, DType.F64, 1), "trials");
  }

  @Test
  void countsOutOfRangeAreRefused() {
    Map<String, Tensor> weights = RandomModels.weights(1, true, 1, SIZES, new Random(1));
    ModelOptions options = ModelOptions.of(DType.F64);
    for (int bad : new int[] {-1, 0, 33}) {
      CellFunction gates =
          new Linear() {
            @Override
            public int gates() {
              return bad;
            }
          };
      refused(() -> new CellModel("x", gates, weights, options), "gates", "1 to 32", "" + bad);
      CellFunction components =
          new Linear() {
            @Override
            public int components() {
              return bad;
            }
          };
      refused(() -> new CellModel("x", components, weights, options), "components", "" + bad);
    }
    CellFunction stages =
        new Linear() {
          @Override
          public int stages() {
            return 0;
          }
        };
    refused(() -> new CellModel("x", stages, weights, options), "stages", "0");
    CellFunction names =
        new Linear() {
          @Override
          public List<String> componentNames() {
            return List.of("h", "k");
          }
        };
    refused(() -> new CellModel("x", names, weights, options), "componentNames", "[h, k]");
    for (String bad : new String[] {"", "a,b", "0:3", "5", " h", "all", null}) {
      CellFunction named =
          new Linear() {
            @Override
            public List<String> componentNames() {
              return Collections.singletonList(bad);
            }
          };
      refused(() -> new CellModel("x", named, weights, options), "componentNames", "'" + bad + "'");
    }
    refused(() -> new CellModel("x", null, weights, options), "function", "null");
    refused(() -> new CellModel(null, new Linear(), weights, options), "name", "null");
    weights.values().forEach(Tensor::close);
  }

  @Test
  void anInterruptStopsTheForwardPass() {
    long[] last = {0};
    CellFunction cell =
        new Linear() {
          @Override
          public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
            if (step == 1) {
              Thread.currentThread().interrupt();
            }
            last[0] = step;
            return super.step(q, p, previous, step, unit);
          }
        };
    try {
      assertThrows(CancelledException.class, () -> run(cell, DType.F64, 1));
    } finally {
      assertTrue(Thread.interrupted());
    }
    assertEquals(1, last[0]);
  }

  /** An input held for three steps is the input repeated; the state has all the steps. */
  @ParameterizedTest
  @EnumSource(DType.class)
  void stagesHoldTheInput(DType dtype) {
    CellFunction staged =
        new Linear() {
          @Override
          public int stages() {
            return 3;
          }
        };
    Map<String, Tensor> weights =
        new LinkedHashMap<>(RandomModels.weights(1, false, 1, SIZES, new Random(1)));
    try (CellModel held = new CellModel("a", staged, weights, ModelOptions.of(dtype));
        CellModel plain = new CellModel("b", new Linear(), weights, ModelOptions.of(dtype));
        Tensor x = RandomModels.gaussian(dtype, Shape.of(3, 4, 2), 2);
        Tensor repeated = Tensor.zeros(dtype, 3, 12, 2)) {
      for (int b = 0; b < 3; b++) {
        for (int t = 0; t < 12; t++) {
          repeated.slice(b).slice(t).copyFrom(x.slice(b).slice(t / 3));
        }
      }
      try (Linearization one = Linearization.of(held, x);
          Linearization other = Linearization.of(plain, repeated);
          Tensor state = one.state();
          Tensor expected = other.state()) {
        assertEquals(Shape.of(3, 12, 5), state.shape());
        org.junit.jupiter.api.Assertions.assertArrayEquals(expected.toDoubles(), state.toDoubles());
        refused(
            () -> Linearization.along(CONTEXT, held, x, null, x), "trajectory", "[B=3, T=12, n=5]");
      }
    }
    weights.values().forEach(Tensor::close);
  }

  /** Everything but A = C = 1 is left out of the engine's record: P of a linear cell adds W h. */
  @Test
  void aLinearCellPropagatesByItsWeights() {
    run(
        new Linear(),
        DType.F64,
        1,
        new Sizes(1, 2, 1, 1),
        linearization -> {
          try (Tensor unit = Tensor.of(Shape.of(1, 2, 1), 1, 0);
              Tensor moved = new PropagationOperator(linearization).matvec(unit);
              Tensor jacobians = linearization.stepJacobians(1, 1)) {
            assertEquals(jacobians.get(0, 0, 0, 0), moved.get(0, 1, 0));
          }
        });
  }
}
