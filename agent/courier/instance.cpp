#include "agent/courier/instance.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "common/ids.h"

namespace backstay {

std::string new_instance_id(const std::string& state_dir) {
    struct stat folder {};
    const bool known = ::stat(state_dir.c_str(), &folder) == 0;
    const auto boot = read_file("/proc/sys/kernel/random/boot_id", 64);
    // What cannot be told apart must not pass for the same.
    const std::string place =
        known && boot ? fmt::format("{} {} {} {}", *boot, folder.st_dev, folder.st_ino, state_dir) : new_uuid();
    return fmt::format("{}.{}", digest_hex(DigestKind::blake2b, as_bytes(place)).substr(0, 16), new_uuid());
}

}  // namespace backstay
