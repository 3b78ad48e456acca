#include "agent/wal/record_reader.h"

#include <algorithm>
#include <cstring>

namespace backstay::wal {
namespace {

constexpr std::size_t kAlignment = 8;
constexpr std::uint32_t kLongestRecord = 1U << 30;  // PostgreSQL's own limit is 1020 MiB

constexpr std::uint8_t kTransactions = 1;  // RM_XACT_ID
constexpr std::uint8_t kKindMask = 0x70;
constexpr std::uint8_t kCommit = 0x00;
constexpr std::uint8_t kCommitPrepared = 0x30;

// What may stand before the data of a record without blocks.
constexpr std::uint8_t kTopTransaction = 252;  // and 4 bytes
constexpr std::uint8_t kOrigin = 253;          // and 2 bytes
constexpr std::uint8_t kLongData = 254;        // and its length in 4 bytes
constexpr std::uint8_t kShortData = 255;       // and its length in 1 byte

// Microseconds from 1970 to 2000, where PostgreSQL's times begin.
constexpr std::int64_t kEpochUs = 946'684'800LL * 1'000'000;
// Nobody commits before 2000 or after 2200: a time out of these is no time.
constexpr std::int64_t kLatestUs = 200LL * 366 * 86'400 * 1'000'000;

template <class Number>
Number number_at(const std::byte* bytes) {
    Number number{};
    std::memcpy(&number, bytes, sizeof(number));
    return number;
}

std::size_t align(std::size_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void RecordReader::feed(ByteSpan pages) {
    while (!ended_ && pages.size() >= kPageBytes) {
        read_page(pages.first(kPageBytes));
        pages = pages.subspan(kPageBytes);
    }
}

void RecordReader::read_page(ByteSpan page) {
    const auto header = read_page_header(page);
    if (!header) {
        ended_ = true;
        return;
    }
    std::size_t offset = header->size;
    ByteSpan data = page.subspan(offset);
    if (begin_page(*header, data, offset)) read_data(data, offset);
    first_page_ = false;
    ++pages_;
}

// Whether the rest of the page may be read on.
bool RecordReader::begin_page(const PageHeader& header, ByteSpan& data, std::size_t& offset) {
    const bool inside = length_ != 0 || have_ != 0;
    if (first_page_ && header.continues) {
        headless_ = true;
        length_ = left_ = std::max(header.remaining, 1U);
        return true;
    }
    if (!inside) return true;
    // The record goes on here, unless a crash kept it from being finished.
    if (header.continues && length_ != 0 && header.remaining == left_) return true;
    if (header.continues && length_ == 0) return true;
    headless_ = false;
    have_ = length_ = left_ = 0;
    if (header.overwrites || !header.continues) return true;
    if (header.remaining >= data.size()) return false;
    const std::size_t skipped = align(offset + header.remaining) - offset;
    data = data.subspan(std::min(skipped, data.size()));
    offset += skipped;
    return true;
}

void RecordReader::read_data(ByteSpan data, std::size_t offset) {
    while (!data.empty() && !ended_) {
        std::size_t wanted = 0;
        if (length_ == 0) {
            wanted = std::min(data.size(), kHeadBytes - have_);
        } else {
            wanted = std::min<std::size_t>(data.size(), left_);
        }
        take(data.first(wanted));
        data = data.subspan(wanted);
        offset += wanted;
        if (length_ == 0 && have_ == kHeadBytes && !start_record()) {
            ended_ = true;
            return;
        }
        if (length_ == 0 || left_ != 0) continue;
        end_record(offset);
        const std::size_t padding = std::min(align(offset) - offset, data.size());
        data = data.subspan(padding);
        offset += padding;
    }
}

void RecordReader::take(ByteSpan bytes) {
    const std::size_t kept = headless_ ? 0 : std::min(bytes.size(), kKeptBytes - have_);
    if (kept != 0) std::memcpy(kept_.data() + have_, bytes.data(), kept);
    have_ += kept;
    if (length_ != 0) left_ -= static_cast<std::uint32_t>(bytes.size());
}

// False: that is no record.
bool RecordReader::start_record() {
    length_ = number_at<std::uint32_t>(kept_.data());
    if (length_ < kHeadBytes || length_ > kLongestRecord) return false;
    left_ = length_ - static_cast<std::uint32_t>(kHeadBytes);
    return true;
}

void RecordReader::end_record(std::size_t offset_in_page) {
    if (!headless_) {
        ++commits_.records;
        note_commit(pages_ * kPageBytes + offset_in_page);
    }
    headless_ = false;
    have_ = length_ = left_ = 0;
}

void RecordReader::note_commit(std::uint64_t end) {
    const auto info = number_at<std::uint8_t>(kept_.data() + 16) & kKindMask;
    const auto manager = number_at<std::uint8_t>(kept_.data() + 17);
    if (manager != kTransactions || (info != kCommit && info != kCommitPrepared)) return;
    std::size_t at = kHeadBytes;
    while (at < have_) {
        const auto id = number_at<std::uint8_t>(kept_.data() + at);
        if (id == kOrigin || id == kTopTransaction) {
            at += id == kOrigin ? 3 : 5;
            continue;
        }
        if (id != kShortData && id != kLongData) return;
        at += id == kShortData ? 2 : 5;
        break;
    }
    if (at + sizeof(std::int64_t) > have_) return;
    const auto time = number_at<std::int64_t>(kept_.data() + at);
    if (time < 0 || time > kLatestUs) return;
    const TimeMs ms = (time + kEpochUs) / 1000;
    commits_.first = commits_.first ? std::min(*commits_.first, ms) : ms;
    commits_.last = commits_.last ? std::max(*commits_.last, ms) : ms;
    commits_.end = end;
    ++commits_.count;
}

}  // namespace backstay::wal
