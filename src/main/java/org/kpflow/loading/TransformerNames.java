package org.kpflow.loading;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.kpflow.base.Shape;
import org.kpflow.loading.LinearStack.Layer;
import org.kpflow.loading.ModelDescription.Key;

/**
 * The names of PyTorch's nn.TransformerEncoderLayer, alone or in an nn.TransformerEncoder or a list
 * of modules, with the nn.Linear in front that embeds the input; or those of {@link
 * org.kpflow.model.Transformer}.
 */
final class TransformerNames {
  static final String OWN_ANCHOR = "W_q_l0";
  private static final Pattern OWN_NAMES =
      Pattern.compile(
          "([Wb]_[qkzo]|mlp_[Wb]_\\d+|norm[12]_(weight|bias))_l\\d+|[Wb]_in|norm_(weight|bias)");
  private static final Pattern BLOCK =
      Pattern.compile("((?:.*\\.)?)self_attn\\.(?:in_proj_weight|q_proj_weight)");
  private static final Pattern NUMBERED = Pattern.compile("((?:.*\\.)?)\\d+\\.");

  private TransformerNames() {}

  static FoundParameters find(Checkpoint checkpoint, ModelDescription description) {
    FoundParameters found = new FoundParameters(checkpoint);
    TreeSet<String> own = checkpoint.prefixes(OWN_ANCHOR);
    if (!own.isEmpty()) {
      String prefix = checkpoint.prefix(description.prefix(), own, "transformer", OWN_ANCHOR);
      found.own(prefix);
      found.takeAll(prefix, OWN_NAMES);
      requireGains(checkpoint, found);
      return found;
    }
    String stack =
        checkpoint.prefix(
            description.prefix(),
            stacks(checkpoint),
            "transformer",
            "layers.0.self_attn.in_proj_weight, self_attn.in_proj_weight or W_q_l0");
    long width = takeBlocks(checkpoint, found, stack);
    takeEmbedding(checkpoint, description, found, stack, width);
    requireGains(checkpoint, found);
    return found;
  }

  /** What stands before the numbers of blocks, or before a block without a number. */
  static TreeSet<String> stacks(Checkpoint checkpoint) {
    TreeSet<String> stacks = new TreeSet<>();
    for (String name : checkpoint.names()) {
      Matcher block = BLOCK.matcher(name);
      if (block.matches()) {
        Matcher numbered = NUMBERED.matcher(block.group(1));
        stacks.add(numbered.matches() ? numbered.group(1) : block.group(1));
      }
    }
    return stacks;
  }

  /** Takes all blocks and the norm behind them; the width that the first one reads. */
  private static long takeBlocks(Checkpoint checkpoint, FoundParameters found, String stack) {
    if (isBlock(checkpoint, stack)) {
      found.own(stack);
      takeBlock(checkpoint, found, stack, "_l0");
    } else {
      // nn.TransformerEncoder has its norm beside the list: encoder.layers.0, encoder.norm
      String module = stack.substring(0, stack.lastIndexOf('.', stack.length() - 2) + 1);
      found.own(module);
      int blocks = 0;
      while (isBlock(checkpoint, stack + blocks + ".")) {
        takeBlock(checkpoint, found, stack + blocks + ".", "_l" + blocks);
        blocks++;
      }
      String missing = stack + blocks + ".";
      for (String name : checkpoint.names()) {
        Matcher other = BLOCK.matcher(name);
        if (other.matches()
            && other.group(1).startsWith(stack)
            && other.group(1).substring(stack.length()).matches("\\d+\\.")
            && !found.used().contains(name)) {
          throw checkpoint.fault(
              "no "
                  + missing
                  + "self_attn.in_proj_weight: expected blocks numbered from 0 without a gap, found "
                  + name);
        }
      }
      found.take("norm_weight", module + "norm.weight");
      found.take("norm_bias", module + "norm.bias");
    }
    Shape query = found.tensors().get("W_q_l0").shape();
    if (query.rank() != 2) {
      throw checkpoint.fault(
          found.sources().get("W_q_l0") + ": expected a matrix, got shape " + query);
    }
    return query.size(1);
  }

