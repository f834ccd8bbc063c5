package org.kpflow.train;

import org.kpflow.tensor.Tensor;

/**
 * An array that is trained.
 *
 * @param name in checkpoints, such as {@code rnn.weight_hh_l0}
 * @param value the network's own tensor, which an {@link Optimizer} overwrites
 * @param gradient of the loss, of the same shape and type; what the last backward pass has written
 */
public record Parameter(String name, Tensor value, Tensor gradient) {}
