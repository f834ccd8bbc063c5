package org.kpflow.nativelib;

import java.io.IOException;
import java.net.URL;
import org.bytedeco.javacpp.Loader;
import org.kpflow.base.InputException;

/**
 * Where the native library finds the one of the GPU. It is a resource beside it, which JavaCPP does
 * not know of: out of a jar it is unpacked when CUDA is first asked for. Without the resource,
 * native code looks beside itself and says what it misses.
 */
final class CudaLibrary {
  private static final String FAILURE = announced();

  private CudaLibrary() {}

  /**
   * Tells the native library, once.
   *
   * @throws InputException if the resource cannot be unpacked
   */
  static void announce() {
    if (FAILURE != null) {
      throw new InputException(FAILURE);
    }
  }

  /** What went wrong, or null. */
  private static String announced() {
    URL resource = Kpflow.class.getResource(Loader.getPlatform() + "/libkpflow_cuda.so");
    if (resource == null) {
      return null;
    }
    try {
      Kpflow.kpflow_set_cuda_library(Loader.cacheResource(resource).getPath());
      return null;
    } catch (IOException failed) {
      return "device cuda: its library cannot be unpacked (" + failed.getMessage() + ")";
    }
  }
}
