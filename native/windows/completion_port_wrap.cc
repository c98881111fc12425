// The raw completion port for JavaScript. Ports and lent blocks are named by index, operations by
// number, handles by their exact number; no value that JavaScript can pass becomes a pointer.
#include "address_wrap.h"
#include "call_wrap.h"
#include "windows/completion_port.h"
#include "windows/error_wrap.h"
#include "windows/pipe_wrap.h"
#include "windows/raw_handles.h"
#include "windows/socket_files_wrap.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// Numbers of one packet in the caller's Float64Array: key, operation, bytes, error.
constexpr size_t kWordsPerPacket = 4;
constexpr uint32_t kMostBlockBytes = 1u << 30;

struct RawState {
  std::vector<std::unique_ptr<CompletionPort>> ports;  // an index is never given twice
  std::vector<SharedBlock*> blocks;                    // likewise
  RawHandles handles;

  ~RawState() {
    // The ports first: they end what the kernel does with the others.
    ports.clear();
    for (SharedBlock* block : blocks) {
      if (block != nullptr) block->Release();
    }
  }
};

RawState* State(Environment* environment) {
  if (environment->raw == nullptr) environment->raw = std::make_shared<RawState>();
  return static_cast<RawState*>(environment->raw.get());
}

// A port by its index.
struct Port {
  bool Read(Args* args, size_t at) {
    uint32_t index = 0;
    if (!args->Uint32(at, &index)) return false;
    const auto& ports = State(args->environment())->ports;
    if (index < ports.size()) port = ports[index].get();
    return port != nullptr || args->Refuse(-EBADF);
  }
  CompletionPort* operator->() const { return port; }

  CompletionPort* port = nullptr;
};

// A handle's number survives the way through a double, or it is refused.
struct Handle {
  bool Read(const Args* args, size_t at) {
    int64_t number = 0;
    if (!args->Int53(at, &number)) return false;
    handle = reinterpret_cast<HANDLE>(static_cast<intptr_t>(number));
    if (number > 0) return true;
    ThrowRange(args->env(), "expected a handle");
    return false;
  }

  HANDLE handle = nullptr;
};

// (block, offset, length)
struct RangeArgument : LentRange {
  static constexpr size_t kArguments = 3;
  bool Read(const Args* args, size_t at) {
    uint32_t index = 0;
    uint32_t from = 0;
    uint32_t count = 0;
    if (!args->Uint32(at, &index) || !args->Uint32(at + 1, &from) || !args->Uint32(at + 2, &count))
      return false;
    const auto& blocks = State(args->environment())->blocks;
    if (index < blocks.size()) block = blocks[index];
    if (block == nullptr || from > block->bytes() || count > block->bytes() - from) {
      ThrowRange(args->env(), "offset and length reach past the end of the lent memory");
      return false;
    }
    offset = from;
    length = count;
    return true;
  }
};

// Lent memory by its index.
struct Block {
  bool Read(Args* args, size_t at) {
    uint32_t index = 0;
    if (!args->Uint32(at, &index)) return false;
    auto& blocks = State(args->environment())->blocks;
    if (index < blocks.size()) place = &blocks[index];
    return (place != nullptr && *place != nullptr) || args->Refuse(-EBADF);
  }

  SharedBlock** place = nullptr;
};

int RawAlloc(Environment* environment, uint32_t bytes) {
  if (bytes == 0 || bytes > kMostBlockBytes) return -EINVAL;
  SharedBlock* block = SharedBlock::Create(bytes);
  if (block == nullptr) return -ENOMEM;
  auto& blocks = State(environment)->blocks;
  blocks.push_back(block);
  return static_cast<int>(blocks.size() - 1);
}

napi_value RawView(napi_env env, Block block) { return ToArrayBuffer(env, *block.place); }

// Operations that are under way keep the memory on their own.
int RawFree(Block block) {
  (*block.place)->Release();
  *block.place = nullptr;
  return 0;
}

int PortCreate(Environment* environment, uint32_t concurrency) {
  int error = 0;
  auto port = CompletionPort::Create(concurrency, &error);
  if (port == nullptr) return error;
  auto& ports = State(environment)->ports;
  ports.push_back(std::move(port));
  return static_cast<int>(ports.size() - 1);
}

int PortClose(Environment* environment, Port port) {
  for (auto& known : State(environment)->ports) {
    if (known.get() == port.port) known.reset();
  }
  return 0;
}

