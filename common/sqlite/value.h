// One parameter of a statement. Integers of any width and bool are stored as 64-bit integers, an empty optional as
// NULL, a Blob as bytes. Text is borrowed: it must live until the call that takes the value returns.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace backstay::sqlite {

using Blob = std::vector<std::byte>;

class Value {
public:
    using Held = std::variant<std::monostate, std::int64_t, double, std::string_view, const Blob*>;

    Value(std::nullptr_t) {}                                                        // NOLINT: implicit on purpose
    Value(std::nullopt_t) {}                                                        // NOLINT
    Value(std::integral auto number) : held_(static_cast<std::int64_t>(number)) {}  // NOLINT
    Value(double number) : held_(number) {}                                         // NOLINT
    Value(std::string_view text) : held_(text) {}                                   // NOLINT
    Value(const std::string& text) : held_(std::string_view(text)) {}               // NOLINT
    Value(const char* text) : held_(std::string_view(text)) {}                      // NOLINT
    Value(const Blob& bytes) : held_(&bytes) {}                                     // NOLINT
    template <class T>
    Value(const std::optional<T>& maybe) {  // NOLINT
        if (maybe.has_value()) held_ = Value(*maybe).held_;
    }

    const Held& held() const { return held_; }

private:
    Held held_;
};

}  // namespace backstay::sqlite
