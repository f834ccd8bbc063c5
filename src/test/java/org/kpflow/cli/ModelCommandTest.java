package org.kpflow.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kpflow.RandomModels;
import org.kpflow.base.Shape;
import org.kpflow.io.Npy;
import org.kpflow.loading.TorchCheckpoint;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** describe, and analyze with --model: every architecture from a checkpoint to a report. */
class ModelCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path directory;
  private long live;

  @BeforeEach
  void count() {
    ExecutionContext.shared();
    live = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  private static CommandOutcome run(String... arguments) {
    return CommandOutcome.of(List.of(arguments));
  }

  private Path array(String name, long... shape) {
    Path file = directory.resolve(name);
    try (Tensor tensor = RandomModels.gaussian(new Random(3), 1, shape)) {
      Npy.write(file, tensor);
    }
    return file;
  }

  private Path model(String json) throws IOException {
    return Files.writeString(directory.resolve("model.json"), json.replace('\'', '"'));
  }

  private CommandOutcome analyze(Path model, Path weights, Path inputs, String... more) {
    List<String> base =
        List.of(
            "analyze",
            "--model=" + model,
            "--weights=" + weights,
            "--inputs=" + inputs,
            "--dtype=f64",
            "--json",
            "--out=" + directory.resolve("out"));
    return run(Stream.concat(base.stream(), Stream.of(more)).toArray(String[]::new));
  }

  /** A checkpoint with a read-out; the LSTM has two layers. */
  private Path checkpoint(String type) {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      switch (type) {
        case "rnn" -> net.recurrent("rnn.", 1, 0, 3, 5);
        case "leaky_rnn" ->
            net.recurrent("rnn.", 1, 0, 3, 5).without("rnn.bias_ih_l0").without("rnn.bias_hh_l0");
        case "gru" -> net.recurrent("rnn.", 3, 0, 3, 5);
        case "lstm" -> net.recurrent("rnn.", 4, 0, 3, 5).recurrent("rnn.", 4, 1, 5, 5);
        case "neural_ode" -> net.recurrent("rnn.", 1, 0, 3, 5);
        case "mlp" -> net.linear("0", 5, 3).linear("2", 4, 5);
        case "attention" -> net.linear("m.0", 5, 4).linear("m.2", 4, 5).attention("attn.", 4);
        default -> net.linear("embed", 4, 3).block("enc.layers.0.", 4, 6).norm("enc.norm", 4);
      }
      return net.linear("head.out", 2, type.matches("mlp|attention|transformer") ? 4 : 5)
          .write(directory.resolve("net.safetensors"));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "rnn         | , 'activation': 'relu'           | 3 | 5",
        "leaky_rnn   | , 'dt': 0.5                      | 3 | 5",
        "gru         |                                  | 3 | 5",
        "lstm        | , 'layers': 2                    | 3 | 20",
        "neural_ode  | , 'dt': 0.1, 'method': 'euler'   | 3 | 5",
        "mlp         | , 'activation': 'tanh', 'ignore': ['head.*'] | 3 | 9",
        "attention   | , 'activation': 'relu', 'heads': 2, 'causal': true | 4 | 29",
        "transformer | , 'activation': 'gelu', 'heads': 2 | 3 | 54"
      })
  void everyArchitectureGoesFromACheckpointToAReport(
      String type, String keys, int inputs, int units) throws IOException {
    Path weights = checkpoint(type);
    Path json = model("{'type': '" + type + "'" + (keys == null ? "" : keys) + "}");
    Path x = array("x.npy", 2, 4, inputs);
    Path y = array("y.npy", 2, 4, 2);
    CommandOutcome outcome = analyze(json, weights, x, "--targets=" + y);
    assertEquals(0, outcome.code(), outcome.err());
    JsonNode report = JSON.readTree(outcome.out());
    assertEquals(units, report.path("sizes").path("units").asInt());
    assertTrue(report.path("target").path("loss").asDouble() > 0, outcome.out());
    JsonNode written = JSON.readTree(directory.resolve("out").resolve("report.json").toFile());
    assertTrue(written.path("provenance").path("network").asText().contains(type));
  }

  @Test
  void anIntegratorWithStagesIsAnalysedAtWholeStepsUnlessToldOtherwise() throws IOException {
    Path weights = checkpoint("neural_ode");
    Path json = model("{'type': 'neural_ode', 'dt': 0.1, 'method': 'rk4'}");
    Path x = array("x.npy", 2, 3, 3);
    Path y = array("y.npy", 2, 3, 2);
    CommandOutcome outcome = analyze(json, weights, x, "--targets=" + y, "--phases=late:2");
    assertEquals(0, outcome.code(), outcome.err());
    JsonNode report = JSON.readTree(outcome.out());
    assertEquals(5, report.path("sizes").path("units").asInt());
    assertEquals("[3,7,11]", report.path("selection").path("steps").toString());
    assertTrue(report.path("target").path("loss").asDouble() > 0, outcome.out());
    outcome = analyze(json, weights, x, "--targets=" + y, "--state=:", "--steps=:");
    assertEquals(0, outcome.code(), outcome.err());
    report = JSON.readTree(outcome.out());
    assertEquals(15, report.path("sizes").path("units").asInt());
    assertTrue(report.path("target").isMissingNode() || report.path("target").isNull());
    assertTrue(report.path("warnings").toString().contains("4 steps per input"), outcome.out());
  }

  @Test
  void theStateOfTheModelFileIsAnalysedUnlessTheOptionsSayOtherwise() throws IOException {
    Path weights = checkpoint("transformer");
    Path json = model("{'type': 'transformer', 'heads': 2, 'state': ['N'], 'steps': '1:3'}");
    Path x = array("x.npy", 2, 4, 3);
    JsonNode kept = JSON.readTree(analyze(json, weights, x).out());
    assertEquals(4, kept.path("sizes").path("units").asInt(), kept.toString());
    assertEquals(2, kept.path("sizes").path("steps").asInt());
    JsonNode other =
        JSON.readTree(analyze(json, weights, x, "--state=X_in,N", "--steps=all").out());
    assertEquals(8, other.path("sizes").path("units").asInt(), other.toString());
    assertEquals(4, other.path("sizes").path("steps").asInt());
  }

  @Test
  void aFeedForwardNetworkTakesInputsWithoutStepsAndTargetsOfItsOutput() throws IOException {
    try (TorchCheckpoint net = new TorchCheckpoint().linear("0", 5, 3).linear("2", 4, 5)) {
      Path weights = net.write(directory.resolve("net.npz"));
      Path json = model("{'type': 'mlp', 'activation': 'relu'}");
      Path x = array("x.npy", 6, 3);
      CommandOutcome outcome = analyze(json, weights, x, "--targets=" + array("y.npy", 6, 4));
      assertEquals(0, outcome.code(), outcome.err());
      JsonNode report = JSON.readTree(outcome.out());
      assertEquals(1, report.path("sizes").path("steps").asInt());
      assertTrue(report.path("target").path("loss").asDouble() > 0);
      Path mask = directory.resolve("mask.npy");
      try (Tensor some = Tensor.of(Shape.of(6), 0, 1, 1, 0, 0, 1)) {
        Npy.write(mask, some);
      }
      outcome =
          analyze(json, weights, x, "--targets=" + directory.resolve("y.npy"), "--mask=" + mask);
      assertEquals(0, outcome.code(), outcome.err());
      assertEquals(3, JSON.readTree(outcome.out()).path("target").path("countedSteps").asInt());
      outcome = analyze(json, weights, x, "--targets=" + array("y.npy", 6, 3));
      assertEquals(2, outcome.code());
      assertTrue(outcome.err().contains("[3, 4]"), outcome.err());
      assertEquals(2, analyze(json, weights, array("x.npy", 2, 1, 3, 1)).code());
    }
    CommandOutcome recurrent =
        analyze(model("{'type': 'gru'}"), checkpoint("gru"), array("x.npy", 6, 3));
    assertEquals(2, recurrent.code());
    assertTrue(recurrent.err().contains("expected 3 axes"), recurrent.err());
  }

  private JsonNode written(String file) throws IOException {
    return JSON.readTree(directory.resolve("out").resolve(file).toFile());
  }

  /** The network's own layer is no read-out; it would be applied twice. */
  @Test
  void aReadoutThatIsTheNetworksOwnLayerIsRefused() throws IOException {
    try (TorchCheckpoint net = new TorchCheckpoint().linear("0", 4, 3).linear("2", 4, 4)) {
      Path weights = net.write(directory.resolve("net.npz"));
      Path json = model("{'type': 'mlp', 'activation': 'relu'}");
      Path x = array("x.npy", 6, 3);
      CommandOutcome outcome =
          analyze(json, weights, x, "--targets=" + array("y.npy", 6, 4), "--readout=2");
      assertEquals(2, outcome.code(), outcome.out());
      assertTrue(
          outcome
              .err()
              .contains("--readout: '2' is the network's mlp_W_2; expected a layer behind it"),
          outcome.err());
    }
  }

  /** A norm on the way to the read-out is not part of what is analysed, and is asked for. */
  @Test
  void layersThatMayStandInFrontOfTheReadoutAreAskedFor() throws IOException {
    try (TorchCheckpoint net =
        new TorchCheckpoint()
            .recurrent("rnn.", 3, 0, 3, 5)
            .norm("norm", 5)
            .norm("other", 4)
            .linear("head", 2, 5)) {
      Path weights = net.write(directory.resolve("net.npz"));
      Path json = model("{'type': 'gru'}");
      Path x = array("x.npy", 2, 4, 3);
      CommandOutcome outcome = analyze(json, weights, x, "--targets=" + array("y.npy", 2, 4, 2));
      assertEquals(0, outcome.code(), outcome.err());
      assertEquals(
          "[\"not used: norm; is there anything between the network and its read-out?\"]",
          JSON.readTree(outcome.out()).path("warnings").toString());
      outcome = analyze(json, weights, x);
      assertEquals("[]", JSON.readTree(outcome.out()).path("warnings").toString());
    }
  }

  /** What the options replace in the model file is not shown as if it held. */
  @Test
  void theProvenanceHasTheSelectionThatWasUsed() throws IOException {
    Path weights = checkpoint("transformer");
    Path json = model("{'type': 'transformer', 'heads': 2, 'state': ['N'], 'steps': '1:3'}");
    Path x = array("x.npy", 2, 4, 3);
    assertEquals(0, analyze(json, weights, x).code());
    JsonNode facts = written("report.json").path("provenance");
    assertEquals(json.toString(), facts.path("model").asText());
    assertEquals("[\"N\"]", JSON.readTree(facts.path("network").asText()).path("state").toString());
    assertTrue(facts.path("state").isMissingNode(), facts.toString());
    assertEquals(0, analyze(json, weights, x, "--state=all", "--steps=0:2,3").code());
    facts = written("report.json").path("provenance");
    JsonNode network = JSON.readTree(facts.path("network").asText());
    assertEquals("[]", network.path("state").toString());
    assertEquals("[\"0:2\",\"3\"]", network.path("steps").toString());
    assertEquals("all", facts.path("state").asText());
    assertEquals("0:2,3", facts.path("steps").asText());
  }

  /** A selection of steps names no block; of a list of blocks the first stand for the others. */
  @Test
  void aSelectionIsSaidInFewWords() throws IOException {
    Path weights = checkpoint("transformer");
    Path json = model("{'type': 'transformer', 'heads': 2}");
    Path x = array("x.npy", 2, 4, 3);
    Path out = directory.resolve("out");
    assertEquals(0, analyze(json, weights, x, "--steps=1:3").code());
    String page = Files.readString(out.resolve("report.html"));
    assertTrue(page.contains("A part of the state: all 54 units at 2 of 4 steps."), page);
    assertEquals(0, analyze(json, weights, x, "--state=4:54").code());
    page = Files.readString(out.resolve("report.html"));
    assertTrue(page.contains(" and 10 more (50 of 54 units) at all 4 steps"), page);
  }

  /** One step is no time: nothing is said or drawn of it, and options on it are pointed out. */
  @Test
  void aNetworkWithoutTimeHasNoPicturesOfTimeAndSaysWhatItDidNotUse() throws IOException {
    try (TorchCheckpoint net = new TorchCheckpoint().linear("0", 5, 3).linear("2", 4, 5)) {
      Path weights = net.write(directory.resolve("net.npz"));
      Path json = model("{'type': 'mlp', 'activation': 'relu'}");
      Path x = array("x.npy", 6, 3);
      CommandOutcome outcome = analyze(json, weights, x, "--phases=all:0", "--lyapunov=3");
      assertEquals(0, outcome.code(), outcome.err());
      assertEquals(
          "[\"--phases, --lyapunov: not used, since a network of type mlp does not step through time\"]",
          JSON.readTree(outcome.out()).path("warnings").toString());
      Path out = directory.resolve("out");
      String page = Files.readString(out.resolve("report.html"));
      assertTrue(page.contains("6 trials of 1 step, state of 54 numbers"), page);
      assertFalse(page.contains("time: participation ratio"), page);
      assertFalse(page.contains("trials and units (time)"), page);
      assertFalse(page.contains("P P* at large"), page);
      assertFalse(Files.exists(out.resolve("temporal_modes.png")));
      assertTrue(Files.exists(out.resolve("view_spectra.png")));
      assertEquals(0, analyze(json, weights, array("long.npy", 2, 4, 3)).code());
      page = Files.readString(out.resolve("report.html"));
      assertTrue(page.contains("trials and units (time)"), page);
      assertTrue(Files.exists(out.resolve("temporal_modes.png")));
    }
  }

  /** What does not fit is told with the option and the file it stands in. */
  @Test
  void aShapeThatDoesNotFitIsToldWithItsOptionAndFile() throws IOException {
    Path gru = checkpoint("gru");
    Path json = model("{'type': 'gru'}");
    Path wide = array("wide.npy", 2, 4, 7);
    Path x = array("x.npy", 2, 4, 3);
    Path y = array("y.npy", 2, 3, 2);
    for (String[] wrong :
        new String[][] {
          {wide.toString(), "--seed=0", "--inputs " + wide + ": expected shape"},
          {x.toString(), "--targets=" + y, "--targets " + y + ": expected shape"},
          {x.toString(), "--initial-state=" + array("h.npy", 2, 4), "--initial-state " + directory}
        }) {
      CommandOutcome outcome = analyze(json, gru, Path.of(wrong[0]), wrong[1]);
      assertEquals(2, outcome.code(), outcome.err());
      assertTrue(outcome.err().contains("kpflow: " + wrong[2]), outcome.err());
    }
    Path mlp = model("{'type': 'mlp', 'activation': 'tanh', 'ignore': ['head.*']}");
    CommandOutcome outcome =
        analyze(mlp, checkpoint("mlp"), x, "--initial-state=" + directory.resolve("h.npy"));
    assertEquals(2, outcome.code(), outcome.err());
    assertTrue(
        outcome.err().contains("--initial-state: expected none for a network of type mlp"),
        outcome.err());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "                           | --model, --cell: expected one of them, got neither",
        "--model MODEL --cell gru   | --model, --cell: expected one of them, got both",
        "--model MODEL --prefix rnn. | --prefix: goes with --cell; write \"prefix\" into",
        "--model MODEL --dt 0.5     | --dt: goes with --cell",
        "--model MODEL --freeze x   | model.json: freeze: expected one of [weight_ih_l0",
        "--model MODEL --steps a    | steps: expected steps such as",
        "--model MODEL --state a    | state: expected blocks of [h]",
        "--model absent.json        | absent.json: no such file",
        "--cell gru --activation relu | --activation: goes with --cell [rnn, leaky_rnn], got --cell gru",
        "--cell leaky_rnn --dt 2    | --cell leaky_rnn: key 'dt': expected a number above 0 and at most 1",
        "--cell gru --prefix x.     | no recurrent layer behind the prefix 'x.'; expected one of 'rnn.'"
      })
  void wrongOptionsAreRefusedInOneLine(String options, String fragment) throws IOException {
    Path weights = checkpoint("gru"); // with no model.json beside it where no option names one
    String given =
        options == null ? "" : options.replace("MODEL", model("{'type': 'gru'}").toString());
    Stream<String> base =
        Stream.of(
            "analyze",
            "--weights=" + weights,
            "--inputs=" + array("x.npy", 2, 4, 3),
            "--out=" + directory.resolve("out"));
    CommandOutcome outcome =
        run(
            Stream.concat(base, Stream.of(given.split(" ")).filter(text -> !text.isEmpty()))
                .toArray(String[]::new));
    assertEquals(2, outcome.code(), outcome.err());
    assertEquals(1, outcome.err().strip().lines().count(), outcome.err());
    assertTrue(outcome.err().contains(fragment), outcome.err());
    assertFalse(Files.exists(directory.resolve("out").resolve("report.json")));
  }

  @ParameterizedTest
  @CsvSource({"rnn", "gru", "lstm", "mlp", "attention", "transformer"})
  void describeProposesAModelThatItThenUnderstands(String type) throws IOException {
    Path weights = checkpoint(type);
    if (type.equals("mlp")) { // the head would be one more stack
      try (TorchCheckpoint net = new TorchCheckpoint().linear("0", 5, 3).linear("2", 4, 5)) {
        net.write(weights);
      }
    }
    CommandOutcome proposed = run("describe", "--weights", weights.toString(), "--json");
    assertEquals(0, proposed.code(), proposed.err());
    JsonNode json = JSON.readTree(proposed.out());
    assertEquals(type, json.path("type").asText());
    boolean open = json.has("heads") || type.equals("mlp");
    Path file = model(proposed.out());
    CommandOutcome first =
        run("describe", "--weights", weights.toString(), "--model", file.toString());
    assertEquals(open ? 2 : 0, first.code(), first.err());
    if (open) { // what has to be filled in is refused as it is, and told on stderr
      assertTrue(proposed.err().contains("fill it in"), proposed.err());
      assertTrue(first.err().contains("got null"), first.err());
      file =
          model(
              proposed
                  .out()
                  .replace("\"heads\" : null", "\"heads\" : 2")
                  .replace("\"activation\" : null", "\"activation\" : \"relu\""));
    }
    CommandOutcome outcome =
        run("describe", "--weights", weights.toString(), "--model", file.toString(), "--json");
    assertEquals(0, outcome.code(), outcome.err());
    JsonNode summary = JSON.readTree(outcome.out());
    assertEquals(type, summary.path("type").asText());
    assertTrue(summary.path("families").size() > 1);
    if (!type.equals("mlp")) {
      assertEquals("head.out.weight", summary.path("notUsed").path(0).path("name").asText());
    }
  }

  @Test
  void describePrintsBlocksFamiliesAndWhatIsNotUsed() throws IOException {
    Path weights = checkpoint("attention");
    Path json = model("{'type': 'attention', 'heads': 2, 'activation': 'relu', 'freeze': ['W_k']}");
    CommandOutcome outcome =
        run("describe", "--weights", weights.toString(), "--model", json.toString());
    assertEquals(0, outcome.code(), outcome.err());
    for (String row :
        List.of(
            "attention, MLP of 2 layers, 4 inputs, 129 parameters, 113 of them trained",
            "State of 29 units; a read-out reads Y:",
            "  Yattn +4 +16",
            "  W_k +\\[4, 4\\] +x +frozen +attn.in_proj_weight\\[4:8\\]",
            "  W_o +\\[4, 4\\] +A +yes +attn.out_proj.weight",
            "  mlp_b_2 +\\[4\\] +1 +yes +m.2.bias",
            "  head.out.weight +\\[2, 4\\]")) {
      assertTrue(
          outcome.out().lines().anyMatch(line -> line.matches(".*" + row + ".*")),
          () -> row + " in\n" + outcome.out());
    }
    String proposed = run("describe", "--weights", weights.toString()).out();
    assertTrue(proposed.contains("\"heads\" : null"), proposed);
    assertTrue(proposed.contains("attn.in_proj_weight   [12, 4]"), proposed);
  }

  @Test
  void describeSaysWhatItCannotTakeForANetwork() {
    try (TorchCheckpoint net = new TorchCheckpoint().with("conv.kernel", 3, 3, 3)) {
      Path weights = net.write(directory.resolve("net.npz"));
      CommandOutcome outcome = run("describe", "--weights", weights.toString());
      assertEquals(2, outcome.code());
      assertEquals(1, outcome.err().strip().lines().count(), outcome.err());
      assertTrue(outcome.err().contains("weight_hh_l0"), outcome.err());
      assertTrue(outcome.err().contains("conv.kernel"), outcome.err());
    }
    try (TorchCheckpoint net =
        new TorchCheckpoint()
            .recurrent("a.", 3, 0, 3, 5)
            .recurrent("b.", 4, 0, 3, 5)
            .with("b.weight_ih_l0_reverse", 20, 3)) {
      Path weights = net.write(directory.resolve("net.npz"));
      CommandOutcome outcome = run("describe", "--weights", weights.toString());
      assertEquals(0, outcome.code(), outcome.err());
      assertTrue(outcome.out().contains("\"prefix\" : \"b.\""), outcome.out());
      assertTrue(outcome.out().contains("bidirectional"), outcome.out());
      outcome = run("describe", "--weights", weights.toString(), "--json");
      assertTrue(outcome.err().contains("1 more"), outcome.err());
    }
  }

  /** A count of batches is no number to compute with, and still a part of the file. */
  @Test
  void whatCannotBeReadIsListedToo() throws IOException {
    String header =
        "{'0.weight':{'dtype':'F32','shape':[2,1],'data_offsets':[0,8]},"
            + "'1.num_batches_tracked':{'dtype':'I64','shape':[],'data_offsets':[8,16]}}";
    byte[] json = header.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes = ByteBuffer.allocate(8 + json.length + 16).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(json.length).put(json).putFloat(1).putFloat(2).putLong(7);
    Path weights = directory.resolve("net.safetensors");
    Files.write(weights, bytes.array());
    Path model = model("{'type': 'mlp'}");
    CommandOutcome refused =
        run("describe", "--weights", weights.toString(), "--model", model.toString());
    assertEquals(2, refused.code());
    assertTrue(
        refused.err().contains("not known to a model of type mlp: 1.num_batches_tracked"),
        refused.err());
    CommandOutcome outcome =
        run(
            "describe",
            "--weights=" + weights,
            "--model=" + model,
            "--ignore=*.num_batches_tracked");
    assertEquals(0, outcome.code(), outcome.err());
    assertTrue(outcome.out().contains("Not used:"), outcome.out());
    CommandOutcome proposed = run("describe", "--weights=" + weights);
    assertEquals(0, proposed.code(), proposed.err());
    assertTrue(proposed.out().contains("not read: it "), proposed.out());
    assertTrue(proposed.out().contains("does not load yet"), proposed.out());
  }

  private CommandOutcome describe(TorchCheckpoint net, String... more) {
    Path weights = net.write(directory.resolve("net.npz"));
    return run(
        Stream.concat(Stream.of("describe", "--weights=" + weights), Stream.of(more))
            .toArray(String[]::new));
  }

  /** Not as an MLP of its matrices, nor as the cell that rows over columns would say. */
  @ParameterizedTest
  @CsvSource({"3", "5", "8"})
  void describeDoesNotTakeAnLstmWithProjectionsForAnythingElse(int projection) {
    try (TorchCheckpoint net =
        new TorchCheckpoint()
            .with("rnn.weight_ih_l0", 24, 3)
            .with("rnn.weight_hh_l0", 24, projection)
            .with("rnn.weight_hr_l0", projection, 6)
            .linear("fc", 2, projection)) {
      CommandOutcome outcome = describe(net);
      assertEquals(2, outcome.code(), outcome.out());
      assertTrue(
          outcome.err().contains("rnn.weight_hr_l0: projections are not supported"), outcome.err());
    }
  }

  @Test
  void describeProposesFirstWhatLoads() throws IOException {
    try (TorchCheckpoint net =
        new TorchCheckpoint()
            .block("decoder.layers.0.", 4, 6)
            .attention("decoder.layers.0.multihead_attn.", 4)
            .block("encoder.layers.0.", 4, 6)) {
      CommandOutcome outcome = describe(net, "--json");
      assertEquals("encoder.layers.", JSON.readTree(outcome.out()).path("prefix").asText());
    }
    try (TorchCheckpoint net =
        new TorchCheckpoint()
            .recurrent("a.", 3, 0, 3, 5)
            .with("a.weight_ih_l0_reverse", 15, 3)
            .recurrent("b.", 3, 0, 3, 5)) {
      CommandOutcome outcome = describe(net, "--json");
      assertEquals("b.", JSON.readTree(outcome.out()).path("prefix").asText());
    }
    try (TorchCheckpoint net =
        new TorchCheckpoint()
            .linear("blocks.0.fc", 5, 3)
            .linear("blocks.1.fc", 5, 5)
            .linear("blocks.2.fc", 2, 5)) {
      JsonNode chain = JSON.readTree(describe(net, "--json").out());
      assertEquals("blocks.", chain.path("prefix").asText());
      assertTrue(describe(net).out().contains("This is an mlp, 3 layers"));
    }
  }

  /** What the file leaves open is proposed as null, so that it is not overlooked. */
  @Test
  void describeProposesTheKeysThatSettleWhatIsAmbiguous() throws IOException {
    try (TorchCheckpoint net =
        new TorchCheckpoint().block("layers.0.", 4, 6).linear("embed", 4, 4).linear("fc", 2, 4)) {
      JsonNode proposed = JSON.readTree(describe(net, "--json").out());
      assertTrue(proposed.has("embedding") && proposed.path("embedding").isNull());
    }
    try (TorchCheckpoint net =
        new TorchCheckpoint().attention("attn.", 4).linear("embed", 4, 4).linear("fc", 2, 4)) {
      JsonNode proposed = JSON.readTree(describe(net, "--json").out());
      assertTrue(proposed.has("mlp") && proposed.path("mlp").isNull());
      assertTrue(describe(net).out().contains("This is an attention"));
    }
  }

  @Test
  void describeChecksTheSelectionAndTheNumbers() throws IOException {
    try (TorchCheckpoint net = new TorchCheckpoint().recurrent("", 3, 0, 3, 5)) {
      Path steps = model("{'type': 'gru', 'steps': '0:3,x'}");
      CommandOutcome outcome = describe(net, "--model=" + steps);
      assertEquals(2, outcome.code());
      assertTrue(outcome.err().contains("model.json: steps: expected"), outcome.err());
      outcome = describe(net, "--model=" + model("{'type': 'gru', 'state': 'q'}"));
      assertEquals(2, outcome.code());
      assertTrue(outcome.err().contains("key 'state': expected blocks of [h]"), outcome.err());
      net.get("weight_hh_l0").set(Double.NaN, 0, 0);
      outcome = describe(net, "--cell=gru");
      assertEquals(2, outcome.code());
      assertTrue(outcome.err().contains("weight_hh_l0: element [0, 0] is NaN"), outcome.err());
    }
  }

  /** Weights that no one reads may be anything; a layer that may be the read-out may not. */
  @Test
  void whatIsNotUsedNeedNotBeFinite() throws IOException {
    try (TorchCheckpoint net =
        new TorchCheckpoint().recurrent("rnn.", 3, 0, 3, 5).linear("head", 2, 5).with("aux", 2)) {
      net.get("aux").set(Double.NaN, 1);
      Path weights = net.write(directory.resolve("net.npz"));
      Path json = model("{'type': 'gru'}");
      Path x = array("x.npy", 2, 4, 3);
      CommandOutcome outcome = analyze(json, weights, x, "--targets=" + array("y.npy", 2, 4, 2));
      assertEquals(0, outcome.code(), outcome.err());
      net.get("head.bias").set(Double.NaN, 1);
      net.write(weights);
      outcome = analyze(json, weights, x, "--targets=" + array("y.npy", 2, 4, 2));
      assertEquals(2, outcome.code());
      assertTrue(outcome.err().contains("head.bias: element [1] is NaN"), outcome.err());
    }
  }

  @Test
  void aFolderOfWeightsBesideAnotherFileIsOneCheckpoint() throws IOException {
    Path folder = Files.createDirectories(directory.resolve("weights"));
    try (TorchCheckpoint net = new TorchCheckpoint().linear("0", 5, 3).linear("2", 2, 5)) {
      for (String name : List.of("0.weight", "0.bias", "2.weight", "2.bias")) {
        Npy.write(folder.resolve(name + ".npy"), net.get(name));
      }
      net.write(folder.resolve("arrays.npz"));
    }
    CommandOutcome outcome =
        analyze(model("{'type': 'mlp', 'activation': 'relu'}"), folder, array("x.npy", 2, 4, 3));
    assertEquals(0, outcome.code(), outcome.err());
    assertTrue(Files.exists(directory.resolve("out").resolve("report.json")));
  }

  @Test
  void describeWarnsOfNormsThatAreNotUsed() throws IOException {
    try (TorchCheckpoint net =
        new TorchCheckpoint().recurrent("rnn.", 4, 0, 3, 5).norm("norm", 5).linear("fc", 2, 5)) {
      String warning = "warning: norm: not used, and may be norms";
      assertTrue(describe(net).out().contains(warning));
      assertTrue(describe(net, "--cell=lstm").out().contains(warning));
      assertFalse(describe(net, "--cell=lstm", "--ignore=norm.*").out().contains("warning"));
    }
  }

  @Test
  void describeSaysOnStderrThatItsJsonDoesNotLoad() throws IOException {
    try (TorchCheckpoint net =
        new TorchCheckpoint().linear("0", 5, 3).linear("2", 2, 5).with("1.running_mean", 5)) {
      CommandOutcome outcome = describe(net, "--json");
      assertEquals("mlp", JSON.readTree(outcome.out()).path("type").asText());
      assertTrue(outcome.err().contains("does not load yet"), outcome.err());
      assertTrue(outcome.err().contains("batch norm"), outcome.err());
    }
  }
}
