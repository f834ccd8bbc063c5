package org.kpflow.loading;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.model.Activation;
import org.kpflow.model.GraphModel;
import org.kpflow.model.Model;
import org.kpflow.model.RecurrentModel;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** Every architecture from PyTorch's names: the model's weights are the file's. */
class ModelLoaderTest {
  private static final long E = 4;

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

  private LoadedModel load(TorchCheckpoint checkpoint, String format, String json) {
    Path path = checkpoint.write(directory.resolve("net." + format));
    try (TensorMap file = WeightFile.read(path, null)) {
      return ModelLoader.load(
          ModelDescription.parse(json.replace('\'', '"'), "model.json"), file, DType.F64, null);
    }
  }

  /** The parameter is these rows of the file's entry, all of them where last is 0. */
  private static void same(Model model, String name, Tensor stored, int first, int last) {
    double[] all = stored.toDoubles();
    int row = (int) (stored.count() / stored.shape().size(0));
    double[] part = last == 0 ? all : Arrays.copyOfRange(all, first * row, last * row);
    assertArrayEquals(part, model.weight(name).toDoubles(), name);
  }

  private static void same(Model model, String name, Tensor stored) {
    same(model, name, stored, 0, 0);
  }

  private static List<String> families(Model model) {
    return model.families().stream().map(family -> family.name()).toList();
  }

