// What to do about a reason code (docs/operations.md has the same): one sentence for whoever reads why a host is not
// green. Errors' own hints are in the sentences of the evidence already.
#pragma once

#include <string_view>

namespace backstay::local_api {

// Empty for what needs nothing to be done, and for codes that are not known.
std::string_view advice(std::string_view reason);

}  // namespace backstay::local_api
