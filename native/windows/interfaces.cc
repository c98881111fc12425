#include "windows/interfaces.h"

#include <climits>
#include <cstring>
#include <memory>
#include <new>

#include "datagram_calls.h"
#include "windows/net.h"
#include "windows/win_error.h"

#include <iphlpapi.h>  // after the headers of Winsock

#include "os_errno.h"

namespace tripoll {

namespace {

// Of a table that grows while it is read; each further round needs a new address.
constexpr int kMostTries = 4;

int ReadAddresses(std::unique_ptr<uint8_t[]>* table) {
  ULONG bytes = 0;
  ULONG code = ERROR_INSUFFICIENT_BUFFER;
  for (int i = 0; i < kMostTries && code == ERROR_INSUFFICIENT_BUFFER; i++) {
    table->reset(bytes > 0 ? new (std::nothrow) uint8_t[bytes] : nullptr);
    if (bytes > 0 && *table == nullptr) return -ENOMEM;
    code = GetIpAddrTable(reinterpret_cast<MIB_IPADDRTABLE*>(table->get()), &bytes, FALSE);
  }
  if (code == NO_ERROR && *table == nullptr) return -ENODEV;  // an empty one
  return FromWinError(code);
}

}  // namespace

int AddressOfInterface(uint32_t index, in_addr* address) {
  *address = {};
  if (index == 0) return 0;
  std::unique_ptr<uint8_t[]> memory;
  const int error = ReadAddresses(&memory);
  if (error < 0) return error;
  const auto* table = reinterpret_cast<const MIB_IPADDRTABLE*>(memory.get());
  for (DWORD i = 0; i < table->dwNumEntries; i++) {
    if (table->table[i].dwIndex != index || table->table[i].dwAddr == 0) continue;
    address->s_addr = table->table[i].dwAddr;
    return 0;
  }
  return -ENODEV;
}

namespace os {

// By the name that Windows shows and Node's os.networkInterfaces() has, which may be any text; and
// by the name of the header's own function, as "ethernet_3".
int IfNametoindex(const char* name) {
  wchar_t wide[IF_MAX_STRING_SIZE + 1];
  NET_LUID id{};
  NET_IFINDEX index = 0;
  const int length =
      MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, wide, IF_MAX_STRING_SIZE + 1);
  if (length > 0 && ConvertInterfaceAliasToLuid(wide, &id) == NO_ERROR &&
      ConvertInterfaceLuidToIndex(&id, &index) == NO_ERROR) {
    return static_cast<int>(index);
  }
  index = if_nametoindex(name);
  return index == 0 ? -ENODEV : static_cast<int>(index);
}

int SetMulticastInterface(int fd, const void* request) {
  struct {
    in_addr group;
    in_addr address;
    int index;
  } chosen{};
  std::memcpy(&chosen, request, sizeof chosen);
  if (chosen.index != 0) {
    const int error = AddressOfInterface(static_cast<uint32_t>(chosen.index), &chosen.address);
    if (error < 0) return error;
  }
  return Setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &chosen.address, sizeof chosen.address);
}

}  // namespace os

}  // namespace tripoll
