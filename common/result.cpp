#include "common/result.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace backstay {

std::string_view to_string(Errc code) {
    switch (code) {
        case Errc::invalid:
            return "invalid";
        case Errc::not_found:
            return "not_found";
        case Errc::conflict:
            return "conflict";
        case Errc::denied:
            return "denied";
        case Errc::unavailable:
            return "unavailable";
        case Errc::timed_out:
            return "timed_out";
        case Errc::corrupted:
            return "corrupted";
        case Errc::exhausted:
            return "exhausted";
        case Errc::cancelled:
            return "cancelled";
        case Errc::io:
            return "io";
    }
    return "io";
}

namespace {
Errc category(int errno_value) {
    switch (errno_value) {
        case ENOENT:
        case ENOTDIR:
            return Errc::not_found;
        case EEXIST:
        case ENOTEMPTY:
        case EBUSY:
            return Errc::conflict;
        case EACCES:
        case EPERM:
        case EROFS:
            return Errc::denied;
        case ENOSPC:
        case EDQUOT:
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            return Errc::exhausted;
        case ECONNREFUSED:
        case ECONNRESET:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EPIPE:
            return Errc::unavailable;
        case ETIMEDOUT:
            return Errc::timed_out;
        case EINVAL:
        case ENAMETOOLONG:
        case ELOOP:
            return Errc::invalid;
        default:
            return Errc::io;
    }
}
}  // namespace

Error Error::from_errno(int errno_value, std::string_view what) {
    return Error(category(errno_value), fmt::format("{}: {}", what, std::generic_category().message(errno_value)));
}

}  // namespace backstay
