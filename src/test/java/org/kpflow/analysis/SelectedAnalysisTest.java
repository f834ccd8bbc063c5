package org.kpflow.analysis;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.GraphModels;
import org.kpflow.ModelKind;
import org.kpflow.ModelSample;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.flow.KroneckerCore;
import org.kpflow.flow.StateRestriction;
import org.kpflow.flow.StateSelection;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Readout;
import org.kpflow.model.StateBlock;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.report.Phase;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The analysis of a part of the state, for every model, against dense operators. */
class SelectedAnalysisTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final Sizes SIZES = new Sizes(3, 6, 2, 5);
  private static final String SOME_STEPS = "1,2::2";

  private static AnalysisRequest request(ModelSample<?> sample, Readout readout, Tensor targets) {
    return AnalysisRequest.of(CONTEXT, sample.model, sample.inputs)
        .initialState(sample.initial)
        .targets(readout, targets)
        .views(List.of(View.values()))
        .modes(3)
        .rng(RngState.of(1));
  }

  private static void close(double expected, double found, String what) {
    assertEquals(expected, found, 1e-8 * Math.abs(expected), what);
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void theReportIsThatOfTheOperatorsOfThePart(ModelKind kind) {
    long live = Tensor.liveCount();
    try (ModelSample<?> sample = kind.sample(DType.F64, SIZES, 1)) {
      Linearization linearization = sample.linearize();
      StateSelection some = StateSelection.parse("1:" + linearization.units(), SOME_STEPS);
      StateRestriction selected = some.of(linearization);
      LinearOperator kernel = selected.tangentKernel();
      LinearOperator propagation = selected.propagation().outerGram();
      try (AnalysisResult result =
              Analysis.run(request(sample, null, null).with(some), Progress.NONE);
          Tensor dense = kernel.toDense();
          Tensor temporal = kernel.partialAverage(2).toDense();
          Tensor gram = KroneckerCore.gram(selected)) {
        AnalysisReport report = result.report();
        assertFalse(report.selection().whole());
        assertArrayEquals(new int[] {1, 2, 4}, report.selection().steps());
        assertEquals("1:" + linearization.units(), report.selection().units());
        assertEquals(selected.range().count(), report.sizes().get("state"));
        assertEquals(9, report.sizes().get("rows"));
        double[] values = DenseEigen.values(dense);
        for (int i = 0; i < 3; i++) {
          close(values[i], report.operator("NTK").eigenvalues()[i], kind + " eigenvalue " + i);
        }
        close(kernel.frobeniusNorm(), report.operator("NTK").frobenius().value(), kind + " norm");
        close(propagation.frobeniusNorm(), report.operator("PPt").frobenius().value(), kind + " P");
        LinearOperator core = KroneckerCore.proxy(selected, gram);
        double a = kernel.frobeniusNorm();
        double b = core.frobeniusNorm();
        double c = kernel.minus(core).frobeniusNorm();
        assertEquals(
            (a * a + b * b - c * c) / (2 * a * b),
            report.cosNtkCore().value(),
            1e-7,
            kind + " cos");
        double[] ofView = DenseEigen.values(temporal.reshape(Shape.of(9, 9)));
        close(ofView[0], report.view("NTK", "temp").eigenvalues()[0], kind + " temporal view");
        assertEquals(9, report.view("core", "temp").size());
        assertEquals(Shape.of(3, 3, 3), result.arrays().get("ntk_temp_modes").shape());
        assertEquals(linearization.stepsThroughTime(), report.propagation().stepsThroughTime());
        assertEquals(
            linearization.stepsThroughTime(), !report.propagation().transitions().isEmpty());
        assertEquals(linearization.stepsThroughTime(), report.propagation().lyapunov() != null);
        assertTrue(report.warnings().stream().noneMatch(w -> w.contains("target")));
      }
    }
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  /** The loss of the rows that are kept, by loops; the fall of the loss by the dense kernel. */
  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void targetsAreComparedAtTheStepsThatAreKept(ModelKind kind) {
    compareTargets(kind, null);
  }

  /** Of the three steps kept of each trial, 2, 1 and 2 count. */
  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void targetsAreComparedAtTheStepsThatCount(ModelKind kind) {
    double[] mask = {
      1, 0, 1, 1, 1, 0,
      1, 0, 0, 0, 1, 0,
      1, 0, 1, 0, 1, 1
    };
    compareTargets(kind, mask);
  }

  private static void compareTargets(ModelKind kind, double[] counts) {
    try (ModelSample<?> sample = kind.sample(DType.F64, SIZES, 2)) {
      List<StateBlock> blocks = sample.model.blocks();
      StateBlock output = blocks.get(blocks.size() - 1);
      int before = output.begin() > 0 ? 2 : 0; // units of another block, which stand before it
      Tensor targets = sample.keep(RandomModels.gaussian(DType.F64, Shape.of(3, 6, 2), 3));
      Tensor weight = sample.keep(RandomModels.gaussian(DType.F64, Shape.of(2, output.units()), 4));
      Readout readout = sample.keep(new Readout(CONTEXT, weight, null, output, DType.F64));
      StateSelection some =
          StateSelection.parse(
              output.begin() - before + ":" + (output.begin() + output.units()), SOME_STEPS);
      Linearization linearization = sample.linearize();
      StateRestriction selected = some.of(linearization);
      if (counts != null) {
        targets.set(Double.NaN, 0, 1, 1); // no target at a step that does not count
      }
      Tensor mask =
          counts == null ? null : sample.keep(Tensor.of(DType.F32, Shape.of(3, 6), counts));
      AnalysisRequest request = request(sample, readout, targets).targets(readout, targets, mask);
      try (AnalysisResult result = Analysis.run(request.with(some), Progress.NONE);
          Tensor state = linearization.state();
          Tensor dense = selected.tangentKernel().toDense()) {
        int width = (int) output.units();
        int kept = before + width;
        int entries = counts == null ? 18 : 10;
        double[] error = new double[9 * kept];
        double loss = 0;
        double square = 0;
        int row = 0;
        for (int b = 0; b < 3; b++) {
          for (int t : new int[] {1, 2, 4}) {
            for (int o = 0; o < 2 && (counts == null || counts[6 * b + t] == 1); o++) {
              double difference = -targets.get(b, t, o);
              square += difference * difference;
              for (int u = 0; u < width; u++) {
                difference += weight.get(o, u) * state.get(b, t, output.begin() + u);
              }
              loss += difference * difference / entries;
              for (int u = 0; u < width; u++) {
                error[row * kept + before + u] += 2 * difference * weight.get(o, u) / entries;
              }
            }
            row++;
          }
        }
        double decrease = 0;
        for (int i = 0; i < error.length; i++) {
          for (int j = 0; j < error.length; j++) {
            decrease += error[i] * dense.get(i, j) * error[j];
          }
        }
        TargetReport found = result.report().target();
        close(loss, found.loss(), kind + " loss");
        assertEquals(entries / 2, found.countedSteps());
        close(
            square,
            found.modes().stream().mapToDouble(m -> m.singularValue() * m.singularValue()).sum(),
            kind + " target");
        double[] objectives = result.arrays().get("objective_inner").toDoubles();
        close(decrease, Arrays.stream(objectives).sum(), kind + " objectives");
        close(decrease, found.lossDecrease(), kind + " decrease");
        close(
            decrease,
            found.lossDecreaseByFamily().values().stream().mapToDouble(v -> v).sum(),
            kind + " by family");
        assertArrayEquals(error, result.arrays().get("err").toDoubles(), 1e-13);
        assertEquals(selected.range(), result.arrays().get("adj").shape());
        assertNotNull(result.report().objectives());
        assertEquals(Shape.of(2, 3, 3), result.arrays().get("target_modes").shape());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void targetsWithoutAReadoutAreThoseOfTheOutputBlock(ModelKind kind) {
    try (ModelSample<?> sample = kind.sample(DType.F64, SIZES, 5)) {
      StateBlock output = sample.model.outputBlock();
      Tensor targets =
          sample.keep(RandomModels.gaussian(DType.F64, Shape.of(3, 6, output.units()), 6));
      Linearization linearization = sample.linearize();
      try (AnalysisResult result = Analysis.run(request(sample, null, targets), Progress.NONE);
          Tensor state = linearization.state()) {
        double loss = 0;
        for (int b = 0; b < 3; b++) {
          for (int t = 0; t < 6; t++) {
            for (int u = 0; u < output.units(); u++) {
              loss +=
                  Math.pow(state.get(b, t, output.begin() + u) - targets.get(b, t, u), 2)
                      / targets.count();
            }
          }
        }
        close(loss, result.report().target().loss(), kind.toString());
      }
      Tensor narrow = sample.keep(Tensor.zeros(DType.F64, 3, 6, output.units() + 1));
      refused(
          () -> request(sample, null, narrow), "targets", "[B, T, " + output.units() + "]", "got");
    }
  }

  @Test
  void aMaskThatSaysNothingIsRefusedOrLeavesTheTargetsOut() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, SIZES, 8)) {
      Tensor targets = sample.keep(Tensor.zeros(DType.F64, 3, 6, 5));
      AnalysisRequest request = request(sample, null, targets);
      Tensor mask = sample.keep(Tensor.zeros(DType.F64, 3, 6));
      refused(() -> request.targets(null, targets, mask), "mask", "a step that counts", "none");
      mask.set(0.5, 1, 1);
      refused(() -> request.targets(null, targets, mask), "mask", "0 and 1", "0.5");
      refused(() -> request.targets(null, null, mask), "mask", "targets", "none");
      Tensor narrow = sample.keep(Tensor.zeros(DType.F64, 3, 5));
      refused(() -> request.targets(null, targets, narrow), "mask", "[3, 6]", "[3, 5]");
      mask.set(1, 1, 1);
      try (AnalysisResult result =
          Analysis.run(
              request.targets(null, targets, mask).with(StateSelection.parse(null, "2:5")),
              Progress.NONE)) {
        assertNull(result.report().target());
        assertTrue(
            result.report().warnings().toString().contains("counts none of the steps"),
            result.report().warnings().toString());
      }
    }
  }

  @Test
  void targetsAreLeftOutWithAReasonWhereTheirBlockIsNotKept() {
    try (Sample sample = new Sample(Kind.LSTM, DType.F64, SIZES, 7)) {
      Tensor targets = sample.keep(Tensor.zeros(DType.F64, 3, 6, 5));
      for (String units : new String[] {"c", "1:10"}) {
        AnalysisRequest request =
            request(sample, null, targets).with(StateSelection.parse(units, null));
        try (AnalysisResult result = Analysis.run(request, Progress.NONE)) {
          assertNull(result.report().target());
          assertNull(result.report().objectives());
          assertFalse(result.arrays().contains("err"));
          assertTrue(
              result.report().warnings().stream()
                  .anyMatch(w -> w.contains("targets are left out") && w.contains("from h")),
              result.report().warnings().toString());
          assertFalse(result.report().partial());
        }
      }
    }
  }

  @Test
  void theReportSaysWhichPartWasAnalysed(@TempDir Path directory) throws IOException {
    try (Sample sample = new Sample(Kind.LSTM, DType.F64, SIZES, 8)) {
      StateSelection some = StateSelection.parse("2:8", "3:6");
      try (AnalysisResult result =
          Analysis.run(request(sample, null, null).with(some), Progress.NONE)) {
        AnalysisWriter writer =
            new AnalysisWriter(result, List.of(new Phase("before", 0)), Map.of());
        writer.write(directory);
        JsonNode json = new ObjectMapper().readTree(directory.resolve("report.json").toFile());
        JsonNode selection = json.path("report").path("selection");
        assertFalse(selection.path("whole").asBoolean(true));
        assertEquals("[3,4,5]", selection.path("steps").toString());
        assertEquals("2:8", selection.path("units").asText());
        assertEquals("h", selection.path("blocks").path(0).path("name").asText());
        assertEquals(3, selection.path("blocks").path(0).path("units").asInt());
        assertEquals("c", selection.path("blocks").path(1).path("name").asText());
        String page = Files.readString(directory.resolve("report.html"));
        assertTrue(page.contains("h, c (6 of 10 units) at 3 of 6 steps"), writer.summary());
        String svg = Files.readString(directory.resolve("temporal_modes.svg"));
        assertTrue(svg.contains("time step, 3 to 5"), "the steps of the trial, not of the part");
      }
    }
  }

  /** One step, one trial or one unit: nothing to see over time, nothing that fails. */
  @ParameterizedTest
  @CsvSource({"3, 1, 2, 5", "1, 1, 1, 1", "1, 3, 1, 1"})
  void degenerateSizesAreAnalysedAndWritten(
      int trials, int steps, int inputs, int units, @TempDir Path directory) throws IOException {
    for (ModelKind kind : Kind.values()) {
      try (ModelSample<?> sample =
          kind.sample(DType.F64, new Sizes(trials, steps, inputs, units), 9)) {
        StateBlock output = sample.model.outputBlock();
        Tensor targets = sample.keep(Tensor.zeros(DType.F64, trials, steps, output.units()));
        for (StateSelection selection :
            List.of(StateSelection.all(), StateSelection.parse(output.name(), "-1"))) {
          AnalysisRequest request = request(sample, null, targets).with(selection);
          try (AnalysisResult result = Analysis.run(request, Progress.NONE)) {
            if (kind == Kind.LSTM || !result.report().propagation().stepsThroughTime()) {
              Path page =
                  new AnalysisWriter(result, List.of(new Phase("all", 0)), Map.of())
                      .write(directory.resolve(kind + (selection.isAll() ? "" : "_part")));
              assertTrue(Files.size(page) > 0);
            }
            assertFalse(result.report().partial(), kind + ": " + result.report().warnings());
            assertNotNull(result.report().target());
          }
        }
      }
    }
  }

  /** The first block of an MLP of which only the second layer is trained. */
  @Test
  void aPartThatNoTrainedWeightReachesHasNoKernelAndNoCore() {
    try (GraphModels.Sample sample =
        new GraphModels.Sample(
            GraphModels.Kind.MLP_GELU,
            DType.F64,
            GraphModels.Sizes.SMALL,
            10,
            "mlp_W_1",
            "mlp_b_1")) {
      StateSelection first = StateSelection.parse("H_2", null);
      try (AnalysisResult result =
          Analysis.run(request(sample, null, null).with(first), Progress.NONE)) {
        AnalysisReport report = result.report();
        assertEquals(0, report.operator("NTK").trace().value());
        assertEquals(0, report.operator("core").trace().value());
        assertTrue(Double.isNaN(report.cosNtkCore().value()));
        assertTrue(
            report.warnings().stream()
                .anyMatch(
                    w -> w.contains("NTK is zero: to first order, no trainable weight changes")),
            report.warnings().toString());
      }
    }
  }

  @Test
  void anOverflowIsSaidInWordsThatFitTheModel() {
    for (ModelKind kind : List.of(Kind.RNN_LINEAR, GraphModels.Kind.MLP_LINEAR)) {
      try (ModelSample<?> sample = kind.sample(DType.F32, SIZES, 11)) {
        boolean steps = kind == Kind.RNN_LINEAR;
        for (WeightFamily family : sample.model.families()) {
          Tensor weight = sample.model.weight(family.name());
          TensorMath.axpby(CONTEXT, 0, weight, steps ? 1e6 : 1e10, weight);
        }
        String remedy = steps ? "f64 or fewer steps" : "f64 or smaller weights";
        refused(
            NumericalException.class,
            () -> Analysis.run(request(sample, null, null), Progress.NONE).close(),
            "the NTK overflows f32",
            remedy);
      }
    }
  }
}
