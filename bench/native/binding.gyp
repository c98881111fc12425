{
  "target_defaults": {
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-fvisibility=hidden"],
    "cflags!": ["-O3"],
    "cflags": ["-O2"]
  },
  "targets": [
    {
      "target_name": "bench_peers",
      "defines": ["NAPI_VERSION=8"],
      "conditions": [
        ["OS=='linux'", {
          "sources": ["addon.cc", "libuv_naive.cc", "libuv_tuned.cc", "process_control.cc", "raw_epoll.cc"]
        }, { "type": "none" }]
      ]
    },
    {
      "target_name": "udp_peer",
      "type": "executable",
      "conditions": [
        ["OS=='linux'", { "sources": ["process_control.cc", "udp_peer.cc"] }, { "type": "none" }]
      ]
    },
    {
      "target_name": "load_generator",
      "type": "executable",
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "load_connection.cc", "load_generator.cc", "load_histogram.cc", "load_options.cc", "load_probes.cc"
          ]
        }, { "type": "none" }]
      ]
    },
    {
      "target_name": "tcp_peer",
      "type": "executable",
      "conditions": [["OS=='linux'", { "sources": ["tcp_peer.cc"] }, { "type": "none" }]]
    },
    {
      "target_name": "resp_peer",
      "type": "executable",
      "conditions": [["OS=='linux'", { "sources": ["resp_peer.cc"] }, { "type": "none" }]]
    },
    {
      "target_name": "tcp_load",
      "type": "executable",
      "conditions": [["OS=='linux'", { "sources": ["tcp_load.cc"] }, { "type": "none" }]]
    }
  ]
}
