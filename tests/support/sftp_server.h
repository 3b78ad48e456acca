// A real SFTP server (OpenSSH) for one test program, by tests/infra/sftp.sh: started with the first use, gone with the
// program, however that ends.
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <sstream>
#include <string>

#include "storage/destination.h"
#include "tests/support/scripted_server.h"

namespace backstay::testing {

class SftpServer : public ScriptedServer {
public:
    // One for the whole program.
    static SftpServer& get() {
        static SftpServer server;
        return server;
    }
    // `option`: "small" is a disk of 4 MiB.
    explicit SftpServer(const char* option = nullptr)
        : ScriptedServer(BACKSTAY_SOURCE_DIR "/tests/infra/sftp.sh", option) {}

    std::string file(const std::string& name) const {
        std::ifstream stream(value(name));
        std::ostringstream text;
        text << stream.rdbuf();
        return text.str();
    }

    // A folder that does not exist yet; each call another one.
    SftpConfig new_folder() {
        SftpConfig config;
        config.host = value("SFTP_HOST");
        config.port = static_cast<std::uint16_t>(std::stoi(value("SFTP_PORT")));
        config.username = value("SFTP_USER");
        config.private_key = file("SFTP_KEY");
        config.host_key = value("SFTP_HOST_KEY");
        config.base_path = fmt::format("{}/folder-{}", value("SFTP_FOLDER"), ++folders_);
        return config;
    }

    static std::unique_ptr<Storage> open(const SftpConfig& config, const StorageContext& context = {}) {
        Destination destination;
        destination.name = "test";
        destination.type = "sftp";
        destination.sftp = config;
        auto storage = open_storage(destination, context);
        if (!storage) fail(storage.error().message());
        return std::move(storage).value();
    }

private:
    int folders_ = 0;
};

}  // namespace backstay::testing
