// What the state of a copy says.
#pragma once

#include "common/domain/steps.h"

namespace backstay {

// It lies in its destination, whole as far as anybody knows.
inline bool is_stored(const CopyRecord& copy) {
    return copy.state == CopyState::uploaded || copy.state == CopyState::verified;
}

}  // namespace backstay
