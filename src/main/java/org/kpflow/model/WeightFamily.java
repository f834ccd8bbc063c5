package org.kpflow.model;

/**
 * One parameter array of a model: W_i acts on its sites as q_i = W_i v_i; a bias is a family whose
 * site is the constant 1.
 *
 * @param name PyTorch's name, such as {@code weight_hh_l0}
 * @param index position in the engine's order (kpflow.h, enum kpflow_family)
 * @param outputs n_i, the pre-activations it feeds
 * @param sites m_i, the columns of its site matrix V_i
 * @param group families of one group feed the same pre-activations, so they share D_Q f and P_core
 * @param trainable whether it is part of theta
 */
public record WeightFamily(
    String name, int index, long outputs, long sites, String group, boolean trainable) {
  /** Trainable or not, the number of its scalars. */
  public long size() {
    return outputs * sites;
  }
}
