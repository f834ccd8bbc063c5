package org.kpflow.loading;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.kpflow.loading.LinearStack.Layer;
import org.kpflow.loading.ModelDescription.Key;

/**
 * The names of PyTorch's nn.MultiheadAttention, with a stack of nn.Linear layers behind it where
 * there is one, or those of {@link org.kpflow.model.AttentionBlock}.
 */
final class AttentionNames {
  /** One of them is in every nn.MultiheadAttention. */
  static final String[] ANCHORS = {"in_proj_weight", "q_proj_weight"};

  static final String OWN_ANCHOR = "W_q";
  private static final Pattern OWN_NAMES = Pattern.compile("[Wb]_[qkzo]|mlp_[Wb]_\\d+");

  private AttentionNames() {}

  static FoundParameters find(Checkpoint checkpoint, ModelDescription description) {
    FoundParameters found = new FoundParameters(checkpoint);
    TreeSet<String> own = checkpoint.prefixes(OWN_ANCHOR);
    if (!own.isEmpty()) {
      String prefix = checkpoint.prefix(description.prefix(), own, "attention block", OWN_ANCHOR);
      found.own(prefix);
      found.takeAll(prefix, OWN_NAMES);
      return found;
    }
    String prefix =
        checkpoint.prefix(
            description.prefix(),
            checkpoint.prefixes(ANCHORS),
            "attention",
            "in_proj_weight, q_proj_weight or W_q");
    found.own(prefix);
    take(checkpoint, found, prefix, "");
    List<Layer> layers =
        description.isWithout(Key.MLP) ? List.of() : mlp(checkpoint, description, prefix);
    List<String> parts = new ArrayList<>(List.of(prefix.replaceFirst("\\.$", "")));
    layers.forEach(layer -> parts.add(layer.name()));
    if (!layers.isEmpty()) {
      found.own(LinearStack.commonParent(parts.subList(1, parts.size())));
      LinearStack.take(found, LinearStack.chain(checkpoint, layers));
    }
    found.surround(LinearStack.commonParent(parts));
    return found;
  }

  /** The layers that the description names, or those of the only numbered stack. */
  private static List<Layer> mlp(
      Checkpoint checkpoint, ModelDescription description, String attention) {
    String wanted = description.part(Key.MLP);
    if (wanted != null) {
      List<Layer> layers = LinearStack.layers(checkpoint, wanted);
      if (layers.isEmpty()) {
        throw description.fault(Key.MLP, "what stands before the names of linear layers");
      }
      return layers;
    }
    List<Layer> around = around(checkpoint, description.prefix(), attention);
    Map<String, List<Layer>> stacks = LinearStack.numbered(around);
    if (stacks.size() > 1) {
      throw checkpoint.fault(
          "more than one stack of linear layers, "
              + Checkpoint.quoted(stacks.keySet())
              + "; choose one with \"mlp\": what stands before its names, or none with \"mlp\": false");
    }
    if (stacks.isEmpty() && around.size() > 1) {
      throw checkpoint.fault(
          "linear layers that may be an MLP behind the attention or not, "
              + Checkpoint.quoted(around.stream().map(Layer::name).toList())
              + "; say so with \"mlp\": what stands before the names of its layers, or false for none");
    }
    return stacks.isEmpty() ? List.of() : stacks.values().iterator().next();
  }

  /** The linear layers outside of the attention, behind a prefix that is not its own. */
  static List<Layer> around(Checkpoint checkpoint, String prefix, String attention) {
    String scope = prefix == null || prefix.equals(attention) ? "" : prefix;
    return LinearStack.layers(checkpoint, scope).stream()
        .filter(layer -> !layer.name().equals(attention + "out_proj"))
        .filter(layer -> attention.isEmpty() || !layer.name().startsWith(attention))
        .toList();
  }

  /** Takes the parameters of one nn.MultiheadAttention; those of the model end in a suffix. */
  static void take(Checkpoint checkpoint, FoundParameters found, String prefix, String suffix) {
    for (String extra : new String[] {"bias_k", "bias_v"}) {
      if (checkpoint.has(prefix + extra)) {
        throw checkpoint.fault(
            prefix
                + extra
                + ": biases of keys and values are not supported; expected an nn.MultiheadAttention with add_bias_kv=False");
      }
    }
    found.takeRows(prefix + "in_proj_weight", "W_q" + suffix, "W_k" + suffix, "W_z" + suffix);
    found.take("W_q" + suffix, prefix + "q_proj_weight");
    found.take("W_k" + suffix, prefix + "k_proj_weight");
    found.take("W_z" + suffix, prefix + "v_proj_weight");
    found.takeRows(prefix + "in_proj_bias", "b_q" + suffix, "b_k" + suffix, "b_z" + suffix);
    found.take("W_o" + suffix, prefix + "out_proj.weight");
    found.take("b_o" + suffix, prefix + "out_proj.bias");
  }
}
