// Any octets as a WAL segment and as an archived object: read without harm, and what comes out is what was described.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/wal/archived_object.h"
#include "agent/wal/page_header.h"
#include "agent/wal/record_reader.h"
#include "common/crypto/digest.h"

namespace backstay::wal {
namespace {

void demand(bool holds) {
    if (!holds) std::abort();
}

void try_records(std::string_view text) {
    RecordReader reader;
    reader.feed(as_bytes(text));
    const Commits& commits = reader.commits();
    demand(commits.count <= commits.records && commits.first.has_value() == (commits.count > 0));
    demand(!commits.first || *commits.first <= *commits.last);
    static_cast<void>(check_first_page(as_bytes(text), parse_wal_name("000000010000000000000001").value(), 1, 1 << 20));
}

void try_object(std::string_view text) {
    const auto head = read_object_head(as_bytes(text));
    StringSink plain(1 << 24);
    UnpackingSink unpacking(plain);
    if (!unpacking.write(as_bytes(text)) || !unpacking.finish()) return;
    demand(head && plain.text().size() == head->bytes);
    const DigestKind kind = head->blake3 ? DigestKind::blake3 : DigestKind::blake2b;
    demand(digest_hex(kind, as_bytes(plain.text())) == head->digest());
}

void try_name(std::string_view text) {
    const auto name = parse_wal_name(text);
    if (!name) return;
    const std::string key = archive_key("v1/x", *name, std::string(64, 'a'), false);
    const auto entry = parse_archive_key("v1/x", key);
    demand(entry && entry->name.text == text);
}

}  // namespace
}  // namespace backstay::wal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    backstay::wal::try_records(text);
    backstay::wal::try_object(text);
    backstay::wal::try_name(text);
    return 0;
}
