package org.kpflow.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.loading.LoadedModel;
import org.kpflow.loading.ModelDescription;
import org.kpflow.loading.ModelLoader;
import org.kpflow.loading.Proposal;
import org.kpflow.report.JsonWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** kpflow describe: what a weight file holds, and which network kpflow takes it for. */
@Command(
    name = "describe",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Prints what a weight file holds and how it is understood.",
      "Without --model and --cell, proposes a model.json; with --json, prints only that:",
      "kpflow describe --weights net.safetensors --json > model.json"
    })
final class DescribeCommand implements Callable<Integer> {
  private static final String NOT_YET = "This does not load yet: ";
  private static final List<String> AN = List.of("attention", "rnn", "lstm", "mlp");

  @Option(
      names = "--weights",
      required = true,
      paramLabel = "FILE",
      description = "A .safetensors or .npz file, or a folder of .npy files.")
  private Path weights;

  @Mixin private NetworkOptions network;

  @Option(
      names = "--json",
      description = "Print as JSON: the proposed model.json, or how the network was understood.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    try (TensorMap file = WeightFile.read(weights, null)) {
      if (network.isEmpty()) {
        propose(file);
        return Exit.OK;
      }
      ModelDescription description = network.description();
      new SelectionOptions().of(description); // refuses what is no selection
      try (LoadedModel loaded = ModelLoader.load(description, file, DType.F32, null)) {
        NetworkSummary summary = NetworkSummary.of(loaded, file);
        if (json) {
          JsonWriter.write(System.out, summary);
        } else {
          System.out.print(file.source() + ": " + text(summary) + warning(loaded));
        }
      }
      return Exit.OK;
    }
  }

  private void propose(TensorMap file) throws IOException {
    List<Proposal> proposals = Proposal.of(file);
    if (proposals.isEmpty()) {
      throw new InputException(
          weights
              + ": no network that is known by its names; expected weight_hh_l0, in_proj_weight, "
              + "NAME.weight of linear layers, or a --model with \"names\"; found "
              + String.join(", ", file.names()));
    }
    Proposal first = proposals.get(0);
    if (json) {
      JsonWriter.write(System.out, first.values());
      note(first);
      String state = understood(first, file);
      if (state.startsWith(NOT_YET)) {
        System.err.println("kpflow: " + state);
      }
      if (proposals.size() > 1) {
        System.err.println(
            "kpflow: " + (proposals.size() - 1) + " more fit; describe without --json shows all");
      }
      return;
    }
    System.out.println(file.source() + " holds\n");
    System.out.println(contents(file));
    for (Proposal proposal : proposals) {
      System.out.println(
          proposal == first ? "A model.json to start from:\n" : "Or, if that is what is meant:\n");
      System.out.println(asJson(proposal).indent(2));
      proposal.notes().forEach((key, note) -> System.out.println("  \"" + key + "\": " + note));
      System.out.println("\n" + understood(proposal, file).replaceAll("(?m)^(?=.)", "  "));
    }
  }

  /** On stderr, beside the JSON on stdout. */
  private static void note(Proposal proposal) {
    proposal.notes().forEach((key, note) -> System.err.println("kpflow: \"" + key + "\": " + note));
  }

  private static String asJson(Proposal proposal) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    JsonWriter.write(bytes, proposal.values());
    return bytes.toString(StandardCharsets.UTF_8).strip();
  }

  private static String understood(Proposal proposal, TensorMap file) {
    try (LoadedModel loaded = ModelLoader.load(proposal.provisional(), file, DType.F32, null)) {
      String type = proposal.values().get("type").toString();
      return "This is "
          + (AN.contains(type) ? "an " : "a ")
          + text(NetworkSummary.of(loaded, file))
          + warning(loaded);
    } catch (InputException missing) {
      return NOT_YET + missing.getMessage();
    }
  }

  private static String warning(LoadedModel network) {
    return network.suspicious().isEmpty()
        ? ""
        : String.format(
            "%nwarning: %s: not used, and may be norms that the forward pass has and this network has not;"
                + " say that they are no part of it with \"ignore\"%n",
            String.join(", ", network.suspicious()));
  }

  private static String contents(TensorMap file) {
    TextTable table = new TextTable();
    file.asMap().forEach((name, tensor) -> table.row(name, tensor.shape().sizes(), tensor.dtype()));
    file.skipped().forEach((name, reason) -> table.row(name, "", "not read: it " + reason));
    return table.toString();
  }

  private static String depth(NetworkSummary network) {
    String what = network.type().equals("transformer") ? "block" : "layer";
    String count = network.layers() + " " + what + (network.layers() == 1 ? "" : "s");
    return (network.type().equals("attention") ? "MLP of " : "") + count;
  }

  private static String text(NetworkSummary network) {
    TextTable blocks = new TextTable().row("block", "units", "from unit");
    network.blocks().forEach(block -> blocks.row(block.name(), block.units(), block.begin()));
    TextTable families =
        new TextTable().row("parameter", "shape", "acts on", "trained", "in the file");
    for (NetworkSummary.Family family : network.families()) {
      families.row(
          family.name(),
          family.shape(),
          family.site(),
          family.trained() ? "yes" : "frozen",
          family.source());
    }
    TextTable unused = new TextTable();
    network
        .notUsed()
        .forEach(entry -> unused.row(entry.name(), entry.shape() == null ? "" : entry.shape()));
    return String.format(
        java.util.Locale.ROOT,
        "%s, %s, %,d inputs, %,d parameters, %,d of them trained%n%n"
            + "State of %,d units; a read-out reads %s:%n%n%s%nParameters:%n%n%s%n%s",
        network.type(),
        depth(network),
        network.inputs(),
        network.parameters(),
        network.trainable(),
        network.stateUnits(),
        network.output(),
        blocks,
        families,
        network.notUsed().isEmpty() ? "" : "Not used:\n\n" + unused);
  }
}
