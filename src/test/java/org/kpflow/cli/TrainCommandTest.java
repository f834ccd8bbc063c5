package org.kpflow.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.io.Npy;
import org.kpflow.io.Safetensors;
import org.kpflow.io.TensorMap;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** kpflow train, as a user meets it. */
class TrainCommandTest {
  private static final String SMALL =
      "train --task memory_pro --task-option stimulus=5 --task-option memory=2"
          + " --task-option response=3 --task-option conditions=3"
          + " --cell gru --units 6 --batch 4 --steps 4 --every 2 --dtype f64";

  @TempDir private Path directory;
  private long before;

  @BeforeEach
  void count() {
    before = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(before, Tensor.liveCount());
  }

  /** A command; OUT/ in it stands for the test's folder. */
  private CommandOutcome run(String command) {
    List<String> arguments = new ArrayList<>();
    for (String argument : command.split(" ")) {
      arguments.add(argument.replace("OUT", directory.toString()));
    }
    return CommandOutcome.of(arguments);
  }

  private JsonNode json(String path) throws IOException {
    return new ObjectMapper().readTree(directory.resolve(path).toFile());
  }

  @Test
  void analyzeTakesTheFolderOfATrainingAsASeries() throws IOException {
    CommandOutcome trained = run(SMALL + " --noise 0.1 --out OUT/run");
    assertEquals(0, trained.code(), trained.err());
    assertTrue(trained.out().startsWith("finished after 4 steps"), trained.out());
    CommandOutcome analysed =
        run("analyze --weights OUT/run --trials 2 --modes 2 --views temp --out OUT/report");
    assertEquals(0, analysed.code(), analysed.err());
    assertTrue(analysed.out().contains("3 of 3 checkpoints"), analysed.out());
    JsonNode series = json("report/series.json").path("series").path("checkpoints");
    assertEquals("[0,2,4]", series.findValuesAsText("step").toString().replace(" ", ""));
    CommandOutcome single =
        run(
            "analyze --weights OUT/run/step_00004.safetensors --modes 2 --views temp --dtype f64"
                + " --out OUT/one");
    assertEquals(0, single.code(), single.err());
    double loss = json("one/report.json").path("report").path("target").path("loss").asDouble();
    assertEquals(json("run/training.json").path("evaluation").asDouble(), loss, 1e-12);
  }

