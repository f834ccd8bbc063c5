package org.kpflow.linearize;

/**
 * The linear maps of one linearization that native code applies; the order is that of enum
 * kpflow_operator.
 */
public enum LinearizedMap {
  /** P = (I - D_h f)^{-1}, [B,T,n] to [B,T,n]. */
  PROPAGATION,
  /** P^{-1} = I - D_h f, [B,T,n] to [B,T,n]. */
  PROPAGATION_INVERSE,
  /** D_θf at fixed state, [p] to [B,T,n]. */
  LOCAL_JACOBIAN,
  /** J = P D_θf, [p] to [B,T,n]. */
  JACOBIAN,
  /** K = D_θf (D_θf)*, [B,T,n] to [B,T,n]. */
  PARAMETER_OPERATOR,
  /** NTK = P K P*, [B,T,n] to [B,T,n]. */
  TANGENT_KERNEL,
  /** D_Q f of one family, [k, n_i] to [B,T,n]. */
  GATE_DERIVATIVE,
  /** P_core,i = P D_Q f of one family, [k, n_i] to [B,T,n]. */
  CORE_PROPAGATOR,
  /** J with weights of its own for every trial, [B, p] to [B,T,n]. */
  TRIAL_JACOBIAN
}
