#include "storage/s3/refusal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/domain/reasons.h"
#include "storage/s3/xml.h"

namespace backstay::s3 {

namespace {

struct Meaning {
    std::string_view code;
    Errc errc;
    std::string_view reason;
    std::string_view hint;
};

// A missing bucket is no missing object: "everything is gone" must not be concluded from a misspelt name.
constexpr std::array<Meaning, 40> kMeanings = {{
    {"NoSuchKey", Errc::not_found, reason::kRemoteMissing, ""},
    {"NoSuchUpload", Errc::not_found, reason::kRemoteMissing, ""},
    {"NoSuchVersion", Errc::not_found, reason::kRemoteMissing, ""},
    {"NoSuchBucket", Errc::invalid, reason::kDestinationUnreachable, "does the bucket exist, and in this region?"},
    {"PermanentRedirect", Errc::invalid, reason::kDestinationUnreachable, "endpoint or region do not fit the bucket"},
    {"TemporaryRedirect", Errc::unavailable, reason::kDestinationUnreachable, ""},
    {"AuthorizationHeaderMalformed", Errc::invalid, reason::kDestinationUnreachable, "is the region right?"},
    {"AccessDenied", Errc::denied, reason::kDestinationAuthFailed, "may these keys read, write, list and delete here?"},
    {"AccountProblem", Errc::denied, reason::kDestinationAuthFailed, ""},
    {"AllAccessDisabled", Errc::denied, reason::kDestinationAuthFailed, ""},
    {"InvalidAccessKeyId", Errc::denied, reason::kDestinationAuthFailed, "is the access key right, and of this store?"},
    {"SignatureDoesNotMatch", Errc::denied, reason::kDestinationAuthFailed, "is the secret key right?"},
    {"ExpiredToken", Errc::denied, reason::kDestinationAuthFailed, "the session token has expired"},
    {"InvalidToken", Errc::denied, reason::kDestinationAuthFailed, ""},
    {"UserSuspended", Errc::denied, reason::kDestinationAuthFailed, ""},
    {"InvalidSecurity", Errc::denied, reason::kDestinationAuthFailed, ""},
    {"RequestTimeTooSkewed", Errc::denied, reason::kDestinationAuthFailed, "the clock of this host is wrong"},
    {"RequestExpired", Errc::denied, reason::kDestinationAuthFailed, "the clock of this host is wrong"},
    {"ObjectLocked", Errc::denied, reason::kRemoteImmutable, ""},
    {"InvalidObjectState", Errc::denied, reason::kRemoteImmutable,
     "the object is archived: restore it in the store first"},
    {"QuotaExceeded", Errc::exhausted, reason::kDestinationFull, ""},
    {"InsufficientStorage", Errc::exhausted, reason::kDestinationFull, ""},
    {"InsufficientCapacity", Errc::exhausted, reason::kDestinationFull, ""},
    {"XMinioStorageFull", Errc::exhausted, reason::kDestinationFull, ""},
    {"XMinioAdminBucketQuotaExceeded", Errc::exhausted, reason::kDestinationFull, ""},
    {"StorageFull", Errc::exhausted, reason::kDestinationFull, ""},
    {"EntityTooLarge", Errc::exhausted, "", "the object is larger than this store takes"},
    {"InvalidRange", Errc::invalid, "", ""},
    {"PreconditionFailed", Errc::conflict, "", ""},
    {"OperationAborted", Errc::unavailable, reason::kDestinationUnreachable, ""},
    {"ConditionalRequestConflict", Errc::unavailable, reason::kDestinationUnreachable, ""},
    {"RequestTimeout", Errc::unavailable, reason::kDestinationUnreachable, ""},
    {"IncompleteBody", Errc::unavailable, reason::kDestinationUnreachable, ""},
    {"SlowDown", Errc::unavailable, reason::kDestinationUnreachable, ""},
    {"ServiceUnavailable", Errc::unavailable, reason::kDestinationUnreachable, ""},
    {"InternalError", Errc::unavailable, reason::kDestinationUnreachable, ""},
    // Bytes changed on the way: what we hold is good and is sent again.
    {"BadDigest", Errc::unavailable, reason::kChecksumMismatch, ""},
    {"InvalidDigest", Errc::unavailable, reason::kChecksumMismatch, ""},
    {"XAmzContentSHA256Mismatch", Errc::unavailable, reason::kChecksumMismatch, ""},
    {"XAmzContentChecksumMismatch", Errc::unavailable, reason::kChecksumMismatch, ""},
}};

Meaning meaning_of_status(int status) {
    if (status == 404) return {"", Errc::not_found, reason::kRemoteMissing, ""};
    if (status == 401 || status == 403) {
        return {"", Errc::denied, reason::kDestinationAuthFailed, "are the keys right, and may they do this?"};
    }
    if (status == 412) return {"", Errc::conflict, "", ""};
    if (status == 416) return {"", Errc::invalid, "", ""};
    if (status == 507) return {"", Errc::exhausted, reason::kDestinationFull, ""};
    if (status == 501) return {"", Errc::invalid, "", ""};
    if (status >= 500 || status == 408 || status == 409 || status == 429) {
        return {"", Errc::unavailable, reason::kDestinationUnreachable, ""};
    }
    if (status >= 300 && status < 400) {
        return {"", Errc::invalid, reason::kDestinationUnreachable, "endpoint or region do not fit the bucket"};
    }
    return {"", Errc::invalid, "", ""};
}

// What a server wrote, fit for one line of a log.
std::string tidy(std::string_view text) {
    constexpr std::size_t kLongest = 300;
    std::string line;
    for (const char c : text.substr(0, kLongest)) {
        const auto byte = static_cast<unsigned char>(c);
        line += byte < 0x20 || byte >= 0x7F ? ' ' : c;
    }
    return line;
}

Error describe(const http::ClientResponse& response, std::string_view code, std::string_view message) {
    const auto* known =
        std::find_if(kMeanings.begin(), kMeanings.end(), [&](const Meaning& meaning) { return meaning.code == code; });
    Meaning meaning = known != kMeanings.end() ? *known : meaning_of_status(response.status);
    // Some stores refuse to delete a locked object with nothing but "access denied" and a sentence.
    if (code == "AccessDenied" && (message.find("object lock") != message.npos ||
                                   message.find("WORM") != message.npos || message.find("retention") != message.npos)) {
        meaning = {"", Errc::denied, reason::kRemoteImmutable, ""};
    }
    Error error(meaning.errc, fmt::format("the store answers {}{}{}{}{}", response.status, code.empty() ? "" : " ",
                                          tidy(code), message.empty() ? "" : ": ", tidy(message)));
    if (!meaning.reason.empty()) error.add_reason(meaning.reason);
    if (!meaning.hint.empty()) error.add_hint(meaning.hint);
    error.add_fact(kHttpStatus, fmt::format("{}", response.status));
    error.add_fact(kS3Code, tidy(code));
    const std::string_view request = response.headers.get("x-amz-request-id");
    if (!request.empty()) error.add_fact("s3_request_id", tidy(request));
    const std::string_view region = response.headers.get("x-amz-bucket-region");
    if (!region.empty()) error.add_fact("bucket_region", tidy(region));
    return error;
}

}  // namespace

Error refusal(const http::ClientResponse& response) {
    const Result<XmlElement> root = parse_xml(response.body);
    if (!root || root->name != "Error") return describe(response, "", "");
    return describe(response, root->text_of("Code"), root->text_of("Message"));
}

Error refusal(std::string_view code, std::string_view message) {
    http::ClientResponse response;
    response.status = 200;
    return describe(response, code, message);
}

std::optional<Error> hidden_refusal(const http::ClientResponse& response) {
    const Result<XmlElement> root = parse_xml(response.body);
    if (!root || root->name != "Error") return std::nullopt;
    return describe(response, root->text_of("Code"), root->text_of("Message"));
}

bool has_code(const Error& error, std::string_view code) {
    const auto found = error.facts().find(kS3Code);
    return found != error.facts().end() && found->second == code;
}

bool has_status(const Error& error, std::string_view status) {
    const auto found = error.facts().find(kHttpStatus);
    return found != error.facts().end() && found->second == status;
}

bool is_unsupported(const Error& error) {
    return has_status(error, "501") || has_code(error, "NotImplemented") ||
           (has_status(error, "400") && (has_code(error, "InvalidArgument") || has_code(error, "InvalidRequest")));
}

}  // namespace backstay::s3
