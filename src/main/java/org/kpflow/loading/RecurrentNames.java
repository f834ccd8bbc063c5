package org.kpflow.loading;

import java.util.regex.Pattern;
import org.kpflow.base.InputException;

/**
 * The names of PyTorch's nn.RNN, nn.GRU and nn.LSTM: {@code weight_ih_l0}, {@code weight_hh_l0},
 * {@code bias_ih_l0}, {@code bias_hh_l0}, and {@code _l1}, ... of stacked layers.
 */
final class RecurrentNames {
  /** Every recurrent layer has it. */
  static final String ANCHOR = "weight_hh_l0";

  private static final Pattern KNOWN = Pattern.compile("(weight|bias)_(ih|hh)_l\\d+");

  private RecurrentNames() {}

  static FoundParameters find(Checkpoint checkpoint, ModelDescription description) {
    String prefix =
        checkpoint.prefix(
            description.prefix(), checkpoint.prefixes(ANCHOR), "recurrent layer", ANCHOR);
    FoundParameters found = new FoundParameters(checkpoint);
    found.own(prefix);
    refuseUnsupported(checkpoint, prefix);
    found.takeAll(prefix, KNOWN);
    return found;
  }

  private static void refuseUnsupported(Checkpoint checkpoint, String prefix) {
    for (String name : checkpoint.names()) {
      String bare = name.startsWith(prefix) ? name.substring(prefix.length()) : "";
      if (bare.matches("(weight|bias)_.*_reverse")) {
        throw checkpoint.fault(
            name
                + ": bidirectional recurrence is not supported; expected a layer with bidirectional=False");
      }
      if (bare.startsWith("weight_hr_l")) {
        throw checkpoint.fault(
            name + ": projections are not supported; expected a layer with proj_size=0");
      }
    }
  }

  /** The exception for a layer that is none of PyTorch's in a form that we know. */
  static InputException notSupported(Checkpoint checkpoint, String prefix) {
    refuseUnsupported(checkpoint, prefix);
    return checkpoint.fault(
        prefix
            + ANCHOR
            + " "
            + checkpoint.get(prefix + ANCHOR).shape()
            + ": expected 1, 3 or 4 times as many rows as columns, those of an RNN, GRU or LSTM");
  }
}
