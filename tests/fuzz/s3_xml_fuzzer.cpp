// Any octets as what an S3 server answers: read as XML, and as the reason of a refusal.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "storage/s3/refusal.h"
#include "storage/s3/xml.h"

namespace {

std::size_t depth(const backstay::s3::XmlElement& element) {
    std::size_t deepest = 0;
    for (const auto& child : element.children) deepest = std::max(deepest, depth(child));
    return deepest + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto root = backstay::s3::parse_xml(text);
    if (root && depth(*root) > backstay::s3::kXmlDepth) std::abort();
    backstay::http::ClientResponse response;
    response.status = 400 + static_cast<int>(size % 200);
    response.body = text;
    const backstay::Error error = backstay::s3::refusal(response);
    if (error.message().size() > 1000 || error.message().find('\n') != std::string::npos) std::abort();
    return 0;
}
