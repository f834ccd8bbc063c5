package org.kpflow.flow;

import java.util.Optional;
import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;
import org.kpflow.operator.LinearOperator;

/**
 * NTK = P K P* = J J*, self-adjoint and positive semidefinite on [B, T, n]: minus the NTK of err =
 * dL/dh is how one gradient step of learning rate 1 moves the whole state, to first order.
 */
public final class NeuralTangentKernel extends KernelOperator {
  public NeuralTangentKernel(Linearization linearization) {
    super(given(linearization), LinearizedMap.TANGENT_KERNEL);
  }

  /** J, as NTK = J J*. */
  @Override
  public Optional<LinearOperator> gramFactor() {
    return Optional.of(new ParameterJacobian(linearization()));
  }

  @Override
  public String toString() {
    return "NTK";
  }
}
