// Reads a ZIP member by member, in the order in which they lie in the file.
#pragma once

#include "agent/artifact/tar_reader.h"

namespace backstay {

// `fd`: an open file that can be read from anywhere; it is read from its beginning, by its own directory at the end.
// What is no ZIP, or a broken one (also a member whose checksum or size is not what the directory says), is corrupted
// with reason structure_invalid. Names are as they stand there: check them before use.
Result<> read_zip(int fd, const OnTarMember& on_member);

}  // namespace backstay
