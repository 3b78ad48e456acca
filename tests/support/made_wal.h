// Write-ahead log made by hand: whole segments with records that cross pages, whose commits are known.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "agent/wal/page_header.h"
#include "common/clock.h"

namespace backstay::testing {

struct MadeWal {
    std::uint64_t system_id = 7'000'000'000'000'000'001ULL;
    std::uint64_t segment_bytes = 1 << 20;
    wal::Timeline timeline = 1;
    std::uint64_t number = 1;
    std::uint16_t magic = 0xD110;
    std::uint32_t continued = 0;  // bytes of a record that the segment before began

    // A record of `manager` and `info` with that much data; the data begins with `time` where one is given.
    void record(std::uint8_t manager, std::uint8_t info, std::size_t data_bytes, std::int64_t time_us = 0,
                const std::string& before_data = "") {
        std::string record(24, '\0');
        record += before_data;
        if (data_bytes < 256) {
            record += '\xFF';
            record += static_cast<char>(data_bytes);
        } else {
            record += '\xFE';
            append(record, static_cast<std::uint32_t>(data_bytes));
        }
        std::string data(data_bytes, 'x');
        if (data_bytes >= 8) std::memcpy(data.data(), &time_us, 8);
        record += data;
        const auto length = static_cast<std::uint32_t>(record.size());
        std::memcpy(record.data(), &length, 4);
        record[16] = static_cast<char>(info);
        record[17] = static_cast<char>(manager);
        record.resize((record.size() + 7) / 8 * 8, '\0');
        lengths_.push_back(length);
        records_ += record;
    }
    // A commit at that time of the server's clock.
    void commit(TimeMs at) { record(1, 0x00, 24, (at - 946'684'800'000LL) * 1000); }
    void other(std::size_t bytes) { record(10, 0x20, bytes); }

    // The whole segment; what the records do not fill is zeros.
    std::string segment() const {
        std::string out;
        // What is left of the record that the next byte belongs to; padding counts as nothing.
        std::string body(continued, 'c');
        body.resize((body.size() + 7) / 8 * 8, '\0');
        std::vector<std::pair<std::size_t, std::size_t>> spans;  // begin and end of each record in the body
        if (continued > 0) spans.emplace_back(0, continued);
        std::size_t at = body.size();
        for (const std::uint32_t length : lengths_) {
            spans.emplace_back(at, at + length);
            at += (length + 7) / 8 * 8;
        }
        body += records_;
        std::size_t position = 0;
        std::size_t span = 0;
        while (out.size() < segment_bytes) {
            if (position >= body.size() && !out.empty()) {
                out.resize(static_cast<std::size_t>(segment_bytes), '\0');
                break;
            }
            while (span < spans.size() && spans[span].second <= position) ++span;
            const bool inside = span < spans.size() && (spans[span].first < position || (out.empty() && continued > 0));
            out += page_header(out.size(), inside ? spans[span].second - position : 0);
            const std::size_t room = wal::kPageBytes - out.size() % wal::kPageBytes;
            const std::size_t count = std::min(room, body.size() - position);
            out += body.substr(position, count);
            out.resize(out.size() + room - count, '\0');
            position += count;
        }
        return out;
    }
    std::string name() const { return wal::segment_name(timeline, number, segment_bytes); }

private:
    template <class Number>
    static void append(std::string& to, Number number) {
        to.append(reinterpret_cast<const char*>(&number), sizeof(number));
    }
    std::string page_header(std::size_t offset, std::size_t remaining) const {
        const bool first = offset == 0;
        std::string header;
        append(header, magic);
        append(header, static_cast<std::uint16_t>((first ? 2 : 0) | (remaining > 0 ? 1 : 0)));
        append(header, timeline);
        append(header, number * segment_bytes + offset);
        append(header, static_cast<std::uint32_t>(remaining));
        append(header, std::uint32_t{0});
        if (!first) return header;
        append(header, system_id);
        append(header, static_cast<std::uint32_t>(segment_bytes));
        append(header, static_cast<std::uint32_t>(wal::kPageBytes));
        return header;
    }

    std::string records_;
    std::vector<std::uint32_t> lengths_;
};

}  // namespace backstay::testing
