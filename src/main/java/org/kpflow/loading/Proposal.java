package org.kpflow.loading;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.io.TensorMap;
import org.kpflow.loading.LinearStack.Layer;

/**
 * A description that fits the names and shapes of a weight file.
 *
 * @param values keys and values of a model.json; null for what has to be filled in
 * @param notes by key, what the file does not show
 */
public record Proposal(Map<String, Object> values, Map<String, String> notes) {
  private static final String HEADS = "num_heads, which no checkpoint shows; fill it in";
  private static final String BETWEEN = "what stands between the linear layers; fill it in";
  private static final String MLP =
      "what stands before the layers behind the attention, or false for none; fill it in";
  private static final String EMBEDDING =
      "the name of the layer that embeds the input, or false for none; fill it in";
  private static final String DEFAULT = "PyTorch's default, which no checkpoint shows; check it";

  /**
   * The descriptions that fit: of transformers, attention and recurrent layers, or, where there are
   * none, of stacks of linear layers; those that load come first. Empty if nothing is known.
   *
   * @throws InputException if there are recurrent layers, of a kind that is not supported
   */
  public static List<Proposal> of(TensorMap file) {
    Checkpoint checkpoint = Checkpoint.of(file);
    List<Proposal> found = new ArrayList<>();
    transformers(checkpoint, file, found);
    attention(checkpoint, found);
    recurrent(checkpoint, found);
    TreeSet<String> recurrent = checkpoint.prefixes(RecurrentNames.ANCHOR);
    if (found.isEmpty() && recurrent.isEmpty()) {
      stacks(checkpoint, found);
    } else if (found.isEmpty()) {
      throw RecurrentNames.notSupported(checkpoint, recurrent.first());
    }
    List<Proposal> sorted = new ArrayList<>(found.stream().filter(one -> one.loads(file)).toList());
    found.removeAll(sorted);
    sorted.addAll(found);
    return sorted;
  }

  private boolean loads(TensorMap file) {
    try {
      ModelLoader.load(provisional(), file, DType.F32, null).close();
      return true;
    } catch (InputException missing) {
      return false;
    }
  }

  private static Proposal start(Architecture type, String prefix, boolean several) {
    Proposal proposal = new Proposal(new LinkedHashMap<>(), new LinkedHashMap<>());
    proposal.values.put("type", type.toString());
    if (several) {
      proposal.values.put("prefix", prefix);
    }
    return proposal;
  }

  private Proposal say(String key, Object value, String note) {
    values.put(key, value);
    notes.put(key, note);
    return this;
  }

  private Proposal with(String key, Object value) {
    Map<String, Object> more = new LinkedHashMap<>(values);
    more.put(key, value);
    return new Proposal(more, notes);
  }

  private static void transformers(Checkpoint checkpoint, TensorMap file, List<Proposal> found) {
    TreeSet<String> stacks = checkpoint.prefixes(TransformerNames.OWN_ANCHOR);
    if (stacks.isEmpty()) {
      stacks = TransformerNames.stacks(checkpoint);
    }
    for (String stack : stacks) {
      found.add(
          start(Architecture.TRANSFORMER, stack, stacks.size() > 1)
              .say("heads", null, HEADS)
              .say("activation", "relu", DEFAULT)
              .say("causal", false, DEFAULT));
      Proposal last = found.get(found.size() - 1);
      if (!last.loads(file) && last.with("embedding", false).loads(file)) {
        last.say("embedding", null, EMBEDDING);
      }
    }
  }

