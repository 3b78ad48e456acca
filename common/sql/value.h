// Parameters of statements and bytes in columns: the same words whatever carries the store.
#pragma once

#include "common/sqlite/value.h"

namespace backstay::sql {

using sqlite::Blob;
using sqlite::Value;

}  // namespace backstay::sql