  @ParameterizedTest
  @CsvSource({
    "rnn, 1, rnn_tanh, safetensors",
    "leaky_rnn, 1, leaky_rnn_tanh, npz",
    "gru, 3, gru, safetensors",
    "gru, 3, gru, npz",
    "lstm, 4, lstm, safetensors"
  })
  void recurrentLayersWithAnyPrefix(String type, int gates, String cell, String format) {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.recurrent("core.rnn.", gates, 0, 3, 5).linear("head", 2, 5);
      if (type.equals("leaky_rnn")) {
        net.without("core.rnn.bias_ih_l0").without("core.rnn.bias_hh_l0");
      }
      try (LoadedModel loaded = load(net, format, "{'type': '" + type + "'}")) {
        RecurrentModel model = (RecurrentModel) loaded.model();
        assertEquals(cell, model.cell());
        for (String name : families(model)) {
          same(model, name, net.get("core.rnn." + name));
          assertEquals("core.rnn." + name, loaded.sources().get(name));
        }
        assertEquals(Set.of("core.rnn."), loaded.prefixes());
        assertEquals(Set.of("head.weight", "head.bias"), Set.copyOf(loaded.unused()));
      }
    }
  }

  @Test
  void stackedLayers() {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.recurrent("rnn.", 4, 0, 3, 5).recurrent("rnn.", 4, 1, 5, 5).recurrent("rnn.", 4, 2, 5, 5);
      try (LoadedModel loaded = net.load("{'type': 'lstm', 'layers': 3, 'units': 5}")) {
        for (String name : families(loaded.model())) {
          same(loaded.model(), name, net.get("rnn." + name));
        }
        assertEquals(12, loaded.model().families().size());
        assertEquals("h_l2", loaded.model().outputBlock().name());
      }
    }
  }

  @Test
  void aNeuralOdeUnderTheNamesOfAnRnn() {
    try (TorchCheckpoint net = new TorchCheckpoint().recurrent("f.", 1, 0, 3, 2)) {
      try (LoadedModel loaded =
          net.load("{'type': 'neural_ode', 'method': 'rk4', 'dt': 0.1, 'tau': [0.5, 2]}")) {
        same(loaded.model(), "weight_hh_l0", net.get("f.weight_hh_l0"));
        assertEquals(6, loaded.model().stateUnits()); // h, k and their sum
      }
      try (LoadedModel loaded = net.load("{'type': 'neural_ode', 'method': 'euler', 'dt': 0.1}")) {
        assertEquals(2, loaded.model().stateUnits());
      }
    }
  }

  @Test
  void theDescriptionSaysWhatNoCheckpointShows() {
    try (TorchCheckpoint net = new TorchCheckpoint().recurrent("", 1, 0, 3, 5)) {
      try (LoadedModel relu = net.load("{'type': 'rnn', 'activation': 'relu'}")) {
        assertEquals("rnn_relu", ((RecurrentModel) relu.model()).cell());
      }
      net.without("bias_ih_l0").without("bias_hh_l0");
      try (LoadedModel leaky =
          net.load("{'type': 'leaky_rnn', 'dt': 0.25, 'freeze': ['weight_ih_l0']}")) {
        assertEquals(0.25, ((RecurrentModel) leaky.model()).cellParameter());
        assertEquals(25, leaky.model().parameterCount());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"safetensors", "npz"})
  void anAttentionBlockWithAnMlpBehindIt(String format) {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.attention("attn.", E).linear("mlp.0", 6, E).linear("mlp.2", 3, 6).linear("fc", 2, 3);
      try (LoadedModel loaded =
          load(
              net,
              format,
              "{'type': 'attention', 'heads': 2, 'causal': true, 'activation': 'gelu'}")) {
        GraphModel model = (GraphModel) loaded.model();
        same(model, "W_q", net.get("attn.in_proj_weight"), 0, 4);
        same(model, "W_k", net.get("attn.in_proj_weight"), 4, 8);
        same(model, "W_z", net.get("attn.in_proj_weight"), 8, 12);
        same(model, "b_q", net.get("attn.in_proj_bias"), 0, 4);
        same(model, "b_k", net.get("attn.in_proj_bias"), 4, 8);
        same(model, "b_z", net.get("attn.in_proj_bias"), 8, 12);
        same(model, "W_o", net.get("attn.out_proj.weight"));
        same(model, "b_o", net.get("attn.out_proj.bias"));
        same(model, "mlp_W_1", net.get("mlp.0.weight"));
        same(model, "mlp_b_1", net.get("mlp.0.bias"));
        same(model, "mlp_W_2", net.get("mlp.2.weight"));
        same(model, "mlp_b_2", net.get("mlp.2.bias"));
        assertEquals(12, model.families().size());
        assertEquals("attn.in_proj_weight[4:8]", loaded.sources().get("W_k"));
        assertEquals("Y", model.outputBlock().name());
        GraphModel.Node attention = model.nodes().get(3);
        assertEquals(2, attention.heads());
        assertTrue(attention.causal());
        assertEquals(Activation.GELU, model.nodes().get(5).activation());
        assertEquals(Set.of("fc.weight", "fc.bias"), Set.copyOf(loaded.unused()));
      }
    }
  }

  @Test
  void separateProjectionsAndAnMlpThatIsNamedOrLeftOut() {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.with("q_proj_weight", E, E).with("k_proj_weight", E, E).with("v_proj_weight", E, E);
      net.linear("out_proj", E, E).linear("head", 3, E);
      try (LoadedModel loaded = net.load("{'type': 'attention', 'heads': 1}")) {
        same(loaded.model(), "W_q", net.get("q_proj_weight"));
        same(loaded.model(), "W_k", net.get("k_proj_weight"));
        same(loaded.model(), "W_z", net.get("v_proj_weight"));
        assertEquals("Yattn", loaded.model().outputBlock().name()); // one layer: a read-out
      }
      try (LoadedModel loaded =
          net.load("{'type': 'attention', 'heads': 1, 'mlp': 'head', 'layers': 1}")) {
        same(loaded.model(), "mlp_W_1", net.get("head.weight"));
      }
      net.without("head.weight").without("head.bias").linear("fc1", 5, E).linear("fc2", E, 5);
      String json = "{'type': 'attention', 'heads': 1, 'mlp': false, 'ignore': ['fc*']}";
      try (LoadedModel loaded = net.load(json)) {
        assertEquals("Yattn", loaded.model().outputBlock().name());
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, 2, 4", // nn.Sequential
    "net.0, net.2, net.10",
    "fc1, fc2, fc10",
    "a.0.linear, a.1.linear, a.2.linear"
  })
  void linearStacksInTheOrderOfTheirNumbers(String first, String second, String third) {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.linear(third, 5, 5).linear(second, 5, 5).linear(first, 5, 5); // shapes do not help
      String prefix = first.startsWith("a.") ? ", 'prefix': 'a.'" : "";
      try (LoadedModel loaded = net.load("{'type': 'mlp', 'activation': 'relu'" + prefix + "}")) {
        same(loaded.model(), "mlp_W_1", net.get(first + ".weight"));
        same(loaded.model(), "mlp_W_2", net.get(second + ".weight"));
        same(loaded.model(), "mlp_W_3", net.get(third + ".weight"));
        same(loaded.model(), "mlp_b_3", net.get(third + ".bias"));
        assertEquals(3, loaded.layers());
      }
    }
  }

  @Test
  void layersOfOtherNamesInTheOneOrderThatTheirShapesAllow() {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.linear("hidden", 5, 7).linear("input", 7, 3).linear("output", 2, 5);
      try (LoadedModel loaded = net.load("{'type': 'mlp', 'activation': 'tanh'}")) {
        same(loaded.model(), "mlp_W_1", net.get("input.weight"));
        same(loaded.model(), "mlp_W_2", net.get("hidden.weight"));
        same(loaded.model(), "mlp_W_3", net.get("output.weight"));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"'', layers.", "encoder., layers.", "model.body., blocks."})
  void aTransformerWithItsEmbeddingAndItsNorm(String module, String list) {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.linear("embed", E, 3).norm(module + "norm", E).linear("head", 2, E);
      net.block(module + list + "0.", E, 6).block(module + list + "1.", E, 6);
      try (LoadedModel loaded =
          load(net, "safetensors", "{'type': 'transformer', 'heads': 2, 'epsilon': 1e-6}")) {
        GraphModel model = (GraphModel) loaded.model();
        same(model, "W_in", net.get("embed.weight"));
        same(model, "b_in", net.get("embed.bias"));
        same(model, "norm_weight", net.get(module + "norm.weight"));
        same(model, "norm_bias", net.get(module + "norm.bias"));
        for (int l = 0; l < 2; l++) {
          String block = module + list + l + ".";
          String end = "_l" + l;
          same(model, "W_q" + end, net.get(block + "self_attn.in_proj_weight"), 0, 4);
          same(model, "W_k" + end, net.get(block + "self_attn.in_proj_weight"), 4, 8);
          same(model, "W_z" + end, net.get(block + "self_attn.in_proj_weight"), 8, 12);
          same(model, "b_z" + end, net.get(block + "self_attn.in_proj_bias"), 8, 12);
          same(model, "W_o" + end, net.get(block + "self_attn.out_proj.weight"));
          same(model, "b_o" + end, net.get(block + "self_attn.out_proj.bias"));
          same(model, "mlp_W_1" + end, net.get(block + "linear1.weight"));
          same(model, "mlp_b_1" + end, net.get(block + "linear1.bias"));
          same(model, "mlp_W_2" + end, net.get(block + "linear2.weight"));
          same(model, "mlp_b_2" + end, net.get(block + "linear2.bias"));
          same(model, "norm1_weight" + end, net.get(block + "norm1.weight"));
          same(model, "norm1_bias" + end, net.get(block + "norm1.bias"));
          same(model, "norm2_weight" + end, net.get(block + "norm2.weight"));
          same(model, "norm2_bias" + end, net.get(block + "norm2.bias"));
        }
        assertEquals(2 * 16 + 4, model.families().size());
        assertEquals(2, loaded.layers());
        assertEquals(3, model.inputs());
        assertEquals("N", model.outputBlock().name());
        GraphModel.Node norm =
            model.nodes().stream().filter(node -> node.name().equals("N1_l1")).findFirst().get();
        assertEquals(1e-6, norm.epsilon());
        assertEquals(Set.of("head.weight", "head.bias"), Set.copyOf(loaded.unused()));
      }
    }
  }

  @Test
  void oneEncoderLayerByItself() {
    try (TorchCheckpoint net = new TorchCheckpoint().block("", E, 6);
        LoadedModel loaded = net.load("{'type': 'transformer', 'heads': 4, 'layers': 1}")) {
      same(loaded.model(), "mlp_W_1_l0", net.get("linear1.weight"));
      assertEquals(E, loaded.model().inputs());
      assertEquals("X_l0", loaded.model().outputBlock().name());
      GraphModel.Node hidden =
          ((GraphModel) loaded.model())
              .nodes().stream().filter(node -> node.name().equals("H_2_l0")).findFirst().get();
      assertEquals(Activation.RELU, hidden.activation()); // PyTorch's default
    }
  }

  /** A model's own names, written from a model, make the same model. */
  @ParameterizedTest
  @ValueSource(strings = {"attention", "transformer", "mlp"})
  void ownNamesAreReadToo(String type) {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      if (type.equals("attention")) {
        net.attention("a.", E).linear("m.0", 5, E).linear("m.1", 2, 5);
      } else if (type.equals("transformer")) {
        net.block("layers.0.", E, 6).block("layers.1.", E, 5).norm("norm", E);
      } else {
        net.linear("0", 5, 3).linear("2", 2, 5);
      }
      String json =
          "{'type': '"
              + type
              + "', 'activation': 'tanh'"
              + (type.equals("mlp") ? "}" : ", 'heads': 2}");
      try (LoadedModel first = net.load(json)) {
        TensorMap own = new TensorMap("own.npz");
        for (String name : families(first.model())) {
          own.put("net." + name, first.model().weight(name));
        }
        try (LoadedModel second =
            ModelLoader.load(
                ModelDescription.parse(json.replace('\'', '"'), "model.json"),
                own,
                DType.F64,
                null)) {
          assertEquals(families(first.model()), families(second.model()));
          for (String name : families(first.model())) {
            same(second.model(), name, first.model().weight(name));
          }
        }
      }
    }
  }

  @Test
  void otherNamesByAMapping() {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.with("enc/in", 15, 3).with("enc/rec", 15, 5).with("something.else", 2);
      Map<String, Object> names = new LinkedHashMap<>();
      names.put("weight_ih_l0", "enc/in");
      names.put("weight_hh_l0", "enc/rec");
      TensorMap file = new TensorMap("net.npz");
      for (String name : List.of("enc/in", "enc/rec", "something.else")) {
        file.put(name, net.get(name));
      }
      ModelDescription description =
          ModelDescription.of(Map.of("type", "gru", "names", names), "here");
      try (LoadedModel loaded = ModelLoader.load(description, file, DType.F64, null)) {
        same(loaded.model(), "weight_ih_l0", net.get("enc/in"));
        assertEquals("enc/rec", loaded.sources().get("weight_hh_l0"));
        assertEquals(List.of("something.else"), loaded.unused());
      }
    }
  }

  /** The left side of a mapping may be PyTorch's names too, so fused projections stay one entry. */
  @Test
  void aMappingToPyTorchsNames() {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.with("qkv", 12, E).with("proj", E, E);
      try (LoadedModel loaded =
          net.load(
              "{'type': 'attention', 'heads': 2,"
                  + " 'names': {'in_proj_weight': 'qkv', 'out_proj.weight': 'proj'}}")) {
        same(loaded.model(), "W_z", net.get("qkv"), 8, 12);
        assertEquals("qkv[8:12]", loaded.sources().get("W_z"));
      }
    }
  }

  @Test
  void aPrefixChoosesAmongSeveral() {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.recurrent("encoder.", 3, 0, 3, 5).recurrent("decoder.", 3, 0, 2, 4);
      try (LoadedModel loaded = net.load("{'type': 'gru', 'prefix': 'decoder.', 'units': 4}")) {
        same(loaded.model(), "weight_hh_l0", net.get("decoder.weight_hh_l0"));
      }
      net.linear("body.0", 5, 3).linear("body.2", 4, 5).linear("head", 2, 4);
      try (LoadedModel loaded =
          net.load("{'type': 'mlp', 'prefix': 'body.', 'activation': 'relu', 'inputs': 3}")) {
        assertEquals(2, loaded.layers());
      }
    }
  }

  @Test
  void whatIsIgnoredIsNotTheModels() {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.linear("0", 5, 3).linear("2", 2, 5).with("1.running_mean", 5).linear("9", 7, 7);
      try (LoadedModel loaded =
          net.load(
              "{'type': 'mlp', 'activation': 'relu', 'ignore': ['1.*', '9.??????', '9.bias']}")) {
        assertEquals(2, loaded.layers());
        assertEquals(3, loaded.unused().size());
      }
    }
  }

  /** An encoder beside a decoder: no layer of the decoder's blocks embeds the encoder's input. */
  @Test
  void theLayersOfOtherBlocksAreNoEmbedding() {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.block("encoder.layers.0.", E, 6).block("decoder.layers.0.", E, 6);
      net.linear("src", E, 3);
      String encoder = "{'type': 'transformer', 'heads': 2, 'prefix': 'encoder.layers.'}";
      try (LoadedModel loaded = net.load(encoder)) {
        assertEquals("src.weight", loaded.sources().get("W_in"));
        assertEquals(
            List.of("decoder.layers.0.norm1", "decoder.layers.0.norm2"), loaded.suspicious());
      }
      net.without("src.weight").without("src.bias");
      try (LoadedModel loaded = net.load(encoder)) {
        assertEquals(E, loaded.model().inputs());
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "lstm, norm, 5, norm",
    "lstm, norm, 6, ''",
    "transformer, model.ln_f, 4, model.ln_f",
    "mlp, bns.0, 5, bns.0"
  })
  void normsThatTheModelLeavesOutAreSuspicious(
      String type, String name, int width, String expected) {
    try (TorchCheckpoint net = new TorchCheckpoint().norm(name, width)) {
      switch (type) {
        case "lstm" -> net.recurrent("lstm.", 4, 0, 3, 5).linear("fc", 2, 5);
        case "mlp" -> net.linear("fcs.0", 5, 3).linear("fcs.1", 2, 5);
        default -> net.block("model.encoder.layers.0.", E, 6).linear("model.head", 2, E);
      }
      String keys =
          switch (type) {
            case "lstm" -> "";
            case "mlp" -> ", 'activation': 'relu', 'prefix': 'fcs.'";
            default -> ", 'heads': 2";
          };
      String json = "{'type': '" + type + "'" + keys;
      try (LoadedModel loaded = net.load(json + "}")) {
        assertEquals(expected.isEmpty() ? List.of() : List.of(expected), loaded.suspicious());
      }
      try (LoadedModel loaded = net.load(json + ", 'ignore': ['" + name + ".*']}")) {
        assertEquals(List.of(), loaded.suspicious()); // left out on purpose
      }
    }
  }
}
