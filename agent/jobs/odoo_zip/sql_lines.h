// A script as pg_dump and pg_restore write it, line by line on its way to another sink: statements may be edited, rows
// of tables pass untouched. Memory stays small whatever the length of a line.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/bytes.h"

namespace backstay::odoo_zip {

class SqlLines final : public Sink {
public:
    // Gets a line that stands outside of COPY data, with its end, and appends to `out` what shall stand in its place.
    // Lines beyond 64 KiB are not shown.
    using Edit = std::function<void(std::string_view line, std::string& out)>;
    SqlLines(Sink& next, Edit edit) : next_(next), edit_(std::move(edit)) {}

    Result<> write(ByteSpan bytes) override;
    // Hands on what is left of a last line without an end; `next` is not finished.
    Result<> finish() override;

private:
    void take(std::string_view piece, bool ends);
    void close_line();
    Result<> flush(std::size_t least);

    Sink& next_;
    Edit edit_;
    std::string line_;      // its beginning, until it ends or is known to be of no interest
    bool passing_ = false;  // the rest of this line is of no interest
    bool in_data_ = false;
    std::string out_;
};

// Odoo makes unaccent() IMMUTABLE and builds indexes on it, which a dump does not carry: they would fail. A line that
// creates the extension is followed by one that does it again, where the role may.
void keep_unaccent(std::string_view line, std::string& out);

}  // namespace backstay::odoo_zip
