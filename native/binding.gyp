{
  "targets": [
    {
      "target_name": "tripoll",
      "sources": ["<!@(node list-sources.cjs <(OS))"],
      "include_dirs": ["."],
      "conditions": [
        [
          "OS=='win'",
          {
            "include_dirs": ["windows"],
            "defines": ["_WIN32_WINNT=0x0A00", "WIN32_LEAN_AND_MEAN", "NOMINMAX", "UNICODE", "_UNICODE"],
            "libraries": ["-lws2_32.lib", "-lmswsock.lib", "-lntdll.lib", "-liphlpapi.lib"],
            "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["/W4"] } }
          },
          { "include_dirs": ["unix"] }
        ]
      ],
      "defines": ["NAPI_VERSION=8"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti"],
      "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-fvisibility=hidden"],
      "cflags": ["-O2"],
      "cflags!": ["-O3"]
    }
  ]
}
