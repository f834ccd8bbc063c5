package org.kpflow.loading;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** What a description can name as its type; the pages of docs/models have their equations. */
public enum Architecture {
  RNN,
  LEAKY_RNN,
  GRU,
  LSTM,
  NEURAL_ODE,
  MLP,
  ATTENTION,
  TRANSFORMER;

  /** The names of all. */
  static final List<String> NAMES = Arrays.stream(values()).map(Architecture::toString).toList();

  /** Whether the state at a step depends on the step before. */
  public boolean isRecurrent() {
    return compareTo(MLP) < 0;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
