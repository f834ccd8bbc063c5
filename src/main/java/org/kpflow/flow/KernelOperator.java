package org.kpflow.flow;

import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;
import org.kpflow.nativelib.LinearizationHandle;
import org.kpflow.nativelib.NativeOperator;

/**
 * A self-adjoint map of a linearization on [B, T, n], which eigensolvers apply without leaving
 * native code.
 */
abstract class KernelOperator extends LinearizationOperator implements NativeOperator {
  KernelOperator(Linearization linearization, LinearizedMap map) {
    super(linearization, map, null, linearization.stateShape(), true);
  }

  @Override
  public final LinearizationHandle handle() {
    return linearization().handle();
  }

  @Override
  public final int operatorCode() {
    return map().ordinal();
  }
}
