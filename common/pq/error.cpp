#include "common/pq/error.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <string>

#include "common/domain/reasons.h"

namespace backstay::pq {
namespace {

struct Meaning {
    std::string_view prefix;  // of the SQLSTATE; the first that fits counts
    Errc code;
    std::string_view reason;
};

constexpr auto kMeanings = std::to_array<Meaning>({
    {"28", Errc::denied, reason::kDbAuthFailed},
    {"3D000", Errc::not_found, reason::kDbNotFound},
    {"08", Errc::unavailable, reason::kDbUnreachable},
    {"53100", Errc::exhausted, reason::kDiskSpaceLow},
    {"53300", Errc::unavailable, reason::kDbUnreachable},
    {"53", Errc::exhausted, ""},
    {"55P03", Errc::timed_out, ""},  // lock_timeout
    {"57014", Errc::timed_out, ""},  // statement_timeout, or a cancel that was not ours
    {"55006", Errc::conflict, ""},   // object in use
    {"57P", Errc::unavailable, reason::kDbUnreachable},
    {"25006", Errc::unavailable, reason::kDbUnreachable},  // a standby, since a failover
    {"40", Errc::conflict, ""},                            // serialization, deadlock
    {"23", Errc::conflict, ""},
    {"42501", Errc::denied, ""},
    {"42P04", Errc::conflict, ""},  // duplicate database
    {"XX001", Errc::corrupted, ""},
    {"XX002", Errc::corrupted, ""},
});

std::string_view first_line(std::string_view text) {
    text = text.substr(0, text.find('\n'));
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

// "FATAL:  28P01: …" of a verbose message; the severity is in the server's language, the code is not.
std::string_view sqlstate_in(std::string_view message) {
    for (std::size_t at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
        const std::string_view code = message.substr(at + 3, 5);
        const auto fits = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
        if (code.size() == 5 && std::ranges::all_of(code, fits) && message.substr(at + 8, 2) == ": ") return code;
    }
    return {};
}

std::string_view field(const PGresult* result, int code) {
    const char* text = result == nullptr ? nullptr : PQresultErrorField(result, code);
    return text == nullptr ? std::string_view() : std::string_view(text);
}

}  // namespace

Error error_of_state(std::string_view sqlstate, std::string_view message) {
    const auto meaning =
        std::ranges::find_if(kMeanings, [&](const Meaning& known) { return sqlstate.starts_with(known.prefix); });
    const bool known = meaning != kMeanings.end();
    Error error(known ? meaning->code : Errc::io, std::string(message));
    if (known) error.add_reason(meaning->reason);
    error.add_fact("sqlstate", std::string(sqlstate));
    return error;
}

Error error_of_result(const PGconn* connection, const PGresult* result, bool stopped) {
    const std::string_view state = field(result, PG_DIAG_SQLSTATE);
    if (stopped && (state == "57014" || PQstatus(connection) != CONNECTION_OK)) {
        return Error(Errc::cancelled, "the query was stopped").with_reason(reason::kCancelled);
    }
    if (state.empty()) {
        return Error(Errc::unavailable, std::string(first_line(PQerrorMessage(connection))))
            .with_reason(reason::kDbUnreachable);
    }
    std::string message(field(result, PG_DIAG_MESSAGE_PRIMARY));
    if (const auto detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty()) {
        message += ": ";
        message += detail;
    }
    Error error = error_of_state(state, message);
    if (const auto name = field(result, PG_DIAG_CONSTRAINT_NAME); !name.empty()) {
        error.add_fact("constraint", std::string(name));
    }
    if (const auto hint = field(result, PG_DIAG_MESSAGE_HINT); !hint.empty()) error.add_hint(hint);
    return error;
}

Error error_of_connect(const PGconn* connection) {
    const std::string_view whole = PQerrorMessage(connection);
    const std::string_view state = sqlstate_in(whole);
    std::string message(first_line(whole));
    if (PQconnectionNeedsPassword(connection) != 0) {
        return Error(Errc::denied, std::move(message))
            .with_reason(reason::kDbAuthFailed)
            .with_hint("name a password_file (in .pgpass format, mode 0600), or let peer authentication in");
    }
    if (state.empty()) return Error(Errc::unavailable, std::move(message)).with_reason(reason::kDbUnreachable);
    return error_of_state(state, message);
}

}  // namespace backstay::pq
