// A mail as text (RFC 5322): plain UTF-8, every field checked or encoded, so that no text of others becomes a header.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"

namespace backstay::mail {

struct Message {
    std::string from;  // "backups@example.com"
    std::string to;
    std::string subject;     // any text: line breaks become spaces, what is not ASCII is encoded
    std::string body;        // any text
    std::string message_id;  // unique, without domain; repeated attempts send the same
    TimeMs date = 0;
};

// One address: local part, '@', domain; nothing that could end it or begin another.
bool is_address(std::string_view text);

// With CRLF line ends, the body in base64. `invalid`: an address that is none.
Result<std::string> compose(const Message& message);

}  // namespace backstay::mail
