package org.kpflow.nativelib;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bytedeco.cuda.cudart.cudaDeviceProp;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.IntPointer;

/**
 * The cards of this machine as CUDA's own runtime shows them, by bytedeco's binding of it. Our
 * kernels carry a runtime of their own: this is for people who want to know which cards there are.
 */
public final class CudaCards {
  static {
    Engine.load();
  }

  private CudaCards() {}

  /** A line for every card that is visible; none where the runtime or a driver is missing. */
  public static List<String> list() {
    try {
      return ask();
    } catch (LinkageError missing) { // the runtime, or the jar of the binding
      return List.of();
    }
  }

  private static List<String> ask() {
    List<String> cards = new ArrayList<>();
    try (IntPointer count = new IntPointer(1);
        cudaDeviceProp card = new cudaDeviceProp()) {
      if (cudart.cudaGetDeviceCount(count) != cudart.cudaSuccess) {
        return cards;
      }
      for (int index = 0; index < count.get(); index++) {
        if (cudart.cudaGetDeviceProperties(card, index) == cudart.cudaSuccess) {
          cards.add(
              String.format(
                  Locale.ROOT,
                  "%s, compute capability %d.%d, %.1f GiB",
                  card.name().getString(),
                  card.major(),
                  card.minor(),
                  card.totalGlobalMem() / (double) (1L << 30)));
        }
      }
    }
    return cards;
  }
}
