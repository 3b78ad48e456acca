// One object on its way to an SFTP server: written under a name of its own beside the objects, made durable, then
// renamed to its key, which never replaces anything. A connection that breaks is made anew and the file taken up where
// the server acknowledged it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/crypto/digest.h"
#include "storage/sftp/link.h"
#include "storage/storage.h"

namespace backstay::sftp {

class Upload {
public:
    explicit Upload(Link& link);
    // What was not published is removed, as far as the connection still serves for that.
    ~Upload();
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;

    Result<> fill(Source& content);
    // True: published. False: the key is taken, by whatever content.
    Result<bool> publish(std::string_view key);

    const std::string& sha256() const { return sha256_; }
    std::uint64_t bytes() const { return acknowledged_; }

private:
    std::size_t held() const { return end_ - begin_; }
    Result<> open(Session& session);
    Result<Handle> create(Session& session);
    Result<> send(std::size_t keep);
    Result<> send_over(Session& session, std::size_t keep);
    Result<> finish_over(Session& session);
    Result<bool> publish_over(Session& session, std::string_view key);
    Error explain_failure(Session& session, Error error) const;

    Link& link_;
    std::string path_;
    bool created_ = false;
    bool published_ = false;
    std::optional<Handle> handle_;
    Digest digest_{DigestKind::sha256};
    std::string sha256_;
    std::vector<std::byte> window_;  // sent or to be sent: kept from begin_ to end_ until it is acknowledged
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::uint64_t acknowledged_ = 0;
};

}  // namespace backstay::sftp