  private static void attention(Checkpoint checkpoint, List<Proposal> found) {
    TreeSet<String> prefixes = checkpoint.prefixes(AttentionNames.OWN_ANCHOR);
    if (prefixes.isEmpty()) {
      prefixes = checkpoint.prefixes(AttentionNames.ANCHORS);
      prefixes.removeIf(prefix -> prefix.endsWith("self_attn."));
    }
    for (String prefix : prefixes) {
      Proposal proposal =
          start(Architecture.ATTENTION, prefix, prefixes.size() > 1)
              .say("heads", null, HEADS)
              .say("causal", false, DEFAULT);
      List<Layer> around = AttentionNames.around(checkpoint, prefix, prefix);
      int stacks = LinearStack.numbered(around).size();
      if (stacks > 0 || checkpoint.has(prefix + "mlp_W_2")) {
        proposal.say("activation", null, BETWEEN);
      }
      if (stacks > 1 || stacks == 0 && around.size() > 1) {
        proposal.say("mlp", null, MLP);
      }
      found.add(proposal);
    }
  }

  /** Rows over columns of weight_hh_l0 are the gates: 1 of an RNN, 3 of a GRU, 4 of an LSTM. */
  private static void recurrent(Checkpoint checkpoint, List<Proposal> found) {
    TreeSet<String> prefixes = checkpoint.prefixes(RecurrentNames.ANCHOR);
    for (String prefix : prefixes) {
      Shape hidden = checkpoint.get(prefix + RecurrentNames.ANCHOR).shape();
      boolean several = prefixes.size() > 1;
      if (checkpoint.has(prefix + "weight_hr_l0")
          || hidden.rank() != 2
          || hidden.size(1) < 1
          || hidden.size(0) % hidden.size(1) != 0) {
        continue;
      }
      long gates = hidden.size(0) / hidden.size(1);
      if (gates == 3 || gates == 4) {
        found.add(start(gates == 3 ? Architecture.GRU : Architecture.LSTM, prefix, several));
      } else if (gates == 1) {
        found.add(start(Architecture.RNN, prefix, several).say("activation", "tanh", DEFAULT));
        if (!checkpoint.has(prefix + "bias_hh_l0") && !checkpoint.has(prefix + "bias_ih_l0")) {
          found.add(
              start(Architecture.LEAKY_RNN, prefix, several)
                  .say("activation", "tanh", "no checkpoint shows it; check it")
                  .say("dt", null, "step over time constant; fill it in"));
        }
      }
    }
  }

  private static void stacks(Checkpoint checkpoint, List<Proposal> found) {
    TreeSet<String> own = checkpoint.prefixes(LinearStack.OWN_ANCHOR);
    for (String prefix : own) {
      Proposal proposal = start(Architecture.MLP, prefix, own.size() > 1);
      found.add(
          checkpoint.has(prefix + "mlp_W_2")
              ? proposal.say("activation", null, BETWEEN)
              : proposal);
    }
    if (own.isEmpty()) {
      List<Layer> all = LinearStack.layers(checkpoint, "");
      Map<String, List<Layer>> groups = LinearStack.byParent(all);
      String common =
          all.isEmpty() ? "" : LinearStack.commonParent(all.stream().map(Layer::name).toList());
      long stems = all.stream().map(layer -> Spelling.stem(layer.name())).distinct().count();
      if (groups.size() > 1 && stems == 1) { // blocks.0.fc, blocks.1.fc
        found.add(start(Architecture.MLP, common, true).say("activation", null, BETWEEN));
      }
      List<List<Layer>> longestFirst = new ArrayList<>(groups.values());
      longestFirst.sort(Comparator.comparing(layers -> -layers.size()));
      for (List<Layer> layers : longestFirst) {
        Proposal proposal =
            start(Architecture.MLP, layers.get(0).parent(), longestFirst.size() > 1);
        found.add(layers.size() > 1 ? proposal.say("activation", null, BETWEEN) : proposal);
      }
    }
  }

  /**
   * The description with one head, a tanh and no further parts where these have to be filled in:
   * good for everything that does not depend on them, such as names and sizes.
   */
  public ModelDescription provisional() {
    Map<String, Object> all = new LinkedHashMap<>(values);
    all.replaceAll(
        (key, value) ->
            value != null
                ? value
                : switch (key) {
                  case "heads", "dt" -> 1;
                  case "mlp", "embedding" -> false;
                  default -> "tanh";
                });
    return ModelDescription.of(all, "the proposed description");
  }
}