int PortAssociate(Port port, Handle of, int64_t key) {
  return port->Associate(of.handle, static_cast<uint64_t>(key));
}

int PortPost(Port port, uint32_t bytes, int64_t key) {
  return port->Post(bytes, static_cast<uint64_t>(key));
}

// The caller's array of packets.
struct PacketsArgument {
  bool Read(const Args* args, size_t at) {
    napi_typedarray_type type{};
    void* memory = nullptr;
    if (napi_get_typedarray_info(args->env(), (*args)[at], &type, &length, &memory, nullptr,
                                 nullptr) != napi_ok ||
        type != napi_float64_array) {
      ThrowType(args->env(), "expected a Float64Array");
      return false;
    }
    words = static_cast<double*>(memory);
    return true;
  }

  double* words = nullptr;
  size_t length = 0;
};

int PortWait(Port port, PacketsArgument out, int timeout_ms) {
  Completion completions[kMostPackets];
  const size_t room = std::min(out.length / kWordsPerPacket, kMostPackets);
  const int count = port->Wait(completions, room, timeout_ms);
  for (int i = 0; i < count; i++) {
    *out.words++ = static_cast<double>(completions[i].key);
    *out.words++ = completions[i].operation;
    *out.words++ = completions[i].bytes;
    *out.words++ = completions[i].error;
  }
  return count;
}

template <int (CompletionPort::*kStart)(HANDLE, const LentRange&, uint32_t)>
int StartOnSocket(Port port, Handle of, const RangeArgument& range, Flags flags) {
  return (port.port->*kStart)(of.handle, range, flags.word);
}

template <int (CompletionPort::*kStart)(HANDLE, const LentRange&, uint64_t)>
napi_value StartOnFile(napi_env env, Port port, Handle of, const RangeArgument& range,
                       int64_t position) {
  if (position < 0) return ThrowRange(env, "expected a position in a file");
  const int error = (port.port->*kStart)(of.handle, range, static_cast<uint64_t>(position));
  return ToValue(env, error);
}

int PortAccept(Port port, Handle listener, Handle socket) {
  return port->Accept(listener.handle, socket.handle);
}

int PortConnect(Port port, Handle socket, const AddressArgument& address) {
  return port->Connect(socket.handle, address);
}

int PortConnectPipe(Port port, Handle pipe) { return port->ConnectPipe(pipe.handle); }
int PortCancel(Port port, int number) { return port->Cancel(number); }

// A name as its bytes, which a string argument would limit to 255.
std::string ToName(Span bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data), bytes.length);
}

int PipeCreate(Environment* environment, Span name, uint32_t most) {
  return State(environment)->handles.CreatePipe(ToName(name), most);
}

int FileOpen(Environment* environment, Span name, Flags access, uint32_t disposition) {
  return State(environment)->handles.OpenFile(ToName(name), access.word, disposition);
}

int HandleClose(Environment* environment, Handle of) {
  return State(environment)->handles.Close(of.handle);
}

const Export kExports[] = {
    {"rawAlloc", Call<RawAlloc>},
    {"rawView", Call<RawView>},
    {"rawFree", Call<RawFree>},
    {"portCreate", Call<PortCreate>},
    {"portClose", Call<PortClose>},
    {"portAssociate", Call<PortAssociate>},
    {"portPost", Call<PortPost>},
    {"portWait", Call<PortWait>},
    {"portRecv", Call<StartOnSocket<&CompletionPort::Recv>>},
    {"portSend", Call<StartOnSocket<&CompletionPort::Send>>},
    {"portRead", Call<StartOnFile<&CompletionPort::Read>>},
    {"portWrite", Call<StartOnFile<&CompletionPort::Write>>},
    {"portAccept", Call<PortAccept>},
    {"portConnect", Call<PortConnect>},
    {"portConnectPipe", Call<PortConnectPipe>},
    {"portCancel", Call<PortCancel>},
    {"pipeCreate", Call<PipeCreate>},
    {"fileOpen", Call<FileOpen>},
    {"handleClose", Call<HandleClose>},
};

}  // namespace

void ExportSystem(napi_env env, napi_value exports) {
  ExportErrors(env, exports);
  ExportPipes(env, exports);
  ExportSocketFiles(env, exports);
  ExportAll(env, exports, kExports);
}

}  // namespace tripoll
