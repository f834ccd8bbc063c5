package org.kpflow.model;

import java.util.Set;

/**
 * One parameter array of a model: W_i acts on its sites as q_i = W_i v_i; a bias is a family whose
 * site is the constant 1.
 *
 * @param name the parameter's name, such as {@code weight_hh_l0}
 * @param index position in the engine's order (kpflow.h)
 * @param outputs n_i, the pre-activations it feeds
 * @param sites m_i, the columns of its site matrix V_i
 * @param layer the layer of the state that it acts on directly
 * @param side families of one layer and side feed the same pre-activations, so they share D_Q f and
 *     P_core
 * @param trainable whether it is part of theta
 * @param reaches names of the blocks of the state that it can change: its own and all that depend
 *     on these
 */
public record WeightFamily(
    String name,
    int index,
    long outputs,
    long sites,
    int layer,
    Side side,
    boolean trainable,
    Set<String> reaches) {
  /** Copies the set. */
  public WeightFamily {
    reaches = Set.copyOf(reaches);
  }

  /** How a family enters its layer. */
  public enum Side {
    /** Through what the layer reads. */
    INPUT,
    /** Through the layer's own earlier state. */
    HIDDEN,
    /**
     * One weight per unit, q_u = w_u v_u: V_i is [k, n_i] with columns v_u, and ⊕_u v_u v_uᵀ, the
     * direct sum over the units, takes the place of V_i V_iᵀ ⊗ I.
     */
    ELEMENTWISE
  }

  /** Trainable or not, the number of its scalars. */
  public long size() {
    return side == Side.ELEMENTWISE ? outputs : outputs * sites;
  }
}
