#include "env_wrap.h"

#include "waker_registry.h"

namespace tripoll {

namespace {

constexpr char kTypeCode[] = "ERR_TRIPOLL_INVALID_ARG_TYPE";
constexpr char kRangeCode[] = "ERR_TRIPOLL_OUT_OF_RANGE";
constexpr double kMaxSafeInteger = 9007199254740991.0;  // 2^53 - 1

void ReleaseBlock(napi_env /*env*/, void* /*data*/, void* hint) {
  static_cast<SharedBlock*>(hint)->Release();
}

// What Deno makes of being ended while JavaScript runs. The error that ended it has been told:
// null, or what half a turn of the reactor leads to, would be told in its place. Nothing of ours
// throws it.
bool IsNull(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_null;
}

}  // namespace

PollerEntry::~PollerEntry() {
  if (driver != nullptr) static_cast<void>(driver->Close());
  // Before the poller goes: no other thread may find it afterwards (T56).
  if (wake_id != 0) UnregisterWakeTarget(wake_id);
  if (abandoned)
    static_cast<void>(poller.release());
  else if (events != nullptr)
    events->Release();
}

Environment::~Environment() {
  if (arena != nullptr) arena->Release();
}

bool Args::RefuseType() const {
  ThrowType(env_, "expected a number");
  return false;
}

bool Args::RefuseRange() const {
  ThrowRange(env_, "expected a whole number within range");
  return false;
}

bool Args::Int53(size_t index, int64_t* value) const {
  double number = 0;
  if (!Number(index, -kMaxSafeInteger, kMaxSafeInteger, &number)) return false;
  *value = static_cast<int64_t>(number);
  return true;
}

bool Args::Text(size_t index, std::string* value) const {
  char text[256];
  size_t length = 0;
  if (napi_get_value_string_utf8(env_, values_[index], text, sizeof text, &length) != napi_ok) {
    ThrowType(env_, "expected a string");
    return false;
  }
  value->assign(text, length);
  return true;
}

bool Args::WholeBytes(size_t index, Span* bytes) const {
  napi_typedarray_type type{};
  void* memory = nullptr;
  // Also what refuses a value that is no typed array at all.
  if (napi_get_typedarray_info(env_, values_[index], &type, &bytes->length, &memory, nullptr,
                               nullptr) != napi_ok ||
      type != napi_uint8_array) {
    ThrowType(env_, "expected a Uint8Array");
    return false;
  }
  bytes->data = static_cast<uint8_t*>(memory);
  return true;
}

bool Args::Bytes(size_t index, Span* part) const {
  Span whole;
  uint32_t offset = 0;
  uint32_t wanted = 0;
  if (!WholeBytes(index, &whole) || !Uint32(index + 1, &offset) || !Uint32(index + 2, &wanted))
    return false;
  if (offset > whole.length || wanted > whole.length - offset) {
    ThrowRange(env_, "offset and length reach past the end of the Uint8Array");
    return false;
  }
  *part = {whole.data + offset, wanted};
  return true;
}

napi_value Args::refusal() const { return refusal_ == 0 ? nullptr : ToValue(env_, refusal_); }

napi_value ToValue(napi_env env, int32_t value) {
  napi_value result = nullptr;
  return napi_create_int32(env, value, &result) == napi_ok ? result : nullptr;
}

bool SetNumber(napi_env env, napi_value object, const char* name, double value) {
  napi_value number = nullptr;
  return napi_create_double(env, value, &number) == napi_ok &&
         napi_set_named_property(env, object, name, number) == napi_ok;
}

bool SetText(napi_env env, napi_value object, const char* name, const std::string& value) {
  napi_value text = nullptr;
  return napi_create_string_utf8(env, value.data(), value.size(), &text) == napi_ok &&
         napi_set_named_property(env, object, name, text) == napi_ok;
}

napi_value ThrowType(napi_env env, const char* message) {
  static_cast<void>(napi_throw_type_error(env, kTypeCode, message));
  return nullptr;
}

napi_value ThrowRange(napi_env env, const char* message) {
  static_cast<void>(napi_throw_range_error(env, kRangeCode, message));
  return nullptr;
}

napi_value ToArrayBuffer(napi_env env, SharedBlock* block) {
  napi_value result = nullptr;
  block->Retain();
  // SAFETY: the view holds a reference until its finalizer, the caller another: neither side can
  // free the memory under the other, whatever happens to the view.
  const napi_status status = napi_create_external_arraybuffer(env, block->data(), block->bytes(),
                                                              ReleaseBlock, block, &result);
  if (status == napi_ok) return result;
  block->Release();
  return nullptr;
}

void CallContained(napi_env env, napi_async_context context, napi_ref callback, int32_t argument) {
  void* data = nullptr;
  if (napi_get_instance_data(env, &data) != napi_ok || data == nullptr) return;
  auto* environment = static_cast<Environment*>(data);
  napi_handle_scope scope = nullptr;
  if (environment->is_ending || napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value function = nullptr;
  napi_value receiver = nullptr;
  napi_value value = ToValue(env, argument);
  if (value != nullptr && napi_get_reference_value(env, callback, &function) == napi_ok &&
      napi_get_global(env, &receiver) == napi_ok) {
    napi_value ignored = nullptr;  // Deno 2 writes to it without asking
    // Its own failures are the exception below, or an environment that is being torn down.
    static_cast<void>(napi_make_callback(env, context, receiver, function, 1, &value, &ignored));
    bool pending = false;
    napi_value error = nullptr;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok) {
      environment->is_ending = IsNull(env, error);
      if (!environment->is_ending) static_cast<void>(napi_fatal_exception(env, error));
    }
  }
  static_cast<void>(napi_close_handle_scope(env, scope));
}

napi_value ToObject(napi_env env, const Constant* list, size_t count) {
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok) return nullptr;
  for (size_t i = 0; i < count; i++) {
    if (!SetNumber(env, object, list[i].name, static_cast<double>(list[i].value))) return nullptr;
  }
  return object;
}

void ExportAll(napi_env env, napi_value exports, const Export* list, size_t count) {
  void* environment = nullptr;
  if (napi_get_instance_data(env, &environment) != napi_ok) return;
  for (size_t i = 0; i < count; i++) {
    napi_value function = nullptr;
    if (napi_create_function(env, list[i].name, NAPI_AUTO_LENGTH, list[i].callback, environment,
                             &function) != napi_ok ||
        napi_set_named_property(env, exports, list[i].name, function) != napi_ok) {
      return;  // leaves an exception pending, which fails the load
    }
  }
}

}  // namespace tripoll
