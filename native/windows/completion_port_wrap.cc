// The raw completion port for JavaScript. Ports and lent blocks are named by index, operations by
// number, handles by their exact number; no value that JavaScript can pass becomes a pointer.
#include "address.h"
#include "env_wrap.h"
#include "windows/completion_port.h"
#include "windows/error_wrap.h"
#include "windows/raw_handles.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// Numbers of one packet in the caller's Float64Array: key, operation, bytes, error.
constexpr size_t kWordsPerPacket = 4;
constexpr size_t kMostPackets = 256;
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

RawState* State(const Args& args) {
  Environment* environment = args.environment();
  if (environment->raw == nullptr) environment->raw = std::make_shared<RawState>();
  return static_cast<RawState*>(environment->raw.get());
}

// False and *error, or an exception that is pending and *error 0.
bool FindPort(const Args& args, CompletionPort** port, int* error) {
  uint32_t index = 0;
  *error = 0;
  if (!args.Uint32(0, &index)) return false;
  auto& ports = State(args)->ports;
  if (index < ports.size()) *port = ports[index].get();
  if (*port == nullptr) *error = -EBADF;
  return *port != nullptr;
}

napi_value Refused(napi_env env, int error) { return error == 0 ? nullptr : ToValue(env, error); }

// A handle's number survives the way through a double, or it is refused.
bool ReadHandle(const Args& args, size_t index, HANDLE* handle) {
  int64_t number = 0;
  if (!args.Int53(index, &number)) return false;
  *handle = reinterpret_cast<HANDLE>(static_cast<intptr_t>(number));
  if (number > 0) return true;
  ThrowRange(args.env(), "expected a handle");
  return false;
}

// (block, offset, length) at index and on.
bool ReadRange(const Args& args, size_t index, LentRange* range) {
  uint32_t block = 0;
  uint32_t offset = 0;
  uint32_t length = 0;
  if (!args.Uint32(index, &block) || !args.Uint32(index + 1, &offset) ||
      !args.Uint32(index + 2, &length))
    return false;
  const auto& blocks = State(args)->blocks;
  if (block < blocks.size()) range->block = blocks[block];
  if (range->block == nullptr || offset > range->block->bytes() ||
      length > range->block->bytes() - offset) {
    ThrowRange(args.env(), "offset and length reach past the end of the lent memory");
    return false;
  }
  range->offset = offset;
  range->length = length;
  return true;
}

napi_value RawAlloc(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  uint32_t bytes = 0;
  if (!args.Uint32(0, &bytes)) return nullptr;
  if (bytes == 0 || bytes > kMostBlockBytes) return ToValue(env, -EINVAL);
  SharedBlock* block = SharedBlock::Create(bytes);
  if (block == nullptr) return ToValue(env, -ENOMEM);
  auto& blocks = State(args)->blocks;
  blocks.push_back(block);
  return ToValue(env, static_cast<int32_t>(blocks.size() - 1));
}

napi_value RawView(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  uint32_t index = 0;
  if (!args.Uint32(0, &index)) return nullptr;
  const auto& blocks = State(args)->blocks;
  if (index >= blocks.size() || blocks[index] == nullptr) return ToValue(env, -EBADF);
  return ToArrayBuffer(env, blocks[index]);
}

// Operations that are under way keep the memory on their own.
napi_value RawFree(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  uint32_t index = 0;
  if (!args.Uint32(0, &index)) return nullptr;
  auto& blocks = State(args)->blocks;
  if (index >= blocks.size() || blocks[index] == nullptr) return ToValue(env, -EBADF);
  blocks[index]->Release();
  blocks[index] = nullptr;
  return ToValue(env, 0);
}

napi_value PortCreate(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  uint32_t concurrency = 0;
  if (!args.Uint32(0, &concurrency)) return nullptr;
  int error = 0;
  auto port = CompletionPort::Create(concurrency, &error);
  if (port == nullptr) return ToValue(env, error);
  auto& ports = State(args)->ports;
  ports.push_back(std::move(port));
  return ToValue(env, static_cast<int32_t>(ports.size() - 1));
}

