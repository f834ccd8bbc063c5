package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.flow.FlowOperators;
import org.kpflow.model.Activation;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Rnn;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

class LinearizationMisuseTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  private Sample sample;
  private long live;

  @BeforeEach
  void sampleAGru() {
    CONTEXT.threads();
    live = Tensor.liveCount();
    sample = new Sample(Kind.GRU, DType.F64, Sizes.SMALL, 1); // B = 3, T = 4, n_in = 2, H = 5
  }

  @AfterEach
  void nothingLeaksFromARefusal() {
    sample.close();
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  private Tensor zeros(long... sizes) {
    return sample.keep(Tensor.zeros(DType.F64, sizes));
  }

  private void bad(Tensor inputs, Tensor initial, Tensor trajectory, String... fragments) {
    refused(
        () -> Linearization.along(CONTEXT, sample.model, inputs, initial, trajectory), fragments);
  }

  @Test
  void arraysOfTheWrongShapeAreNamedWithBothShapes() {
    Tensor x = sample.inputs;
    bad(zeros(3, 4), null, null, "inputs", "[B, T, n_in]", "[3, 4]");
    bad(zeros(3, 4, 3), null, null, "inputs", "n_in=2", "[3, 4, 3]");
    bad(zeros(0, 4, 2), null, null, "inputs", "at least one trial", "[0, 4, 2]");
    bad(zeros(3, 0, 2), null, null, "inputs", "at least one trial", "[3, 0, 2]");
    bad(x, zeros(3, 4), null, "initialState", "n=5", "[3, 4]");
    bad(x, zeros(2, 5), null, "initialState", "B=3", "[2, 5]");
    bad(x, zeros(5), null, "initialState", "[5]");
    bad(x, null, zeros(3, 4, 2), "trajectory", "n=5", "[3, 4, 2]");
    bad(x, null, zeros(3, 5, 5), "trajectory", "T=4", "[3, 5, 5]");
  }

  @Test
  void nullsAreNamed() {
    bad(null, null, null, "inputs", "null");
    refused(() -> Linearization.of(null, sample.inputs), "model", "null");
    refused(() -> Linearization.of(null, sample.model, sample.inputs, null), "context", "null");
  }

  @Test
  void namesAndStepsOutsideAreRefused() {
    Linearization linearization = sample.linearize();
    refused(() -> linearization.family("weight"), "family", "weight_hh_l0", "'weight'");
    refused(() -> linearization.sites("bias"), "family", "bias_hh_l0", "'bias'");
    refused(() -> linearization.sites(null), "family", "null");
    refused(() -> linearization.stepJacobians(0, 5), "steps", "4", "5 from 0");
    refused(() -> linearization.stepJacobians(-1, 1), "steps", "-1");
    refused(() -> linearization.stepJacobians(1, -1), "steps", "-1");
    refused(() -> linearization.stepJacobians(Long.MAX_VALUE, 1), "steps");
  }

  /** The unchecked product of the package refuses what does not fit rather than read past it. */
  @ParameterizedTest
  @EnumSource(LinearizedMap.class)
  void aProductOfArraysThatAreTooSmallIsRefused(LinearizedMap map) {
    Linearization linearization = sample.linearize();
    WeightFamily family = linearization.family("bias_hh_l0");
    Tensor small = zeros(1, 2);
    Tensor large = zeros(1, 2000);
    for (boolean adjoint : new boolean[] {false, true}) {
      refused(() -> linearization.apply(map, family, adjoint, small, large), "16 bytes");
      refused(() -> linearization.apply(map, family, adjoint, large, small), "16 bytes");
      closed(
          () -> {
            Tensor gone = Tensor.zeros(DType.F64, 1, 2000);
            gone.close();
            linearization.apply(map, family, adjoint, gone, large);
          });
    }
    refused(() -> linearization.apply(null, family, false, large, large), "map", "null");
    refused(() -> linearization.apply(map, family, false, null, large), "in", "null");
    refused(() -> linearization.apply(map, family, false, large, null), "out", "null");
  }

  @Test
  void aClosedLinearizationIsRefusedEverywhere() {
    Linearization gone = sample.linearize();
    List<LinearOperator> operators = FlowOperators.of(gone);
    gone.close();
    gone.close();
    closed(gone::state);
    closed(() -> gone.sites("weight_hh_l0"));
    closed(() -> gone.stepJacobians(0, 1));
    closed(gone::lyapunov);
    for (LinearOperator operator : operators) {
      closed(() -> operator.matvec(zeros(operator.domain().sizes())));
      closed(() -> operator.rmatvec(zeros(operator.range().sizes())));
    }
  }

  @Test
  void aClosedModelInputOrContextIsRefused() {
    ExecutionContext context = ExecutionContext.withThreads(2);
    try (Linearization open =
        Linearization.of(context, sample.model, sample.inputs, sample.initial)) {
      List<LinearOperator> operators = FlowOperators.of(open);
      context.close();
      for (LinearOperator operator : operators) {
        closed(() -> operator.matvec(zeros(operator.domain().sizes())));
      }
      closed(() -> Linearization.of(context, sample.model, sample.inputs, null));
    }
    Tensor gone = zeros(3, 4, 2);
    gone.close();
    closed(() -> Linearization.of(sample.model, gone));
    sample.model.close();
    closed(() -> Linearization.of(sample.model, sample.inputs));
  }

  /** h_t = 1e10^(t+1) x_0: beyond f32 at step 3 of trial 1, where x_0 is 1; trial 0 is silent. */
  @Test
  void anOverflowNamesTrialAndStep() {
    try (Tensor one = Tensor.of(Shape.of(1, 1), 1e10);
        Tensor x = Tensor.zeros(DType.F64, 2, 6, 1)) {
      x.set(1, 1, 0, 0);
      Map<String, Tensor> weights = Map.of("weight_ih_l0", one, "weight_hh_l0", one);
      try (Rnn narrow = new Rnn(weights, Activation.LINEAR, ModelOptions.of(DType.F32));
          Rnn wide = new Rnn(weights, Activation.LINEAR, ModelOptions.of(DType.F64));
          Linearization fits = Linearization.of(wide, x);
          Tensor state = fits.state()) {
        refused(
            NumericalException.class,
            () -> Linearization.of(narrow, x),
            "trial 1, step 3, unit 0",
            "f32, try f64");
        assertEquals(1e60, state.get(1, 5, 0), 1e46);
      }
    }
  }

  @Test
  void whatIsNotANumberInTheInputsIsFoundAtItsStep() {
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      sample.inputs.set(bad, 2, 1, 0);
      if (Double.isNaN(bad)) {
        refused(
            NumericalException.class,
            () -> Linearization.of(sample.model, sample.inputs),
            "trial 2, step 1");
      } else {
        try (Linearization saturated = Linearization.of(sample.model, sample.inputs)) {
          assertTrue(saturated.trials() == 3); // a gate saturates: the state itself is finite
        } catch (NumericalException finite) {
          assertTrue(finite.getMessage().contains("trial 2"), finite.getMessage());
        }
      }
    }
  }
}
