// One table of the configuration file while it is read: typed keys, faults with line and key, and at the end a fault
// for every key that nobody asked for. Knows no TOML library; config.cpp fills it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace backstay::config {

struct Value {
    std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>> held;
    std::uint32_t line = 0;
};

// "line 12: [limits] nice: must be between 0 and 19"; line 0 is left out.
struct Fault {
    std::uint32_t line = 0;
    std::string text;
};
using Faults = std::vector<Fault>;

class Section {
public:
    // `title` as people write it: "[limits]", "[[cluster]]", "" for the top of the file.
    Section(std::string title, std::uint32_t line, std::map<std::string, Value> values, Faults& faults)
        : title_(std::move(title)), line_(line), values_(std::move(values)), faults_(&faults) {}

    void read(std::string_view key, std::string& out);
    void read(std::string_view key, bool& out);
    void read(std::string_view key, std::vector<std::string>& out);
    // `low` 0: none is one, too.
    void read(std::string_view key, std::uint16_t& port, std::int32_t low = 1);
    void read(std::string_view key, std::int32_t& out, std::int32_t low, std::int32_t high);
    void read(std::string_view key, std::uint64_t& out);
    // An absolute path; "" only when the default is.
    void read_path(std::string_view key, std::string& out);

    // A key of whatever type, taken out.
    std::optional<Value> take(std::string_view key);
    // What is left: every key that was not read, for sections whose keys somebody else checks.
    std::map<std::string, Value> take_rest();
    // A fault for every key that nobody read.
    void refuse_rest();

    void fault(std::string_view key, std::string_view message, std::uint32_t line = 0);
    std::uint32_t line() const { return line_; }

private:
    template <class T>
    const T* typed(std::string_view key, std::string_view kind, std::optional<Value>& holder);

    std::string title_;
    std::uint32_t line_;
    std::map<std::string, Value> values_;
    Faults* faults_;
};

}  // namespace backstay::config
