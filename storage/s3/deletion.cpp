#include "storage/s3/deletion.h"

#include <fmt/format.h>

#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "storage/s3/refusal.h"
#include "storage/s3/xml.h"

namespace backstay::s3 {

namespace {

// Status 200 says only that the request was understood.
Result<> check_each(const http::ClientResponse& response) {
    if (std::optional<Error> hidden = hidden_refusal(response)) return std::move(*hidden);
    const Result<XmlElement> root = parse_xml(response.body);
    if (!root || root->name != "DeleteResult") {
        return Error(Errc::unavailable, "the store's answer to DeleteObjects is no such thing")
            .with_reason(reason::kDestinationUnreachable);
    }
    for (const XmlElement& entry : root->children) {
        if (entry.name != "Error" || entry.text_of("Code") == "NoSuchKey") continue;
        Error error = refusal(entry.text_of("Code"), entry.text_of("Message"));
        error.add_context(fmt::format("'{}'", entry.text_of("Key")));
        return error;
    }
    return {};
}

}  // namespace

Result<> erase_batch(Connection& connection, const std::vector<std::string>& keys) {
    Call call;
    call.method = "POST";
    call.query = {{"delete", ""}};
    call.body = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>";
    for (const std::string& key : keys) call.body += fmt::format("<Object><Key>{}</Key></Object>", xml_escape(key));
    call.body += "</Delete>";
    call.headers.set("Content-Type", "application/xml");
    call.payload_sha256 = digest_hex(DigestKind::sha256, as_bytes(call.body));
    call.headers.set("x-amz-checksum-sha256", base64_of_hex(call.payload_sha256));
    call.accept = check_each;
    TRY(connection.once(call));
    return {};
}

}  // namespace backstay::s3
