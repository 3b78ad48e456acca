// Destinations as the contract writes them (contract/semantics.md 2.2): camelCase members, secrets that are shown as
// "********" and stay as they are when that text comes back.
#pragma once

#include <string_view>

#include "common/domain/orders.h"
#include "common/json/json.h"
#include "common/result.h"
#include "storage/destination.h"

namespace backstay {

inline constexpr std::string_view kRedacted = "********";

// Checks every member; the error names all that are wrong, as do `faults` when given ("config.bucket"). A known type
// without a driver and an unknown type are `invalid` with reason destination_type_unsupported.
Result<Destination> decode_destination(const DestinationOrder& order, json::Faults* faults = nullptr);

// With secrets in clear: for the encrypted column and for assignments only.
DestinationOrder encode_destination(const Destination& destination);

// The same configuration with every secret member that has a value replaced by kRedacted. Works for any type.
json::Object redact_config(const json::Object& config);

// What a PUT means: `changed`, its secrets taken from `stored` where it says kRedacted.
json::Object keep_redacted(const json::Object& stored, const json::Object& changed);

}  // namespace backstay
