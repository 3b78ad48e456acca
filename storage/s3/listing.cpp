#include "storage/s3/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/domain/reasons.h"
#include "storage/s3/refusal.h"
#include "storage/s3/xml.h"

namespace backstay::s3 {

namespace {

constexpr std::size_t kMostEntries = 1000;  // S3 answers no more
constexpr int kMostPages = 10'000;          // against a server that never ends

Error bad_listing(std::string_view why) {
    return Error(Errc::corrupted, fmt::format("the store's listing {}", why))
        .with_reason(reason::kDestinationUnreachable);
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// encoding-type=url: a space may come as '+', a plus sign always comes as %2B.
Result<std::string> url_decode(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) return bad_listing("has a key that is not encoded right");
        plain += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return plain;
}

Result<std::string> decode_key(const XmlElement& root, std::string_view text) {
    // A server that does not know encoding-type answers keys as they are.
    if (root.text_of("EncodingType") == "url") return url_decode(text);
    return std::string(text);
}

Result<std::uint64_t> decode_size(std::string_view text) {
    std::uint64_t size = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (failed != std::errc() || end != text.data() + text.size() || text.empty()) {
        return bad_listing("has a size that is no number");
    }
    return size;
}

Result<TimeMs> decode_time(std::string_view text) {
    const Result<TimeMs> time = parse_rfc3339(text);
    return time ? time : bad_listing("has a time that is none");
}

// The key below the prefix.
Result<std::string> own_key(const XmlElement& root, std::string_view text, const std::string& prefix) {
    std::string key = TRY(decode_key(root, text));
    if (!key.starts_with(prefix)) return bad_listing("has a key outside the prefix that was asked for");
    return key.substr(prefix.size());
}

Result<ObjectInfo> decode_object(const XmlElement& root, const XmlElement& entry, const std::string& prefix) {
    ObjectInfo info;
    info.key = TRY(own_key(root, entry.text_of("Key"), prefix));
    info.size_bytes = TRY(decode_size(entry.text_of("Size")));
    info.modified_at = TRY(decode_time(entry.text_of("LastModified")));
    info.etag = unquoted(entry.text_of("ETag"));
    return info;
}

Result<ListPage> decode_page(const XmlElement& root, const std::string& prefix) {
    ListPage page;
    for (const XmlElement& entry : root.children) {
        if (entry.name == "Contents") {
            ObjectInfo info = TRY(decode_object(root, entry, prefix));
            if (check_key(info.key)) page.objects.push_back(std::move(info));
        } else if (entry.name == "CommonPrefixes") {
            std::string folder = TRY(own_key(root, entry.text_of("Prefix"), prefix));
            if (!folder.empty() && check_key(std::string_view(folder).substr(0, folder.size() - 1))) {
                page.folders.push_back(std::move(folder));
            }
        }
    }
    std::sort(page.objects.begin(), page.objects.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    std::sort(page.folders.begin(), page.folders.end());
    if (root.text_of("IsTruncated") == "true") {
        page.next = root.text_of("NextContinuationToken");
        if (page.next.empty()) return bad_listing("goes on but does not say where");
    }
    return page;
}

Result<XmlElement> fetch_document(Connection& connection, Query query, std::string_view name, bool clean_up) {
    Call call;
    call.query = std::move(query);
    call.clean_up = clean_up;
    const http::ClientResponse response = TRY(connection.once(call));
    Result<XmlElement> root = parse_xml(response.body);
    if (!root || root->name != name) return bad_listing("is none");
    return root;
}

struct UploadsPage {
    std::vector<UnfinishedUpload> uploads;
    Query next;  // empty: the last page
};

Result<UploadsPage> decode_uploads(const XmlElement& root) {
    UploadsPage page;
    for (const XmlElement& entry : root.children) {
        if (entry.name != "Upload") continue;
        UnfinishedUpload upload;
        upload.key = TRY(decode_key(root, entry.text_of("Key")));
        upload.id = entry.text_of("UploadId");
        upload.initiated_at = TRY(decode_time(entry.text_of("Initiated")));
        page.uploads.push_back(std::move(upload));
    }
    if (root.text_of("IsTruncated") != "true") return page;
    std::string key_marker = TRY(decode_key(root, root.text_of("NextKeyMarker")));
    if (key_marker.empty()) return bad_listing("of uploads goes on but does not say where");
    page.next = {{"key-marker", std::move(key_marker)},
                 {"upload-id-marker", std::string(root.text_of("NextUploadIdMarker"))}};
    return page;
}

}  // namespace

std::string unquoted(std::string_view etag) {
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    return std::string(etag);
}

Result<ListPage> list_page(Connection& connection, const std::string& prefix, const ListQuery& query) {
    const std::size_t entries = std::clamp<std::size_t>(query.max_entries, 1, kMostEntries);
    Query parameters = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", fmt::format("{}", entries)}};
    parameters.emplace_back("prefix", prefix + query.prefix);
    if (query.one_level) parameters.emplace_back("delimiter", "/");
    if (!query.continue_after.empty()) parameters.emplace_back("continuation-token", query.continue_after);
    const XmlElement root = TRY(fetch_document(connection, std::move(parameters), "ListBucketResult", false));
    return decode_page(root, prefix);
}

Result<> abort_upload(Connection& connection, std::string_view key, std::string_view id) {
    Call call;
    call.method = "DELETE";
    call.key = key;
    call.query = {{"uploadId", std::string(id)}};
    call.clean_up = true;
    const auto aborted = connection.persist(call);
    if (!aborted && !has_code(aborted.error(), "NoSuchUpload")) {
        return Result<>(aborted.error()).context("abort an upload");
    }
    return {};
}

Result<TimeMs> last_part_at(Connection& connection, const UnfinishedUpload& upload) {
    TimeMs newest = 0;
    std::string marker;
    for (int pages = 0; pages < kMostPages; ++pages) {
        Call call;
        call.key = upload.key;
        call.query = {{"uploadId", upload.id}, {"max-parts", "1000"}};
        if (!marker.empty()) call.query.emplace_back("part-number-marker", marker);
        const http::ClientResponse response = TRY(connection.once(call));
        const Result<XmlElement> root = parse_xml(response.body);
        if (!root || root->name != "ListPartsResult") return bad_listing("of parts is none");
        for (const XmlElement& entry : root->children) {
            if (entry.name != "Part") continue;
            const TimeMs modified = TRY(decode_time(entry.text_of("LastModified")));
            newest = std::max(newest, modified);
        }
        if (root->text_of("IsTruncated") != "true") return newest;
        const std::string next(root->text_of("NextPartNumberMarker"));
        if (next.empty() || next == marker) break;
        marker = next;
    }
    return bad_listing("of parts does not end");
}

Result<std::uint64_t> abort_uploads(Connection& connection, const std::string& prefix,
                                    const std::function<Result<bool>(const UnfinishedUpload&)>& choose, bool clean_up) {
    std::uint64_t aborted = 0;
    Query marker;
    for (int pages = 0; pages < kMostPages; ++pages) {
        Query query = {{"uploads", ""}, {"encoding-type", "url"}, {"max-uploads", "1000"}, {"prefix", prefix}};
        query.insert(query.end(), marker.begin(), marker.end());
        const XmlElement root =
            TRY(fetch_document(connection, std::move(query), "ListMultipartUploadsResult", clean_up));
        const UploadsPage page = TRY(decode_uploads(root));
        for (const UnfinishedUpload& upload : page.uploads) {
            if (!upload.key.starts_with(prefix)) continue;
            const bool chosen = TRY(choose(upload));
            if (!chosen) continue;
            TRY(abort_upload(connection, upload.key, upload.id));
            ++aborted;
        }
        if (page.next.empty()) return aborted;
        if (page.next == marker) break;
        marker = page.next;
    }
    return bad_listing("of uploads does not end");
}

}  // namespace backstay::s3
