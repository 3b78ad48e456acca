// What the readers of this folder share around libarchive.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <functional>
#include <memory>

#include "agent/artifact/tar_reader.h"

namespace backstay {

struct FreeReader {
    void operator()(archive* reader) const { archive_read_free(reader); }
};
using ReadingArchive = std::unique_ptr<archive, FreeReader>;

// `failure` makes the error of whatever went wrong last. Ends after the last member.
Result<> read_members(archive* reader, const OnTarMember& on_member, const std::function<Error()>& failure);

}  // namespace backstay
