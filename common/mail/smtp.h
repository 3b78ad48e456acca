// Sends mail by SMTP through libcurl: blocking, one connection a mail. Any thread.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "common/mail/message.h"
#include "common/result.h"

namespace backstay::mail {

enum class Security {
    tls,       // from the first byte (smtps)
    starttls,  // before anything is told; a server that cannot is refused
    none,      // for a relay on this host or in a trusted network
};

struct SmtpOptions {
    std::string host;
    std::uint16_t port = 587;
    Security security = Security::starttls;
    std::string ca_file;   // PEM; empty: the system's
    std::string username;  // empty: nobody logs in
    std::string password;
    std::uint64_t total_ms = 30'000;
};

// `denied`: certificate, login, or the server refuses sender, recipient or content for good (5xx); unavailable: it
// cannot be reached, or refuses for now (4xx); timed_out; cancelled; invalid: what compose() refuses. Errors never hold
// the password.
Result<> send(const SmtpOptions& options, const Message& message, const std::stop_token& stop);

}  // namespace backstay::mail
