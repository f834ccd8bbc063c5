package org.kpflow.task;

import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;

/**
 * Tasks by name, with their options as text.
 *
 * <table>
 * <caption>Options, with defaults</caption>
 * <tr><td>memory_pro</td><td>stimulus=30, memory=30, response=30, conditions=20</td></tr>
 * <tr><td>multi_task</td>
 * <td>context=10, stimulus=30, memory=30, response=30, conditions=20</td></tr>
 * <tr><td>flip_flop</td><td>channels=3, steps=100, probability=0.1, conditions=64</td></tr>
 * <tr><td>student_teacher</td>
 * <td>inputs=16, rank=inputs, units=64, outputs=1, steps=40, conditions=128, seed=0</td></tr>
 * <tr><td>gaussian</td><td>inputs=16, rank=inputs, outputs=1, steps=40, targets=linear or noise,
 * delay=0, conditions=128, seed=0</td></tr>
 * </table>
 */
public final class Tasks {
  /** The names. */
  public static final List<String> NAMES =
      List.of("memory_pro", "multi_task", "flip_flop", "student_teacher", "gaussian");

  private Tasks() {}

  /**
   * The task of a name.
   *
   * @param options values by name; what is left out has its default
   * @throws InputException for a name, option or value that there is not
   */
  public static Task named(String name, Map<String, String> options) {
    Options given = new Options(name, Checks.notNull(options, "options"));
    try {
      Task task = read(Checks.notNull(name, "task"), given);
      given.requireAllKnown();
      return task;
    } catch (IllegalArgumentException wrong) {
      throw new InputException("task option " + wrong.getMessage(), wrong);
    }
  }

  private static Task read(String name, Options given) {
    switch (name) {
      case "memory_pro":
        return new MemoryPro(
            given.count("stimulus", 30, 1),
            given.count("memory", 30, 0),
            given.count("response", 30, 1),
            given.count("conditions", 20, 1));
      case "multi_task":
        return new MultiTask(
            given.count("context", 10, 0),
            given.count("stimulus", 30, 1),
            given.count("memory", 30, 0),
            given.count("response", 30, 1),
            given.count("conditions", 20, 1));
      case "flip_flop":
        return new FlipFlop(
            given.count("channels", 3, 1),
            given.count("steps", 100, 1),
            given.number("probability", 0.1, 0, 1),
            given.count("conditions", 64, 1));
      case "student_teacher":
        int channels = given.count("inputs", 16, 1);
        return new StudentTeacher(
            channels,
            given.count("rank", channels, 1),
            given.count("units", 64, 1),
            given.count("outputs", 1, 1),
            given.count("steps", 40, 1),
            given.count("conditions", 128, 1),
            given.seed("seed"));
      case "gaussian":
        int width = given.count("inputs", 16, 1);
        return new Gaussian(
            width,
            given.count("rank", width, 1),
            given.count("outputs", 1, 1),
            given.count("steps", 40, 1),
            given.choice("targets", Gaussian.Targets.LINEAR),
            given.count("delay", 0, 0),
            given.count("conditions", 128, 1),
            given.seed("seed"));
      default:
        throw new InputException("task: expected one of " + NAMES + ", got '" + name + "'");
    }
  }
}
