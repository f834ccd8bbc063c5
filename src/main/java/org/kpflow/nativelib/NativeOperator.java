package org.kpflow.nativelib;

/** A self-adjoint operator that native code can apply by itself, without a crossing per product. */
public interface NativeOperator {
  /** The linearization whose operator it is. */
  LinearizationHandle handle();

  /** The code of enum kpflow_operator. */
  int operatorCode();
}
