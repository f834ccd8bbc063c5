package org.kpflow.model;

import org.kpflow.base.Checks;

/**
 * What the shapes of a {@link RecurrentModel}'s weights follow from.
 *
 * @param gates g: 1 for rnn and leaky_rnn, 3 for the GRU, 4 for the LSTM
 * @param inputs n_in
 * @param units H
 * @param layers L
 * @param biases whether there are b_ih and b_hh
 */
public record RecurrentSizes(int gates, long inputs, long units, int layers, boolean biases) {
  private static final long MOST = 1L << 20;

  public RecurrentSizes {
    Checks.range("gates", gates, 1, 64);
    Checks.range("inputs", inputs, 1, MOST);
    Checks.range("units", units, 1, MOST);
    Checks.range("layers", layers, 1, 1 << 10);
  }
}