  @Test
  void theSameCommandGoesOnOrSaysThatItIsDone() throws IOException {
    assertEquals(0, run(SMALL + " --out OUT/run").code());
    CommandOutcome again = run(SMALL + " --threads 1 --out OUT/run");
    assertEquals(0, again.code(), again.err());
    assertTrue(again.err().contains("is done, step 4; nothing to do"), again.err());
    CommandOutcome more = run(SMALL.replace("--steps 4", "--steps 6") + " --out OUT/run");
    assertTrue(more.err().contains("goes on after step 4"), more.err());
    CommandOutcome other = run(SMALL + " --noise 0.5 --out OUT/run");
    assertEquals(Exit.INPUT, other.code());
    assertTrue(other.err().contains("--noise: "), other.err());
    assertTrue(other.err().contains("was trained with 0.0, got 0.5"), other.err());
    assertEquals(1, other.err().strip().lines().count(), other.err());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--cell rnn --activation relu --layers 2",
        "--cell leaky_rnn --dt 0.5",
        "--cell lstm --no-bias",
        "--cell gru --freeze weight_ih_l0,bias_ih_l0 --freeze-readout --init orthogonal --gain 1.2",
      })
  void everyCellIsTrained(String network) throws IOException {
    CommandOutcome trained =
        run(
            "train --task memory_pro --units 6 --batch 4 --steps 3 --every 3 --out OUT/run "
                + network);
    assertEquals(0, trained.code(), trained.err());
    CommandOutcome described =
        run("describe --model OUT/run/model.json --weights OUT/run/step_00003.safetensors");
    assertEquals(0, described.code(), described.err());
    try (TensorMap first = Safetensors.read(directory.resolve("run/step_00000.safetensors"), null);
        TensorMap last = Safetensors.read(directory.resolve("run/step_00003.safetensors"), null)) {
      for (String name : first.names()) {
        boolean frozen =
            network.contains("--freeze") && (name.contains("_ih_") || name.startsWith("Wout"));
        boolean same = Arrays.equals(first.get(name).toDoubles(), last.get(name).toDoubles());
        assertEquals(frozen, same, name);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"type\":\"attention\",\"heads\":2,\"units\":6,\"causal\":true}",
        "{\"type\":\"attention\",\"heads\":2,\"units\":6,\"layers\":2,\"activation\":\"tanh\"}",
        "{\"type\":\"mlp\",\"layers\":3,\"activation\":\"relu\"}",
        "{\"type\":\"transformer\",\"heads\":2,\"units\":4,\"layers\":2}",
      })
  void everyNetworkThatAModelFileDescribesIsTrained(String model) throws IOException {
    Files.writeString(directory.resolve("model.json"), model);
    write("x", 4, 3, 3);
    write("y", 4, 3, 2);
    CommandOutcome trained =
        run(
            "train --model OUT/model.json --inputs OUT/x.npy --targets OUT/y.npy --batch 3"
                + " --steps 3 --lr 0.01 --out OUT/run");
    assertEquals(0, trained.code(), trained.err());
    try (TensorMap weights =
        Safetensors.read(directory.resolve("run/step_00003.safetensors"), null)) {
      assertTrue(weights.names().stream().noneMatch(name -> name.startsWith("rnn.")));
    }
    CommandOutcome analysed =
        run("analyze --weights OUT/run --modes 2 --views temp --out OUT/report");
    assertEquals(0, analysed.code(), analysed.err());
  }

  private void write(String name, long... sizes) {
    try (Tensor tensor = Tensor.zeros(DType.F64, sizes)) {
      RngState.of(name.hashCode())
          .fill(ExecutionContext.shared(), RngState.Distribution.GAUSSIAN, tensor);
      Npy.write(directory.resolve(name + ".npy"), tensor);
    }
  }

  /** The inputs beside a training are features; bare ones become the same by the same option. */
  @Test
  void aNetworkThatReadsFourierFeaturesIsTrainedAndAnalysed() throws IOException {
    write("x", 4, 3, 2);
    write("y", 4, 3, 2);
    String data = " --inputs OUT/x.npy --targets OUT/y.npy --fourier ";
    CommandOutcome trained =
        run("train --cell rnn --units 5 --steps 2 --dtype f64 --out OUT/run" + data + 3);
    assertEquals(0, trained.code(), trained.err());
    try (Tensor features = Npy.read(directory.resolve("run/inputs.npy"))) {
      assertEquals(Shape.of(4, 3, 12), features.shape());
    }
    String analyze =
        "analyze --weights OUT/run/step_00002.safetensors --modes 2 --views temp --dtype f64 --out ";
    CommandOutcome beside = run(analyze + "OUT/beside");
    assertEquals(0, beside.code(), beside.err());
    CommandOutcome bare = run(analyze + "OUT/bare" + data + 3);
    assertEquals(0, bare.code(), bare.err());
    JsonNode expected = json("beside/report.json").path("report");
    JsonNode found = json("bare/report.json").path("report");
    assertEquals(expected.path("target").path("loss"), found.path("target").path("loss"));
    assertEquals(expected.path("views"), found.path("views"));
    JsonNode facts = json("bare/report.json").path("provenance");
    assertTrue(facts.path("inputs").asText().endsWith("x.npy"), facts.toString());
    assertEquals("3", facts.path("fourier").asText());
    CommandOutcome other = run(analyze + "OUT/other" + data + 2);
    assertEquals(Exit.INPUT, other.code());
    assertTrue(other.err().contains("x.npy with --fourier 2: "), other.err());
    CommandOutcome twice = run(analyze + "OUT/twice --fourier 3");
    assertEquals(Exit.INPUT, twice.code());
    assertTrue(twice.err().contains("--fourier: expected --inputs with it"), twice.err());
    CommandOutcome none = run(analyze + "OUT/none" + data + 0);
    assertEquals(Exit.INPUT, none.code());
    assertTrue(none.err().contains("--fourier: expected 1 to 1048576, got 0"), none.err());
  }

  @Test
  void aTrainingBeginsWithTheWeightsOfACheckpoint() throws IOException {
    assertEquals(0, run(SMALL + " --out OUT/run").code());
    CommandOutcome next =
        run(
            "train --task memory_pro --cell gru --batch 4 --steps 2 --dtype f64"
                + " --weights OUT/run/step_00004.safetensors --out OUT/next");
    assertEquals(0, next.code(), next.err());
    assertArrayEquals(arrays("run/step_00004.safetensors"), arrays("next/step_00000.safetensors"));
    assertTrue(Files.exists(directory.resolve("next/losses.svg")));
  }

  private double[] arrays(String path) {
    try (TensorMap weights = Safetensors.read(directory.resolve(path), null)) {
      return weights.names().stream()
          .sorted()
          .flatMapToDouble(name -> Arrays.stream(weights.get(name).toDoubles()))
          .toArray();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"attention", "mlp", "transformer"})
  void fixedPointsAreOfRecurrentNetworks(String type) throws IOException {
    String heads = type.equals("mlp") ? "" : ",\"heads\":2";
    Files.writeString(directory.resolve("model.json"), "{\"type\":\"" + type + "\"" + heads + "}");
    write("x", 4, 3, 3);
    write("y", 4, 3, 2);
    for (String rule : List.of("fixed_points", "fixed_corners")) {
      CommandOutcome refused =
          run(
              "train --model OUT/model.json --inputs OUT/x.npy --targets OUT/y.npy --steps 1"
                  + " --fixed-points 2 --out OUT/run --init "
                  + rule);
      assertEquals(Exit.INPUT, refused.code());
      assertTrue(
          refused.err().startsWith("kpflow: --init " + rule + ": goes with gru"), refused.err());
      assertTrue(refused.err().strip().endsWith("got " + type), refused.err());
    }
  }

  @Test
  void aSmallDataSetIsABatch() throws IOException {
    write("x", 5, 3, 3);
    write("y", 5, 3, 2);
    CommandOutcome trained =
        run(
            "train --cell gru --units 4 --inputs OUT/x.npy --targets OUT/y.npy --steps 1"
                + " --out OUT/run");
    assertEquals(0, trained.code(), trained.err());
    assertEquals("5", json("run/training.json").path("options").path("--batch").asText());
  }

  @Test
  void aDataSetWithoutTrialsIsRefused() {
    write("x", 0, 3, 3);
    write("y", 0, 3, 2);
    CommandOutcome refused =
        run("train --cell gru --inputs OUT/x.npy --targets OUT/y.npy --steps 1 --out OUT/run");
    assertEquals(Exit.INPUT, refused.code());
    assertTrue(
        refused.err().startsWith("kpflow: --inputs, --targets: expected at least one trial"),
        refused.err());
  }

  @Test
  void numbersThatTheTypeDoesNotHoldAreRefused() {
    write("x", 5, 3, 3);
    try (Tensor y = Tensor.zeros(DType.F64, 5, 3, 2)) {
      y.set(1e300, 4, 1, 0);
      Npy.write(directory.resolve("y.npy"), y);
    }
    String command =
        "train --cell gru --units 4 --inputs OUT/x.npy --targets OUT/y.npy --steps 1 --out OUT/run";
    CommandOutcome refused = run(command);
    assertEquals(Exit.INPUT, refused.code());
    assertTrue(refused.err().contains("targets: element [4, 1, 0] is Infinity"), refused.err());
  }

  @Test
  void anOptionsOwnDefaultIsNoOtherOption() {
    assertEquals(0, run(SMALL + " --out OUT/run").code());
    CommandOutcome again =
        run(
            SMALL
                + " --out OUT/run --epsilon 1e-8 --betas 0.9,0.999 --weight-decay 0 --init pytorch"
                + " --evaluate-every 2");
    assertEquals(0, again.code(), again.err());
    assertTrue(again.err().contains("is done"), again.err());
  }

  @Test
  void aFirstAttemptThatFailsDoesNotBindItsOptions() {
    CommandOutcome failed = run(SMALL + " --lr 1e300 --optimizer sgd --out OUT/run");
    assertEquals(Exit.NUMERICAL, failed.code());
    CommandOutcome next = run(SMALL + " --out OUT/run");
    assertEquals(0, next.code(), next.err());
  }

  @Test
  void analyzeCountsTheStepsThatTheTrainingCounted() throws IOException {
    assertEquals(0, run(SMALL + " --loss-steps 7:10 --out OUT/run").code());
    String analyze =
        "analyze --weights OUT/run/step_00004.safetensors --modes 2 --views temp --dtype f64 --out ";
    CommandOutcome analysed = run(analyze + "OUT/report");
    assertEquals(0, analysed.code(), analysed.err());
    JsonNode target = json("report/report.json").path("report").path("target");
    double evaluation = json("run/training.json").path("evaluation").asDouble();
    assertEquals(evaluation, target.path("loss").asDouble(), 1e-12);
    assertEquals(9, target.path("countedSteps").asInt());
    String mask = json("report/report.json").path("provenance").path("mask").asText();
    assertTrue(mask.endsWith("mask.npy"), mask);
    String named = " --inputs OUT/run/inputs.npy --targets OUT/run/targets.npy";
    assertEquals(0, run(analyze + "OUT/named" + named).code());
    assertEquals(target, json("named/report.json").path("report").path("target"));
    Files.copy(directory.resolve("run/targets.npy"), directory.resolve("y.npy"));
    String given = " --inputs OUT/run/inputs.npy --targets OUT/y.npy";
    assertEquals(0, run(analyze + "OUT/all" + given).code());
    JsonNode all = json("all/report.json").path("report").path("target");
    assertEquals(30, all.path("countedSteps").asInt());
    assertTrue(Math.abs(all.path("loss").asDouble() - evaluation) > 1e-3 * evaluation);
    assertEquals(0, run(analyze + "OUT/some" + given + " --mask OUT/run/mask.npy").code());
    assertEquals(target, json("some/report.json").path("report").path("target"));
    assertEquals(0, run(analyze + "OUT/two --trials 0,2").code());
    JsonNode two = json("two/report.json").path("report").path("target");
    assertEquals(6, two.path("countedSteps").asInt());
    CommandOutcome series =
        run("analyze --weights OUT/run --modes 2 --views temp --dtype f64 --out OUT/series");
    assertEquals(0, series.code(), series.err());
    JsonNode last = json("series/step_00004/report.json").path("report").path("target");
    assertEquals(target.path("loss"), last.path("loss"));
    CommandOutcome wrong = run(analyze + "OUT/wrong" + given + " --mask OUT/run/targets.npy");
    assertEquals(Exit.INPUT, wrong.code());
    assertTrue(wrong.err().contains("targets.npy: expected 2 axes"), wrong.err());
    CommandOutcome alone =
        run(analyze + "OUT/alone --inputs OUT/run/inputs.npy --mask OUT/run/mask.npy");
    assertEquals(Exit.INPUT, alone.code());
    assertTrue(alone.err().contains("--mask: expected --targets with it"), alone.err());
  }

  @Test
  void theRecordIsPrintedAsJson() throws IOException {
    CommandOutcome trained = run(SMALL + " --json --out OUT/run");
    assertEquals(0, trained.code(), trained.err());
    JsonNode record = new ObjectMapper().readTree(trained.out());
    assertEquals("finished", record.path("status").asText());
    assertEquals("6", record.path("options").path("--units").asText());
    assertFalse(record.path("options").has("--out"));
  }

  @Test
  void aLossThatIsNotFiniteIsNumericalTrouble() {
    CommandOutcome trained = run(SMALL + " --lr 1e300 --optimizer sgd --out OUT/run");
    assertEquals(Exit.NUMERICAL, trained.code(), trained.err());
    assertTrue(trained.err().contains("not finite"), trained.err());
    assertTrue(trained.err().contains("training, step 2: "), trained.err());
    assertTrue(trained.err().contains("a smaller learning rate"), trained.err());
    assertEquals(1, trained.err().strip().lines().count(), trained.err());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--cell gru --steps 2 | --task, --inputs: expected one of them, got neither",
        "--task memory_pro --steps 2 | --model, --cell: expected one of them, got neither",
        "--task memory_pro --cell gru --steps -1 | --steps: expected 0 to",
        "--task memory_pro --cell gru --steps 2 --loss-steps 80:99 | loss steps: expected steps",
        "--task memory_pro --cell gru --steps 2 --optimizer sgd --betas 0.9,0.9 | --betas: goes",
        "--task memory_pro --cell gru --steps 2 --betas 0.9 | --betas: expected two numbers",
        "--task memory_pro --cell gru --steps 2 --schedule cosine | --schedule: expected constant",
        "--task memory_pro --cell gru --steps 2 --clip 1 --clip-value 1 | --clip, --clip-value:",
        "--task memory --cell gru --steps 2 | task: expected one of [memory_pro",
        "--task memory_pro --task-option x=2 --cell gru --steps 2 | task option",
        "--task memory_pro --cell gru --steps 2 --units 0 | --layers, --units: expected at least",
        "--task memory_pro --cell gru --steps 2 --weights none.npz | none.npz: no such file",
        "--task memory_pro --cell gru --steps 2 --batch 0 | --batch: expected 1 to",
        "--task memory_pro --cell gru --steps 2 --dataset 0 | --dataset: expected 1 to",
        "--task memory_pro --cell gru --steps 2 --dataset 5 --batch 128 | --batch: expected at most the 5 trials of the data set, got 128",
        "--task memory_pro --cell gru --steps 2 --noise -1 | --noise: expected a standard deviation",
        "--task memory_pro --cell gru --steps 2 --loss-steps 9:3 | --loss-steps: expected ranges",
        "--task memory_pro --cell gru --steps 2 --lr -1 | --lr: expected at least 0, got -1.0",
        "--task memory_pro --cell gru --steps 2 --init he | --init: expected one of [pytorch",
        "--task memory_pro --cell gru --steps 2 --gain 2 | --gain: expected 1 for pytorch",
        "--task memory_pro --cell gru --steps 2 --gain -2 --init orthogonal | --gain: expected a number above 0",
        "--task memory_pro --cell gru --steps 2 --fixed-points 30 | --fixed-points: expected 0 with --init pytorch, got 30",
        "--task memory_pro --cell gru --steps 2 --init fixed_points | --fixed-points: expected at least 1 with --init fixed_points, got 0",
        "--task memory_pro --cell lstm --steps 2 --init fixed_points --fixed-points 2 | --init",
        "--task memory_pro --cell rnn --activation relu --steps 2 --init fixed_points --fixed-points 2 | --init fixed_points: goes",
        "--task memory_pro --cell gru --steps 2 --clip -1 | --clip: expected above 0, got -1.0",
        "--task memory_pro --cell gru --steps 2 --clip-value 0 | --clip-value: expected above 0",
        "--task memory_pro --cell gru --steps 2 --optimizer shampoo --update-interval 0 | --update-interval: expected at least 1, got 0",
        "--task memory_pro --cell gru --steps 2 --optimizer momentum --momentum 1 | --momentum: expected at least 0 and below 1",
        "--task memory_pro --cell gru --steps 2 --betas 0.9,2 | --betas: expected at least 0 and below 1, got 2.0",
        "--task memory_pro --cell gru --steps 2 --epsilon 0 | --epsilon: expected a number above 0, got 0.0",
        "--task memory_pro --cell gru --steps 2 --epsilon 1e-50 | --epsilon: expected a number above 0 in f32, got 1.0E-50",
        "--task memory_pro --cell gru --steps 2 --weight-decay -1 | --weight-decay: expected at least 0",
        "--task memory_pro --cell gru --steps 2 --schedule step:0:0.5 | --schedule step:0:0.5: every: expected at least 1, got 0",
        "--task memory_pro --cell gru --steps 2 --schedule cosine:-3 | --schedule cosine:-3: steps: expected at least 1, got -3",
        "--task memory_pro --cell gru --steps 2 --warmup -1 | --warmup: expected at least 0",
        "--task memory_pro --cell gru --steps 2 --every 0 | --every: expected 1 to",
        "--task memory_pro --cell gru --steps 2 --prefix rnn. | --prefix: goes with --weights",
        "--task memory_pro --cell gru --steps 2 --ignore head.* | --ignore: goes with --weights",
        "--task memory_pro --cell gru --steps 2 --readout out | --readout: goes with --weights",
        "--task memory_pro --cell gru --steps 2 --weights none.npz --gain 1 | --gain: expected without --weights",
        "--task memory_pro --cell gru --steps 2 --weights none.npz --init pytorch | --init: expected without --weights",
        "--task memory_pro --cell gru --steps 2 --weights none.npz --fixed-points 3 | --fixed-points: expected without --weights",
        "--task memory_pro --cell gru --steps 2 --batch 7000000 | trials: 7000000 of 90 steps",
        "--task memory_pro --cell gru --steps 2 --task-option conditions=1000000 | trials: 1000000 of 90 steps",
        "--task memory_pro --cell gru --steps 2 --noise 1e39 | the trials of step 1 in f32, which ends at 3.4e38: inputs: element",
        "--inputs none.npy --cell gru --steps 2 | --inputs, --targets: expected both",
      })
  void whatIsWrongIsSaidInOneLine(String options, String message) {
    CommandOutcome refused = run("train " + options.strip() + " --out OUT/run");
    assertEquals(Exit.INPUT, refused.code(), refused.err());
    assertTrue(refused.err().startsWith("kpflow: " + message.strip()), refused.err());
    assertEquals(1, refused.err().strip().lines().count(), refused.err());
  }
}
