// Finds the commits in write-ahead log and when they were: the only part of WAL records that Backstay reads. Takes any
// bytes: what is no WAL ends the reading, nothing else. One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "agent/wal/page_header.h"
#include "common/bytes.h"
#include "common/clock.h"

namespace backstay::wal {

struct Commits {
    // Earliest and latest by the clock of the server, wherever in the segment they stand.
    std::optional<TimeMs> first;
    std::optional<TimeMs> last;
    std::optional<std::uint64_t> end;  // where the record of the last one in the segment ends, from its beginning
    std::uint64_t count = 0;
    std::uint64_t records = 0;
};

// Follows the records of one segment. A record counts where it ends: the one that a segment breaks off is of no use
// without the next, and the rest at the beginning of a segment has left its time behind.
class RecordReader {
public:
    // Whole pages, in order from the segment's first on; a last incomplete page is left out.
    void feed(ByteSpan pages);
    const Commits& commits() const { return commits_; }
    // Nothing follows: zeros after a switch of segments, or what is no WAL.
    bool ended() const { return ended_; }

private:
    void read_page(ByteSpan page);
    void read_data(ByteSpan data, std::size_t offset_in_page);
    bool begin_page(const PageHeader& header, ByteSpan& data, std::size_t& offset);
    void take(ByteSpan bytes);
    bool start_record();
    void end_record(std::size_t offset_in_page);
    void note_commit(std::uint64_t end);

    // The beginning of a record, as much as may tell the time of a commit.
    static constexpr std::size_t kHeadBytes = 24;
    static constexpr std::size_t kKeptBytes = 64;

    Commits commits_;
    std::uint64_t pages_ = 0;  // before the one that is read
    std::array<std::byte, kKeptBytes> kept_{};
    std::size_t have_ = 0;      // of kept_
    std::uint32_t length_ = 0;  // of the record; 0: not known yet
    std::uint32_t left_ = 0;    // bytes of the record still to come; known when length_ is
    bool headless_ = false;     // its beginning was in the segment before
    bool first_page_ = true;
    bool ended_ = false;
};

}  // namespace backstay::wal