napi_value PortClose(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  CompletionPort* port = nullptr;
  int error = 0;
  if (!FindPort(args, &port, &error)) return Refused(env, error);
  for (auto& known : State(args)->ports) {
    if (known.get() == port) known.reset();
  }
  return ToValue(env, 0);
}

napi_value PortAssociate(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  CompletionPort* port = nullptr;
  int error = 0;
  HANDLE handle = nullptr;
  int64_t key = 0;
  if (!FindPort(args, &port, &error)) return Refused(env, error);
  if (!ReadHandle(args, 1, &handle) || !args.Int53(2, &key)) return nullptr;
  return ToValue(env, port->Associate(handle, static_cast<uint64_t>(key)));
}

napi_value PortPost(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  CompletionPort* port = nullptr;
  int error = 0;
  uint32_t bytes = 0;
  int64_t key = 0;
  if (!FindPort(args, &port, &error)) return Refused(env, error);
  if (!args.Uint32(1, &bytes) || !args.Int53(2, &key)) return nullptr;
  return ToValue(env, port->Post(bytes, static_cast<uint64_t>(key)));
}

napi_value PortWait(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  CompletionPort* port = nullptr;
  int error = 0;
  int32_t timeout_ms = 0;
  if (!FindPort(args, &port, &error)) return Refused(env, error);
  if (!args.Int32(2, &timeout_ms)) return nullptr;
  napi_typedarray_type type{};
  size_t length = 0;
  void* memory = nullptr;
  if (napi_get_typedarray_info(env, args[1], &type, &length, &memory, nullptr, nullptr) !=
          napi_ok ||
      type != napi_float64_array) {
    return ThrowType(env, "expected a Float64Array");
  }
  Completion completions[kMostPackets];
  const int count =
      port->Wait(completions, std::min(length / kWordsPerPacket, kMostPackets), timeout_ms);
  auto* words = static_cast<double*>(memory);
  for (int i = 0; i < count; i++) {
    *words++ = static_cast<double>(completions[i].key);
    *words++ = completions[i].operation;
    *words++ = completions[i].bytes;
    *words++ = completions[i].error;
  }
  return ToValue(env, count);
}

using SocketOperation = int (CompletionPort::*)(HANDLE, const LentRange&, uint32_t);
using FileOperation = int (CompletionPort::*)(HANDLE, const LentRange&, uint64_t);

// (port, handle, block, offset, length, flags)
napi_value StartOnSocket(napi_env env, napi_callback_info info, SocketOperation start) {
  const Args args(env, info);
  CompletionPort* port = nullptr;
  int error = 0;
  HANDLE handle = nullptr;
  LentRange range;
  uint32_t flags = 0;
  if (!FindPort(args, &port, &error)) return Refused(env, error);
  if (!ReadHandle(args, 1, &handle) || !ReadRange(args, 2, &range) || !args.Flags(5, &flags))
    return nullptr;
  return ToValue(env, (port->*start)(handle, range, flags));
}

// (port, handle, block, offset, length, position)
napi_value StartOnFile(napi_env env, napi_callback_info info, FileOperation start) {
  const Args args(env, info);
  CompletionPort* port = nullptr;
  int error = 0;
  HANDLE handle = nullptr;
  LentRange range;
  int64_t position = 0;
  if (!FindPort(args, &port, &error)) return Refused(env, error);
  if (!ReadHandle(args, 1, &handle) || !ReadRange(args, 2, &range) || !args.Int53(5, &position))
    return nullptr;
  if (position < 0) return ThrowRange(env, "expected a position in a file");
  return ToValue(env, (port->*start)(handle, range, static_cast<uint64_t>(position)));
}

napi_value PortRecv(napi_env env, napi_callback_info info) {
  return StartOnSocket(env, info, &CompletionPort::Recv);
}
napi_value PortSend(napi_env env, napi_callback_info info) {
  return StartOnSocket(env, info, &CompletionPort::Send);
}
napi_value PortRead(napi_env env, napi_callback_info info) {
  return StartOnFile(env, info, &CompletionPort::Read);
}
napi_value PortWrite(napi_env env, napi_callback_info info) {
  return StartOnFile(env, info, &CompletionPort::Write);
}

