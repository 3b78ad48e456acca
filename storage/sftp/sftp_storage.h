// Objects as files below one folder of an SFTP server.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/destination.h"
#include "storage/storage.h"

namespace backstay::sftp {

// Checks keys and names; connects with the first call. One connection, 1 MiB of what is being sent.
Result<std::unique_ptr<Storage>> open_sftp(const SftpConfig& config, const StorageContext& context);

// What is wrong with the configuration, each with the contract's name of the member that it belongs to.
struct ConfigFault {
    std::string member;
    std::string message;
};
std::vector<ConfigFault> check_config(const SftpConfig& config);

}  // namespace backstay::sftp
