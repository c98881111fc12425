{
  "targets": [
    {
      "target_name": "tripoll",
      "sources": ["<!@(node native/list-sources.cjs <(OS))"],
      "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_DEPRECATED", "NAPI_DISABLE_CPP_EXCEPTIONS"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti"],
      "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-fvisibility=hidden"],
      "cflags": ["-O2"],
      "cflags!": ["-O3"]
    }
  ]
}
