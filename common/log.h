// Log lines for people: one line an event, key=value, to stderr. Under systemd each line carries its journal priority.
// Thread-safe. Never pass a secret: what is logged may be read by every operator of the host.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "common/result.h"

namespace backstay::log {

enum class Level { debug, info, warning, error };

// For the arguments of a call only: a text is borrowed.
class Field {
public:
    Field(std::string_view key, std::string_view text) : key_(key), text_(text) {}
    template <class T>
    requires(!std::is_convertible_v<T, std::string_view>) Field(std::string_view key, const T& value)
        : key_(key), formatted_(fmt::format("{}", value)) {}

    std::string_view key() const { return key_; }
    std::string_view value() const { return formatted_.empty() ? text_ : formatted_; }

private:
    std::string_view key_;
    std::string_view text_;
    std::string formatted_;
};

// Lines below this level are dropped; info at start. Call it before threads start.
void set_level(Level level);

// `event` is a short verb phrase that grep finds again ("job started"); values with spaces are quoted, control
// characters escaped, each value cut at 2,000 characters.
void line(Level level, std::string_view event, std::initializer_list<Field> fields);

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
    line(Level::debug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) { line(Level::info, event, fields); }
inline void warning(std::string_view event, std::initializer_list<Field> fields = {}) {
    line(Level::warning, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
    line(Level::error, event, fields);
}

}  // namespace backstay::log
