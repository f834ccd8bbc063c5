package org.kpflow.flow;

import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;
import org.kpflow.nativelib.LinearizationHandle;
import org.kpflow.nativelib.NativeOperator;

/**
 * NTK = P K P* = J J*, self-adjoint and positive semidefinite on [B, T, n]: minus the NTK of err =
 * dL/dh is how one gradient step of learning rate 1 moves the whole state, to first order.
 */
public final class NeuralTangentKernel extends LinearizationOperator implements NativeOperator {
  public NeuralTangentKernel(Linearization linearization) {
    super(
        given(linearization), LinearizedMap.TANGENT_KERNEL, null, linearization.stateShape(), true);
  }

  @Override
  public LinearizationHandle handle() {
    return linearization().handle();
  }

  @Override
  public int operatorCode() {
    return map().ordinal();
  }

  @Override
  public String toString() {
    return "NTK";
  }
}
