// Any octets, read as requests: whole, in pieces of seven, and one by one. What is understood must not depend on how
// the network cut it, and what is accepted must keep the rules that smuggling breaks.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/server_parser.h"

namespace backstay::http {

namespace {

constexpr std::size_t kHeadLimit = 2048;
constexpr std::size_t kBodyLimit = 4096;
const RequestReader::StreamedBody kGathered;

void demand(bool holds) {
    if (!holds) std::abort();
}

void check(const Request& request) {
    std::size_t hosts = 0;
    std::size_t lengths = 0;
    std::size_t codings = 0;
    for (const auto& [name, value] : request.headers.all()) {
        demand(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
        Headers one;
        one.add(name, value);
        hosts += one.has("host") ? 1 : 0;
        lengths += one.has("content-length") ? 1 : 0;
        codings += one.has("transfer-encoding") ? 1 : 0;
    }
    demand(hosts <= 1 && lengths + codings <= 1);
    if (lengths == 1) demand(std::stoull(std::string(request.headers.get("content-length"))) == request.body.size());
    if (lengths + codings == 0) demand(request.body.empty());
    demand(request.body.size() <= kBodyLimit);
    demand(request.target == "*" || request.target.front() == '/');
    demand(request.path.find('\0') == std::string::npos);
    for (const char c : request.target) demand(c > 0x20 && c < 0x7f);
}

// Everything that was understood, as text.
std::string read(std::string_view bytes, std::size_t piece) {
    ServerLimits limits;
    limits.head_bytes = kHeadLimit;
    limits.body_bytes = kBodyLimit;
    std::string story;
    auto reader = std::make_unique<RequestReader>(limits, kGathered);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        std::string_view part = bytes.substr(at, piece);
        while (!part.empty()) {
            const std::size_t before = part.size();
            const auto progress = reader->feed(part);
            if (progress == RequestReader::Progress::refused) {
                return story + "refused " + std::to_string(reader->refusal().status);
            }
            if (progress == RequestReader::Progress::complete) {
                const Request request = reader->take_request();
                check(request);
                story += request.method + " " + request.target + " " + request.body + "\n";
                reader = std::make_unique<RequestReader>(limits, kGathered);
                continue;
            }
            demand(progress == RequestReader::Progress::head || part.empty());
            demand(part.size() <= before);
        }
    }
    return story;
}

void try_input(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const std::string whole = read(bytes, bytes.size() + 1);
    demand(whole == read(bytes, 7));
    demand(whole == read(bytes, 1));
}

}  // namespace

}  // namespace backstay::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    backstay::http::try_input(data, size);
    return 0;
}
