// How many connections the system lets this process have: each is an open file.
#pragma once

#include <cstddef>

namespace backstay::serve {

// Raises the soft limit of open files as far as `connections` need it and the system allows; says so in the log when
// that is too little. Once, at start.
void allow_connections(std::size_t connections);

}  // namespace backstay::serve
