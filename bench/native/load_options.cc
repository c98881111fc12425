#include "load_options.h"

#include <getopt.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace bench {
namespace {

constexpr double kMaxSeconds = 600;
constexpr uint32_t kMinSizeBytes = 8;  // the stamp of load_connection.h
constexpr uint32_t kMaxSizeBytes = 1 << 20;
constexpr uint32_t kMaxDepth = 4096;
constexpr uint32_t kMaxConnections = 100000;
constexpr uint64_t kMaxUnderWayBytes = 1 << 30;

enum Option {
  kHost,
  kPort,
  kConnections,
  kSize,
  kDepth,
  kSeconds,
  kWarmup,
  kCpu,
  kServerPid,
  kServerCpu,
  kIdle
};

const option kLongOptions[] = {{"host", required_argument, nullptr, kHost},
                               {"port", required_argument, nullptr, kPort},
                               {"connections", required_argument, nullptr, kConnections},
                               {"size", required_argument, nullptr, kSize},
                               {"depth", required_argument, nullptr, kDepth},
                               {"seconds", required_argument, nullptr, kSeconds},
                               {"warmup-seconds", required_argument, nullptr, kWarmup},
                               {"cpu", required_argument, nullptr, kCpu},
                               {"server-pid", required_argument, nullptr, kServerPid},
                               {"server-cpu", required_argument, nullptr, kServerCpu},
                               {"idle", no_argument, nullptr, kIdle},
                               {nullptr, 0, nullptr, 0}};

[[noreturn]] void Usage(const char* name, double low, double high) {
  fprintf(stderr, "load_generator: --%s takes a number from %g to %g, not '%s'\n", name, low, high,
          optarg);
  exit(2);
}

double ParseNumber(int index, double low, double high) {
  char* end = nullptr;
  errno = 0;
  const double value = strtod(optarg, &end);
  if (errno != 0 || end == optarg || *end != '\0' || !(value >= low && value <= high)) {
    Usage(kLongOptions[index].name, low, high);
  }
  return value;
}

uint32_t ParseCount(int index, uint32_t low, uint32_t high) {
  return static_cast<uint32_t>(ParseNumber(index, low, high));
}

void Apply(LoadOptions* options, int which, int index) {
  switch (which) {
    case kHost:
      options->host = optarg;
      break;
    case kPort:
      options->port = static_cast<uint16_t>(ParseCount(index, 1, UINT16_MAX));
      break;
    case kConnections:
      options->connections = ParseCount(index, 1, kMaxConnections);
      break;
    case kSize:
      options->size_bytes = ParseCount(index, kMinSizeBytes, kMaxSizeBytes);
      break;
    case kDepth:
      options->depth = ParseCount(index, 1, kMaxDepth);
      break;
    case kSeconds:
      options->seconds = ParseNumber(index, 0.01, kMaxSeconds);
      break;
    case kWarmup:
      options->warmup_seconds = ParseNumber(index, 0, kMaxSeconds);
      break;
    case kCpu:
      options->cpu = static_cast<int>(ParseCount(index, 0, 1023));
      break;
    case kServerPid:
      options->server_pids.push_back(static_cast<int>(ParseCount(index, 1, INT32_MAX)));
      break;
    case kServerCpu:
      options->server_cpu = static_cast<int>(ParseCount(index, 0, 1023));
      break;
    case kIdle:
      options->idle = true;
      break;
    default:
      exit(2);  // getopt_long has said why
  }
}

}  // namespace

LoadOptions ParseLoadOptions(int argc, char** argv) {
  LoadOptions options;
  int index = 0;
  for (int which = getopt_long(argc, argv, "", kLongOptions, &index); which != -1;
       which = getopt_long(argc, argv, "", kLongOptions, &index)) {
    Apply(&options, which, index);
  }
  if (options.port == 0 || optind != argc) {
    fprintf(stderr,
            "load_generator: --port is missing, or there is an argument that is no option\n");
    exit(2);
  }
  const uint64_t under_way = uint64_t{options.connections} * options.depth * options.size_bytes;
  if (under_way > kMaxUnderWayBytes) {
    fprintf(stderr, "load_generator: connections x depth x size is more than 1 GiB\n");
    exit(2);
  }
  return options;
}

void Fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("load_generator: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

}  // namespace bench
