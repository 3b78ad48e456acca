// The file in a multipart/form-data body (RFC 7578), read as it comes: nothing of it is kept.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/bytes.h"

namespace backstay::browse {

// The boundary of a Content-Type; nullopt when it is no multipart/form-data, or its boundary is none.
std::optional<std::string> boundary_of(std::string_view content_type);

// The content of the first part that is called `field`; other parts before it are passed over. Errors: 400
// file_required, invalid_multipart; those of `body` as they are.
class MultipartSource final : public Source {
public:
    MultipartSource(Source& body, const std::string& boundary, std::string field);
    Result<std::size_t> read(MutableByteSpan buffer) override;

private:
    Result<> find_part();
    Result<> read_headers(std::string& headers);
    // False: the body has no more bytes.
    Result<bool> refill();

    Source& body_;
    const std::string delimiter_;  // with the line end before it
    const std::string field_;
    std::string buffer_;
    bool in_part_ = false;
    bool ended_ = false;
};

}  // namespace backstay::browse
