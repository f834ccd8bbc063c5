package org.kpflow.flow;

import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;

/**
 * NTK = P K P* = J J*, self-adjoint and positive semidefinite on [B, T, n]: minus the NTK of err =
 * dL/dh is how one gradient step of learning rate 1 moves the whole state, to first order.
 */
public final class NeuralTangentKernel extends KernelOperator {
  public NeuralTangentKernel(Linearization linearization) {
    super(given(linearization), LinearizedMap.TANGENT_KERNEL);
  }

  @Override
  public String toString() {
    return "NTK";
  }
}
