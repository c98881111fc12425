// Plain functions as JavaScript calls them. The types of a function's parameters say how its
// arguments are read and checked, so that an export is one line of a table:
//
//   {"listen", Call<os::Listen>},                      n >= 0 or -errno
//   {"accept4", Open<Accept4>},                        an fd, which the environment owns now
//   {"dup3", Open<os::Dup3, int, int, Flags>},         types in place of the function's own
//
// The arguments are read from left to right; the first that is wrong ends the call, by an
// exception.
#ifndef TRIPOLL_CALL_WRAP_H_
#define TRIPOLL_CALL_WRAP_H_

#include <tuple>
#include <type_traits>
#include <utility>

#include "env_wrap.h"

namespace tripoll {

// What a parameter may be, beside int32_t, uint32_t, int64_t (a whole number that a double holds),
// std::string, Span (all of a Uint8Array), napi_value (as it is), and napi_env or Environment*,
// which take no argument: a class with a Read as these have, and with kArguments, unless it takes
// one.

// A word of flags, signed or not: JavaScript's `|` makes bit 31 a sign.
struct Flags {
  uint32_t word = 0;

  explicit operator uint32_t() const { return word; }
  explicit operator int() const { return static_cast<int>(word); }
  bool Read(const Args* args, size_t at) { return args->Flags(at, &word); }
};

// A Uint8Array, an offset and a length.
struct Part : Span {
  static constexpr size_t kArguments = 3;
  bool Read(const Args* args, size_t at) { return args->Bytes(at, this); }
};

template <typename T, typename = void>
constexpr size_t kArgumentsOf =
    std::is_same_v<T, napi_env> || std::is_same_v<T, Environment*> ? 0 : 1;
template <typename T>
constexpr size_t kArgumentsOf<T, std::void_t<decltype(T::kArguments)>> = T::kArguments;

template <typename T>
bool ReadArgument(Args* args, size_t at, T* value) {
  if constexpr (std::is_same_v<T, int32_t>) {
    return args->Int32(at, value);
  } else if constexpr (std::is_same_v<T, uint32_t>) {
    return args->Uint32(at, value);
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return args->Int53(at, value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return args->Text(at, value);
  } else if constexpr (std::is_same_v<T, Span>) {
    return args->WholeBytes(at, value);
  } else if constexpr (std::is_same_v<T, napi_value>) {
    *value = (*args)[at];
  } else if constexpr (std::is_same_v<T, napi_env>) {
    *value = args->env();
  } else if constexpr (std::is_same_v<T, Environment*>) {
    *value = args->environment();
  } else {
    return value->Read(args, at);
  }
  return true;
}

template <typename T>
bool ReadNext(Args* args, size_t* at, T* value) {
  return ReadArgument(args, std::exchange(*at, *at + kArgumentsOf<T>), value);
}

// Ends a call with a number, or with what the function made or threw by itself.
inline napi_value Answer(napi_env env, int32_t result) { return ToValue(env, result); }
inline napi_value Answer(napi_env /*env*/, napi_value result) { return result; }

template <typename... T>
struct Types {};

template <auto kFunction, bool kOpens, typename... Read, typename Result, typename... Taken,
          size_t... kIndex>
napi_value CallAs(napi_env env, napi_callback_info info, Types<Read...> /*read*/,
                  Result (* /*function*/)(Taken...), std::index_sequence<kIndex...> /*indices*/) {
  Args args(env, info, (kArgumentsOf<Read> + ... + 0));
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): each is read before it is used
  std::tuple<Read...> values;
  [[maybe_unused]] size_t at = 0;
  if (!(ReadNext(&args, &at, &std::get<kIndex>(values)) && ...)) return args.refusal();
  const Result result = kFunction(static_cast<Taken>(std::get<kIndex>(values))...);
  if constexpr (kOpens) {
    if (result >= 0) args.environment()->fds.Insert(result);
  }
  return Answer(env, result);
}

template <auto kFunction, bool kOpens, typename... As, typename Result, typename... Taken>
napi_value CallFunction(napi_env env, napi_callback_info info, Types<As...> /*as*/,
                        Result (*function)(Taken...)) {
  constexpr std::index_sequence_for<Taken...> kIndices;
  if constexpr (sizeof...(As) > 0) {
    return CallAs<kFunction, kOpens>(env, info, Types<As...>(), function, kIndices);
  } else {
    return CallAs<kFunction, kOpens>(env, info, Types<std::decay_t<Taken>...>(), function,
                                     kIndices);
  }
}

template <auto kFunction, typename... As>
napi_value Call(napi_env env, napi_callback_info info) {
  return CallFunction<kFunction, false>(env, info, Types<As...>(), kFunction);
}

template <auto kFunction, typename... As>
napi_value Open(napi_env env, napi_callback_info info) {
  return CallFunction<kFunction, true>(env, info, Types<As...>(), kFunction);
}

}  // namespace tripoll

#endif  // TRIPOLL_CALL_WRAP_H_
