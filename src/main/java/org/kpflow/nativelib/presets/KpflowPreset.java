package org.kpflow.nativelib.presets;

import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * JavaCPP's recipe for the binding of {@code kpflow.h}: generates {@code
 * org.kpflow.nativelib.Kpflow} and its structs. OpenBLAS and ARPACK are loaded from their own jars
 * before the core, whose references to them then resolve by name.
 */
@Properties(
    value =
        @Platform(
            value = "linux-x86_64",
            include = "kpflow.h",
            library = "jnikpflow",
            link = "kpflow",
            preload = {"quadmath@.0", "gfortran@.5", "openblas@.0", "arpack@.2"},
            preloadresource = {"/org/bytedeco/openblas/", "/org/bytedeco/arpackng/"}),
    target = "org.kpflow.nativelib",
    global = "org.kpflow.nativelib.Kpflow")
@NoException
public class KpflowPreset implements InfoMapper {
  @Override
  public void map(InfoMap infoMap) {
    infoMap.put(
        new Info("kpflow_context").valueTypes("NativeContext").pointerTypes("NativeContext"));
    infoMap.put(
        new Info("kpflow_linearization")
            .valueTypes("NativeLinearization")
            .pointerTypes("NativeLinearization"));
  }
}
