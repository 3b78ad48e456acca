// What an answer that is no success means: S3's own error codes turned into ours, with the contract's reason.
#pragma once

#include <string>
#include <string_view>

#include "common/http/client.h"
#include "common/result.h"

namespace backstay::s3 {

// Of the facts: S3's own code ("NoSuchKey"), empty when the answer had none.
inline constexpr const char* kS3Code = "s3_code";
inline constexpr const char* kHttpStatus = "http_status";

// For any status outside 2xx.
Error refusal(const http::ClientResponse& response);

// An error by S3's code and sentence alone, as lists of them have it.
Error refusal(std::string_view code, std::string_view message);

// For an <Error> document that came with status 200, as CompleteMultipartUpload may answer; nullopt: it is none.
std::optional<Error> hidden_refusal(const http::ClientResponse& response);

// The server does not know a header that was sent; the same without it may work.
bool is_unsupported(const Error& error);

bool has_code(const Error& error, std::string_view code);
bool has_status(const Error& error, std::string_view status);

}  // namespace backstay::s3
