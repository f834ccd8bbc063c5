package org.kpflow.model;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/**
 * dh/dt = -h/τ + tanh(W_hh h + b_hh + W_ih x + b_ih), with the input held over a time step dt;
 * weights are those of a single layer of {@link RecurrentModel} with one gate block.
 *
 * <p>By Euler's method a step of the state is a time step, and the state is h. By the classical
 * fourth-order Runge-Kutta method a time step is four steps of the state, with the components h, k
 * and sum: stage i reads h + c_i dt k, makes the next k, and adds b_i k to the sum; the fourth
 * moves h by dt times the sum. So h after whole time steps is the block h at every fourth step,
 * from the fourth on.
 */
public final class NeuralOde extends CellModel {
  /** How a time step is taken. */
  public enum Method {
    EULER,
    RK4
  }

  /**
   * A network with one time constant.
   *
   * @param dt time step, above 0, in the unit of τ
   * @param tau τ, above 0
   * @throws InputException as {@link RecurrentModel}, and for more than one layer
   */
  public NeuralOde(
      Map<String, Tensor> parameters, Method method, double dt, double tau, ModelOptions options) {
    this(parameters, method, dt, new double[] {tau}, options);
  }

  /**
   * A network with a time constant per unit.
   *
   * @param tau τ of every unit, [H], or one for all
   */
  public NeuralOde(
      Map<String, Tensor> parameters,
      Method method,
      double dt,
      double[] tau,
      ModelOptions options) {
    super("neural_ode_" + method, cell(method, dt, tau), parameters, options);
    boolean single = layers() == 1;
    boolean fits = tau.length == 1 || tau.length == units();
    if (!single || !fits) {
      String layers = "weights: expected one layer of a neural ODE, got " + layers();
      String constants = "tau: expected 1 or " + units() + " values, got " + tau.length;
      close();
      throw new InputException(single ? constants : layers);
    }
  }

  private static CellFunction cell(Method method, double dt, double[] tau) {
    Checks.notNull(method, "method");
    Checks.that(dt > 0 && Double.isFinite(dt), "dt: expected above 0, got %s", dt);
    double[] constants = Checks.notNull(tau, "tau").clone();
    for (double constant : constants) {
      Checks.that(constant > 0, "tau: expected values above 0, got %s", Arrays.toString(tau));
    }
    return method == Method.EULER ? new Euler(dt, constants) : new RungeKutta(dt, constants);
  }

  private static Dual slope(Dual drive, Dual h, double[] tau, int unit) {
    return drive.tanh().minus(h.dividedBy(tau[tau.length == 1 ? 0 : unit]));
  }

  private record Euler(double dt, double[] tau) implements CellFunction {
    @Override
    public int gates() {
      return 1;
    }

    @Override
    public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
      Dual k = slope(q[0].plus(p[0]), previous[0], tau, unit);
      return new Dual[] {previous[0].plus(k.times(dt))};
    }
  }

  private record RungeKutta(double dt, double[] tau) implements CellFunction {
    private static final double[] C = {0, 0.5, 0.5, 1};
    private static final double[] B = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};

    @Override
    public int gates() {
      return 1;
    }

    @Override
    public int components() {
      return 3;
    }

    @Override
    public List<String> componentNames() {
      return List.of("h", "k", "sum");
    }

    @Override
    public int stages() {
      return C.length;
    }

    /** h + c_i dt k; the first stage reads h alone. */
    @Override
    public Dual site(Dual[] previous, long step, int unit) {
      int stage = (int) (step % C.length);
      return stage == 0 ? previous[0] : previous[0].plus(previous[1].times(C[stage] * dt));
    }

    @Override
    public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
      int stage = (int) (step % C.length);
      Dual h = previous[0];
      Dual k = slope(q[0].plus(p[0]), site(previous, step, unit), tau, unit);
      Dual sum = stage == 0 ? k.times(B[0]) : previous[2].plus(k.times(B[stage]));
      return new Dual[] {stage == C.length - 1 ? h.plus(sum.times(dt)) : h, k, sum};
    }
  }
}
