package org.kpflow.analysis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.estimate.NormEstimator;
import org.kpflow.flow.StateRestriction;
import org.kpflow.io.TensorMap;
import org.kpflow.model.Readout;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The error of a read-out of the state analysed, what a gradient step does about it, and how the
 * target's modes lie to the NTK.
 */
final class TargetAnalysis {
  private final StateRestriction selected;
  private final ExecutionContext context;
  private final Readout readout;
  private final Tensor targets;
  private final Tensor mask;
  private final TensorMap arrays;
  private final Tensor eigenvectors;

  /**
   * @param given read-out, targets and mask of the part
   * @param eigenvectors leading eigenvectors of the NTK [modes, B, T', n'], orthonormal
   */
  TargetAnalysis(
      StateRestriction selected, SelectedTargets given, TensorMap arrays, Tensor eigenvectors) {
    this.eigenvectors = eigenvectors;
    this.selected = selected;
    this.context = selected.context();
    this.readout = given.readout();
    this.targets = given.targets();
    this.mask = given.mask();
    this.arrays = arrays;
  }

  /**
   * The report; adds err, adj, dh and target_modes to the arrays.
   *
   * @param largest λ_1 of the NTK
   * @param temporalModes leading temporal modes of the NTK [modes, k'] in f64, or null
   */
  TargetReport run(double largest, Tensor temporalModes) {
    LinearOperator kernel = selected.tangentKernel();
    try (Tensor state = selected.state();
        Tensor wanted = targets.to(selected.dtype())) {
      Readout.Loss loss = readout.meanSquaredError(state, wanted, mask);
      loss.outputError().close();
      Tensor error = loss.error();
      arrays.put("err", error);
      Tensor adjoint = selected.propagation().rmatvec(error);
      arrays.put("adj", adjoint);
      Tensor change = selected.zeros(error.shape());
      arrays.put("dh", change);
      try (Tensor product = kernel.matvec(error)) {
        TensorMath.axpby(context, -1, product, 0, change);
      }
      double decrease = -TensorMath.dot(context, change, error);
      return new TargetReport(
          loss.value(),
          counted(),
          decrease,
          byFamily(error),
          decrease / TensorMath.dot(context, error, error),
          modes(kernel, largest, temporalModes));
    }
  }

  /** The steps of all trials that the loss counts. */
  private long counted() {
    return mask == null ? selected.rows() : Math.round(TensorMath.dot(context, mask, mask));
  }

  /** ||V_iᵀ P_core,i* err||² of every trainable family: its part of the gradient J* err. */
  private Map<String, Double> byFamily(Tensor error) {
    Map<String, Double> terms = new LinkedHashMap<>();
    try (Tensor gradient = selected.jacobian().rmatvec(error)) {
      long first = 0;
      for (WeightFamily family : selected.linearization().trainableFamilies()) {
        Tensor part = gradient.slice(first, family.size());
        terms.put(family.name(), TensorMath.dot(context, part, part));
        first += family.size();
      }
    }
    return terms;
  }

  /** Singular modes of the target [k, n_out], each lifted to the state as u_i (W_outᵀ r_i)ᵀ. */
  private List<TargetReport.Mode> modes(
      LinearOperator kernel, double largest, Tensor temporalModes) {
    long rows = selected.rows();
    long outputs = readout.outputs();
    List<TargetReport.Mode> modes = new ArrayList<>();
    try (Tensor wide = targets.to(DType.F64);
        Tensor gram = context.zeros(DType.F64, outputs, outputs)) {
      Tensor matrix = wide.reshape(Shape.of(rows, outputs));
      TensorMath.gemm(context, true, false, 1, matrix, matrix, 0, gram);
      try (DenseEigen eigen = DenseEigen.of(gram);
          Tensor weights = context.copyOf(eigen.vectors())) {
        double total = Arrays.stream(eigen.values()).map(v -> Math.max(v, 0)).sum();
        int count = 0;
        while (count < outputs && eigen.values()[count] > 1e-12 * eigen.values()[0]) {
          count++;
        }
        Tensor found =
            context.zeros(DType.F64, count, selected.range().size(0), selected.range().size(1));
        arrays.put("target_modes", found);
        for (int i = 0; i < count; i++) {
          double singular = Math.sqrt(eigen.values()[i]);
          Tensor mode = found.slice(i).reshape(Shape.of(rows, 1));
          Tensor direction = weights.slice(i, 1);
          TensorMath.gemm(context, false, true, 1 / singular, matrix, direction, 0, mode);
          Lifted lifted = lifted(kernel, mode, direction);
          modes.add(
              new TargetReport.Mode(
                  singular,
                  eigen.values()[i] / total,
                  lifted.rayleigh,
                  lifted.rayleigh / largest,
                  insideOf(temporalModes, mode),
                  lifted.stateShare));
        }
      }
    }
    return modes;
  }

  private record Lifted(double rayleigh, double stateShare) {}

  /** Rayleigh quotient of U = u (W_outᵀ r)ᵀ, and Σ_j <v_j, U>² / ||U||² over eigenvectors v_j. */
  private Lifted lifted(LinearOperator kernel, Tensor mode, Tensor direction) {
    long rows = mode.shape().size(0);
    long outputs = direction.shape().size(1);
    try (Tensor wide = context.zeros(DType.F64, rows, outputs)) {
      TensorMath.gemm(context, false, false, 1, mode, direction, 0, wide);
      Shape shape = Shape.of(selected.range().size(0), selected.range().size(1), outputs);
      try (Tensor product = wide.reshape(shape).to(selected.dtype());
          Tensor lifted = readout.lift(product, selected.range().size(2))) {
        double square = TensorMath.dot(context, lifted, lifted);
        if (square == 0) {
          return new Lifted(Double.NaN, Double.NaN); // the read-out does not reach this mode
        }
        double inside = 0;
        for (long j = 0; j < eigenvectors.shape().size(0); j++) {
          double overlap = TensorMath.dot(context, eigenvectors.slice(j), lifted);
          inside += overlap * overlap / square;
        }
        return new Lifted(NormEstimator.rayleigh(kernel, lifted), inside);
      }
    }
  }

  /** Σ_j <m_j, u>² over orthonormal rows m_j, u a unit vector. */
  private double insideOf(Tensor temporalModes, Tensor mode) {
    if (temporalModes == null) {
      return Double.NaN;
    }
    try (Tensor overlaps = context.zeros(DType.F64, temporalModes.shape().size(0), 1)) {
      TensorMath.gemm(context, false, false, 1, temporalModes, mode, 0, overlaps);
      return TensorMath.dot(context, overlaps, overlaps);
    }
  }
}
