package org.kpflow.loading;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.io.TensorMap;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** Checkpoints and descriptions that do not go together: one line with both sides. */
class LoadingMisuseTest {
  private long live;

  @BeforeEach
  void count() {
    ExecutionContext.shared();
    live = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaksFromARefusal() {
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  private static void bad(Consumer<TorchCheckpoint> content, String json, String... fragments) {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      content.accept(net);
      refused(InputException.class, () -> net.load(json), fragments);
    }
  }

  private static void gru(TorchCheckpoint net) {
    net.recurrent("rnn.", 3, 0, 3, 5);
  }

  @Test
  void bidirectionalLayersAndProjections() {
    bad(
        net -> net.recurrent("rnn.", 3, 0, 3, 5).with("rnn.weight_ih_l0_reverse", 15, 3),
        "{'type': 'gru'}",
        "net.npz: rnn.weight_ih_l0_reverse",
        "bidirectional",
        "bidirectional=False");
    bad(
        net -> net.recurrent("", 4, 0, 3, 5).with("weight_hr_l0", 2, 5),
        "{'type': 'lstm'}",
        "net.npz: weight_hr_l0",
        "projections",
        "proj_size=0");
  }

  @Test
  void aFileWithoutTheArchitecture() {
    bad(
        LoadingMisuseTest::gru,
        "{'type': 'attention', 'heads': 1}",
        "no attention",
        "in_proj_weight");
    bad(
        LoadingMisuseTest::gru,
        "{'type': 'transformer', 'heads': 1}",
        "no transformer",
        "self_attn");
    bad(LoadingMisuseTest::gru, "{'type': 'mlp'}", "no stack of linear layers", "0.weight");
    bad(
        net -> net.linear("fc", 2, 3),
        "{'type': 'gru'}",
        "no recurrent layer",
        "weight_hh_l0",
        "fc.weight");
    bad(
        LoadingMisuseTest::gru,
        "{'type': 'lstm'}",
        "net.npz: weight_hh_l0",
        "[4 H, H]",
        "rnn.weight_hh_l0");
    bad(net -> {}, "{'type': 'gru'}", "found nothing");
  }

  @Test
  void aPrefixThatIsNotThereOrNotEnough() {
    bad(
        LoadingMisuseTest::gru,
        "{'type': 'gru', 'prefix': 'x.'}",
        "'x.'",
        "expected one of 'rnn.'");
    bad(
        net -> net.recurrent("a.", 3, 0, 3, 5).recurrent("b.", 3, 0, 3, 5),
        "{'type': 'gru'}",
        "more than one",
        "'a.', 'b.'");
    bad(
        net -> net.linear("body.0", 5, 3).linear("head", 2, 5),
        "{'type': 'mlp'}",
        "more than one stack",
        "'', 'body.'");
    bad(
        net -> net.linear("body.0", 5, 3),
        "{'type': 'mlp', 'prefix': 'boby.'}",
        "'boby.'",
        "expected one of 'body.'");
  }

  @Test
  void whatIsNotKnownBehindTheModelsPrefixIsListed() {
    bad(
        net -> net.recurrent("rnn.", 3, 0, 3, 5).with("rnn.h0", 1, 5).with("rnn.gate.weight", 5, 5),
        "{'type': 'gru'}",
        "net.npz: not known to a model of type gru",
        "rnn.h0 [1, 5], rnn.gate.weight [5, 5]",
        "\"ignore\"");
    bad(
        net -> net.block("enc.layers.0.", 4, 6).attention("enc.layers.0.multihead_attn.", 4),
        "{'type': 'transformer', 'heads': 2}",
        "enc.layers.0.multihead_attn.in_proj_weight [12, 4]");
    bad(
        net -> net.linear("0", 5, 3).norm("1", 5).linear("2", 2, 5),
        "{'type': 'mlp', 'activation': 'relu'}",
        "1.weight [5], 1.bias [5]");
  }

  @Test
  void withoutAPrefixEverythingButAReadoutIsListed() {
    try (TorchCheckpoint net = new TorchCheckpoint().recurrent("", 3, 0, 3, 5).linear("fc", 2, 5)) {
      net.load("{'type': 'gru'}").close();
    }
    bad(
        net -> net.recurrent("", 3, 0, 3, 5).linear("fc", 2, 5).linear("aux", 2, 6),
        "{'type': 'gru'}",
        "not known",
        "aux.weight [2, 6], aux.bias [2];");
  }

  @Test
  void theReadoutThatIsNamedIsKnown() {
    try (TorchCheckpoint net = new TorchCheckpoint()) {
      net.block("m.blocks.0.", 4, 6).linear("m.head", 2, 4);
      TensorMap file = new TensorMap("net.npz");
      for (String name :
          "self_attn.in_proj_weight self_attn.out_proj.weight linear1.weight linear2.weight norm1.weight norm2.weight"
              .split(" ")) {
        file.put("m.blocks.0." + name, net.get("m.blocks.0." + name));
      }
      file.put("m.head.weight", net.get("m.head.weight"));
      ModelDescription description =
          ModelDescription.of(Map.of("type", "transformer", "heads", 1), "here");
      refused(
          InputException.class,
          () -> ModelLoader.load(description, file, DType.F64, null),
          "m.head.weight");
      ModelLoader.load(description, file, DType.F64, "m.head").close();
    }
  }

  @Test
  void aSizeThatContradictsTheWeights() {
    bad(
        LoadingMisuseTest::gru,
        "{'type': 'gru', 'units': 6}",
        "model.json: key 'units'",
        "expected 5 as in rnn.weight_hh_l0 [15, 5] of net.npz",
        "got 6");
    bad(
        LoadingMisuseTest::gru,
        "{'type': 'gru', 'inputs': 2}",
        "'inputs'",
        "expected 3 as in rnn.weight_ih_l0 [15, 3]",
        "got 2");
    bad(LoadingMisuseTest::gru, "{'type': 'gru', 'layers': 2}", "'layers'", "expected 1", "got 2");
    bad(
        net -> net.block("layers.0.", 4, 6).linear("embed", 4, 3),
        "{'type': 'transformer', 'heads': 1, 'inputs': 4}",
        "expected 3 as in embed.weight [4, 3]",
        "got 4");
    bad(
        net -> net.attention("", 4),
        "{'type': 'attention', 'heads': 1, 'units': 12}",
        "expected 4 as in in_proj_weight[0:4] [4, 4]",
        "got 12");
  }

  @Test
  void whatNoCheckpointShowsHasToBeSaid() {
    bad(net -> net.attention("", 4), "{'type': 'attention'}", "model.json: key 'heads'", "nothing");
    bad(net -> net.block("", 4, 6), "{'type': 'transformer'}", "model.json: key 'heads'");
    bad(
        net -> net.linear("0", 5, 3).linear("2", 2, 5),
        "{'type': 'mlp'}",
        "model.json: key 'activation'",
        "tanh, relu, gelu or linear");
    bad(
        net -> net.attention("a.", 4).linear("m.0", 5, 4).linear("m.2", 2, 5),
        "{'type': 'attention', 'heads': 2}",
        "model.json: key 'activation'");
    bad(
        net -> net.attention("", 4),
        "{'type': 'attention', 'heads': 3}",
        "model.json: heads",
        "divisor of the 4",
        "got 3");
    bad(
        LoadingMisuseTest::gru,
        "{'type': 'gru', 'freeze': ['weight_xx']}",
        "model.json: freeze",
        "weight_hh_l0",
        "'weight_xx'");
  }

  @Test
  void aNeuralOdeSaysHowItIsStepped() {
    bad(
        net -> net.recurrent("", 1, 0, 3, 5),
        "{'type': 'neural_ode', 'dt': 0.1}",
        "model.json: key 'method'",
        "euler or rk4");
    bad(
        net -> net.recurrent("", 1, 0, 3, 5),
        "{'type': 'neural_ode', 'method': 'euler'}",
        "model.json: key 'dt'",
        "the time step");
    bad(
        net -> net.recurrent("", 1, 0, 3, 5),
        "{'type': 'neural_ode', 'method': 'euler', 'dt': 0.1, 'tau': [1, 2]}",
        "model.json: tau: expected 1 or 5 values, got 2");
  }

  @Test
  void attentionThatIsNotSupportedOrDamaged() {
    bad(
        net -> net.attention("a.", 4).with("a.bias_k", 1, 1, 4),
        "{'type': 'attention', 'heads': 2}",
        "a.bias_k",
        "add_bias_kv=False");
    bad(
        net -> net.attention("", 4).with("in_proj_weight", 13, 4),
        "{'type': 'attention', 'heads': 2}",
        "in_proj_weight",
        "3 divides",
        "[13, 4]");
    bad(
        net -> net.attention("a.", 4).with("a.out_proj.weight", 4, 5),
        "{'type': 'attention', 'heads': 2}",
        "net.npz: W_o: expected shape [n, 4]",
        "[4, 5]",
        "(in the file, a.out_proj.weight)");
    bad(
        net -> net.attention("", 4).with("in_proj_weight", 12),
        "{'type': 'attention', 'heads': 2}",
        "W_q",
        "not a matrix");
    bad(
        net ->
            net.attention("a.", 4)
                .linear("m.0", 5, 4)
                .linear("m.2", 2, 5)
                .linear("n.0", 5, 4)
                .linear("n.2", 2, 5),
        "{'type': 'attention', 'heads': 2}",
        "more than one stack",
        "'m.#', 'n.#'",
        "\"mlp\": false");
    bad(
        net -> net.attention("a.", 4),
        "{'type': 'attention', 'heads': 2, 'mlp': 'mpl.'}",
        "model.json: key 'mlp'",
        "got 'mpl.'");
  }

  @Test
  void transformersThatAreNotWhole() {
    bad(
        net -> net.block("layers.1.", 4, 6),
        "{'type': 'transformer', 'heads': 2}",
        "no layers.0.self_attn.in_proj_weight");
    bad(
        net -> net.block("layers.0.", 4, 6).block("layers.2.", 4, 6),
        "{'type': 'transformer', 'heads': 2}",
        "not known",
        "layers.2.self_attn.in_proj_weight");
    bad(
        net -> net.block("layers.0.", 4, 6).without("layers.0.linear1.weight"),
        "{'type': 'transformer', 'heads': 2}",
        "mlp_W_1_l0 is missing");
    bad(
        net -> net.block("layers.0.", 4, 6).linear("a", 4, 3).linear("b", 4, 2),
        "{'type': 'transformer', 'heads': 2}",
        "more than one linear layer",
        "'a', 'b'",
        "\"embedding\"");
    bad(
        net -> net.block("layers.0.", 4, 6).linear("a", 4, 3),
        "{'type': 'transformer', 'heads': 2, 'embedding': 'c'}",
        "model.json: key 'embedding'",
        "got 'c'");
    bad(
        net -> net.block("layers.0.", 4, 6).with("layers.0.self_attn.in_proj_weight", 12),
        "{'type': 'transformer', 'heads': 2}",
        "layers.0.self_attn.in_proj_weight[0:4]",
        "a matrix");
  }

  @Test
  void linearLayersWithoutOneOrder() {
    bad(
        net -> net.linear("first", 4, 4).linear("second", 4, 4),
        "{'type': 'mlp', 'activation': 'relu'}",
        "more than one order",
        "first.weight=[4, 4]",
        "\"names\"");
    bad(
        net -> net.linear("0", 4, 3).linear("2", 4, 5),
        "{'type': 'mlp', 'activation': 'relu'}",
        "do not fit",
        "2.weight=[4, 5]");
    bad( // many: it does not look through all their orders
        net -> {
          for (int i = 0; i < 26; i++) {
            net.linear("" + (char) ('a' + i), 4, i == 7 ? 5 : 4);
          }
        },
        "{'type': 'mlp', 'activation': 'relu'}",
        "\"names\"");
  }

  @Test
  void mappingsThatDoNotFit() {
    bad(
        LoadingMisuseTest::gru,
        "{'type': 'gru', 'names': {'weight_hh_l0': 'rnn.weigth_hh_l0'}}",
        "model.json: key 'names': 'weight_hh_l0'",
        "no parameter 'rnn.weigth_hh_l0' in net.npz",
        "did you mean 'rnn.weight_hh_l0'");
    bad(
        LoadingMisuseTest::gru,
        "{'type': 'gru', 'names': {'weight_hh_l0': 'rnn.weight_hh_l0'}}",
        "net.npz",
        "weight_ih_l0 is missing");
    bad(
        LoadingMisuseTest::gru,
        "{'type': 'gru', 'names': {'weight_hh_l0': 'rnn.weight_hh_l0', 'weight_ih_l0': 'rnn.weight_ih_l0', 'bias': 'rnn.bias_hh_l0'}}",
        "key 'names': not parameters of a model of type gru: bias [15]");
  }

  @Test
  void nullsAreNamed() {
    TensorMap file = new TensorMap("x");
    ModelDescription gru = ModelDescription.of(Map.of("type", "gru"), "here");
    refused(() -> ModelLoader.load(null, file, DType.F64, null), "description", "null");
    refused(() -> ModelLoader.load(gru, null, DType.F64, null), "weights", "null");
  }

  private static final String ATTENTION = "{'type': 'attention', 'heads': 2, 'activation': 'relu'}";
  private static final String TRANSFORMER = "{'type': 'transformer', 'heads': 2}";

  @Test
  void normsBetweenAnAttentionAndItsMlp() {
    bad( // a transformer block by hand
        net ->
            net.attention("block.attn.", 4)
                .norm("block.norm1", 4)
                .norm("block.norm2", 4)
                .linear("block.mlp.0", 8, 4)
                .linear("block.mlp.2", 4, 8)
                .linear("block.head", 2, 4),
        ATTENTION,
        "net.npz: not known to a model of type attention: ",
        "block.norm1.weight [4], block.norm1.bias [4], block.norm2.weight [4], block.norm2.bias [4]; ",
        "type transformer",
        "\"ignore\"");
    for (String name : new String[] {"norm1", "ln_2", "layer_norm", "bns.0"}) {
      bad(
          net ->
              net.attention("attn.", 4)
                  .norm(name, 4)
                  .linear("mlp.0", 8, 4)
                  .linear("mlp.2", 4, 8)
                  .linear("head", 2, 4),
          ATTENTION,
          "attention: " + name + ".weight [4], " + name + ".bias [4];");
    }
    bad( // no MLP either
        net -> net.attention("block.attn.", 4).norm("block.norm1", 4),
        ATTENTION,
        "block.norm1.weight [4], block.norm1.bias [4]");
    try (TorchCheckpoint net =
        new TorchCheckpoint().attention("m.attn.", 4).norm("m.norm1", 4).linear("m.head", 2, 4)) {
      net.load("{'type': 'attention', 'heads': 2, 'ignore': ['m.norm1.*']}").close();
    }
  }

  @Test
  void linearLayersBesideAnAttentionThatMayBeAnythingAreAskedFor() {
    bad(
        net -> net.attention("attn.", 4).linear("embed", 4, 4).linear("fc", 2, 4),
        ATTENTION,
        "'embed', 'fc'",
        "\"mlp\": what stands before the names of its layers, or false");
    bad( // those of other blocks are not the one's behind
        net ->
            net.attention("b.0.attn.", 4)
                .linear("b.0.mlp.0", 8, 4)
                .linear("b.0.mlp.2", 4, 8)
                .linear("b.1.mlp.0", 8, 4)
                .linear("b.1.mlp.2", 4, 8),
        ATTENTION,
        "more than one stack",
        "'b.0.mlp.#', 'b.1.mlp.#'");
  }

  @Test
  void layersThatMayEmbedTheInputOrNotAreAskedFor() {
    bad( // square: an embedding, or a read-out
        net -> net.block("layers.0.", 4, 6).linear("embed", 4, 4).linear("head", 2, 4),
        TRANSFORMER,
        "a linear layer that may embed the input or not, 'embed'",
        "\"embedding\": its name, or false");
    bad( // an MLP behind the blocks
        net -> net.block("layers.0.", 4, 6).linear("head.0", 6, 4).linear("head.2", 4, 6),
        TRANSFORMER,
        "'head.2'",
        "\"embedding\"");
    bad(
        net -> net.block("e.layers.0.", 4, 6).linear("head.in", 6, 4).linear("head.out", 4, 6),
        TRANSFORMER,
        "'head.out'",
        "\"embedding\"");
  }

  @Test
  void aLayerNormWithABiasAndNoWeight() {
    bad(
        net -> net.block("enc.layers.0.", 4, 6).without("enc.layers.0.norm2.weight"),
        TRANSFORMER,
        "net.npz: enc.layers.0.norm2.bias",
        "without a weight");
    bad(
        net -> net.block("enc.layers.0.", 4, 6).norm("enc.norm", 4).without("enc.norm.weight"),
        TRANSFORMER,
        "net.npz: enc.norm.bias",
        "without a weight");
  }

  @Test
  void convolutionsAndBatchNorm() {
    bad(
        net -> net.with("conv.0.weight", 4, 1, 3, 3).linear("fc.0", 8, 4).linear("fc.2", 2, 8),
        "{'type': 'mlp', 'activation': 'relu'}",
        "net.npz: conv.0.weight [4, 1, 3, 3]: convolutions are not supported",
        "\"ignore\"");
    bad(
        net ->
            net.linear("fc.0", 8, 4)
                .linear("fc.2", 2, 8)
                .norm("bns.0", 8)
                .with("bns.0.running_mean", 8),
        "{'type': 'mlp', 'activation': 'relu'}",
        "net.npz: bns.0.running_mean [8]: batch norm is not supported");
  }

  /** One file, the one at fault: the description's where a key is missing. */
  @Test
  void aFaultOfTheDescriptionDoesNotBlameTheWeights() {
    try (TorchCheckpoint net = new TorchCheckpoint().recurrent("", 1, 0, 3, 5)) {
      String message =
          assertThrows(InputException.class, () -> net.load("{'type': 'neural_ode', 'dt': 0.1}"))
              .getMessage();
      assertTrue(message.startsWith("model.json: key 'method'"), message);
    }
  }
}
