#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "common/clock.h"
#include "control-plane/cli/commands.h"
#include "control-plane/cli/installation_session.h"
#include "control-plane/store-move/move.h"

namespace backstay::cli {
namespace {

constexpr std::int64_t kTellEachMs = 2'000;

// What takes long is told of, on standard error.
class Teller {
public:
    Result<> operator()(const std::string& doing, std::int64_t rows) {
        const std::int64_t now = steady_ms();
        if (now < next_ms_) return {};
        next_ms_ = now + kTellEachMs;
        fmt::print(stderr, "{}: {} rows\n", doing, rows);
        return {};
    }

private:
    std::int64_t next_ms_ = steady_ms() + kTellEachMs;
};

void print_moved(const Common& common, const store_move::Moved& moved, const std::string& from, const std::string& to) {
    json::Array tables;
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < moved.tables.from.size(); ++i) {
        const store_move::TableSum& mine = moved.tables.from[i];
        const store_move::TableSum& theirs = moved.tables.to[i];
        const bool same = mine == theirs;
        rows.push_back(
            {mine.table, std::to_string(mine.rows), std::to_string(theirs.rows), same ? "yes" : "NO", mine.sha256});
        tables.push_back(json::Object{{"table", mine.table},
                                      {"rows", mine.rows},
                                      {"rowsThere", theirs.rows},
                                      {"sha256", mine.sha256},
                                      {"sha256There", theirs.sha256},
                                      {"same", same}});
    }
    json::Object object{{"from", from}, {"to", to}, {"tables", std::move(tables)}, {"wasThere", moved.was_there}};
    object.emplace("keptSettings", moved.kept_settings.empty() ? json::Value() : json::Value(moved.kept_settings));
    print_table(common, json::Value(std::move(object)), {"TABLE", "ROWS", "THERE", "SAME", "SHA-256"}, rows);
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

}  // namespace

Result<> migrate_store(const Common& common, const MoveArguments& arguments) {
    const Settings settings = TRY(load_settings(std::filesystem::absolute(common.state_dir).string()));
    store_move::MoveOrder order;
    order.to = TRY(parse_store(arguments.to));
    order.keep_settings = arguments.keep_settings;
    const auto moved = TRY(store_move::move_store(settings, order, Teller()));
    const std::string from = sql::without_password(settings.store);
    const std::string to = sql::without_password(order.to);
    print_moved(common, moved, from, to);
    const auto different = moved.tables.different();
    if (!different.empty()) {
        return Error(Errc::conflict, fmt::format("{} {} in {}; nothing was switched",
                                                 moved.was_there ? to + " holds an installation of its own: it differs"
                                                                 : "what came back from " + to + " differs",
                                                 "from " + from, joined(different)));
    }
    if (common.json) return {};
    Lines lines = {{moved.was_there ? "there already" : "moved", to}};
    if (moved.kept_settings.empty()) {
        lines.emplace_back("next", "write it as `store` into control.toml, then start the server");
    } else {
        lines.emplace_back("settings", "`store` in control.toml; as it was: " + moved.kept_settings);
        lines.emplace_back("next", "start the server; then put " + from + " away, which stays as it is");
    }
    print(common, {}, lines);
    return {};
}

}  // namespace backstay::cli
