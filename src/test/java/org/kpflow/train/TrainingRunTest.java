package org.kpflow.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.io.Safetensors;
import org.kpflow.io.TensorMap;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Readout;
import org.kpflow.task.MemoryPro;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** What a training writes, and how it goes on. */
class TrainingRunTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

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

  private static Tensor random(int label, long... sizes) {
    Tensor tensor = Tensor.zeros(DType.F64, sizes);
    RngState.of(3).split(label).fill(CONTEXT, RngState.Distribution.GAUSSIAN, tensor);
    TensorMath.scale(CONTEXT, 0.5, tensor);
    return tensor;
  }

  private static Network network() {
    try (Tensor input = random(0, 12, 3);
        Tensor hidden = random(1, 12, 4);
        Tensor output = random(2, 3, 4)) {
      Gru gru =
          new Gru(
              Map.of("weight_ih_l0", input, "weight_hh_l0", hidden), ModelOptions.of(DType.F64));
      return new Network(
          CONTEXT, gru, new Readout(CONTEXT, output, null, gru.outputBlock(), DType.F64), true);
    }
  }

  /** Stops after some steps; 0 for never. */
  private record StopAfter(long[] steps) implements TrainingObserver {
    static StopAfter steps(long count) {
      return new StopAfter(new long[] {count});
    }

    @Override
    public boolean stops() {
      return --steps[0] == 0;
    }
  }

  private TrainingRecord train(String out, double rate, TrainingPlan plan, long stopAfter) {
    return train(out, rate, plan, StopAfter.steps(stopAfter));
  }

  private TrainingRecord train(
      String out, double rate, TrainingPlan plan, TrainingObserver observer) {
    TrainingData.Draw draw = new TrainingData.Draw(5, 0.1, LossSteps.all(), RngState.of(1));
    try (Network network = network();
        Optimizer adam = new Adam(CONTEXT, network.parameters());
        TrainingData data =
            TrainingData.set(CONTEXT, new MemoryPro(3, 2, 3, 4), 12, draw, DType.F64)) {
      TrainingSetup setup =
          new TrainingSetup(
              CONTEXT,
              network,
              adam,
              data.batches(),
              TrainingOptions.of(LearningRate.constant(rate)),
              data.evaluation(),
              Map.of("type", "gru"),
              Map.of("--lr", "" + rate),
              Map.of("version", "test"));
      return new TrainingRun(directory.resolve(out), setup, plan).run(observer);
    }
  }

  private static TrainingPlan plan(long steps) {
    return new TrainingPlan(steps, 10, 5, 0);
  }

  private byte[] bytes(String path) throws IOException {
    return Files.readAllBytes(directory.resolve(path));
  }

  private void assertSame(String one, String other, String... names) throws IOException {
    for (String name : names) {
      assertArrayEquals(bytes(one + "/" + name), bytes(other + "/" + name), name);
    }
  }

  @Test
  void aStoppedTrainingGoesOnWithTheSameBits() throws IOException {
    TrainingRecord whole = train("whole", 0.01, plan(25), 0);
    assertEquals("finished", whole.status());
    TrainingRecord stopped = train("parts", 0.01, plan(25), 13);
    assertEquals("stopped", stopped.status());
    assertEquals(13, stopped.step());
    assertFalse(Files.exists(directory.resolve("parts/step_00013.safetensors")));
    TrainingRecord rest = train("parts", 0.01, plan(25), 0);
    assertEquals(12, rest.stepsHere());
    assertEquals(whole.evaluation(), rest.evaluation());
    assertSame(
        "whole",
        "parts",
        "losses.csv",
        "step_00000.safetensors",
        "step_00010.safetensors",
        "step_00020.safetensors",
        "step_00025.safetensors",
        "resume/state.safetensors");
  }

  @Test
  void whatAKilledProcessLeftUnfinishedIsNotPickedUp() throws IOException {
    train("whole", 0.01, plan(25), 0);
    train("parts", 0.01, plan(25), 13);
    Path parts = directory.resolve("parts");
    Files.writeString(
        parts.resolve("losses.csv"), "14,0.5,0.01,1.0,\n15,0.", StandardOpenOption.APPEND);
    Path half = parts.resolve("resume/.state.safetensors.00000000deadbeef.tmp");
    Files.writeString(half, "half");
    Files.writeString(parts.resolve(".step_00020.safetensors.0123456789abcdef.tmp"), "half");
    Files.write(
        parts.resolve("step_00020.safetensors"), bytes("whole/step_00010.safetensors")); // replaced
    train("parts", 0.01, plan(25), 0);
    assertFalse(Files.exists(half));
    assertSame("whole", "parts", "losses.csv", "step_00020.safetensors", "losses.png");
  }

  @Test
  void aFinishedTrainingIsLeftAsItIs() throws IOException {
    train("out", 0.01, plan(10), 0);
    Path file = directory.resolve("out/training.json");
    FileTime early = FileTime.fromMillis(0);
    Files.setLastModifiedTime(file, early);
    TrainingRecord record = train("out", 0.01, plan(10), 0);
    assertEquals("finished", record.status());
    assertEquals(0, record.stepsHere());
    assertEquals(early, Files.getLastModifiedTime(file));
  }

  @Test
  void moreStepsGoOnFromTheEnd() throws IOException {
    train("whole", 0.01, plan(20), 0);
    train("parts", 0.01, plan(10), 0);
    assertEquals(10, train("parts", 0.01, plan(20), 0).stepsHere());
    assertSame("whole", "parts", "losses.csv", "step_00020.safetensors");
    InputException fewer =
        assertThrows(InputException.class, () -> train("parts", 0.01, plan(5), 0));
    assertTrue(
        fewer.getMessage().startsWith("--steps: expected at least 20, which"), fewer.getMessage());
  }

  @Test
  void anotherOptionIsRefusedByNameWithBothValues() {
    train("out", 0.01, plan(10), 4);
    InputException other =
        assertThrows(InputException.class, () -> train("out", 0.02, plan(10), 0));
    assertEquals(
        "--lr: "
            + directory.resolve("out")
            + " was trained with 0.01, got 0.02; give what it was trained with to go on,"
            + " or another --out to start anew",
        other.getMessage());
  }

  @Test
  void aLossBelowTheWantedOneEndsIt() throws IOException {
    TrainingRecord whole = train("whole", 0.01, plan(20), 0);
    double wanted = LossLog.read(directory.resolve("whole")).get(15).evaluation() + 1e-12;
    TrainingPlan plan = new TrainingPlan(20, 10, 5, wanted);
    TrainingRecord below = train("below", 0.01, plan, 0);
    assertTrue(whole.evaluation() < wanted, "the loss does not fall");
    assertEquals("below", below.status());
    assertTrue(below.step() <= 15 && below.step() % 5 == 0, below.toString());
    assertTrue(Files.exists(TrainingRun.checkpoint(directory.resolve("below"), below.step())));
    assertEquals(0, train("below", 0.01, plan, 0).stepsHere());
    assertEquals("finished", train("below", 0.01, plan(20), 0).status());
  }

  @Test
  void aLossThatIsNotFiniteEndsItWithTheCheckpointsBefore() throws IOException {
    NumericalException overflow =
        assertThrows(NumericalException.class, () -> train("out", 1e300, plan(20), 0));
    assertTrue(overflow.getMessage().contains("not finite"), overflow.getMessage());
    assertTrue(Files.exists(directory.resolve("out/step_00000.safetensors")));
    assertFalse(Files.exists(directory.resolve("out/step_00010.safetensors")));
    assertTrue(Files.readString(directory.resolve("out/training.json")).contains("not finite"));
    try (TensorMap first =
        Safetensors.read(directory.resolve("out/step_00000.safetensors"), null)) {
      assertEquals(Shape.of(12, 4), first.get("rnn.weight_hh_l0").shape());
      assertEquals(Shape.of(3, 4), first.get("Wout.weight").shape());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model.json",
        "inputs.npy",
        "targets.npy",
        "mask.npy",
        "losses.csv",
        "losses.png",
        "losses.svg",
        "training.json"
      })
  void filesOfAnotherOriginAreNotOverwritten(String name) throws IOException {
    Path mine = Files.createDirectories(directory.resolve("mine")).resolve(name);
    Files.writeString(mine, "mine");
    InputException refused =
        assertThrows(InputException.class, () -> train("mine", 0.01, plan(10), 0));
    assertTrue(refused.getMessage().startsWith(mine + ": "), refused.getMessage());
    assertEquals("mine", Files.readString(mine));
    assertEquals(List.of(name), List.of(mine.getParent().toFile().list()));
  }

  @Test
  void anAttemptThatTookNoStepDoesNotBindItsOptions() throws IOException {
    assertThrows(NumericalException.class, () -> train("out", 1e300, plan(20), 0));
    train("whole", 0.01, plan(10), 0);
    Path out = Files.createDirectories(directory.resolve("parts"));
    for (String step : List.of("00000", "00005")) { // of a process killed before it saved its state
      Files.write(
          out.resolve("step_" + step + ".safetensors"), bytes("whole/step_00000.safetensors"));
    }
    Files.createDirectories(out.resolve("resume"));
    Files.write(out.resolve("resume/state.safetensors"), bytes("out/resume/state.safetensors"));
    assertEquals(10, train("parts", 0.01, plan(10), 0).stepsHere());
    assertSame("whole", "parts", "losses.csv", "step_00010.safetensors");
    assertFalse(Files.exists(out.resolve("step_00005.safetensors")));
  }

  @Test
  void whatStoppedNamesTheLastCheckpointAndTheEvaluationsStep() throws IOException {
    TrainingRecord stopped = train("out", 0.01, plan(25), 18);
    assertEquals("step_00010.safetensors", stopped.checkpoint());
    assertEquals(15, stopped.evaluationStep());
    TrainingRecord again = train("out", 0.01, plan(25), 1);
    assertEquals("step_00010.safetensors", again.checkpoint());
    assertEquals(15, again.evaluationStep());
    List<LossLog.Row> rows = LossLog.read(directory.resolve("out"));
    assertEquals(rows.get(15).evaluation(), again.evaluation());
  }

  /** A kill falls between the last state and training.json. */
  @ParameterizedTest
  @ValueSource(strings = {"", "{\"status\" : \"fini", "{\"status\" : \"running\", \"step\" : 10}"})
  void aRecordThatDoesNotSayTheEndIsWrittenAgain(String text) throws IOException {
    train("out", 0.01, plan(10), 0);
    Path record = directory.resolve("out/training.json");
    Files.writeString(record, text);
    Files.delete(directory.resolve("out/losses.png"));
    byte[] last = bytes("out/step_00010.safetensors");
    TrainingRecord found = train("out", 0.01, plan(10), 0);
    assertEquals("finished", found.status());
    assertEquals(0, found.stepsHere());
    JsonNode read = new ObjectMapper().readTree(record.toFile());
    assertEquals("finished", read.path("status").asText());
    assertEquals(10, read.path("step").asLong());
    assertEquals("step_00010.safetensors", read.path("checkpoint").asText());
    assertTrue(Files.exists(directory.resolve("out/losses.png")));
    assertArrayEquals(last, bytes("out/step_00010.safetensors"));
  }

  /** The first step's weights are too large for the evaluation after it. */
  @Test
  void anEvaluationThatOverflowsLeavesTheRecordWithTheLosses() throws IOException {
    TrainingPlan every = new TrainingPlan(20, 10, 1, 0);
    NumericalException overflow =
        assertThrows(NumericalException.class, () -> train("out", 1e300, every, 0));
    assertTrue(
        overflow.getMessage().startsWith("training, the evaluation after step 1: "),
        overflow.getMessage());
    assertTrue(overflow.getMessage().contains("a smaller learning rate"), overflow.getMessage());
    JsonNode record = new ObjectMapper().readTree(directory.resolve("out/training.json").toFile());
    List<LossLog.Row> rows = LossLog.read(directory.resolve("out"));
    assertEquals(0, record.path("step").asLong());
    assertEquals(0, rows.get(rows.size() - 1).step());
  }

  @Test
  void theRecordOfARunningTrainingSaysTheStepOfTheState() throws IOException {
    List<Long> said = new ArrayList<>();
    Path file = directory.resolve("out/training.json");
    TrainingObserver reader =
        new TrainingObserver() {
          @Override
          public void step(long step, double loss, double evaluation) {
            try {
              said.add(new ObjectMapper().readTree(file.toFile()).path("step").asLong());
            } catch (IOException failure) {
              throw new UncheckedIOException(failure);
            }
          }
        };
    train("out", 0.01, plan(12), reader);
    assertEquals(
        List.of(0L, 10L, 10L, 12L), List.of(said.get(8), said.get(9), said.get(10), said.get(11)));
  }

  @Test
  void checkpointsOfAnotherOriginAreNotMixedWithItsOwn() throws IOException {
    train("out", 0.01, plan(10), 0);
    Files.createDirectories(directory.resolve("other"));
    Files.copy(
        directory.resolve("out/step_00010.safetensors"),
        directory.resolve("other/net.safetensors"));
    InputException refused =
        assertThrows(InputException.class, () -> train("other", 0.01, plan(10), 0));
    assertTrue(refused.getMessage().contains("net.safetensors"), refused.getMessage());
  }

  @Test
  void lossesThatWereCutOffAreRefused() throws IOException {
    train("out", 0.01, plan(10), 8);
    Path losses = directory.resolve("out/losses.csv");
    List<String> lines = Files.readAllLines(losses);
    Files.write(losses, lines.subList(0, 5));
    InputException refused =
        assertThrows(InputException.class, () -> train("out", 0.01, plan(10), 0));
    assertTrue(refused.getMessage().contains("rows of steps 0 to 8"), refused.getMessage());
  }

  @Test
  void theLossIsThatOfTheTrialsOfEveryStep() throws IOException {
    train("out", 0.01, plan(3), 0);
    TrainingData.Draw draw = new TrainingData.Draw(5, 0.1, LossSteps.all(), RngState.of(1));
    try (Network network = network();
        TrainingData data =
            TrainingData.set(CONTEXT, new MemoryPro(3, 2, 3, 4), 12, draw, DType.F64);
        var first = data.batches().at(1)) {
      List<LossLog.Row> rows = LossLog.read(directory.resolve("out"));
      assertEquals(4, rows.size());
      assertEquals(network.loss(first), rows.get(1).loss());
      assertEquals(network.loss(data.evaluation()), rows.get(0).evaluation());
    }
  }
}
