package org.kpflow.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kpflow.cli.Main;

/** How the library of the GPU is found, and what is said where it is not; needs no GPU. */
class CudaLibraryTest {
  private static final String NAME = "libkpflow_cuda.so";

  @TempDir private Path directory;

  private static List<String> classPath() {
    String all =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    return Arrays.asList(all.split(File.pathSeparator));
  }

  /** The folder of our classes and of the core beside them. */
  private static Path classes() {
    return classPath().stream()
        .map(Path::of)
        .filter(entry -> Files.exists(entry.resolve("org/kpflow/nativelib/linux-x86_64")))
        .findFirst()
        .orElseThrow();
  }

  private static Path resource(Path root) {
    return root.resolve("org/kpflow/nativelib/linux-x86_64").resolve(NAME);
  }

  /** A jar of our classes and libraries, with the given library of the GPU, or none. */
  private Path jar(String library) throws IOException {
    Path jar = directory.resolve("kpflow-" + (library != null) + ".jar");
    Path root = classes();
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar));
        Stream<Path> files = Files.walk(root)) {
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        if (!file.endsWith(NAME)) {
          out.putNextEntry(new JarEntry(root.relativize(file).toString()));
          Files.copy(file, out);
          out.closeEntry();
        }
      }
      if (library != null) {
        out.putNextEntry(new JarEntry(root.relativize(resource(root)).toString()));
        out.write(library.getBytes(StandardCharsets.US_ASCII));
        out.closeEntry();
      }
    }
    return jar;
  }

  /** What a new process prints, with our classes from the given place. */
  private static String run(Path from, String library, String... arguments) throws Exception {
    String classes = classes().toString();
    String classPath =
        classPath().stream()
            .map(entry -> entry.equals(classes) ? from.toString() : entry)
            .collect(Collectors.joining(File.pathSeparator));
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    ProcessBuilder builder = new ProcessBuilder(java, "-cp", classPath, Main.class.getName());
    builder.command().addAll(List.of(arguments));
    builder.environment().remove("KPFLOW_CUDA_LIBRARY");
    if (library != null) {
      builder.environment().put("KPFLOW_CUDA_LIBRARY", library);
    }
    Process process = builder.redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return output;
  }

  private static String gpu(String info) {
    return info.lines().filter(line -> line.startsWith("gpu")).findFirst().orElse(info);
  }

  @Test
  void theLibraryInAJarIsUnpacked() throws Exception {
    String said = gpu(run(jar("no library at all"), null, "info"));
    assertTrue(said.contains(NAME) && said.contains("cannot be loaded"), said);
    assertTrue(!said.contains("No such file"), said);
  }

  @Test
  void aJarWithoutTheLibraryWorksAndSaysWhy() throws Exception {
    String info = run(jar(null), null, "info");
    assertTrue(info.contains("GEMM kernel"), info);
    String said = gpu(info);
    assertTrue(said.contains(NAME) && said.contains("No such file"), said);
  }

  @Test
  void aLibraryThatIsNamedIsTheOneThatIsTried() throws Exception {
    String said = run(classes(), "/nowhere/lib.so", "verify", "--device", "cuda", "case");
    assertEquals(1, said.lines().filter(line -> line.startsWith("kpflow: ")).count(), said);
    assertTrue(said.contains("device cuda: ") && said.contains("/nowhere/lib.so"), said);
  }
}