  private static boolean isBlock(Checkpoint checkpoint, String prefix) {
    return checkpoint.has(prefix + "self_attn.in_proj_weight")
        || checkpoint.has(prefix + "self_attn.q_proj_weight");
  }

  private static void takeBlock(
      Checkpoint checkpoint, FoundParameters found, String prefix, String suffix) {
    AttentionNames.take(checkpoint, found, prefix + "self_attn.", suffix);
    for (String kind : new String[] {"weight", "bias"}) {
      String letter = kind.equals("weight") ? "W" : "b";
      found.take("mlp_" + letter + "_1" + suffix, prefix + "linear1." + kind);
      found.take("mlp_" + letter + "_2" + suffix, prefix + "linear2." + kind);
      found.take("norm1_" + kind + suffix, prefix + "norm1." + kind);
      found.take("norm2_" + kind + suffix, prefix + "norm2." + kind);
    }
  }

  /** A norm without a gain has no bias either: PyTorch's elementwise_affine=False. */
  private static void requireGains(Checkpoint checkpoint, FoundParameters found) {
    for (String name : found.tensors().keySet()) {
      String gain = name.replaceFirst("^(norm[12]?)_bias", "$1_weight");
      if (!found.tensors().containsKey(gain)) {
        throw checkpoint.fault(
            found.sources().get(name)
                + ": the bias of a layer norm without a weight; expected both or neither");
      }
    }
  }

  /** The layer that the description names, or the only one that can be nothing else. */
  private static void takeEmbedding(
      Checkpoint checkpoint,
      ModelDescription description,
      FoundParameters found,
      String stack,
      long width) {
    if (description.isWithout(Key.EMBEDDING)) {
      return;
    }
    String wanted = description.part(Key.EMBEDDING);
    List<Layer> outside = outside(checkpoint, found);
    List<Layer> fitting =
        outside.stream()
            .filter(
                layer -> wanted == null ? layer.outputs() == width : layer.name().equals(wanted))
            .toList();
    if (wanted != null && fitting.isEmpty()) {
      throw description.fault(
          Key.EMBEDDING, "NAME of a linear layer NAME.weight [" + width + ", n_in] in the weights");
    }
    if (wanted == null && isAmbiguous(fitting, outside, stack, width)) {
      throw checkpoint.fault(
          (fitting.size() > 1 ? "more than one linear layer" : "a linear layer")
              + " that may embed the input or not, "
              + Checkpoint.quoted(fitting.stream().map(Layer::name).toList())
              + "; choose with \"embedding\": its name, or false for none");
    }
    for (Layer embedding : fitting) {
      found.take("W_in", embedding.entry("weight"));
      found.take("b_in", embedding.entry("bias"));
    }
  }

  /** The linear layers that stand in no block, whether of this transformer or of another. */
  private static List<Layer> outside(Checkpoint checkpoint, FoundParameters found) {
    Set<String> blocks = new TreeSet<>();
    for (String name : checkpoint.names()) {
      Matcher block = BLOCK.matcher(name);
      if (block.matches() && !block.group(1).isEmpty()) {
        blocks.add(block.group(1));
      }
    }
    return LinearStack.layers(checkpoint, "").stream()
        .filter(layer -> !found.used().contains(layer.entry("weight")))
        .filter(layer -> blocks.stream().noneMatch(layer.name()::startsWith))
        .toList();
  }

  /** Layers [width, n] are more than one, square, or one of an MLP's, before or behind. */
  private static boolean isAmbiguous(
      List<Layer> fitting, List<Layer> outside, String stack, long width) {
    if (fitting.size() != 1) {
      return !fitting.isEmpty();
    }
    Layer layer = fitting.get(0);
    boolean numbered =
        LinearStack.numbered(outside).values().stream().anyMatch(group -> group.contains(layer));
    // embed beside encoder.layers stands alone; head.fc2 beside head.fc1 is one of a module's
    boolean inModule =
        !stack.startsWith(layer.parent())
            && outside.stream()
                .anyMatch(other -> other != layer && other.name().startsWith(layer.parent()));
    return layer.inputs() == width || numbered || inModule;
  }
}
