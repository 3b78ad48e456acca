// Errors are values: Result<T>, Error and TRY, the only macro of the project.
//
// A function that can fail for a reason outside the program returns Result<T>. A bug aborts. Nothing of ours throws.
// An Error collects on its way up: what was tried (context), why it failed (message), which documented reason code it
// is (reason), facts for the evidence, and a hint for the operator.
#pragma once

#include <cassert>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace backstay {

// What kind of failure; decides retry, HTTP status and exit code (docs/operations.md lists them).
enum class Errc {
    invalid,      // input, configuration or assignment is wrong
    not_found,    // it is not there
    conflict,     // exists already, or busy
    denied,       // not allowed
    unavailable,  // peer or resource cannot be reached now; worth another try
    timed_out,    // took too long; worth another try
    corrupted,    // digest or format says no
    exhausted,    // disk, quota or memory limit
    cancelled,    // somebody asked us to stop
    io,           // the system refused for another reason
};

std::string_view to_string(Errc code);

// Facts are flat and ordered; they end in evidence records.
using Facts = std::map<std::string, std::string>;

class [[nodiscard]] Error {
public:
    Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

    // The errno of a failed system call, as a category and "what: strerror".
    static Error from_errno(int errno_value, std::string_view what);

    Errc code() const { return code_; }
    const std::string& message() const { return message_; }
    // A reason code of the contract (common/domain/reasons.h), or empty when nobody named one yet.
    const std::string& reason() const { return reason_; }
    const std::string& hint() const { return hint_; }
    const Facts& facts() const { return facts_; }
    bool transient() const { return code_ == Errc::unavailable || code_ == Errc::timed_out; }

    // Each returns the error itself, so that they chain at the place of failure.
    Error& add_context(std::string_view doing) {
        message_.insert(0, ": ").insert(0, doing);
        return *this;
    }
    Error& add_fact(std::string key, std::string value) {
        facts_.insert_or_assign(std::move(key), std::move(value));
        return *this;
    }
    // The first reason named wins: the callee knows best.
    Error& add_reason(std::string_view reason) {
        if (reason_.empty()) reason_ = reason;
        return *this;
    }
    Error& add_hint(std::string_view hint) {
        if (hint_.empty()) hint_ = hint;
        return *this;
    }
    // A failure of the clean-up that followed: appended, never swapped in.
    Error& followed_by(const Error& later) {
        message_ += "; then ";
        message_ += later.message();
        return *this;
    }

    Error with_reason(std::string_view reason) && {
        add_reason(reason);
        return std::move(*this);
    }
    Error with_hint(std::string_view hint) && {
        add_hint(hint);
        return std::move(*this);
    }
    Error with_fact(std::string key, std::string value) && {
        add_fact(std::move(key), std::move(value));
        return std::move(*this);
    }

private:
    Errc code_;
    std::string message_;
    std::string reason_;
    std::string hint_;
    Facts facts_;
};

// A value or an error. Shaped like std::expected, so that a later switch is small.
template <class T = void>
class [[nodiscard]] Result {
public:
    using value_type = T;

    Result(T value) : value_(std::move(value)) {}      // NOLINT: implicit on purpose
    Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

    bool has_value() const { return value_.has_value(); }
    explicit operator bool() const { return has_value(); }

    T& value() & { return *check(); }
    const T& value() const& { return *check(); }
    T&& value() && { return std::move(*check()); }
    T& operator*() & { return *check(); }
    const T& operator*() const& { return *check(); }
    T&& operator*() && { return std::move(*check()); }
    T* operator->() { return &*check(); }
    const T* operator->() const { return &*check(); }

    const Error& error() const& { return *error_; }
    Error& error() & { return *error_; }
    Error&& error() && { return std::move(*error_); }

    T value_or(T other) && { return has_value() ? std::move(*value_) : std::move(other); }

    Result&& context(std::string_view doing) && {
        if (error_) error_->add_context(doing);
        return std::move(*this);
    }
    Result&& reason(std::string_view code) && {
        if (error_) error_->add_reason(code);
        return std::move(*this);
    }
    Result&& hint(std::string_view text) && {
        if (error_) error_->add_hint(text);
        return std::move(*this);
    }

private:
    std::optional<T>& check() {
        assert(value_.has_value());
        return value_;
    }
    const std::optional<T>& check() const {
        assert(value_.has_value());
        return value_;
    }

    std::optional<T> value_;
    std::optional<Error> error_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using value_type = void;

    Result() = default;
    Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

    bool has_value() const { return !error_.has_value(); }
    explicit operator bool() const { return has_value(); }
    void value() const { assert(has_value()); }

    const Error& error() const& { return *error_; }
    Error& error() & { return *error_; }
    Error&& error() && { return std::move(*error_); }

    Result&& context(std::string_view doing) && {
        if (error_) error_->add_context(doing);
        return std::move(*this);
    }
    Result&& reason(std::string_view code) && {
        if (error_) error_->add_reason(code);
        return std::move(*this);
    }
    Result&& hint(std::string_view text) && {
        if (error_) error_->add_hint(text);
        return std::move(*this);
    }

private:
    std::optional<Error> error_;
};

namespace detail {
template <class T>
T take_value(Result<T>&& result) {
    return std::move(result).value();
}
inline void take_value(Result<void>&&) {}
}  // namespace detail

}  // namespace backstay

// Yields the value of a Result, or returns its error to the caller.
// Stands alone, as a whole initialiser, or directly inside another TRY: as one of several members in braces or
// arguments it would leak the earlier ones on the error path (GCC 12 and clang 14; house rule, held by check_style.py).
#define BACKSTAY_TRY_NAMED(name, expression)                   \
    __extension__({                                            \
        auto name = (expression);                              \
        if (!name.has_value()) return std::move(name).error(); \
        ::backstay::detail::take_value(std::move(name));       \
    })
#define BACKSTAY_TRY_JOIN2(a, b) a##b
#define BACKSTAY_TRY_JOIN(a, b) BACKSTAY_TRY_JOIN2(a, b)
#define TRY(expression) BACKSTAY_TRY_NAMED(BACKSTAY_TRY_JOIN(try_result_, __COUNTER__), expression)
