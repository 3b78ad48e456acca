// The two spellings of time that S3 uses beside RFC 3339.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"

namespace backstay::s3 {

// "20130524T000000Z"; its first eight characters are the date of the signature's scope.
std::string amz_time(TimeMs time);

// The preferred form of RFC 9110 5.6.7 only: "Fri, 24 May 2013 00:00:00 GMT".
Result<TimeMs> parse_http_date(std::string_view text);

}  // namespace backstay::s3
