// A ZIP of Odoo's database manager, before anything is believed of it: it may come from anywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/artifact/tar_reader.h"
#include "common/result.h"

namespace backstay::odoo_zip {

struct ZipContents {
    std::uint64_t zip_bytes = 0;
    std::uint64_t sql_bytes = 0;
    std::uint64_t files = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t ignored = 0;  // members that a restore by Odoo does not look at either
    std::string database;       // manifest.json's db_name; "" without one
    std::string version;        // "17.0"; likewise
};

// By the ZIP's directory alone, but for manifest.json. structure_invalid: no ZIP, no dump.sql or two, a member of
// filestore/ that leads elsewhere or is no plain file, or far more content than such a ZIP can hold.
Result<ZipContents> look_through_zip(int fd);

enum class Part { sql, manifest, file, ignored };
// Where a member belongs; structure_invalid for what must not be unpacked.
Result<Part> part_of(const TarMember& member);

// A member's content, refused as soon as it is longer than the directory said.
class DeclaredContent final : public Source {
public:
    DeclaredContent(Source& content, const TarMember& member) : content_(content), member_(member) {}
    Result<std::size_t> read(MutableByteSpan buffer) override;

private:
    Source& content_;
    const TarMember& member_;
    std::uint64_t read_ = 0;
};

}  // namespace backstay::odoo_zip
