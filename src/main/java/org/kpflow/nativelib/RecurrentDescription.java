package org.kpflow.nativelib;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.kpflow.base.DType;

/**
 * A recurrent model and what it reads; arrays of one dtype, initial and trajectory null when
 * absent.
 *
 * @param cell null for one computed by the caller, whose gates g and components m count then
 */
public record RecurrentDescription(
    String cell,
    double cellParameter,
    int gates,
    int components,
    DType dtype,
    long trials,
    long steps,
    long inputs,
    long units,
    List<Layer> layers,
    NativeMemory input,
    NativeMemory initial,
    NativeMemory trajectory) {

  private NativeMemory[] used() {
    List<NativeMemory> used = new ArrayList<>(List.of(input));
    addPresent(used, initial, trajectory);
    for (Layer layer : layers) {
      used.addAll(List.of(layer.weightIh, layer.weightHh));
      addPresent(used, layer.biasIh, layer.biasHh);
      if (layer.trajectory != null) {
        CellTrajectory own = layer.trajectory;
        used.addAll(List.of(own.sites, own.states, own.derivatives));
      }
    }
    return used.toArray(NativeMemory[]::new);
  }

  private static void addPresent(List<NativeMemory> used, NativeMemory... optional) {
    for (NativeMemory memory : optional) {
      if (memory != null) {
        used.add(memory);
      }
    }
  }

  private void checkSizes() {
    int[] shape = cell == null ? new int[] {gates, components} : cellShape(cell);
    long own = Engine.product(shape[1], units); // state of a layer
    long state = Engine.product(layers.size(), own);
    long rows = Engine.product(trials, steps);
    holds(input, Engine.product(rows, inputs));
    holds(initial, Engine.product(trials, state));
    holds(trajectory, Engine.product(rows, state));
    for (int l = 0; l < layers.size(); l++) {
      Layer layer = layers.get(l);
      long gateUnits = Engine.product(shape[0], units);
      holds(layer.weightIh, Engine.product(gateUnits, l == 0 ? inputs : units));
      holds(layer.weightHh, Engine.product(gateUnits, units));
      holds(layer.biasIh, gateUnits);
      holds(layer.biasHh, gateUnits);
      Engine.require((cell == null) == (layer.trajectory != null), "cell: computed or named");
      if (cell == null) {
        holds(layer.trajectory.sites, Engine.product(rows, units));
        holds(layer.trajectory.states, Engine.product(rows, own));
        long slots = CellTrajectory.slots(gates, components);
        holds(layer.trajectory.derivatives, Engine.product(rows, slots, units));
      }
    }
  }

  private void holds(NativeMemory memory, long count) {
    if (memory != null) {
      Engine.holds(memory, dtype, count);
    }
  }

  /** Gate blocks and state components per unit of a cell: {g, m}. */
  public static int[] cellShape(String cell) {
    int[] shape = new int[2];
    try (BytePointer name = new BytePointer(cell);
        IntPointer gates = new IntPointer(1);
        IntPointer components = new IntPointer(1)) {
      Engine.check(Kpflow.kpflow_cell_shape(name, gates, components));
      shape[0] = gates.get();
      shape[1] = components.get();
    }
    return shape;
  }

  interface Call {
    int status(NativeContext context, kpflow_recurrent description, kpflow_monitor monitor);
  }

  /** Makes a native call with this description, whose memory is kept alive. */
  void run(ContextHandle context, Call call) {
    checkSizes();
    try (kpflow_recurrent description = new kpflow_recurrent();
        kpflow_layer array = new kpflow_layer(layers.size());
        BytePointer name = cell == null ? null : new BytePointer(cell)) {
      context.monitoredAnywhere(
          (c, monitor) -> {
            for (int l = 0; l < layers.size(); l++) {
              write(layers.get(l), array.position(l));
            }
            description
                .cell(name)
                .cell_parameter(cellParameter)
                .dtype(dtype.nativeCode())
                .gates(gates)
                .components(components)
                .trials(trials)
                .steps(steps)
                .inputs(inputs)
                .units(units)
                .layer_count(layers.size())
                .layers(array.position(0))
                .input(input.pointer())
                .initial(Engine.pointerOrNull(initial))
                .trajectory(Engine.pointerOrNull(trajectory));
            return call.status(c, description, monitor);
          },
          used());
    }
  }

  private static void write(Layer layer, kpflow_layer target) {
    CellTrajectory own = layer.trajectory();
    target
        .trainable(layer.trainable())
        .weight_ih(layer.weightIh().pointer())
        .weight_hh(layer.weightHh().pointer())
        .bias_ih(Engine.pointerOrNull(layer.biasIh()))
        .bias_hh(Engine.pointerOrNull(layer.biasHh()))
        .sites(own == null ? null : own.sites().pointer())
        .states(own == null ? null : own.states().pointer())
        .derivatives(own == null ? null : own.derivatives().pointer());
  }

  /**
   * One layer's weights; biases null when absent.
   *
   * @param trainable bit f set: the weights of kind f (kpflow.h) are part of theta
   * @param trajectory what the caller has computed, or null
   */
  public record Layer(
      int trainable,
      NativeMemory weightIh,
      NativeMemory weightHh,
      NativeMemory biasIh,
      NativeMemory biasHh,
      CellTrajectory trajectory) {}

  /**
   * A layer whose cell the caller computed: sites [k, H], states [k, m H] and derivatives [k,
   * slots, H] in the order of kpflow.h.
   */
  public record CellTrajectory(NativeMemory sites, NativeMemory states, NativeMemory derivatives) {
    /** 2 g m + m² + m, the derivatives of a unit. */
    public static long slots(int gates, int components) {
      long g = gates;
      long m = components;
      return 2 * g * m + m * m + m;
    }
  }
}
