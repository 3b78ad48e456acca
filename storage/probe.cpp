#include <fmt/format.h>

#include "common/domain/reasons.h"
#include "common/ids.h"
#include "storage/destination.h"

namespace backstay {

namespace {

Result<> read_back(Storage& storage, const std::string& key, const std::string& text) {
    StringSink sink(4096);
    TRY(storage.get(key, {}, sink).context("read back the test object"));
    if (sink.text() != text) {
        return Error(Errc::corrupted, "the test object came back with other content")
            .with_reason(reason::kRemoteCorrupt);
    }
    ListQuery query;
    query.prefix = key;
    const ListPage page = TRY(storage.list(query).context("list the test object"));
    if (page.objects.size() != 1 || page.objects.front().key != key) {
        return Error(Errc::corrupted, "the test object is missing in the listing").with_reason(reason::kRemoteCorrupt);
    }
    return {};
}

}  // namespace

Result<> probe_storage(Storage& storage) {
    const std::string key = fmt::format(".backstay-probe/{}", new_uuid());
    const std::string text = fmt::format("backstay probe {}\n", key);
    StringSource source(text);
    PutOptions options;
    options.expected_bytes = text.size();
    options.content_type = "text/plain";
    options.retain = false;
    TRY(storage.put(key, source, options).context("write a test object"));
    Result<> seen = read_back(storage, key, text);
    Result<> removed = storage.remove(key).context("remove the test object");
    // A store with object lock keeps what it got; it is writable all the same.
    const bool locked = !removed && removed.error().reason() == reason::kRemoteImmutable;
    if (!seen && !removed && !locked) seen.error().followed_by(removed.error());
    TRY(std::move(seen));
    if (!removed && !locked) return removed;
    return {};
}

}  // namespace backstay
