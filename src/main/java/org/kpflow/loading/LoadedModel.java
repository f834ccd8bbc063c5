package org.kpflow.loading;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.kpflow.model.Model;

/**
 * A model made of a checkpoint, and what of the checkpoint it is made of. Closing it closes the
 * model, which has copies of its weights.
 *
 * @param model with the names of parameters that its architecture uses
 * @param description what it was made by
 * @param prefixes what stands before the model's names in the file; more than one where parts have
 *     their own
 * @param sources by parameter, where it stands in the file: {@code rnn.weight_hh_l0}, or {@code
 *     attn.in_proj_weight[0:8]} for some of its rows
 * @param layers recurrent layers, layers of an MLP, or blocks of a transformer
 * @param unused names in the file that are not the model's
 * @param suspicious those NAME of them, neither ignored nor the model's, that have a NAME.weight
 *     [n] of the width n of a block of the state: norms that the forward pass may have and the
 *     model has not
 */
public record LoadedModel(
    Model model,
    ModelDescription description,
    Set<String> prefixes,
    Map<String, String> sources,
    int layers,
    List<String> unused,
    List<String> suspicious)
    implements AutoCloseable {
  @Override
  public void close() {
    model.close();
  }
}
