{
  "targets": [
    {
      "target_name": "tripoll",
      "sources": ["<!@(node native/list-sources.cjs <(OS))"],
      "include_dirs": ["native", "native/unix"],
      "defines": ["NAPI_VERSION=8"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti"],
      "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-fvisibility=hidden"],
      "cflags": ["-O2"],
      "cflags!": ["-O3"]
    }
  ]
}
