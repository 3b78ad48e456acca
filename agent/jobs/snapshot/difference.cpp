#include "agent/jobs/snapshot/difference.h"

#include <fmt/format.h>

#include "common/domain/layout.h"

namespace backstay::snapshot {
namespace {

constexpr TimeMs kBaseLivesMs = 7LL * 24 * 3600 * 1000;
constexpr TimeMs kClocksDifferMs = 10LL * 60 * 1000;
constexpr std::uint64_t kMostNewPercent = 30;

// Walks the base's names forward beside the snapshot's.
class Beside {
public:
    explicit Beside(BaseNames* base) : base_(base) {}

    Result<bool> holds(std::string_view name) {
        while (base_ != nullptr) {
            if (!now_) now_ = TRY(base_->next());
            if (!now_) {
                base_ = nullptr;
                return false;
            }
            if (*now_ == name) return true;
            if (*now_ > name) return false;
            now_.reset();
        }
        return false;
    }

private:
    BaseNames* base_;
    std::optional<std::string_view> now_;
};

}  // namespace

bool fits_a_line(std::string_view name) { return name.find('\n') == std::string_view::npos; }

Result<Difference> find_difference(pq::Connection& connection, BaseNames* base, const std::string& scratch) {
    auto all = TRY(backup::NameList::create(scratch + "/names"));
    auto fresh = TRY(backup::NameList::create(scratch + "/new"));
    Difference found{std::move(all), std::move(fresh)};
    Beside beside(base);
    TRY(odoo::stream_attachments(connection, [&](odoo::AttachmentFile file) -> Result<> {
        const auto size = file.size < 0 ? 0 : static_cast<std::uint64_t>(file.size);
        found.bytes += size;
        if (odoo::kind_of_name(file.store_fname) == odoo::NameKind::file && fits_a_line(file.store_fname)) {
            found.listed_bytes += file.store_fname.size() + 1;
        }
        if (!TRY(beside.holds(file.store_fname))) {
            found.fresh_bytes += size;
            TRY(found.fresh.add(file));
        }
        return found.all.add(file);
    }));
    TRY(found.all.rewind());
    TRY(found.fresh.rewind());
    return found;
}

Result<> write_list(TarWriter& tar, Difference& difference, std::int64_t modified_at) {
    TRY(difference.all.rewind());
    TRY(tar.begin({std::string(layout::kFileListMember), difference.listed_bytes, modified_at}));
    std::string lines;
    while (const auto file = difference.all.next()) {
        if (odoo::kind_of_name(file->store_fname) != odoo::NameKind::file || !fits_a_line(file->store_fname)) continue;
        lines += file->store_fname;
        lines += '\n';
        if (lines.size() < 64 * 1024) continue;
        TRY(tar.data(as_bytes(lines)));
        lines.clear();
    }
    return tar.data(as_bytes(lines));
}

std::optional<std::string> why_full(const Choice& choice) {
    if (choice.full_wanted) return "a full one was asked for";
    if (choice.base == nullptr) return "no full one of this environment is here";
    const TimeMs age = choice.now - choice.base->completed_at.ms;
    if (age > kBaseLivesMs) return "the newest full one is older than 7 days";
    // Its age is not known, and it must not serve until that day comes.
    if (age < -kClocksDifferMs) return "the newest full one is of a time that has not come: the clock was put back";
    if (!choice.base_is_there) return fmt::format("the full one {} is not whole any more", choice.base->snapshot_id);
    // Copies bring the base along, and where this one must be encrypted nothing may lie open.
    if (choice.encrypted && !choice.base_is_encrypted) return "the newest full one is not encrypted";
    if (choice.difference == nullptr || choice.difference->bytes == 0) return std::nullopt;
    const std::uint64_t percent = choice.difference->fresh_bytes * 100 / choice.difference->bytes;
    if (percent > kMostNewPercent) return fmt::format("{} % of the bytes are new", percent);
    return std::nullopt;
}

}  // namespace backstay::snapshot