napi_value PortAccept(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  CompletionPort* port = nullptr;
  int error = 0;
  HANDLE listener = nullptr;
  HANDLE socket = nullptr;
  if (!FindPort(args, &port, &error)) return Refused(env, error);
  if (!ReadHandle(args, 1, &listener) || !ReadHandle(args, 2, &socket)) return nullptr;
  return ToValue(env, port->Accept(listener, socket));
}

// (port, handle, family, address, tcp port, scope id)
napi_value PortConnect(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  CompletionPort* port = nullptr;
  int error = 0;
  HANDLE socket = nullptr;
  InternetAddress to;
  uint32_t tcp_port = 0;
  SocketAddress address;
  if (!FindPort(args, &port, &error)) return Refused(env, error);
  if (!ReadHandle(args, 1, &socket) || !args.Int32(2, &to.family) || !args.Text(3, &to.address) ||
      !args.Uint32(4, &tcp_port) || !args.Uint32(5, &to.scope_id))
    return nullptr;
  if (tcp_port > UINT16_MAX) return ThrowRange(env, "a port is at most 65535");
  to.port = static_cast<uint16_t>(tcp_port);
  error = ParseAddress(to, &address);
  return ToValue(env, error < 0 ? error : port->Connect(socket, address));
}

napi_value PortConnectPipe(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  CompletionPort* port = nullptr;
  int error = 0;
  HANDLE pipe = nullptr;
  if (!FindPort(args, &port, &error)) return Refused(env, error);
  if (!ReadHandle(args, 1, &pipe)) return nullptr;
  return ToValue(env, port->ConnectPipe(pipe));
}

napi_value PortCancel(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  CompletionPort* port = nullptr;
  int error = 0;
  int32_t number = 0;
  if (!FindPort(args, &port, &error)) return Refused(env, error);
  if (!args.Int32(1, &number)) return nullptr;
  return ToValue(env, port->Cancel(number));
}

// A name as its bytes, which a string argument would limit to 255.
bool ReadName(const Args& args, std::string* name) {
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!args.WholeBytes(0, &data, &length)) return false;
  name->assign(reinterpret_cast<const char*>(data), length);
  return true;
}

napi_value PipeCreate(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  std::string name;
  uint32_t most = 0;
  if (!ReadName(args, &name) || !args.Uint32(1, &most)) return nullptr;
  return ToValue(env, State(args)->handles.CreatePipe(name, most));
}

napi_value FileOpen(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  std::string name;
  uint32_t access = 0;
  uint32_t disposition = 0;
  if (!ReadName(args, &name) || !args.Flags(1, &access) || !args.Uint32(2, &disposition))
    return nullptr;
  return ToValue(env, State(args)->handles.OpenFile(name, access, disposition));
}

napi_value HandleClose(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  HANDLE handle = nullptr;
  if (!ReadHandle(args, 0, &handle)) return nullptr;
  return ToValue(env, State(args)->handles.Close(handle));
}

const Export kExports[] = {
    {"rawAlloc", RawAlloc},
    {"rawView", RawView},
    {"rawFree", RawFree},
    {"portCreate", PortCreate},
    {"portClose", PortClose},
    {"portAssociate", PortAssociate},
    {"portPost", PortPost},
    {"portWait", PortWait},
    {"portRecv", PortRecv},
    {"portSend", PortSend},
    {"portRead", PortRead},
    {"portWrite", PortWrite},
    {"portAccept", PortAccept},
    {"portConnect", PortConnect},
    {"portConnectPipe", PortConnectPipe},
    {"portCancel", PortCancel},
    {"pipeCreate", PipeCreate},
    {"fileOpen", FileOpen},
    {"handleClose", HandleClose},
};

}  // namespace

void ExportSystem(napi_env env, napi_value exports) {
  ExportErrors(env, exports);
  ExportAll(env, exports, kExports, sizeof kExports / sizeof kExports[0]);
}

}  // namespace tripoll
