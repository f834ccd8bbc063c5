package org.kpflow.flow;

import java.util.ArrayList;
import java.util.List;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;

/** All maps of a linearization. */
public final class FlowOperators {
  private FlowOperators() {}

  /** P, its inverse, J, D_θf, the trial Jacobian, K, NTK, and both gate maps of every family. */
  public static List<LinearOperator> of(Linearization linearization) {
    PropagationOperator p = new PropagationOperator(linearization);
    List<LinearOperator> all =
        new ArrayList<>(
            List.of(
                p,
                p.inverse(),
                new ParameterJacobian(linearization),
                new LocalParameterJacobian(linearization),
                new TrialJacobian(linearization),
                new ParameterOperator(linearization),
                new NeuralTangentKernel(linearization)));
    for (WeightFamily family : linearization.families()) {
      all.add(new CorePropagator(linearization, family.name()));
      all.add(new GateDerivative(linearization, family.name()));
    }
    return all;
  }
}
