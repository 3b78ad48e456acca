#include "storage/s3/upload.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/domain/reasons.h"
#include "storage/s3/dates.h"
#include "storage/s3/listing.h"
#include "storage/s3/refusal.h"
#include "storage/s3/xml.h"

namespace backstay::s3 {

namespace {

// Putting 10,000 parts together may take a server minutes without a word.
constexpr std::uint64_t kCompleteStallFactor = 5;

void carry(Call& call, const PartBuffer& part, bool checksum) {
    call.payload_sha256 = part.sha256();
    if (part.in_memory()) {
        call.bytes = part.bytes();
    } else {
        call.source = [&part] { return part.reader(); };
        call.source_bytes = part.size();
    }
    if (checksum) call.headers.set("x-amz-checksum-sha256", base64_of_hex(part.sha256()));
}

// Runs `call` with all features that are on; when the server does not know one of them, with fewer. What worked is
// remembered.
template <class Attempt>
Result<http::ClientResponse> with_features(Features& features, Attempt attempt) {
    Result<http::ClientResponse> first = attempt(features);
    if (first || !is_unsupported(first.error())) return first;
    for (const Features less :
         {Features{false, true, false}, Features{true, false, false}, Features{false, false, false}}) {
        if ((less.checksums && !features.checksums) || (less.conditional && !features.conditional)) continue;
        if (less.checksums == features.checksums && less.conditional == features.conditional) continue;
        Result<http::ClientResponse> again = attempt(less);
        if (!again && is_unsupported(again.error())) continue;
        if (again) {
            features.checksums = less.checksums;
            features.conditional = less.conditional;
        }
        return again;
    }
    return first;
}

Result<> drop_count(Result<std::uint64_t> count) {
    if (!count) return std::move(count).error();
    return {};
}

Error torn_answer(std::string_view of) {
    return Error(Errc::unavailable, fmt::format("the store's answer to {} is no such thing", of))
        .with_reason(reason::kDestinationUnreachable);
}

}  // namespace

Result<ObjectInfo> put_whole(Connection& connection, std::string_view key, const PartBuffer& part,
                             const http::Headers& headers, Features& features) {
    const http::ClientResponse response = TRY(with_features(features, [&](const Features& use) {
        Call call;
        call.method = "PUT";
        call.key = key;
        call.headers = headers;
        carry(call, part, use.checksums);
        if (use.conditional) call.headers.set("If-None-Match", "*");
        return connection.persist(call);
    }));
    ObjectInfo info;
    info.size_bytes = part.size();
    info.etag = unquoted(response.headers.get("ETag"));
    info.sha256 = sha256_of_base64(response.headers.get("x-amz-checksum-sha256"));
    info.modified_at = parse_http_date(response.headers.get("Date")).value_or(connection.now_ms());
    return info;
}

Result<MultipartUpload> MultipartUpload::begin(Connection& connection, std::string_view key,
                                               const http::Headers& headers, Features& features) {
    MultipartUpload upload(connection, key, features);
    Result<> created = upload.create(headers).context("begin a multipart upload");
    if (!created) {
        // An attempt whose answer got lost may have begun one.
        if (const Result<> aborted = upload.abort(); !aborted) created.error().followed_by(aborted.error());
        return std::move(created).error();
    }
    return upload;
}

Result<> MultipartUpload::create(const http::Headers& headers) {
    bool repeated = false;
    TRY(with_features(features_, [&](const Features& use) {
        Call call;
        call.method = "POST";
        call.key = key_;
        call.query = {{"uploads", ""}};
        call.headers = headers;
        if (use.checksums) call.headers.set("x-amz-checksum-algorithm", "SHA256");
        checksums_ = use.checksums;
        call.accept = [this](const http::ClientResponse& response) -> Result<> {
            const Result<XmlElement> root = parse_xml(response.body);
            if (root) upload_id_ = root->text_of("UploadId");
            if (upload_id_.empty()) return torn_answer("CreateMultipartUpload");
            return {};
        };
        Result<http::ClientResponse> response = connection_.persist(call);
        repeated = repeated || connection_.attempts_made() > 1;
        return response;
    }));
    // Best effort: a stray costs space until the next sweep, but who may not list uploads may still upload.
    if (repeated) (void)abort_strays();
    return {};
}

Result<> MultipartUpload::add(const PartBuffer& part) {
    const std::size_t number = parts_.size() + 1;
    Call call;
    call.method = "PUT";
    call.key = key_;
    call.query = {{"partNumber", fmt::format("{}", number)}, {"uploadId", upload_id_}};
    carry(call, part, checksums_);
    call.accept = [](const http::ClientResponse& response) -> Result<> {
        if (response.headers.get("ETag").empty()) return torn_answer("UploadPart");
        return {};
    };
    const auto response = TRY(connection_.persist(call).context(fmt::format("part {}", number)));
    parts_.push_back({part.size(), part.sha256(), std::string(response.headers.get("ETag"))});
    bytes_ += part.size();
    return {};
}

std::string MultipartUpload::parts_document() const {
    std::string document = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        document += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag>", i + 1, xml_escape(parts_[i].etag));
        if (checksums_) {
            document += fmt::format("<ChecksumSHA256>{}</ChecksumSHA256>", base64_of_hex(parts_[i].sha256));
        }
        document += "</Part>";
    }
    return document + "</CompleteMultipartUpload>";
}

Result<> MultipartUpload::complete() {
    const std::string document = parts_document();
    TRY(with_features(features_, [&](const Features& use) {
        Call call;
        call.method = "POST";
        call.key = key_;
        call.query = {{"uploadId", upload_id_}};
        call.headers.set("Content-Type", "application/xml");
        if (use.conditional) call.headers.set("If-None-Match", "*");
        call.body = document;
        call.stall_ms = connection_.patience().stall_ms * kCompleteStallFactor;
        // S3 sends its status first and finds out later: a 200 may carry an error, or break off.
        call.accept = [](const http::ClientResponse& response) -> Result<> {
            if (std::optional<Error> hidden = hidden_refusal(response)) return std::move(*hidden);
            const Result<XmlElement> root = parse_xml(response.body);
            if (!root || root->name != "CompleteMultipartUploadResult") return torn_answer("CompleteMultipartUpload");
            return {};
        };
        return connection_.persist(call);
    }));
    return {};
}

Result<> MultipartUpload::abort() {
    if (upload_id_.empty()) return abort_strays();
    return abort_upload(connection_, key_, upload_id_);
}

// Uploads under this key that are not this one: begun by an attempt whose answer never came. Nobody else writes it.
Result<> MultipartUpload::abort_strays() {
    const auto stray = [this](const UnfinishedUpload& upload) { return upload.key == key_ && upload.id != upload_id_; };
    return drop_count(abort_uploads(connection_, key_, stray, true));
}

}  // namespace backstay::s3
